"""One client connection, in the parent: keeps requests in order and every silence bounded.

The application gets an `Exchange` per request and answers it, or lends the connection to a worker,
which answers and may keep it for the requests that follow. While it is lent nothing is read here;
it comes back with the bytes that the worker has read too many or could not send.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable

from verdazul_serve import wire
from verdazul_serve.answers import INTERNAL, Answer, error
from verdazul_serve.exchange import Exchange
from verdazul_serve.logs import server as log
from verdazul_serve.reading import Limits, Refusal, Request, Stage, WantsContinue
from verdazul_serve.transport import Transport

_PIPELINE = 8  # requests held behind the running one before reading pauses
_LINGER_SECONDS = 2.0  # a refused client may still be sending: closing at once loses the answer
_FRESH_SECONDS = 0.3  # a client that was not told gets so long when the server stops
_UNKNOWN = Request("POST", "/score", (), b"", keep_alive=False)


class Connection:
    """Listens to its Transport; `answer`, `lend`, `returned` and `gone` are for the application."""

    def __init__(
        self,
        sock: socket.socket,
        application: Callable[[Exchange], None],
        limits: Limits,
        connections: Connections,
    ) -> None:
        self._application = application
        self._limits = limits
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._reader = limits.reader()
        self._waiting: deque[tuple[Request | Refusal, float]] = deque()
        self._active: Exchange | None = None
        self._is_lent = False
        self._pumping = False
        self._continue_due = False
        self._served = 0
        self._closing = False
        self._ended = False
        self._stalled = False
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._transport = Transport(sock, self)
        connections.add(self)
        self._set_deadline(limits.idle_timeout)

    @property
    def socket(self) -> socket.socket:
        return self._transport.socket

    # what the transport says

    def connection_lost(self) -> None:
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
        now = time.monotonic()
        for event in self._reader.feed(data):
            if isinstance(event, WantsContinue):
                self._continue_due = True
            else:
                self._continue_due = False
                self._waiting.append((event, now))
        if len(self._waiting) > _PIPELINE:
            self._transport.pause_reading()
        self._pump()
        trickles = before is Stage.HEAD and self._reader.stage is Stage.HEAD
        if self._active or not trickles:  # slow headers do not earn more time
            self._watch()

    def eof_received(self) -> bool:
        """Whoever leaves while their request waits is not answered."""
        self._ended = True
        self._waiting = deque(pair for pair in self._waiting if isinstance(pair[0], Refusal))
        if self._active:
            active, self._active = self._active, None
            active.lose()
        return False

    def pause_writing(self) -> None:
        self._stalled = True
        self._set_deadline(self._limits.idle_timeout)

    def resume_writing(self) -> None:
        self._stalled = False
        self._resume()

    # for the application

    def answer(self, answer: Answer, request: Request) -> None:
        """Send the whole answer to the active request."""
        self._served += 1
        keep = request.keep_alive and not self._must_close()
        body = b"" if request.method == "HEAD" else answer.body
        self._write_head(answer, request, keep=keep, body=body)
        self._finish(keep=keep)

    def lend(self) -> tuple[bool, bool]:
        """Stop reading. Returns whether a worker may keep the connection, and whether it must close
        after the answer.
        """
        self._is_lent = True
        self._served += 1
        self._deadline = None
        self._transport.pause_reading()
        close = self._must_close() or not (self._active and self._active.request.keep_alive)
        is_clean = not self._waiting and self._reader.stage is Stage.IDLE and not self._continue_due
        return is_clean and not self._connections.draining and not self._limits.max_requests, close

    def take_back(self) -> None:
        """It was lent, but its request was never taken in hand: as if it had not been."""
        self._is_lent = False
        self._served -= 1
        self._resume()

    def follow(self) -> Exchange:
        """What the worker ran was not what it was lent with, but a later request, which only it
        has read: the exchange for its answer, after which nothing more is known.
        """
        self._is_lent = False
        self._active = Exchange(_UNKNOWN, self, time.monotonic())
        return self._active

    def returned(self, *, unsent: bytes = b"", unread: bytes = b"", close: bool = False) -> None:
        """The worker has answered; there may be output left over, and input."""
        self._is_lent = False
        self._active = None
        self._transport.write(unsent)
        if self._transport.is_closed:
            return
        if close or self._ended:
            self._close()
            return
        if unread:
            self.data_received(unread)
        else:
            self._resume()
        if self._connections.draining:
            self.drain()

    def gone(self, *, broken: bool) -> None:
        """The worker found it closed, or has broken it (`broken`: the other side must see that)."""
        self._is_lent = False
        self._active = None
        if broken:
            self._transport.abort()
        else:
            self._close()

    def when_left(self, action: Callable[[], None]) -> None:
        """Call `action` once if the client leaves while the connection is lent."""
        self._transport.watch_end(action)

    def abort(self) -> None:
        self._transport.abort()

    def drain(self) -> None:
        """The server stops: close when what has been received is answered.

        A request may be on its way to a client's connection that nobody has called closed.
        """
        if not (self._is_lent or self._active or self._waiting or self._closing):
            self._loop.call_later(_FRESH_SECONDS, self._close_when_idle)

    # the inside

    def _write_head(self, answer: Answer, request: Request, *, keep: bool, body: bytes) -> None:
        framing = wire.length(len(answer.body))
        head = wire.head(answer.status, answer.headers, framing, keep=keep, http11=request.http11)
        self._transport.write(head + body)

    def _finish(self, *, keep: bool) -> None:
        self._active = None
        if not keep or self._must_close():
            self._close()
            return
        self._resume()

    def _resume(self) -> None:
        self._pump()
        self._watch()

    def _must_close(self) -> bool:
        is_worn = 0 < self._limits.max_requests <= self._served
        return self._ended or is_worn or (self._connections.draining and not self._waiting)

    def _close_when_idle(self) -> None:
        is_idle = not (self._is_lent or self._active or self._waiting)
        if is_idle and self._reader.stage is Stage.IDLE and not self._transport.has_unread():
            self._close()

    def _close(self) -> None:
        self._closing = True
        self._set_deadline(self._limits.idle_timeout)  # for what is still to be written
        self._transport.close()

    def _pump(self) -> None:
        """Start requests until one, or a reader, has to be waited for. A loop: answers may come at
        once. None is lent while an answer is still being sent: the worker's would run into it.
        """
        if self._pumping:
            return
        self._pumping = True
        while self._waiting and not (self._active or self._closing or self._stalled):
            item, arrived = self._waiting.popleft()
            if isinstance(item, Refusal):
                self._refuse(item)
            else:
                self._active = Exchange(item, self, arrived)
                self._begin(self._active)
        self._pumping = False
        if self._closing or self._is_lent:
            return
        if len(self._waiting) <= _PIPELINE:
            self._transport.resume_reading()
        if self._continue_due and not (self._active or self._waiting):
            self._continue_due = False
            self._transport.write(wire.CONTINUE)

    def _begin(self, exchange: Exchange) -> None:
        """A fault of ours costs one answer, not the connection and all that waits on it."""
        try:
            self._application(exchange)
        except Exception:  # noqa: BLE001  # whatever it is, the next request must not suffer
            log.exception("%s %s", exchange.request.method, ascii(exchange.request.target))
            exchange.send(error(500, INTERNAL))

    def _refuse(self, refusal: Refusal) -> None:
        request = Request("", "", (), b"", keep_alive=False)
        answer = error(refusal.status, refusal.message)
        self._connections.refused(refusal)
        self._write_head(answer, request, keep=False, body=answer.body)
        self._closing = True
        self._waiting.clear()
        if self._ended:
            self._transport.close()
            return
        self._transport.write_eof()
        self._transport.resume_reading()
        self._loop.call_later(_LINGER_SECONDS, self._transport.close)

    def _watch(self) -> None:
        """Set the deadline that fits where we are."""
        stage = self._reader.stage
        if self._closing or self._stalled:
            return
        if stage is Stage.HEAD and not self._active:
            self._set_deadline(self._limits.header_timeout)
        elif self._active or self._waiting or self._is_lent:
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
        if self._closing or self._stalled:  # it does not read what we write
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

    def __len__(self) -> int:
        return len(self._open)

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
