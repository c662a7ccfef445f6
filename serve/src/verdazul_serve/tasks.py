"""A worker's life when run() is `async def`: many requests at a time, as tasks of one event loop.

The loop is the one that init() ran on, if it was async too. Connections always go home after the
answer: while a coroutine computes, nobody here could hear what comes on them.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import NamedTuple

from verdazul_serve import messages
from verdazul_serve.board import At, Board, Hand
from verdazul_serve.desk import Desk
from verdazul_serve.logs import server as log
from verdazul_serve.messages import FULL, Flag, Kind, LinkLost, Message
from verdazul_serve.orders import NO_LIMIT, Done, Order
from verdazul_serve.requests import unpack

_BEAT_SECONDS = 0.1
_FLUSH_SECONDS = 0.02


class Running(NamedTuple):
    """A request that is a task now, and what rings when its caller's time is up."""

    task: asyncio.Task[None]
    order: Order
    alarm: asyncio.TimerHandle | None


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
        self._running: dict[int, Running] = {}  # by serial number of the loan
        self._pulse: asyncio.TimerHandle | None = None
        self._flush: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Raises LinkLost."""
        self._link.setblocking(False)  # noqa: FBT003
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._link, self._hear)
        try:
            await self._over
        finally:
            self._loop.remove_reader(self._link)
        self._desk.close()

    def _end(self, lost: BaseException | None = None) -> None:
        if self._over.done():
            return
        if lost:
            self._over.set_exception(lost)
        else:
            self._over.set_result(None)

    def _beat(self) -> None:
        """While tasks run, show that the loop turns."""
        self._numbers[At.ALIVE] = time.monotonic()
        again = self._loop.call_later(_BEAT_SECONDS, self._beat) if self._running else None
        self._pulse = again

    # what the parent says

    def _hear(self) -> None:
        try:
            self._hear_all()
        except LinkLost as lost:
            self._end(lost)

    def _hear_all(self) -> None:
        while not self._over.done():
            try:
                message = messages.receive(self._link)
            except BlockingIOError:
                return
            if message is None:
                self._end()
            elif message.kind is Kind.LEND:
                self._start(message)
            elif message.kind is Kind.CANCEL:
                self._break_off(message.serial)
            elif message.kind is Kind.GONE:
                log.error(FULL)
                raise LinkLost

    # one request

    def _start(self, message: Message) -> None:
        sock = socket.socket(fileno=message.descriptor)
        sock.setblocking(False)  # noqa: FBT003
        self._hands[message.slot] = Hand.HELD
        self._numbers[At.RECEIVED] = message.serial
        request = unpack(message.meta, message.body)
        close, is_last = bool(message.flags & Flag.CLOSE), bool(message.flags & Flag.MAY_KEEP)
        order = Order(request, sock, message.slot, arrived=message.at, close=close, is_last=is_last)
        task = self._loop.create_task(self._serve(order, message))
        self._note(message.serial, Running(task, order, self._alarm(order, message.serial)))
        task.add_done_callback(lambda _: self._forget(message.serial))

    def _alarm(self, order: Order, serial: int) -> asyncio.TimerHandle | None:
        """For when the caller's time is up."""
        if order.due == NO_LIMIT:
            return None
        return self._loop.call_later(order.due - time.monotonic(), self._break_off, serial)

    def _note(self, serial: int, running: Running) -> None:
        if not self._running:
            self._numbers[At.STARTED] = time.monotonic()
        self._running[serial] = running
        if self._pulse is None:
            self._beat()

    def _forget(self, serial: int) -> None:
        running = self._running.pop(serial)
        if running.alarm:
            running.alarm.cancel()
        if not self._running:
            self._numbers[At.STARTED] = 0.0
        lost = running.task.exception()
        if lost:
            self._end(lost)

    def _break_off(self, serial: int) -> None:
        """Nobody waits. A task that has not begun yet begins first, so that it can end in order."""
        running = self._running.get(serial)
        if running:
            running.order.is_unwanted = True
            self._loop.call_soon(running.task.cancel)

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
            gone = Message(Kind.GONE, slot, serial, flags=Flag.BROKEN)
            messages.say(self._link, gone)
            return
        flags = 0 if done.keep else Flag.CLOSE
        back = Message(Kind.BACK, slot, serial, len(done.unsent), flags, body=done.unsent)
        messages.say(self._link, back)

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
