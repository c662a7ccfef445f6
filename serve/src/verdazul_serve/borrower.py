"""A worker's life: it serves the connections that the parent lends it, one request at a time.

Everything happens in the main thread and without an event loop of asyncio's, so that a script finds
the process as Azure's server leaves it: run() may use signals, asyncio.run(), or fork. A request
that comes in one piece on a kept connection is answered right here; whatever is out of the ordinary
(pieces, pipelines, other paths, bad bytes, slow readers) goes back to the parent with the bytes.

While run() runs, the turn lies down (turn.py): the parent may take back every connection but the
one in hand.
"""

from __future__ import annotations

import select
import socket
import time

from verdazul_serve import messages, polling
from verdazul_serve.batching import Rule
from verdazul_serve.board import At, Board, Hand
from verdazul_serve.desk import Desk
from verdazul_serve.logs import server as log
from verdazul_serve.messages import FULL, Flag, Kind, LinkLost, Message
from verdazul_serve.orders import Done, Order
from verdazul_serve.quick import QuickReader
from verdazul_serve.reading import Limits, Reader, Request, Stage
from verdazul_serve.requests import unpack
from verdazul_serve.traits import FAST_SECONDS
from verdazul_serve.turn import Turn

_KEEP_SECONDS = 0.25  # an idle connection goes home after so long
_FLUSH_SECONDS = 0.02  # and log lines are written out after so long without work
_SWEEP_SECONDS = 1.0
_MOST_EVENTS = 64
_MOST_MESSAGES = 8  # heard before those have their turn whose connections are kept
_PIECE = 1 << 16
_PATIENCE_SECONDS = 0.001  # for the next piece of a request that has begun to arrive
_LONGEST_SECONDS = 0.005  # and for all of it: others wait
_MOST_READ = 1 << 20  # and as much of it: the parent is better at what is large


class Kept:
    """A connection in our hands."""

    __slots__ = ("fd", "may_keep", "reader", "serial", "slot", "sock", "used")

    def __init__(self, sock: socket.socket, message: Message, reader: Reader) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.slot = message.slot
        self.serial = message.serial
        self.may_keep = bool(message.flags & Flag.MAY_KEEP)
        self.reader = reader
        self.used = message.at


class Borrower:
    """`run` returns when the parent hangs up."""

    def __init__(
        self,
        link: socket.socket,
        board: Board,
        turn: Turn,
        *,
        desk: Desk,
        limits: Limits,
        rule: Rule | None,
    ) -> None:
        self._link = link
        self._numbers = board.numbers
        self._hands = board.hands
        self._turn = turn
        self._desk = desk
        self._limits = limits
        self._rule = rule
        self._quick = QuickReader(
            max_header_bytes=limits.max_header_bytes, max_body_bytes=limits.max_body_bytes
        )
        self._kept: dict[int, Kept] = {}  # by descriptor
        self._epoll = select.epoll()
        self._taken = 0.0
        self._keeps = True
        self._is_over = False
        self._serve = self._run_one if rule is None else self._gather
        self._batch: list[tuple[Kept, Order]] = []
        self._batch_due = 0.0
        self._most_messages = max(_MOST_MESSAGES, rule.max_size if rule else 0)

    def run(self) -> None:
        self._link.setblocking(False)  # noqa: FBT003
        link = self._link.fileno()
        self._epoll.register(link, select.EPOLLIN)
        next_sweep = 0.0
        while not self._is_over:
            ready = self._epoll.poll(self._patience(), _MOST_EVENTS)
            now = time.monotonic()
            for fd, _ in ready:
                if fd == link:
                    self._hear()
                elif fd in self._kept:
                    self._read(self._kept[fd], now)
            if self._batch and (now >= self._batch_due or not ready):
                self._run_batch()
            if not ready:
                self._rest()
            elif now >= next_sweep:
                next_sweep = now + _SWEEP_SECONDS
                self._sweep(now)
        self._desk.close()

    def _patience(self) -> float | None:
        if self._batch:
            return max(0.0, self._batch_due - time.monotonic())
        if self._desk.has_lines:
            return _FLUSH_SECONDS
        return _KEEP_SECONDS if self._kept else None

    def _rest(self) -> None:
        """Nothing came: first write the log, then send idle connections home."""
        if self._desk.has_lines:
            self._desk.flush()
        elif self._kept and not self._batch:
            self._sweep(float("inf"))

    def _sweep(self, now: float) -> None:
        self._desk.flush()
        for kept in [each for each in self._kept.values() if now - each.used > _SWEEP_SECONDS]:
            if not self._hands[kept.slot]:
                self._back(kept)

    # what the parent says

    def _hear(self) -> None:
        for _ in range(self._most_messages):
            try:
                message = messages.receive(self._link)
            except BlockingIOError:
                return
            if message is None:
                self._is_over = True
                return
            if message.kind is Kind.LEND:
                self._take_in_hand(message)
            elif message.kind is Kind.RETURN_ALL:
                self._keeps = False
                self._batch_due = 0.0
                self._sweep(float("inf"))
            elif message.kind is Kind.GONE:
                log.error(FULL)
                raise LinkLost

    def _take_in_hand(self, message: Message) -> None:
        sock = socket.socket(fileno=message.descriptor)
        if message.serial <= self._numbers[At.TAKEN]:
            sock.close()  # the parent has changed its mind
            return
        kept = Kept(sock, message, self._limits.reader())
        self._hands[kept.slot] = Hand.HELD
        self._numbers[At.RECEIVED] = message.serial
        request = unpack(message.meta, message.body)
        close = bool(message.flags & Flag.CLOSE)
        order = Order(
            request, sock, kept.slot, arrived=message.at, close=close, is_last=kept.may_keep
        )
        self._serve(kept, order)

    # what clients say

    def _read(self, kept: Kept, now: float) -> None:
        """Serve the request that has come on a kept connection, or give it back as it is."""
        self._hands[kept.slot] = Hand.READING
        data = _receive(kept.sock)
        request = self._quick.read(data) if data else None
        if data and request is None:
            request, data = _whole_request(kept, data)
        if request is None or not self._desk.serves(request, now):
            if data:
                self._back(kept, unread=data)
            elif data is not None:
                self._gone(kept, broken=False)
            self._hands[kept.slot] = Hand.CLEAN
            return
        self._hands[kept.slot] = Hand.FOLLOWING
        close = not request.keep_alive
        self._serve(kept, Order(request, kept.sock, kept.slot, arrived=now, close=close))

    def _gather(self, kept: Kept, order: Order) -> None:
        assert self._rule is not None  # noqa: S101  # chosen because of it
        if not self._batch and self._keeps:
            self._batch_due = time.monotonic() + self._rule.max_delay_ms / 1000
        self._forget(kept.fd)  # what it sends meanwhile can wait
        self._batch.append((kept, order))
        if len(self._batch) >= self._rule.max_size:
            self._run_batch()

    def _run_one(self, kept: Kept, order: Order) -> None:
        self._turn.lay_down()
        done = self._desk.run(order)
        self._turn.take_up()
        if self._numbers[At.TAKEN] != self._taken:
            self._drop_taken()
        self._finish(kept, done)

    def _run_batch(self) -> None:
        batch, self._batch = self._batch, []
        self._turn.lay_down()
        done = self._desk.run_batch([order for _, order in batch])
        self._turn.take_up()
        if self._numbers[At.TAKEN] != self._taken:
            self._drop_taken()
        for (kept, _), each in zip(batch, done):
            self._finish(kept, each)

    def _drop_taken(self) -> None:
        """The parent has taken connections back while we were in run()."""
        self._taken = self._numbers[At.TAKEN]
        for kept in tuple(self._kept.values()):
            if kept.serial <= self._taken and not self._hands[kept.slot]:
                self._forget(kept.fd)
                kept.sock.close()

    def _finish(self, kept: Kept, done: Done) -> None:
        if done.is_broken:
            self._gone(kept, broken=True)
        elif done.unsent or not done.keep:
            self._back(kept, unsent=done.unsent, close=not done.keep)
        elif kept.may_keep and self._keeps and self._numbers[At.PACE] < FAST_SECONDS:
            kept.used = time.monotonic()
            if kept.fd not in self._kept:
                self._keep(kept)
        else:
            self._back(kept)
        self._hands[kept.slot] = Hand.CLEAN

    # custody

    def _keep(self, kept: Kept) -> None:
        self._kept[kept.fd] = kept
        kept.sock.setblocking(False)  # noqa: FBT003
        self._epoll.register(kept.fd, select.EPOLLIN)

    def _forget(self, fd: int) -> None:
        if self._kept.pop(fd, None):
            self._epoll.unregister(fd)

    def _back(
        self, kept: Kept, *, unsent: bytes = b"", unread: bytes = b"", close: bool = False
    ) -> None:
        self._forget(kept.fd)
        flags = Flag.CLOSE if close else 0
        body = unsent + unread
        back = Message(Kind.BACK, kept.slot, kept.serial, len(unsent), flags, body=body)
        messages.say(self._link, back)
        kept.sock.close()

    def _gone(self, kept: Kept, *, broken: bool) -> None:
        self._forget(kept.fd)
        flags = Flag.BROKEN if broken else 0
        messages.say(self._link, Message(Kind.GONE, kept.slot, kept.serial, flags=flags))
        kept.sock.close()


def _receive(sock: socket.socket) -> bytes | None:
    """b"" at the end; None when there was nothing after all."""
    try:
        return sock.recv(_PIECE)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return b""


def _whole_request(kept: Kept, first: bytes) -> tuple[Request | None, bytes]:
    """The one request that the bytes are, if they are that, and all bytes that were read."""
    reader, read, size = kept.reader, [first], len(first)
    events = reader.feed(first)
    given_up = time.monotonic() + _LONGEST_SECONDS
    while not events and reader.stage is Stage.BODY and size < _MOST_READ:
        more = _receive(kept.sock)
        if more:
            read.append(more)
            size += len(more)
            events = reader.feed(more)
        elif more is not None or not polling.readable(kept.fd, _PATIENCE_SECONDS):
            break
        if time.monotonic() > given_up:
            break
    is_whole = len(events) == 1 and isinstance(events[0], Request) and reader.stage is Stage.IDLE
    return (events[0] if is_whole else None), b"".join(read)  # type: ignore[return-value]
