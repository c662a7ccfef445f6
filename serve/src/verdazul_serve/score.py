"""/score for plain scripts: a request becomes run()'s string, what run() returns an answer.

Azure's contract to the letter (status, body and headers); pure apart from calling the script.
Other modes (@rawhttp, @input_schema) are other functions beside `score`.
"""

from __future__ import annotations

import inspect
import json
import socket
import time
from codecs import register_error
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

from verdazul_serve import trace
from verdazul_serve.answers import JSON, RUN_FAILED, Answer, error
from verdazul_serve.deadline import within
from verdazul_serve.logs import server as log
from verdazul_serve.script import Script

EXEC_MS = "x-ms-run-fn-exec-ms"
_SCRIPT_FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."
_INTERNAL = "An unexpected internal error occurred. Check the logs for more info."


@dataclass(frozen=True)
class Input:
    """One scoring request as the worker sees it; header names in lower case."""

    method: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class Stream:
    """An answer whose body comes item by item."""

    head: Answer
    items: Iterator[bytes]


def score(script: Script, request: Input, *, timeout_ms: int) -> Answer | Stream:
    """Run the script on one request; never raises."""
    try:
        data = read_input(request)
    except UnicodeDecodeError as reason:
        return error(400, f"Input cannot be decoded as UTF-8: {reason}")
    headers = shown_headers(request.headers)
    started = time.perf_counter()
    try:
        result = within(timeout_ms / 1000, lambda: _first(script.run(data, headers)))
    except (TimeoutError, socket.timeout) as reason:
        log_exception(reason)
        return error(500, f"Scoring timeout after {timeout_ms} ms", run_failed=True)
    except BaseException as reason:  # noqa: BLE001  # sys.exit() in run() costs this request only
        log_exception(reason)
        return error(500, _SCRIPT_FAILED, run_failed=True)
    return render(result, exec_ms=(time.perf_counter() - started) * 1000)


def read_input(request: Input) -> str:
    """The body as text, whatever its type says; for GET the query as a JSON object."""
    if request.method == "GET":
        return json.dumps(query_object(request.query))
    return request.body.decode("utf-8")


def query_object(query: str) -> dict[str, Any]:
    """`a=1&c=x&c=2` -> {"a": 1, "c": ["x", 2]}: JSON where it is, strings where not."""
    values: dict[str, list[Any]] = {}
    for name, text in parse_qsl(query, keep_blank_values=True, errors="verdazul.percent"):
        values.setdefault(name, []).append(_json_or_text(text))
    return {name: each if len(each) > 1 else each[0] for name, each in values.items()}


def shown_headers(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """As run(request_headers) gets them: Title-Case names, repeated ones joined by a comma."""
    shown: dict[str, str] = {}
    for name, value in headers:
        if "_" not in name:  # could pose as its twin with a dash
            title = name.title()
            shown[title] = f"{shown[title]},{value}" if title in shown else value
    return shown


def render(result: Any, *, exec_ms: float) -> Answer | Stream:
    """What run() returned, as an answer."""
    headers = ((RUN_FAILED, "False"), (EXEC_MS, f"{exec_ms:.3f}"))
    if isinstance(result, _Started):
        text = ("content-type", "text/plain; charset=utf-8")
        return Stream(Answer(200, (text, *headers), b""), result.encoded())
    if result is None:
        return Answer(200, (JSON, *headers), b"{}")
    try:
        body = json.dumps(result).encode()
    except Exception as reason:  # noqa: BLE001  # a value's own methods may raise anything
        log_exception(reason)
        return error(500, _INTERNAL)
    return Answer(200, (JSON, *headers), body)


def log_exception(reason: BaseException) -> None:
    """Details are for the log only: a client learns that it failed."""
    log.error("Encountered Exception: %s", "\n".join(trace.lines(reason)))


class _Started:
    """A generator whose first item is out, so that failing at once is still a clean 500."""

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items
        self._begun = list(islice(items, 1))

    def encoded(self) -> Iterator[bytes]:
        try:
            for item in self._begun:
                yield _encoded(item)
            for item in self._items:
                yield _encoded(item)
        finally:
            close = getattr(self._items, "close", None)
            if close:
                close()


def _first(result: Any) -> Any:
    return _Started(result) if inspect.isgenerator(result) else result


def _encoded(item: Any) -> bytes:
    if isinstance(item, str):
        return item.encode()
    if isinstance(item, (bytes, bytearray)):
        return bytes(item)
    raise TypeError(f"run() yielded {type(item).__name__}; a stream's items are str or bytes")


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _percent(problem: UnicodeError) -> tuple[str, int]:
    """Bytes of a query that are no UTF-8 stay percent-encoded."""
    if not isinstance(problem, UnicodeDecodeError):
        raise problem
    bad = problem.object[problem.start : problem.end]
    return "".join(f"%{byte:02X}" for byte in bad), problem.end


register_error("verdazul.percent", _percent)
