"""What run() returned becomes an answer; nothing here raises on a script's account.

A generator is begun before it is rendered (`begin`, `begin_async`, inside the scoring timeout): its
first item decides the content type, and a run() that fails at once is still a clean 500. Response
objects of Flask are recognised only if the script has imported Flask.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

from verdazul_serve import trace
from verdazul_serve.answers import INTERNAL, JSON, RUN_FAILED, Answer, Stream, error
from verdazul_serve.logs import server as log

EXEC_MS = "x-ms-run-fn-exec-ms"
COMMON = frozenset({dict, list, tuple, str, int, float, bool, type(None)})  # nothing to begin
SCRIPT_FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."
_DID_NOT_FAIL = (RUN_FAILED, "False")
_TEXT = (("content-type", "text/plain; charset=utf-8"),)
_EVENTS = (("content-type", "text/event-stream"), ("cache-control", "no-cache"))
_EVENT_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")
COMMON = frozenset({dict, list, tuple, str, int, float, bool, type(None)})  # begin nothing

Pairs = tuple[tuple[str, str], ...]


class Items:
    """Encoded items of an iterator, which is closed once: at its end, on an error, or on demand."""

    def __init__(self, items: Iterator[Any], close: Callable[[], object]) -> None:
        self._items = items
        self._close: Callable[[], object] | None = close
        self.first: bytes | None = None  # read already, but still to come

    def __iter__(self) -> Items:
        return self

    def __next__(self) -> bytes:
        first, self.first = self.first, None
        if first is not None:
            return first
        try:
            return encoded(next(self._items))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        close, self._close = self._close, None
        if close:
            close()


class AsyncItems:
    """The same for an asynchronous generator."""

    def __init__(self, items: AsyncGenerator[Any, Any]) -> None:
        self._items = items
        self.first: bytes | None = None

    def __aiter__(self) -> AsyncItems:
        return self

    async def __anext__(self) -> bytes:
        first, self.first = self.first, None
        if first is not None:
            return first
        try:
            return encoded(await self._items.__anext__())
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        await self._items.aclose()


def begin(result: Any) -> Any:
    """Run a generator up to its first item; anything else is returned as it is."""
    if not inspect.isgenerator(result):
        return result
    items = Items(result, result.close)
    items.first = next(items, None)
    return items


async def begin_async(result: Any) -> Any:
    """As `begin`, for asynchronous generators too."""
    if not inspect.isasyncgen(result):
        return begin(result)
    items = AsyncItems(result)
    async for first in items:
        items.first = first
        break
    return items


def render(result: Any, *, exec_ms: float) -> Answer | Stream:
    """What run() returned, as an answer; a generator must have been begun."""
    headers = (_DID_NOT_FAIL, (EXEC_MS, f"{exec_ms:.3f}"))
    try:
        if type(result) not in COMMON:
            return _special(result, headers)
        body = b"{}" if result is None else json.dumps(result).encode()
        return Answer(200, (JSON, *headers), body)
    except Exception as reason:  # noqa: BLE001  # a value's own methods may raise anything
        trace.log(reason)
        return error(500, INTERNAL)


def encoded(item: Any) -> bytes:
    """One item of a stream. Raises TypeError."""
    if isinstance(item, str):
        return item.encode()
    if isinstance(item, (bytes, bytearray, memoryview)):
        return bytes(item)
    raise TypeError(f"run() yielded {type(item).__name__}; a stream's items are str or bytes")


def _special(result: Any, headers: Pairs) -> Answer | Stream:
    if isinstance(result, (Items, AsyncItems)):
        is_events = (result.first or b"").startswith(_EVENT_FIELDS)
        kind = _EVENTS if is_events else _TEXT
        return Stream(Answer(200, (*kind, *headers), b""), result)
    if _is_flask_response(result):
        from verdazul_serve.compat import responses

        log.info("run() output is HTTP Response")
        return responses.answer(result, headers[1])
    return Answer(200, (JSON, *headers), json.dumps(result).encode())


def _is_flask_response(result: Any) -> bool:
    response = getattr(sys.modules.get("flask"), "Response", None)
    return isinstance(response, type) and isinstance(result, response)
