"""A worker's life when run() is `async def`: many requests at a time, as tasks of one event loop.

The loop is the one that init() ran on, if it was async too. Connections always go home after the
answer: while a coroutine computes, nobody here could hear what comes on them.
"""

from __future__ import annotations

import asyncio
import socket
import time

from verdazul_serve import messages, polling
from verdazul_serve.board import At, Board, Hand
from verdazul_serve.desk import Desk, Done, Order
from verdazul_serve.messages import Flag, Kind, Message
from verdazul_serve.requests import unpack

_BEAT_SECONDS = 0.1
_FLUSH_SECONDS = 0.02


class Tasks:
    """`run` returns when the parent hangs up."""

    def __init__(
        self,
        link: socket.socket,
        board: Board,
        *,
        desk: Desk,
        idle_seconds: float,
    ) -> None:
        self._link = link
        self._numbers = board.numbers
        self._hands = board.hands
        self._desk = desk
        self._idle_seconds = idle_seconds
        self._running: dict[int, asyncio.Task[None]] = {}  # by serial number of the loan
        self._flush: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        self._link.setblocking(False)  # noqa: FBT003
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._loop.add_reader(self._link, self._hear)
        beat = self._loop.create_task(self._beat())
        await self._over.wait()
        beat.cancel()
        self._desk.close()

    async def _beat(self) -> None:
        """While tasks run, show that the loop turns."""
        while True:
            now = time.monotonic()
            self._numbers[At.ALIVE] = now
            self._numbers[At.STARTED] = now if self._running else 0.0
            await asyncio.sleep(_BEAT_SECONDS if self._running else 1.0)

    def _hear(self) -> None:
        while True:
            try:
                message = messages.receive(self._link)
            except BlockingIOError:
                return
            if message is None:
                self._loop.remove_reader(self._link)
                self._over.set()
                return
            if message.kind is Kind.LEND:
                self._start(message)
            elif message.kind is Kind.CANCEL and message.serial in self._running:
                self._running[message.serial].cancel()

    def _start(self, message: Message) -> None:
        sock = socket.socket(fileno=message.descriptor)
        sock.setblocking(False)  # noqa: FBT003
        self._hands[message.slot] = Hand.HELD
        self._numbers[At.RECEIVED] = message.serial
        self._numbers[At.ALIVE] = time.monotonic()
        request = unpack(message.meta, message.body)
        close, is_last = bool(message.flags & Flag.CLOSE), bool(message.flags & Flag.MAY_KEEP)
        order = Order(request, sock, message.slot, arrived=message.at, close=close, is_last=is_last)
        task = self._loop.create_task(self._serve(order, message))
        self._running[message.serial] = task
        task.add_done_callback(lambda _: self._running.pop(message.serial))

    async def _serve(self, order: Order, message: Message) -> None:
        done = await self._desk.run_async(order, self._write)
        self._give_back(message, done)
        order.sock.close()
        self._hands[message.slot] = Hand.CLEAN
        if self._desk.has_lines and self._flush is None:
            self._flush = self._loop.call_later(_FLUSH_SECONDS, self._flush_lines)

    def _give_back(self, message: Message, done: Done) -> None:
        slot, serial = message.slot, message.serial
        if done.is_broken:
            self._say(Message(Kind.GONE, slot, serial, flags=Flag.BROKEN))
            return
        flags = 0 if done.keep else Flag.CLOSE
        self._say(Message(Kind.BACK, slot, serial, len(done.unsent), flags, body=done.unsent))

    async def _write(self, sock: socket.socket, data: bytes) -> bool:
        """For streams: wait for slow readers; False for those that left or stopped reading."""
        try:
            await asyncio.wait_for(self._loop.sock_sendall(sock, data), self._idle_seconds)
        except (OSError, asyncio.TimeoutError):
            return False
        return True

    def _flush_lines(self) -> None:
        self._flush = None
        self._desk.flush()

    def _say(self, message: Message) -> None:
        while True:
            try:
                messages.send(self._link, message)
            except BlockingIOError:  # noqa: PERF203  # rare
                polling.writable(self._link.fileno())
            else:
                return
