"""One client connection: keeps pipelined requests in order and every silence bounded.

The application gets an `Exchange` per request and answers it now or later; the next request of the
connection starts when that answer is out.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from verdazul_serve import wire
from verdazul_serve.answers import Answer, error
from verdazul_serve.exchange import Exchange
from verdazul_serve.reading import Reader, Refusal, Request, Stage, WantsContinue

_PIPELINE = 8  # requests held behind the running one before reading pauses
_LINGER_SECONDS = 2.0  # a refused client may still be sending: closing at once loses the answer
_FRESH_SECONDS = 0.3  # a client that has just connected gets so long when the server stops


@dataclass(frozen=True)
class Limits:
    """Bytes and seconds."""

    max_header_bytes: int
    max_body_bytes: int
    header_timeout: float
    idle_timeout: float


class Connection(asyncio.Protocol):
    """asyncio calls the methods of Protocol; Exchange calls write_head, write, finished, abort."""

    def __init__(
        self,
        application: Callable[[Exchange], None],
        limits: Limits,
        connections: Connections,
    ) -> None:
        self._application = application
        self._limits = limits
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._reader = Reader(
            max_header_bytes=limits.max_header_bytes, max_body_bytes=limits.max_body_bytes
        )
        self._waiting: deque[Request | Refusal] = deque()
        self._active: Exchange | None = None
        self._pumping = False
        self._continue_due = False
        self._served = 0
        self._closing = False
        self._ended = False
        self._stalled = False
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # narrows the type
        self._transport = transport
        self._connections.add(self)
        self._set_deadline(self._limits.idle_timeout)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._closing = True
        self._waiting.clear()
        if self._timer:
            self._timer.cancel()
        if self._active:
            active, self._active = self._active, None
            active.lose()
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._reader.stage is Stage.REFUSED:
            return
        before = self._reader.stage
        for event in self._reader.feed(data):
            if isinstance(event, WantsContinue):
                self._continue_due = True
            else:
                self._continue_due = False
                self._waiting.append(event)
        if len(self._waiting) > _PIPELINE:
            self._transport.pause_reading()
        self._pump()
        trickles = before is Stage.HEAD and self._reader.stage is Stage.HEAD
        if self._active or not trickles:  # slow headers do not earn more time
            self._watch()

    def eof_received(self) -> bool:
        """Keep open only to finish what runs: a client may close its sending half early."""
        self._ended = True
        self._waiting = deque(item for item in self._waiting if isinstance(item, Refusal))
        if self._active and not self._active.withdraw():
            return True
        if self._active:
            active, self._active = self._active, None
            active.lose()
        return False

    def pause_writing(self) -> None:
        self._stalled = True
        self._set_deadline(self._limits.idle_timeout)
        if self._active:
            self._active.hold()

    def resume_writing(self) -> None:
        self._stalled = False
        self._watch()
        if self._active:
            self._active.release()

    # for Exchange

    def write_head(
        self, answer: Answer, framing: tuple[str, str] | None, request: Request, body: bytes
    ) -> None:
        keep = request.keep_alive and framing is not None and not self._must_close()
        connection = "" if keep and request.http11 else "keep-alive" if keep else "close"
        now = time.time()  # noqa: TID251  # the Date header is the wall clock
        self.write(wire.head(answer, framing, connection=connection, now=now) + body)

    def write(self, data: bytes) -> None:
        if data:
            self._transport.write(data)

    def finished(self, *, keep_alive: bool) -> None:
        self._active = None
        self._served += 1
        if not keep_alive or self._must_close():
            self._close()
            return
        self._pump()
        self._watch()

    def abort(self) -> None:
        self._transport.abort()

    def drain(self) -> None:
        """The server stops: close when what has been received is answered."""
        if self._active or self._waiting or self._closing:
            return
        if self._served or self._reader.stage is not Stage.IDLE:
            self._close_when_idle()
        else:
            self._loop.call_later(_FRESH_SECONDS, self._close_when_idle)

    # the inside

    def _must_close(self) -> bool:
        return self._ended or (self._connections.draining and not self._waiting)

    def _close_when_idle(self) -> None:
        if not self._active and not self._waiting and self._reader.stage is Stage.IDLE:
            self._close()

    def _close(self) -> None:
        self._closing = True
        self._set_deadline(self._limits.idle_timeout)  # for what is still to be written
        self._transport.close()

    def _pump(self) -> None:
        """Start requests until one has to be waited for. A loop: answers may come at once."""
        if self._pumping:
            return
        self._pumping = True
        while self._waiting and not self._active and not self._closing:
            item = self._waiting.popleft()
            if isinstance(item, Refusal):
                self._refuse(item)
            else:
                self._active = Exchange(item, self)
                self._application(self._active)
        self._pumping = False
        if self._closing:
            return
        if len(self._waiting) <= _PIPELINE and not self._transport.is_reading():
            self._transport.resume_reading()
        if self._continue_due and not self._active:
            self._continue_due = False
            self.write(wire.CONTINUE)

    def _refuse(self, refusal: Refusal) -> None:
        request = Request("", "", (), b"", http11=True, keep_alive=False)
        answer = error(refusal.status, refusal.message)
        self._connections.refused(refusal)
        self.write_head(answer, ("content-length", str(len(answer.body))), request, answer.body)
        self._closing = True
        self._waiting.clear()
        if self._ended:
            self._transport.close()
            return
        self._transport.write_eof()
        self._loop.call_later(_LINGER_SECONDS, self._transport.close)

    def _watch(self) -> None:
        """Set the deadline that fits where we are."""
        stage = self._reader.stage
        if self._closing or self._stalled:
            return
        if stage is Stage.HEAD and not self._active:
            self._set_deadline(self._limits.header_timeout)
        elif self._active or self._waiting:
            self._deadline = None  # the application answers in its own time
        else:
            self._set_deadline(self._limits.idle_timeout)

    def _set_deadline(self, seconds: float) -> None:
        self._deadline = self._loop.time() + seconds
        if self._timer and self._timer.when() > self._deadline:
            self._timer.cancel()
            self._timer = None
        if not self._timer:
            self._timer = self._loop.call_at(self._deadline, self._check)

    def _check(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._check)
            return
        self._expire()

    def _expire(self) -> None:
        if self._closing or self._active:  # it does not read what we write
            self._transport.abort()
        elif self._reader.stage is Stage.IDLE:
            self._close()
        else:
            self._refuse(Refusal(408, "the request did not arrive in time"))


class Connections:
    """All open connections, and whether the server is stopping."""

    def __init__(self, refused: Callable[[Refusal], None]) -> None:
        self.refused = refused
        self.draining = False
        self._open: set[Connection] = set()
        self._empty: asyncio.Future[None] | None = None

    def add(self, connection: Connection) -> None:
        self._open.add(connection)

    def discard(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._settle()

    async def drain(self) -> None:
        """Return when the last connection is closed."""
        self.draining = True
        self._empty = asyncio.get_running_loop().create_future()
        for connection in tuple(self._open):
            connection.drain()
        self._settle()
        await self._empty

    def abort(self) -> None:
        for connection in tuple(self._open):
            connection.abort()

    def _settle(self) -> None:
        if self._empty and not self._open and not self._empty.done():
            self._empty.set_result(None)
