"""The parent's end of one worker process: its socket, its page of memory, its turn, its loans.

Deaths are learnt from the process that forked it, everything else from here: a process that a
script left behind holding the socket open cannot hide that the worker is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from dataclasses import dataclass
from typing import Any, Protocol

from verdazul_serve import messages
from verdazul_serve.backoff import Backoff
from verdazul_serve.board import At, Board, Hand
from verdazul_serve.exchange import Exchange
from verdazul_serve.messages import Flag, Kind, LinkLost, Message
from verdazul_serve.traits import FAST_SECONDS, Traits
from verdazul_serve.turn import Turn
from verdazul_serve.zygote import Nursery

_FAST_CREDIT = 64  # loans on their way to a fast worker
_PASSING_SHARE = 16  # one slot of so many is for requests whose connections are not kept


@dataclass
class Loan:
    """A connection that the worker has, and the request that it was lent with."""

    slot: int
    serial: int
    exchange: Exchange
    waiter: Any  # what the queue holds, to be put back if the request is never taken in hand


class Owner(Protocol):
    """Hears what a worker says."""

    def heard(self, worker: Worker, message: Message) -> None: ...

    def link_closed(self, worker: Worker) -> None: ...


class Worker:
    """Starting until `ready_at` is set, gone once `status` is set."""

    def __init__(
        self,
        owner: Owner,
        nursery: Nursery,
        board: Board,
        ends: tuple[socket.socket, Turn],
        backoff: Backoff,
    ) -> None:
        link, self.turn = ends
        self.nursery = nursery
        self.board = board
        self.backoff = backoff
        self.traits = Traits()
        self.pid: int | None = None
        self.ready_at: float | None = None
        self.status: int | None = None  # as waitpid gives it
        self.peak_bytes = 0
        self.doom = ""  # why it is being killed, or why its start failed
        self.is_open = True
        self.loans: dict[int, Loan] = {}  # by slot
        self._owner = owner
        self._link = link
        self._free_slots = list(range(board.connections))
        self._passing = max(1, board.connections // _PASSING_SHARE)
        self._last_serial = 0
        self._last_lent = 0.0
        self._loop = asyncio.get_running_loop()
        link.setblocking(False)  # noqa: FBT003
        self._loop.add_reader(link, self.listen)

    @property
    def is_alive(self) -> bool:
        """As far as has been heard: neither its exit nor the end of its link."""
        return self.is_open and self.status is None

    @property
    def is_ready(self) -> bool:
        return self.is_alive and self.ready_at is not None

    @property
    def unseen(self) -> int:
        """Loans that it has not taken out of its socket."""
        numbers = self.board.numbers
        return self._last_serial - int(max(numbers[At.RECEIVED], numbers[At.TAKEN]))

    @property
    def is_fast(self) -> bool:
        return 0 < self.board.numbers[At.PACE] < FAST_SECONDS

    def running_for(self, now: float) -> float:
        """Seconds since the run() that it is in began; 0 when it is in none."""
        started = self.board.numbers[At.STARTED]
        return now - started if started else 0.0

    def silent_for(self, now: float) -> float:
        """Seconds without a sign of life from a worker that should give one; 0 if it need not."""
        numbers = self.board.numbers
        if numbers[At.STARTED]:
            return now - numbers[At.ALIVE]
        return now - max(self._last_lent, numbers[At.ALIVE]) if self.unseen > 0 else 0.0

    def has_room(self, now: float) -> bool:
        """Whether a request given to it now will be run as soon as anywhere."""
        if not self.is_ready or not self._free_slots:
            return False
        running_for = self.running_for(now)
        if self.is_fast and running_for < FAST_SECONDS:
            return self.unseen < _FAST_CREDIT
        if self.traits.is_async:
            return len(self.loans) < self.traits.together
        return not running_for and self.held + self.unseen < self.traits.together

    @property
    def held(self) -> int:
        """Requests that it has in hand."""
        hands = self.board.hands
        return sum(1 for slot in self.loans if hands[slot])

    def lend(self, exchange: Exchange, waiter: Any, request: Message) -> Loan:
        """Send the connection. Raises OSError when it cannot be sent for now, and LinkLost."""
        slot, serial = self._free_slots[-1], self._last_serial + 1
        may_keep, close = exchange.connection.lend()
        may_keep = may_keep and len(self._free_slots) > self._passing
        flags = Flag.MAY_KEEP * may_keep | Flag.CLOSE * close
        descriptor = exchange.connection.socket.fileno()
        try:
            messages.send(
                self._link,
                request._replace(slot=slot, serial=serial, flags=flags, descriptor=descriptor),
            )
        except (OSError, LinkLost):
            exchange.connection.take_back()
            raise
        self._free_slots.pop()
        self._last_serial = serial
        self._last_lent = time.monotonic()
        loan = self.loans[slot] = Loan(slot, serial, exchange, waiter)
        return loan

    def end_loan(self, loan: Loan) -> None:
        """The connection is ours again."""
        del self.loans[loan.slot]
        self._free_slots.append(loan.slot)

    def loan_of(self, message: Message) -> Loan | None:
        """The loan that a message speaks of, if it still is one."""
        loan = self.loans.get(message.slot)
        return loan if loan and loan.serial == message.serial else None

    def reclaimable(self) -> list[Loan]:
        """Loans that are not in hand, oldest first."""
        hands = self.board.hands
        free = [loan for loan in self.loans.values() if hands[loan.slot] == Hand.CLEAN]
        return sorted(free, key=lambda loan: loan.serial)

    def was_seen(self, loan: Loan) -> bool:
        return loan.serial <= self.board.numbers[At.RECEIVED]

    def mark_taken(self) -> None:
        """All that is not in hand has been taken back. Only with the turn.

        A number that no loan has: the worker sees that it changes though nothing was lent since.
        """
        self._last_serial += 1
        self.board.numbers[At.TAKEN] = self._last_serial

    def tell(self, kind: Kind, slot: int = 0, serial: int = 0) -> None:
        """Say something that needs no answer; a worker that is gone does not hear it."""
        with contextlib.suppress(OSError, LinkLost):
            messages.send(self._link, Message(kind, slot, serial))

    def listen(self) -> None:
        """Hear all that it has said so far."""
        while self.is_open:
            try:
                message = messages.receive(self._link)
            except BlockingIOError:
                return
            except LinkLost:
                message = None
            if message is None:
                self.hang_up()
                self._owner.link_closed(self)
            else:
                self._owner.heard(self, message)

    def hang_up(self) -> None:
        """Close our end; an idle worker then exits by itself."""
        if self.is_open:
            self.is_open = False
            self._loop.remove_reader(self._link)
            self._link.close()

    def bury(self) -> None:
        """Give back what belongs to no worker any more."""
        self.hang_up()
        self.turn.close()
