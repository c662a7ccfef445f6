"""Bytes to HTTP requests: a parser without a socket.

Whatever pieces the bytes come in, the same events come out, in order. After a `Refusal` nothing
more is read: the connection answers it and closes. Limits are checked before memory is spent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Union

import httptools


class Stage(Enum):
    """Where in a request the reader is; the connection's timeouts depend on it."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    REFUSED = "refused"


@dataclass(frozen=True)
class Request:
    """One complete request; header names in lower case, values as latin-1."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    http11: bool
    keep_alive: bool

    def header(self, name: str) -> str | None:
        """The first value, None when there is none."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True)
class Refusal:
    """The bytes are no request we take; answer so and close."""

    status: int
    message: str


@dataclass(frozen=True)
class WantsContinue:
    """The client waits for `100 Continue` before it sends the body."""


Event = Union[Request, Refusal, WantsContinue]


class Reader:
    """Callbacks of httptools' parser; `feed` is the way in."""

    def __init__(self, *, max_header_bytes: int, max_body_bytes: int) -> None:
        self._max_header_bytes = max_header_bytes
        self._max_body_bytes = max_body_bytes
        self._parser = httptools.HttpRequestParser(self)
        self._events: list[Event] = []
        self.stage = Stage.IDLE
        self._reset()

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes."""
        self._head_bytes += len(data) if self.stage in {Stage.IDLE, Stage.HEAD} else 0
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400, "this server speaks HTTP/1.1 only; send no Upgrade or CONNECT")
        except httptools.HttpParserError as error:
            self._refuse(400, f"not a valid HTTP/1.1 request: {error}")
        if self.stage is Stage.HEAD and self._head_bytes > self._max_header_bytes:
            self._refuse_head()
        events, self._events = self._events, []
        return events

    def on_message_begin(self) -> None:
        if self.stage is Stage.IDLE:
            self.stage = Stage.HEAD

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.stage is Stage.HEAD:  # later ones are trailers, which nobody asked for
            pair = name.decode("latin-1").lower(), value.decode("latin-1")
            self._headers.append(pair)

    def on_headers_complete(self) -> None:
        if self.stage is not Stage.HEAD:
            return
        self._http11 = self._parser.get_http_version() == "1.1"
        self._keep_alive = self._parser.should_keep_alive()
        self.stage = Stage.BODY
        self._check_head()

    def on_body(self, part: bytes) -> None:
        if self.stage is not Stage.BODY:
            return
        self._body_bytes += len(part)
        if self._body_bytes > self._max_body_bytes:
            self._refuse_body(f"more than {self._max_body_bytes}")
            return
        self._body.append(part)

    def on_message_complete(self) -> None:
        if self.stage is not Stage.BODY:
            return
        if self._parser.should_upgrade():  # its body, if any, was not read
            self._refuse(400, "this server speaks HTTP/1.1 only; send no Upgrade or CONNECT")
            return
        request = Request(
            self._parser.get_method().decode("ascii"),
            self._target.decode("latin-1"),
            tuple(self._headers),
            b"".join(self._body),
            self._http11,
            self._keep_alive,
        )
        self._events.append(request)
        self.stage = Stage.IDLE
        self._reset()

    def _reset(self) -> None:
        self._head_bytes = 0
        self._target = b""
        self._headers: list[tuple[str, str]] = []
        self._body: list[bytes] = []
        self._body_bytes = 0

    def _check_head(self) -> None:
        size = len(self._target) + sum(len(name) + len(value) + 4 for name, value in self._headers)
        if size > self._max_header_bytes:
            self._refuse_head()
            return
        first = dict(reversed(self._headers))
        coding, length = first.get("transfer-encoding"), first.get("content-length")
        if coding is not None and length is not None:
            self._refuse(400, "a request has either Content-Length or Transfer-Encoding, not both")
        elif coding is not None and coding.strip().lower() != "chunked":
            self._refuse(501, f"Transfer-Encoding is {coding!r}; only chunked is understood")
        elif length is not None and int(length) > self._max_body_bytes:
            self._refuse_body(length)
        else:
            self._check_expectation(first.get("expect"), has_body=bool(coding or length))

    def _check_expectation(self, expect: str | None, *, has_body: bool) -> None:
        if expect is None or not self._http11:
            return
        if expect.lower() != "100-continue":
            self._refuse(417, f"Expect is {expect!r}; only 100-continue is understood")
        elif has_body:
            self._events.append(WantsContinue())

    def _refuse_head(self) -> None:
        self._refuse(431, f"the request's headers exceed {self._max_header_bytes} bytes")

    def _refuse_body(self, size: str) -> None:
        limit = (
            f"this deployment takes up to {self._max_body_bytes} bytes (VERDAZUL_MAX_BODY_BYTES)"
        )
        self._refuse(413, f"the request's body has {size} bytes; {limit}")

    def _refuse(self, status: int, message: str) -> None:
        if self.stage is not Stage.REFUSED:
            self.stage = Stage.REFUSED
            self._reset()
            self._events.append(Refusal(status, message))
