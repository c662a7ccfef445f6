"""Which worker has which connection, and in what order requests wait for one.

A connection goes to a worker together with a request that is to be run. A worker whose script is
fast keeps it and serves what follows without asking; so the parent looks, a few hundred times a
second while anything is lent, whether a worker is stuck in a call, and then takes back what it is
not working on: those connections are served here, or by another worker, while the call goes on.

First in, first out. Whoever leaves while waiting is never run; whoever leaves during a call has it
broken off.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from verdazul_serve.board import At, Hand
from verdazul_serve.deadline import BREAK_SIGNAL
from verdazul_serve.exchange import Exchange
from verdazul_serve.link import Loan, Worker
from verdazul_serve.messages import Flag, Kind, LinkLost, Message
from verdazul_serve.requests import pack
from verdazul_serve.traits import FAST_SECONDS

_LOOK_SECONDS = 0.005
_IN_HAND = frozenset({Hand.HELD, Hand.FOLLOWING, Hand.ANSWERING})
_AT_REST = frozenset({Hand.CLEAN, Hand.ANSWERED})


class Caller(Protocol):
    """A request that waits for a worker."""

    exchange: Exchange
    expires: float  # monotonic seconds after which nobody waits; inf for never

    def expired(self) -> None:
        """No worker was free in time."""

    def refused(self, why: str) -> None:
        """There is no worker, nor will there be one soon."""

    def lost(self, why: str, exchange: Exchange) -> None:
        """The worker died while it ran this, or another that came on the same connection."""


class Lending:
    """`submit` and `withdraw` are for the application, the rest for the pool."""

    def __init__(
        self, workers: Callable[[], Iterable[Worker]], *, kill: Callable[[Worker, int], None]
    ) -> None:
        self._workers = workers
        self._kill = kill
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Caller] = deque()
        self._look: asyncio.TimerHandle | None = None
        self._stopped: dict[Worker, float] = {}  # the call of each that was told to stop

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def submit(self, caller: Caller) -> None:
        """Run it on the next free worker; `caller.expired()` when there is none in time."""
        self._queue.append(caller)
        self.pump()
        if self._queue and self._queue[-1] is caller and caller.expires <= time.monotonic():
            self._queue.pop()
            caller.expired()

    def give_up(self, why: str) -> None:
        """No worker will take what waits."""
        waiting, self._queue = self._queue, deque()
        for caller in waiting:
            caller.refused(why)

    def withdraw(self, caller: Caller) -> None:
        """Nobody wants the answer."""
        if caller in self._queue:
            self._queue.remove(caller)

    def pump(self) -> None:
        """Lend what waits to whoever has room."""
        now = time.monotonic()
        while self._queue:
            free = [worker for worker in self._workers() if worker.has_room(now)]
            if not any(self._lend(worker) for worker in sorted(free, key=_burden)):
                break
        self._keep_looking()

    def heard(self, worker: Worker, message: Message) -> None:
        """BACK or GONE."""
        loan = worker.loan_of(message)
        if loan is None:
            return
        worker.end_loan(loan)
        connection = loan.exchange.connection
        if message.kind is Kind.GONE:
            connection.gone(broken=bool(message.flags & Flag.BROKEN))
        else:
            unsent, unread = message.body[: message.leading], message.body[message.leading :]
            close = bool(message.flags & Flag.CLOSE)
            connection.returned(unsent=unsent, unread=unread, close=close)
        self.pump()

    def settle(self, worker: Worker, why: str) -> None:
        """It is dead: what it had is answered, taken back, or put at the head of the queue."""
        self._stopped.pop(worker, None)
        for loan in sorted(worker.loans.values(), key=lambda loan: loan.serial, reverse=True):
            hand, connection = worker.board.hands[loan.slot], loan.exchange.connection
            worker.end_loan(loan)
            if hand in _AT_REST or not worker.was_seen(loan):
                self._recover(worker, loan)
            elif hand == Hand.HELD:
                connection.take_back()
                loan.waiter.lost(why, loan.exchange)
            elif hand == Hand.FOLLOWING:
                loan.waiter.lost(why, connection.follow())
            else:
                connection.gone(broken=True)
        self._loop.call_soon(self.pump)

    def return_all(self) -> None:
        """Have every worker keep nothing from now on."""
        for worker in self._workers():
            worker.board.numbers[At.CLOSING] = 1.0
            worker.tell(Kind.RETURN_ALL)

    # the inside

    def _lend(self, worker: Worker) -> bool:
        caller = self._queue.popleft()
        if caller.exchange.connection.socket.fileno() < 0:
            return True  # its client has just been found to be gone
        meta, body = pack(caller.exchange.request)
        message = Message(Kind.LEND, at=caller.exchange.arrived, meta=meta, body=body)
        try:
            loan = worker.lend(caller.exchange, caller, message)
        except (OSError, LinkLost):
            self._queue.appendleft(caller)
            return False
        if worker.traits.is_async:
            self._watch(worker, loan)
        return True

    def _keep_looking(self) -> None:
        if self._look is None and (self._queue or any(each.loans for each in self._workers())):
            self._look = self._loop.call_later(_LOOK_SECONDS, self._look_around)

    def _look_around(self) -> None:
        self._look = None
        now = time.monotonic()
        for worker in tuple(self._workers()):
            if worker.loans and worker.status is None and not worker.traits.is_async:
                self._look_at(worker, now)
        self._expire(now)
        self.pump()

    def _look_at(self, worker: Worker, now: float) -> None:
        numbers, hands = worker.board.numbers, worker.board.hands
        call = numbers[At.RUNS]  # read first: what else is read may be of the next one, no harm
        running_for = worker.running_for(now)
        is_over = now >= numbers[At.LIMIT] > 0 or now >= numbers[At.DUE] > 0
        if is_over and running_for:
            self._stop(worker, call)
        if running_for >= FAST_SECONDS:
            self._take_back(worker)
            for loan in tuple(worker.loans.values()):
                if hands[loan.slot] in _IN_HAND:
                    self._watch(worker, loan)

    def _take_back(self, worker: Worker) -> None:
        """Everything that the worker is not working on, which is all but what it runs."""
        if not worker.reclaimable():
            return
        with worker.turn.borrowed() as has_it:
            if not has_it:
                return
            worker.listen()  # what it said before must not be answered by what we do now
            if not worker.is_open:
                return
            taken = worker.reclaimable()
            worker.mark_taken()
        for loan in reversed(taken):
            worker.end_loan(loan)
            self._recover(worker, loan)

    def _recover(self, worker: Worker, loan: Loan) -> None:
        """A loan that was not in hand: answered long ago, or never begun."""
        if worker.was_seen(loan):
            loan.exchange.connection.returned()
        else:
            loan.exchange.connection.take_back()
            self._queue.appendleft(loan.waiter)

    def _watch(self, worker: Worker, loan: Loan) -> None:
        loan.exchange.connection.when_left(lambda: self._left(worker, loan))

    def _left(self, worker: Worker, loan: Loan) -> None:
        call = worker.board.numbers[At.RUNS]
        if worker.loans.get(loan.slot) is not loan:
            return
        if worker.traits.is_async:
            worker.tell(Kind.CANCEL, loan.slot, loan.serial)
        elif worker.traits.together == 1 and worker.board.hands[loan.slot] in _IN_HAND:
            self._stop(worker, call)  # a batch, of more than one, has other callers

    def _stop(self, worker: Worker, call: float) -> None:
        """Break off that call, once; if it is over meanwhile nothing happens."""
        if self._stopped.get(worker) != call:
            self._stopped[worker] = call
            worker.board.numbers[At.STOP] = call
            self._kill(worker, BREAK_SIGNAL)

    def _expire(self, now: float) -> None:
        if any(caller.expires <= now for caller in self._queue):
            late = [caller for caller in self._queue if caller.expires <= now]
            self._queue = deque(caller for caller in self._queue if caller.expires > now)
            for caller in late:
                caller.expired()


def _burden(worker: Worker) -> int:
    return len(worker.loans)
