"""The head of an HTTP response, as bytes."""

from __future__ import annotations

import time

from verdazul_serve.answers import Answer

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

_PHRASES = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    417: "Expectation Failed",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = " Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ")  # noqa: SIM905


def head(answer: Answer, framing: tuple[str, str] | None, *, connection: str, now: float) -> bytes:
    """`framing` is Content-Length or Transfer-Encoding (None: the close ends the body)."""
    lines = [
        f"HTTP/1.1 {answer.status} {_PHRASES.get(answer.status, '')}",
        f"date: {date(int(now))}",
    ]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    if framing:
        lines.append(f"{framing[0]}: {framing[1]}")
    if connection:
        lines.append(f"connection: {connection}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


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
