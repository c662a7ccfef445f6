"""Where a worker answers: run the script, send the answer, write the log line, count.

It is told which request and which socket; whether the connection is kept afterwards is not its
business.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from verdazul_serve import context, logs, metering, trace
from verdazul_serve.answers import INTERNAL, Answer, Stream, error
from verdazul_serve.board import At, Board, Hand
from verdazul_serve.deadline import CallerLeft
from verdazul_serve.ids import Pairs, TooLong, marks, response_ids
from verdazul_serve.logs import server as log
from verdazul_serve.messages import LinkLost
from verdazul_serve.metering import Meter
from verdazul_serve.orders import NO_LIMIT, Done, Order
from verdazul_serve.outlet import has_left, send_now, send_some, stream_async
from verdazul_serve.reading import Request
from verdazul_serve.replies import Replies
from verdazul_serve.score import Scorer

if TYPE_CHECKING:
    from verdazul_serve.insights import Insights

SCORE_PATH = "/score"
QUEUE_WAIT = b"x-verdazul-max-queue-wait-ms"
NO_WORKER = ("ms-azureml-model-error-reason", "too_many_pending_request")
_PACE_WEIGHT = 0.2
_CALLER_LEFT = 499  # in log and metrics only: nobody receives it


_KEPT, _CLOSED = Done(keep=True), Done(keep=False)


class Desk:
    """One worker's."""

    def __init__(
        self,
        scorer: Scorer,
        board: Board,
        replies: Replies,
        meter: Meter,
        *,
        idle_seconds: float,
        insights: Insights | None = None,
    ) -> None:
        self._scorer = scorer
        self._numbers = board.numbers
        self._hands = board.hands
        self._lines = board.log
        self._replies = replies
        self._meter = meter
        self._idle_seconds = idle_seconds
        self._insights = insights
        self._timeout = scorer.timeout_ms / 1000 or NO_LIMIT
        self._access = logs.AccessLog(self)
        self.has_lines = False
        self._is_copy = False  # in a process that the script has forked
        self._writing = threading.Lock()
        self._methods = scorer.script.methods
        logs.before_emit(self.flush)
        os.register_at_fork(after_in_child=self._become_copy)

    # the log

    def write(self, line: bytes) -> None:
        """A log line of ours; it is written out soon, or by the parent if we die first."""
        with self._writing:
            if self._lines.add(line):
                self.has_lines = True
                return
        self.flush()
        _write_out(line)

    def flush(self) -> None:
        """Write out what is there: before any other line, and when there is time."""
        if not self.has_lines:
            return
        with self._writing:  # threads of the script write log lines, too
            _write_out(self._lines.all())
            self._lines.clear()  # only now: should we die meanwhile, the parent writes them
            self.has_lines = False

    def close(self) -> None:
        self.flush()
        if self._insights:
            self._insights.close()

    # requests

    def serves(self, request: Request, now: float) -> bool:
        """Whether a request on a kept connection is one of ours; all others are the parent's."""
        target = request.target
        if target != SCORE_PATH and not target.startswith("/score?"):
            return False
        fields = request.fields
        if request.method not in self._methods or b"upgrade" in fields:
            return False
        wait = fields.get(QUEUE_WAIT)
        if wait is None:
            return True
        is_number = wait.isdigit() and len(wait) < 10  # noqa: PLR2004  # over a month
        return is_number and (time.monotonic() - now) * 1000 <= int(wait) + 1

    def run(self, order: Order) -> Done:
        """Answer one request."""
        request = order.request
        try:
            order.ids = response_ids(request)
        except TooLong as long:
            return self._refuse(order, long)
        self._begin(order)
        order.marks = marks(request, order.ids)
        context.enter(order.marks)
        try:
            if order.due <= order.started:
                return self._left(order)
            if QUEUE_WAIT in request.fields:
                request = request.without(QUEUE_WAIT)
            outcome = self._scorer.score(request)
            if type(outcome) is Stream:
                return self._stream(outcome, order)
        except CallerLeft:
            return self._left(order)
        finally:
            self._end(order)
            context.enter(context.NOTHING)
        return self._send(outcome, order)  # type: ignore[arg-type]  # no stream

    def run_batch(self, orders: list[Order]) -> list[Done]:
        """Answer many by one call, but none that nobody waits for any more."""
        for order in orders:
            order.ids = self._ids(order)
            order.marks = marks(order.request, order.ids)
            order.started = time.monotonic()
        left = [o.due <= o.started or has_left(o.sock) for o in orders]
        answered = iter(self._run_together([o for o, gone in zip(orders, left) if not gone]))
        return [self._left(o) if gone else next(answered) for o, gone in zip(orders, left)]

    def _run_together(self, orders: list[Order]) -> list[Done]:
        if not orders:
            return []
        for order in orders[1:]:
            self._meter.queued(order.started - order.arrived)
        self._begin(orders[0])
        self._numbers[At.DUE] = 0.0  # the others wait on
        try:
            outcomes = self._scorer.score_batch([self._shown(order.request) for order in orders])
        except CallerLeft:
            return [self._left(order) for order in orders]
        finally:
            self._end(orders[0])
        return [self._send(_no_stream(outcome), order) for order, outcome in zip(orders, outcomes)]

    async def run_async(
        self, order: Order, write: Callable[[socket.socket, bytes], Awaitable[bool]]
    ) -> Done:
        """Answer one request as a task; `write` waits for room in the socket."""
        request = order.request
        try:
            order.ids = response_ids(request)
        except TooLong as long:
            return self._refuse(order, long)
        order.started = time.monotonic()
        self._meter.queued(order.started - order.arrived)
        order.marks = marks(request, order.ids)
        context.enter(order.marks)
        try:
            if order.is_unwanted or order.due <= order.started:
                return self._left(order)
            outcome = await self._scorer.score_async(
                self._shown(request), is_unwanted=lambda: order.is_unwanted
            )
        except CallerLeft:
            return self._left(order)
        finally:
            if self._is_copy:
                self._end_copy()
        if not isinstance(outcome, Stream):
            return self._send(outcome, order)
        opening = self._replies.head(outcome, request, order.ids, keep=self._keeps(order))
        self._hands[order.slot] = Hand.ANSWERING
        is_whole = await stream_async(outcome, opening, order.sock, write)
        self._streamed(outcome, order)
        return Done(opening.keep, is_broken=not is_whole)

    def _keeps(self, order: Order) -> bool:
        """Whether the connection lives on: not if the server is stopping."""
        return not (order.close or (order.is_last and self._numbers[At.CLOSING]))

    def _begin(self, order: Order) -> None:
        numbers = self._numbers
        started = order.started = time.monotonic()
        numbers[At.LIMIT] = started + self._timeout
        numbers[At.DUE] = order.due
        numbers[At.RUNS] += 1.0
        numbers[At.ALIVE] = started
        numbers[At.STARTED] = started
        self._meter.queued(started - order.arrived)

    def _end(self, order: Order) -> None:
        if self._is_copy:
            self._end_copy()
        numbers = self._numbers
        took = time.monotonic() - order.started
        pace = numbers[At.PACE]
        numbers[At.STARTED] = 0.0
        numbers[At.PACE] = pace + _PACE_WEIGHT * (took - pace) if pace else max(took, 1e-9)

    def _become_copy(self) -> None:
        self._is_copy, self.has_lines = True, False

    def _end_copy(self) -> None:
        """A process that run() forked, and that came back from it, must not answer as well."""
        log.error("run() returned in a process that it had forked, which ends here")
        os._exit(1)

    @staticmethod
    def _ids(order: Order) -> Pairs:
        """In a batch, ids that are too long are cut off rather than refused after the fact."""
        try:
            return response_ids(order.request)
        except TooLong as long:
            return long.ids

    @staticmethod
    def _shown(request: Request) -> Request:
        """As the script may see it."""
        return request.without(QUEUE_WAIT) if QUEUE_WAIT in request.fields else request

    def _refuse(self, order: Order, long: TooLong) -> Done:
        order.ids, order.started = long.ids, time.monotonic()
        order.marks = marks(order.request, long.ids)
        return self._send(error(431, str(long)), order)

    def _send(self, answer: Answer, order: Order) -> Done:
        keep = not (order.close or (order.is_last and self._numbers[At.CLOSING]))
        data = self._replies.whole(answer, order.request, order.ids, keep=keep)
        hands, slot = self._hands, order.slot
        before, hands[slot] = hands[slot], Hand.ANSWERING
        try:
            unsent = send_now(order.sock, data)
        except LinkLost:
            hands[slot] = before
            raise
        if keep and not unsent:
            hands[slot] = Hand.ANSWERED
        self._log(order, answer.status, str(len(answer.body)))
        if self._insights is not None:
            self._tell(answer, order)
        if unsent:
            return Done(keep, unsent)
        return _KEPT if keep else _CLOSED

    def _stream(self, stream: Stream, order: Order) -> Done:
        self._numbers[At.LIMIT] = 0.0  # of run() itself; what it yields may take its time
        sock = order.sock
        opening = self._replies.head(stream, order.request, order.ids, keep=self._keeps(order))
        self._hands[order.slot] = Hand.ANSWERING
        is_whole = self._send_slowly(sock, opening.head)
        try:
            with self._scorer.breakable():
                for piece in () if opening.is_bare else stream.items:  # type: ignore[union-attr]
                    is_whole = is_whole and self._send_slowly(sock, opening.piece(piece))
                    if not is_whole:
                        break
        except CallerLeft:
            is_whole = False
        except BaseException as reason:  # noqa: BLE001  # the head is out: break it visibly
            trace.log(reason)
            is_whole = False
        finally:
            with contextlib.suppress(Exception):
                stream.items.close()  # type: ignore[union-attr]
        is_whole = is_whole and self._send_slowly(sock, opening.end)
        self._streamed(stream, order)
        return Done(opening.keep, is_broken=not is_whole)

    def _streamed(self, stream: Stream, order: Order) -> None:
        self._log(order, stream.head.status, "N/A")
        if self._insights is not None:
            self._tell(stream, order)

    def _send_slowly(self, sock: socket.socket, data: bytes) -> bool:
        """Wait for a reader that is slow, but not for one that has stopped reading or left."""
        given_up = time.monotonic() + self._idle_seconds
        while data:
            sent = send_some(sock, data)
            if sent is None or time.monotonic() > given_up:
                return False
            if sent:
                given_up = time.monotonic() + self._idle_seconds
            data = data[sent:]
            self._numbers[At.ALIVE] = time.monotonic()
            if data and has_left(sock):
                return False
        return True

    def _left(self, order: Order) -> Done:
        """Nobody waits, or should: whoever asked for less time than it took may still read."""
        self._meter.count(metering.CALLERS_LEFT)
        if time.monotonic() >= order.due:
            return self._send(error(408, "The caller's time was up."), order)
        self._log(order, _CALLER_LEFT, "N/A")
        return Done(keep=False, is_broken=True)

    def _log(self, order: Order, status: int, length: str) -> None:
        self._meter.answered(status)
        request = order.request
        spent = time.monotonic() - order.started
        self._access.write(request.method, request.target, status, spent, length, *order.marks)

    def _tell(self, answer: Answer | Stream, order: Order) -> None:
        assert self._insights is not None  # noqa: S101  # asked before, where it is cheap
        spent = time.monotonic() - order.started
        self._insights.answered(order.request, answer, order.ids, seconds=spent)


def _no_stream(outcome: Answer | Stream) -> Answer:
    if isinstance(outcome, Answer):
        return outcome
    with contextlib.suppress(Exception):
        outcome.items.close()  # type: ignore[union-attr]
    log.error("a batched run() cannot stream: each of its results has to be a value")
    return error(500, INTERNAL)


def _write_out(lines: bytes) -> None:
    """A log that cannot be written is no reason to stop serving."""
    with contextlib.suppress(OSError):
        while lines:
            lines = lines[os.write(1, lines) :]
