"""Bytes to HTTP requests: a parser without a socket.

Whatever pieces the bytes come in, the same events come out, in order. After a `Refusal` nothing
more is read: the connection answers it and closes. Limits are checked before memory is spent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Union

import httptools

if TYPE_CHECKING:
    from verdazul_serve.settings import Settings


class Stage(Enum):
    """Where in a request the reader is; the connection's timeouts depend on it."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    REFUSED = "refused"


class Request:
    """One complete request. Equal when everything but how it was made is equal.

    Made from text by hand, or from raw bytes by a Reader; the names and values that nobody asks for
    are then never decoded, which is why this is no dataclass. `pairs` are the headers as they came,
    names in lower case; `fields` the first value of each name.
    """

    __slots__ = ("_headers", "body", "fields", "http11", "keep_alive", "method", "pairs", "target")

    def __init__(
        self,
        method: str,
        target: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes,
        *,
        http11: bool = True,
        keep_alive: bool = True,
    ) -> None:
        self.method = method
        self.target = target
        self.body = body
        self.http11 = http11
        self.keep_alive = keep_alive
        self._headers: tuple[tuple[str, str], ...] | None = headers
        self.pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self.fields = dict(reversed(self.pairs))

    @classmethod
    def raw(
        cls,
        method: str,
        target: str,
        pairs: list[tuple[bytes, bytes]],
        body: bytes,
        *,
        http11: bool,
        keep_alive: bool,
    ) -> Request:
        """From bytes."""
        request = cls.quick(method, target, pairs, dict(reversed(pairs)), body)
        request.http11, request.keep_alive = http11, keep_alive
        return request

    @classmethod
    def quick(
        cls,
        method: str,
        target: str,
        pairs: list[tuple[bytes, bytes]],
        fields: dict[bytes, bytes],
        body: bytes,
    ) -> Request:
        """HTTP/1.1 and kept alive, with `fields` at hand; for QuickReader."""
        request = cls.__new__(cls)
        request.method = method
        request.target = target
        request.pairs = pairs
        request.fields = fields
        request.body = body
        request.http11 = request.keep_alive = True
        request._headers = None  # noqa: SLF001  # our own class
        return request

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Names in lower case, values as latin-1, in the order they came."""
        if self._headers is None:
            self._headers = tuple(
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in self.pairs
            )
        return self._headers

    def header(self, name: str) -> str | None:
        """The first value, None when there is none."""
        value = self.fields.get(name.encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    def without(self, name: bytes) -> Request:
        """The same request with every header of that name left out."""
        kept = [pair for pair in self.pairs if pair[0] != name]
        return Request.raw(
            self.method,
            self.target,
            kept,
            self.body,
            http11=self.http11,
            keep_alive=self.keep_alive,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Request) and self._all() == other._all()

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return f"Request{self._all()!r}"

    def _all(self) -> tuple[object, ...]:
        return self.method, self.target, self.headers, self.body, self.http11, self.keep_alive


@dataclass(frozen=True)
class Refusal:
    """The bytes are no request we take; answer so and close."""

    status: int
    message: str


@dataclass(frozen=True)
class WantsContinue:
    """The client waits for `100 Continue` before it sends the body."""


Event = Union[Request, Refusal, WantsContinue]


@dataclass(frozen=True)
class Limits:
    """What a connection is held to: bytes and seconds."""

    max_header_bytes: int
    max_body_bytes: int
    header_timeout: float
    idle_timeout: float
    max_requests: int = 0  # on one connection; 0: any number

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        return cls(
            max_header_bytes=settings.max_header_bytes,
            max_body_bytes=settings.max_body_bytes,
            header_timeout=settings.header_timeout_seconds,
            idle_timeout=settings.idle_timeout_seconds,
            max_requests=settings.max_keepalive_requests,
        )

    def reader(self) -> Reader:
        return Reader(max_header_bytes=self.max_header_bytes, max_body_bytes=self.max_body_bytes)


class Reader:
    """Callbacks of httptools' parser; `feed` is the way in."""

    def __init__(self, *, max_header_bytes: int, max_body_bytes: int) -> None:
        self._max_header_bytes = max_header_bytes
        self._max_body_bytes = max_body_bytes
        self._parser = httptools.HttpRequestParser(self)
        self._events: list[Event] = []
        self._body: bytes | bytearray = b""
        self.stage = Stage.IDLE
        self._reset()

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes."""
        self._bytes_since += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400, "this server speaks HTTP/1.1 only; send no Upgrade or CONNECT")
        except httptools.HttpParserError as error:
            self._refuse(400, f"not a valid HTTP/1.1 request: {error}")
        is_within = self.stage in {Stage.HEAD, Stage.BODY}
        if is_within and self._bytes_since > self._max_header_bytes:
            self._refuse_head()
        events, self._events = self._events, []
        return events

    def on_message_begin(self) -> None:
        if self.stage is Stage.IDLE:
            self.stage = Stage.HEAD

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self._size += len(name) + len(value) + 4
        if self.stage is Stage.HEAD:
            self._pairs.append((name.lower(), value.rstrip(b" \t")))
        elif self._size > self._max_header_bytes:  # a trailer, which nobody asked for
            self._refuse_head()

    def on_headers_complete(self) -> None:
        if self.stage is not Stage.HEAD:
            return
        self._http11 = self._parser.get_http_version() == "1.1"
        self._keep_alive = self._parser.should_keep_alive()
        self.stage = Stage.BODY
        self._bytes_since = 0
        self._check_head()

    def on_body(self, part: bytes) -> None:
        if self.stage is not Stage.BODY:
            return
        self._bytes_since = 0
        if len(self._body) + len(part) > self._max_body_bytes:
            self._refuse_body(f"more than {self._max_body_bytes}")
        elif isinstance(self._body, bytearray):
            self._body += part
        else:
            self._body = bytearray(self._body + part) if self._body else part

    def on_message_complete(self) -> None:
        if self.stage is not Stage.BODY:
            return
        if self._parser.should_upgrade():  # its body, if any, was not read
            self._refuse(400, "this server speaks HTTP/1.1 only; send no Upgrade or CONNECT")
            return
        request = Request.raw(
            self._parser.get_method().decode("ascii"),
            self._target.decode("latin-1"),
            self._pairs,
            bytes(self._body),
            http11=self._http11,
            keep_alive=self._keep_alive,
        )
        self._events.append(request)
        self.stage = Stage.IDLE
        self._reset()

    def _reset(self) -> None:
        self._bytes_since = 0  # the head began, it ended, or the last of the body came
        self._size = 0
        self._target = b""
        self._pairs: list[tuple[bytes, bytes]] = []
        self._body = b""

    def _check_head(self) -> None:
        if len(self._target) + self._size > self._max_header_bytes:
            self._refuse_head()
            return
        first = dict(reversed(self._pairs))
        coding, length = first.get(b"transfer-encoding"), first.get(b"content-length")
        if coding is not None and length is not None:
            self._refuse(400, "a request has either Content-Length or Transfer-Encoding, not both")
        elif coding is not None and coding.strip().lower() != b"chunked":
            shown = coding.decode("latin-1")
            self._refuse(501, f"Transfer-Encoding is {shown!r}; only chunked is understood")
        elif length is not None and int(length) > self._max_body_bytes:
            self._refuse_body(length.decode("latin-1"))
        elif b"expect" in first:
            self._check_expectation(first[b"expect"], has_body=bool(coding or length))

    def _check_expectation(self, expect: bytes, *, has_body: bool) -> None:
        if not self._http11:
            return
        if expect.lower() != b"100-continue":
            shown = expect.decode("latin-1")
            self._refuse(417, f"Expect is {shown!r}; only 100-continue is understood")
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
