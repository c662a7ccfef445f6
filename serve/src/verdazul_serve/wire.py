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
    text = f"{line}date: {date(int(time.time()))}\r\n{pairs}{length}{connection}\r\n"
    return text.encode("latin-1", "replace")


def chunk(data: bytes) -> bytes:
    """One piece of a chunked body; never the empty one, which would end it."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def date(second: int, _latest: dict[int, str] = {}) -> str:  # noqa: B006  # the last one is kept
    """`Sun, 22 Nov 2026 19:22:04 GMT`, without the locale strftime would ask."""
    text = _latest.get(second)
    if text is None:
        t = time.gmtime(second)
        clock = f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02}"
        text = f"{_DAYS[t.tm_wday]}, {t.tm_mday:02} {_MONTHS[t.tm_mon]} {t.tm_year} {clock} GMT"
        _latest.clear()
        _latest[second] = text
    return text
