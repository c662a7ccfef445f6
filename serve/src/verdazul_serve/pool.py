"""The parent's view of the workers: a queue in front, one request at a time in each.

First in, first out. A worker that dies costs the request it ran and is replaced; the others do not
notice.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from verdazul_serve import exits, frames
from verdazul_serve.answers import Answer
from verdazul_serve.backoff import Backoff
from verdazul_serve.failure import BootFailure, Problem
from verdazul_serve.frames import Frame, Kind
from verdazul_serve.link import Call, Worker
from verdazul_serve.logs import server as log
from verdazul_serve.zygote import Nursery

_FAILED_STARTS = 3  # in a row, with no worker alive: the script cannot be started any more
_LAST_WORDS_SECONDS = 0.5  # between a worker's exit and giving up on what it may have sent
_ABORT_SECONDS = 1.0  # between SIGABRT (prints the stack) and SIGKILL


class Pool:
    """`submit` and `withdraw` are for the application, the rest is for the server."""

    def __init__(
        self,
        nursery: Nursery,
        *,
        size: int,
        worker_timeout: float,
        on_fatal: Callable[[Problem], None],
    ) -> None:
        self._nursery = nursery
        self._size = size
        self._worker_timeout = worker_timeout
        self._on_fatal = on_fatal
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Call] = deque()
        self._idle: deque[Worker] = deque()
        self._workers: dict[int, Worker] = {}  # by the zygote's token
        self._expiries: dict[Call, asyncio.TimerHandle] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._failed_starts = 0
        self._has_booted = False
        self._stopping = False
        self._all_gone: asyncio.Future[None] | None = None

    @property
    def has_booted(self) -> bool:
        """Every worker has been ready once."""
        return self._has_booted

    @property
    def ready(self) -> int:
        """How many workers take requests: idle and busy ones."""
        return sum(worker.is_ready for worker in self._workers.values())

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def size(self) -> int:
        return self._size

    async def open(self, first: list[tuple[int, socket.socket]]) -> None:
        """Take over the workers that are being forked already."""
        self._nursery.control.setblocking(False)  # noqa: FBT003
        adopted = [(self._register(token, Backoff()), link) for token, link in first]
        self._loop.add_reader(self._nursery.control, self._read_news)
        for worker, link in adopted:
            await self._connect(worker, link)

    def submit(self, call: Call, *, max_wait_ms: int | None) -> None:
        """Run the call on the next free worker."""
        if self._idle:
            self._start(self._idle.popleft(), call)
        elif max_wait_ms == 0:
            call.expired()
        else:
            self._queue.append(call)
            if max_wait_ms is not None:
                wait = max_wait_ms / 1000
                self._expiries[call] = self._loop.call_later(wait, self._expire, call)

    def withdraw(self, call: Call) -> bool:
        """Nobody wants the answer. True when it was still waiting, and will not be started."""
        if call not in self._queue:
            return False
        self._queue.remove(call)
        self._forget_expiry(call)
        return True

    def cancel_stream(self, call: Call) -> None:
        """Ask the worker to stop yielding."""
        worker = self._running(call)
        if worker:
            worker.hold(is_held=False)
            worker.send(frames.encode(Kind.CANCEL))
            self._watch(worker)

    def hold_stream(self, call: Call, *, is_held: bool) -> None:
        """Let the worker wait while the client reads too slowly."""
        worker = self._running(call)
        if worker:
            worker.hold(is_held=is_held)
            self._watch(worker)

    async def close(self, *, seconds: float) -> None:
        """End every worker: idle ones by themselves, the others by SIGKILL."""
        self._stopping = True
        self._all_gone = self._loop.create_future()
        for timer in self._timers:
            timer.cancel()
        for worker in tuple(self._workers.values()):
            worker.unwatch()
            if worker.ready_at is None or worker.call:
                self._kill(worker, signal.SIGKILL)
            worker.hang_up()
        self._settle()
        _, late = await asyncio.wait([self._all_gone], timeout=seconds)
        if late and seconds:
            log.warning("workers did not exit within %g s and are killed", seconds)
        self._loop.remove_reader(self._nursery.control)

    # what workers and the zygote say

    def heard(self, worker: Worker, frame: Frame) -> None:
        """One message of a worker."""
        if frame.kind is Kind.READY:
            self._became_ready(worker)
        elif frame.kind is Kind.FAILED:
            self._failed(worker, Problem.from_json(frame.body))
        elif worker.call:
            self._pass_on(worker, worker.call, frame)

    def link_closed(self, worker: Worker) -> None:
        """It has died, is about to, or its script closed our socket: then it is killed."""
        self._retire(worker)
        if worker.status is not None:
            self._bury(worker)
        elif not self._stopping:
            self._later(_ABORT_SECONDS, lambda: self._end_deaf(worker))

    def _read_news(self) -> None:
        while True:
            try:
                news = self._nursery.news()
            except (BlockingIOError, ConnectionResetError) as error:
                if isinstance(error, BlockingIOError):
                    return
                news = None
            if news is None:
                self._loop.remove_reader(self._nursery.control)
                self._lost_zygote()
                return
            self._hear_zygote(news)

    def _hear_zygote(self, news: dict[str, Any]) -> None:
        if "spawned" in news:
            worker = self._workers.get(news["spawned"])
            if worker:
                worker.pid = news["pid"]
        elif "refused" in news:
            self._refused(self._workers[news["refused"]], news["error"])
        else:
            self._exited(news["exited"], news["status"])

    def _lost_zygote(self) -> None:
        if not self._stopping:
            self._on_fatal(
                Problem(
                    "InternalServerError",
                    "the process that starts workers has died",
                    fix="look for an out-of-memory kill; restart the instance",
                )
            )

    def _refused(self, worker: Worker, reason: str) -> None:
        worker.status = 0
        worker.hang_up()
        self._failed(
            worker,
            Problem(
                "ConfigurationError",
                f"a worker process could not be started: {reason}",
                fix="lower WORKER_COUNT or raise the limit of processes or memory",
            ),
        )

    def _exited(self, pid: int, status: int) -> None:
        worker = next((each for each in self._workers.values() if each.pid == pid), None)
        if worker is None:
            return
        worker.status = status
        self._retire(worker)
        if worker.is_open:  # its last answer may still be on the way
            self._later(_LAST_WORDS_SECONDS, worker.hang_up)
        else:
            self._bury(worker)

    # what follows

    def _register(self, token: int, backoff: Backoff) -> Worker:
        worker = self._workers[token] = Worker(self, backoff)
        return worker

    async def _connect(self, worker: Worker, link: socket.socket) -> None:
        link.setblocking(False)  # noqa: FBT003
        await self._loop.create_connection(lambda: worker, sock=link)

    def _became_ready(self, worker: Worker) -> None:
        worker.ready_at = self._loop.time()
        self._failed_starts = 0
        self._has_booted = self._has_booted or self.ready == self._size
        self._next(worker)

    def _failed(self, worker: Worker, problem: Problem) -> None:
        """A start failed: fatal at boot, and when it has become the rule."""
        worker.doom = worker.doom or problem.message
        self._failed_starts += 1
        is_hopeless = self._failed_starts >= _FAILED_STARTS and not self.ready
        if not self._has_booted or is_hopeless:
            self._on_fatal(problem)
        else:
            log.error("a worker could not be started: %s", problem)

    def _pass_on(self, worker: Worker, call: Call, frame: Frame) -> None:
        if frame.kind is Kind.CHUNK:
            self._watch(worker)
            call.chunk(frame.body)
            return
        if frame.kind is Kind.BEGIN:
            self._watch(worker)
            call.begin(_answer(frame))
            return
        worker.call = None
        if worker.is_alive:
            self._next(worker)
        if frame.kind is Kind.ANSWER:
            call.answer(_answer(frame))
        elif frame.kind is Kind.END:
            call.end()
        else:
            call.broken()

    def _next(self, worker: Worker) -> None:
        if self._queue:
            self._start(worker, self._queue.popleft())
            return
        worker.unwatch()
        self._idle.append(worker)

    def _start(self, worker: Worker, call: Call) -> None:
        self._forget_expiry(call)
        worker.call = call
        worker.send(call.pieces)
        call.pieces = ()
        self._watch(worker)

    def _retire(self, worker: Worker) -> None:
        """Send it nothing more."""
        worker.unwatch()
        if worker in self._idle:
            self._idle.remove(worker)

    def _running(self, call: Call) -> Worker | None:
        return next((each for each in self._workers.values() if each.call is call), None)

    def _expire(self, call: Call) -> None:
        self._expiries.pop(call)
        self._queue.remove(call)
        call.expired()

    def _forget_expiry(self, call: Call) -> None:
        expiry = self._expiries.pop(call, None)
        if expiry:
            expiry.cancel()

    def _watch(self, worker: Worker) -> None:
        """From now it may be silent for the worker timeout."""
        worker.watch(self._worker_timeout, self._silent)

    def _silent(self, worker: Worker) -> None:
        worker.doom = f"it ran longer than WORKER_TIMEOUT ({self._worker_timeout:g} s)"
        log.critical("worker with pid %s is replaced: %s", worker.pid, worker.doom)
        self._kill(worker, signal.SIGABRT)
        self._later(_ABORT_SECONDS, lambda: self._kill(worker, signal.SIGKILL))

    def _end_deaf(self, worker: Worker) -> None:
        if worker.status is None:
            worker.doom = worker.doom or "the script closed the server's socket"
            self._kill(worker, signal.SIGKILL)

    def _kill(self, worker: Worker, number: int) -> None:
        if worker.pid is not None and worker.status is None:
            self._nursery.kill(worker.pid, number)

    def _bury(self, worker: Worker) -> None:
        """It is gone and all it said has been heard."""
        token = next((token for token, each in self._workers.items() if each is worker), None)
        if token is None or worker.status is None:
            return
        del self._workers[token]
        how = worker.doom or exits.describe(worker.status)
        if self._stopping:
            self._settle()
            return
        log.error("worker with pid %s died: %s", worker.pid, how)
        if worker.ready_at is None and not worker.doom:
            self._failed(worker, _died_in_init(how))
        ready_seconds = self._loop.time() - (worker.ready_at or self._loop.time())
        wait, backoff = worker.backoff.after(ready_seconds)
        self._later(wait, lambda: self._replace(backoff))
        if worker.call:
            worker.call.lost(how)

    def _replace(self, backoff: Backoff) -> None:
        """Fork another; connecting to its link is a task for the two steps it takes."""
        token, link = self._nursery.spawn()
        task = self._loop.create_task(self._connect(self._register(token, backoff), link))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        handle: asyncio.TimerHandle

        def act() -> None:
            self._timers.discard(handle)
            action()

        handle = self._loop.call_later(seconds, act)
        self._timers.add(handle)

    def _settle(self) -> None:
        if self._all_gone and not self._workers and not self._all_gone.done():
            self._all_gone.set_result(None)


def _answer(frame: Frame) -> Answer:
    headers = tuple((name, value) for name, value in frame.meta["headers"])
    return Answer(frame.meta["status"], headers, frame.body)


def _died_in_init(how: str) -> Problem:
    return BootFailure(
        "UserScriptInitFailed",
        f"the worker process ended before init() returned: {how}",
        fix="look at the log for what init() did last; it may need more memory",
    ).problem
