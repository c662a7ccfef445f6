"""One post over HTTP: read it, within limits, hand it on, answer, close.

azureml-ai-monitoring opens a connection for each post, so there is no keep-alive. Browsers are no
way in: a page can neither send the headers a post needs nor ask for leave, OPTIONS being refused.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, cast

import httptools

from verdazul_serve.cloud_events import Post

_PATH = b"/modeldata/log"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True)
class Limits:
    """What one post may cost."""

    max_body_bytes: int
    max_header_bytes: int
    idle_seconds: float


@dataclass(frozen=True)
class Verdict:
    """Status and message of the answer."""

    status: int
    message: str


Reply = Callable[[Verdict], None]


class Taker(Protocol):
    """Whoever keeps the posts; see agent.py."""

    def joined(self, connection: AgentConnection, /) -> None: ...
    def left(self, connection: AgentConnection, /) -> None: ...
    def hold(self, size: int, /) -> bool: ...
    def take(self, post: Post, reply: Reply, /) -> None: ...
    def refused(self, verdict: Verdict, /) -> None: ...


class AgentConnection(asyncio.Protocol):
    """Also httptools' callbacks (`on_*`)."""

    def __init__(self, taker: Taker, limits: Limits) -> None:
        self._taker = taker
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: dict[str, str] = {}
        self._head_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = self._held = 0
        self._is_read = self._is_answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._limits.idle_seconds, self.abort)
        self._taker.joined(self)

    def connection_lost(self, _reason: Exception | None) -> None:
        self._timer.cancel()
        if not self._is_read:
            self._taker.hold(-self._held)
        self._is_answered = True
        self._taker.left(self)

    def eof_received(self) -> bool:
        """Stay open for the answer to a post that is complete."""
        return self._is_read and not self._is_answered

    def data_received(self, data: bytes) -> None:
        if self._is_over():
            return
        self._timer.cancel()
        self._timer = self._loop.call_later(self._limits.idle_seconds, self.abort)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._refuse(400, f"this is no HTTP request: {error}")

    def abort(self) -> None:
        self._transport.abort()

    def on_url(self, url: bytes) -> None:
        self._target += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value))
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        length = self._headers.get("content-length", "0")
        if self._target.partition(b"?")[0] != _PATH:
            self._refuse(404, f"there is only {_PATH.decode()}")
        elif self._parser.get_method() != b"POST":
            self._refuse(405, "only POST is understood")
        elif int(length) > self._limits.max_body_bytes:
            self._refuse_body()
        elif self._headers.get("expect", "").lower() == "100-continue" and not self._is_over():
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        if self._is_over():
            return
        self._body_bytes += len(body)
        if self._body_bytes > self._limits.max_body_bytes:
            self._refuse_body()
        elif not self._taker.hold(len(body)):
            self._refuse(429, "too much waits to be written; this post is lost")
        else:
            self._held += len(body)
            self._body.append(body)

    def on_message_complete(self) -> None:
        if self._is_over():
            return
        self._is_read = True
        self._timer.cancel()
        body, self._body = b"".join(self._body), []
        self._taker.take(Post(self._headers, body), self._answer)

    def _is_over(self) -> bool:
        """Whatever comes now is not read: one connection, one post."""
        return self._is_read or self._is_answered

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self._limits.max_header_bytes:
            self._refuse(431, f"the headers exceed {self._limits.max_header_bytes} bytes")

    def _refuse_body(self) -> None:
        most = self._limits.max_body_bytes
        self._refuse(413, f"the body exceeds {most} bytes (VERDAZUL_MAX_BODY_BYTES)")

    def _refuse(self, status: int, message: str) -> None:
        """Before the end of the post, whose rest is left to the timer: the sender can then read."""
        if self._is_over():
            return
        self._body.clear()
        verdict = Verdict(status, message)
        self._taker.refused(verdict)
        self._send(verdict)
        self._transport.write_eof()

    def _answer(self, verdict: Verdict) -> None:
        self._taker.hold(-self._held)
        if verdict.status != HTTPStatus.OK:
            self._taker.refused(verdict)
        if not self._is_answered:  # it is when the sender left
            self._send(verdict)
            self._transport.close()

    def _send(self, verdict: Verdict) -> None:
        self._is_answered = True
        body = json.dumps({"message": verdict.message}).encode()
        allow = "allow: POST\r\n" if verdict.status == HTTPStatus.METHOD_NOT_ALLOWED else ""
        head = (
            f"HTTP/1.1 {verdict.status} {HTTPStatus(verdict.status).phrase}\r\n{allow}"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self._transport.write(head.encode() + body)
