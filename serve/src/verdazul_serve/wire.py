"""The head of an HTTP response, as bytes."""

from __future__ import annotations

import time
from http import HTTPStatus

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNKED = "transfer-encoding: chunked\r\n"
LAST_CHUNK = b"0\r\n\r\n"

Pairs = tuple[tuple[str, str], ...]

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_LINES = {code: f"HTTP/1.1 {code} {phrase}\r\n" for code, phrase in _PHRASES.items()}
_KEEP = "connection: keep-alive\r\n"
_CLOSE = "connection: close\r\n"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = " Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ")  # noqa: SIM905


def head(status: int, headers: Pairs, framing: str, *, keep: bool, http11: bool = True) -> bytes:
    """`framing` is a line as `length` or CHUNKED (or "": the close ends the body)."""
    line = _LINES.get(status) or f"HTTP/1.1 {status} \r\n"
    connection = "" if keep and http11 else _KEEP if keep else _CLOSE
    pairs = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return f"{line}{date_line()}{pairs}{framing}{connection}\r\n".encode("latin-1", "replace")


def whole(
    status: int, headers: Pairs, body: bytes, *, keep: bool, http11: bool, is_bare: bool
) -> bytes:
    """Head and body; `is_bare`: the head only, which announces the body all the same."""
    line = _LINES.get(status) or f"HTTP/1.1 {status} \r\n"
    connection = "" if keep and http11 else _KEEP if keep else _CLOSE
    pairs = "".join([f"{name}: {value}\r\n" for name, value in headers])
    text = f"{line}{date_line()}{pairs}content-length: {len(body)}\r\n{connection}\r\n"
    head = text.encode("latin-1", "replace")
    return head if is_bare else head + body


def length(size: int) -> str:
    """The framing of a body whose size is known."""
    return f"content-length: {size}\r\n"


def chunk(data: bytes) -> bytes:
    """One piece of a chunked body; never the empty one, which would end it."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def date_line() -> str:
    """`date: Sun, 22 Nov 2026 19:22:04 GMT` with its end; made once a second."""
    global _latest  # noqa: PLW0603  # the last one is kept
    second = int(time.time())  # noqa: TID251  # the wall clock is what it tells
    if _latest[0] != second:
        _latest = second, f"date: {date(second)}\r\n"
    return _latest[1]


_latest = 0, ""


def date(second: int) -> str:
    """`Sun, 22 Nov 2026 19:22:04 GMT`, without the locale strftime would ask."""
    t = time.gmtime(second)
    clock = f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02}"
    return f"{_DAYS[t.tm_wday]}, {t.tm_mday:02} {_MONTHS[t.tm_mon]} {t.tm_year} {clock} GMT"
