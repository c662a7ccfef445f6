"""The head of an HTTP response, as bytes."""

from __future__ import annotations

import time
from http import HTTPStatus

from verdazul_serve.answers import Answer

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_LINES = {code: f"HTTP/1.1 {code} {phrase}\r\n" for code, phrase in _PHRASES.items()}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = " Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ")  # noqa: SIM905


def head(
    answer: Answer, framing: tuple[str, str] | None, *, keep: bool, http11: bool = True
) -> bytes:
    """`framing` is Content-Length or Transfer-Encoding (None: the close ends the body)."""
    connection = "" if keep and http11 else "connection: keep-alive\r\n"
    if not keep:
        connection = "connection: close\r\n"
    pairs = "".join([f"{name}: {value}\r\n" for name, value in answer.headers])
    length = f"{framing[0]}: {framing[1]}\r\n" if framing else ""
    line = _LINES.get(answer.status) or f"HTTP/1.1 {answer.status} \r\n"
    text = f"{line}{date_line()}{pairs}{length}{connection}\r\n"
    return text.encode("latin-1", "replace")


def chunk(data: bytes) -> bytes:
    """One piece of a chunked body; never the empty one, which would end it."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def date_line() -> str:
    """`date: Sun, 22 Nov 2026 19:22:04 GMT` with its end; made once a second."""
    global _latest  # noqa: PLW0603  # the last one is kept
    second = int(time.time())
    if _latest[0] != second:
        _latest = second, f"date: {date(second)}\r\n"
    return _latest[1]


_latest = 0, ""


def date(second: int) -> str:
    """`Sun, 22 Nov 2026 19:22:04 GMT`, without the locale strftime would ask."""
    t = time.gmtime(second)
    clock = f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02}"
    return f"{_DAYS[t.tm_wday]}, {t.tm_mday:02} {_MONTHS[t.tm_mon]} {t.tm_year} {clock} GMT"
