"""Which request runs now: what the log says of every line that is written meanwhile.

A worker that runs one request at a time keeps it in a plain global, so that threads which the
script starts see it too. Where requests run as tasks of one loop (`async def run`), each task has
its own; call `use_tasks()` once, before the first request.
"""

from __future__ import annotations

import re
from contextvars import ContextVar

Ids = tuple[str, str]  # the request's id, and its W3C trace id or ""

NOTHING: Ids = ("", "")
_VERSION_0_LENGTH = 55
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)

_running: Ids = NOTHING
_task: ContextVar[Ids] | None = None


def enter(ids: Ids) -> None:
    """From now on every log line is this request's."""
    global _running  # noqa: PLW0603  # the one fact this module is about
    if _task is None:
        _running = ids
    else:
        _task.set(ids)


def leave() -> None:
    """The request is over."""
    enter(NOTHING)


def current() -> Ids:
    """NOTHING when no request runs."""
    return _running if _task is None else _task.get()


def use_tasks() -> None:
    """Have each asyncio task keep its own request."""
    global _task  # noqa: PLW0603  # chosen once, when the script is known
    if _task is None:
        _task = ContextVar("verdazul_request", default=NOTHING)


def trace_id(traceparent: str) -> str:
    """The trace id of a W3C `traceparent`; "" when it is invalid, as the standard has it ignored.

    Versions to come may append fields: 01-<trace>-<parent>-00-more.
    """
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return ""
    is_longer = len(traceparent) > _VERSION_0_LENGTH
    return "" if is_longer and traceparent.startswith("00") else match[1]
