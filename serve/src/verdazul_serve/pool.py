"""The parent's view of the worker processes: started, watched, replaced, ended.

A worker that dies costs the requests it had in hand and is replaced; the others do not notice. With
several workers the first one may turn out to be a mother: a process that has run init() once and
forks all workers, which share its memory (see sharing.py). What they serve is lending.py's concern.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from verdazul_serve import exits, memory
from verdazul_serve.backoff import Backoff
from verdazul_serve.board import Boards
from verdazul_serve.failure import BootFailure, Problem
from verdazul_serve.lending import Lending
from verdazul_serve.link import Worker
from verdazul_serve.logs import server as log
from verdazul_serve.messages import Kind, Message
from verdazul_serve.traits import Traits
from verdazul_serve.turn import Turn
from verdazul_serve.zygote import Nursery

_FAILED_STARTS = 3  # in a row, with no worker alive: the script cannot be started any more
_ABORT_SECONDS = 1.0  # between SIGABRT (prints the stack) and SIGKILL
_MOTHER_SECONDS = 0.05  # between two looks for the mother that others wait for
_FULL_SECONDS = 0.5


class Pool:
    """`lending` is for the application, the rest for the server."""

    def __init__(
        self,
        nursery: Nursery,
        boards: Boards,
        *,
        worker_timeout: float,
        shares: bool,
        on_fatal: Callable[[Problem], None],
        survives_failures: bool = False,
    ) -> None:
        self._zygote = nursery
        self._mother: Nursery | None = None
        self._expected: Nursery | None = None  # of a first worker, which has not said yet
        self._shares = shares
        self._boards = boards
        self._worker_timeout = worker_timeout
        self._on_fatal = on_fatal
        self._survives_failures = survives_failures
        self._loop = asyncio.get_running_loop()
        self._workers: dict[int, Worker] = {}  # by the number of their board
        self._timers: set[asyncio.TimerHandle] = set()
        self._pending: dict[int, asyncio.TimerHandle] = {}  # starts, by the number of the board
        self._failed_starts = 0
        self._has_booted = False
        self._stopping = False
        self._all_gone: asyncio.Future[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self.restarts = 0
        self.problem: Problem | None = None  # the last failed start, until one succeeds
        self.memory = memory.Watch()
        self.lending = Lending(self._workers.values, kill=self._kill)

    @property
    def has_booted(self) -> bool:
        """Every worker has been ready once."""
        return self._has_booted

    @property
    def ready(self) -> int:
        """How many workers take requests: idle and busy ones."""
        return sum(worker.is_ready for worker in self._workers.values())

    @property
    def busy(self) -> int:
        """How many of them are inside run()."""
        return sum(worker.is_ready and worker.held > 0 for worker in self._workers.values())

    @property
    def size(self) -> int:
        return len(self._boards)

    @property
    def traits(self) -> Traits:
        """What the script is like; the default until a worker is ready."""
        return next((w.traits for w in self._workers.values() if w.ready_at is not None), Traits())

    def open(self) -> None:
        """Start every worker."""
        self._hear(self._zygote)
        for number in range(self.size):
            self._start(number, Backoff())
        self._watch_silence()

    def restart(self) -> None:
        """End every worker and start from the script as it is now (--reload)."""
        for worker in tuple(self._workers.values()):
            worker.doom = worker.doom or "the script has changed"
            worker.backoff = Backoff()
            self._kill(worker, signal.SIGKILL)
        if self._mother:
            self._mother.end()
            self._mother = None
        for number, timer in tuple(self._pending.items()):  # they need wait no longer
            timer.cancel()
            self._start(number, Backoff())

    async def close(self, *, seconds: float) -> None:
        """End every worker: idle ones by themselves, the others by SIGKILL."""
        self._stopping = True
        self._all_gone = self._loop.create_future()
        watch = [self._watch] if self._watch else []
        for timer in (*self._timers, *self._pending.values(), *watch):
            timer.cancel()
        for worker in tuple(self._workers.values()):
            if worker.ready_at is None or worker.held or not seconds:
                self._kill(worker, signal.SIGKILL)
            worker.hang_up()
        self._settle()
        _, late = await asyncio.wait([self._all_gone], timeout=seconds)
        if late and seconds:
            log.warning("workers did not exit within %g s and are killed", seconds)
        for nursery in (self._zygote, self._mother):
            if nursery:
                self._loop.remove_reader(nursery.control)

    # what workers say

    def heard(self, worker: Worker, message: Message) -> None:
        """One message of a worker."""
        if message.kind is Kind.READY:
            self._became_ready(worker, Traits.from_json(message.meta))
        elif message.kind is Kind.FAILED:
            self._failed(worker, Problem.from_json(message.body))
        else:
            self.lending.heard(worker, message)

    def link_closed(self, worker: Worker) -> None:
        """It has died, is about to, or its script closed our socket: then it is killed."""
        if worker.status is None and not self._stopping:
            self._later(_ABORT_SECONDS, lambda: self._end_deaf(worker))

    # what the processes that fork them say

    def _hear(self, nursery: Nursery) -> None:
        nursery.control.setblocking(False)  # noqa: FBT003
        self._loop.add_reader(nursery.control, self._read_news, nursery)

    def _read_news(self, nursery: Nursery) -> None:
        while True:
            try:
                news = nursery.news()
            except BlockingIOError:
                return
            except ConnectionResetError:
                news = None
            if news is None:
                self._loop.remove_reader(nursery.control)
                self._lost(nursery)
                return
            self._hear_news(nursery, news)

    def _hear_news(self, nursery: Nursery, news: dict[str, Any]) -> None:
        if "spawned" in news:
            worker = self._workers.get(news["spawned"])
            if worker:
                worker.pid, worker.nursery = news["pid"], nursery
        elif "refused" in news:
            self._refused(self._workers[news["refused"]], news["error"])
        elif "shared" in news:
            self._expected = None
            self._mother = nursery
        elif "alone" in news:
            self._expected = None
            self._shares = False
        else:
            self._exited(nursery, news)

    def _lost(self, nursery: Nursery) -> None:
        if nursery is self._zygote:
            if not self._stopping:
                self._on_fatal(_ZYGOTE_DIED)
            return
        if nursery is self._expected:
            self._expected = None
        if nursery is self._mother:
            self._mother = None
        for worker in tuple(self._workers.values()):
            if worker.nursery is nursery and worker.status is None:
                if worker.pid is None:
                    worker.doom = worker.doom or "the process that was to fork it has died"
                self._died(worker, signal.SIGKILL)  # with their mother, who cannot tell any more
        nursery.close()

    def _refused(self, worker: Worker, reason: str) -> None:
        worker.status = 0
        self._failed(worker, _refusal(reason))
        self._bury(worker)

    def _exited(self, nursery: Nursery, news: dict[str, Any]) -> None:
        for worker in tuple(self._workers.values()):
            if worker.pid == news["exited"] and worker.nursery is nursery:
                worker.peak_bytes = news.get("peak", 0)
                self._died(worker, news["status"])

    def _died(self, worker: Worker, status: int) -> None:
        worker.listen()  # its last words
        worker.status = status
        self._bury(worker)

    # what follows

    def _start(self, number: int, backoff: Backoff) -> None:
        """Fork a worker: from the mother if there is one, else from the zygote."""
        self._pending.pop(number, None)
        wants_mother = self._shares and self._mother is None
        if wants_mother and self._expected:
            self._start_later(number, backoff, seconds=_MOTHER_SECONDS)
            return
        try:
            self._spawn(number, backoff, is_first=wants_mother)
        except OSError as reason:  # too many files are open, which will not last
            log.error("no worker can be started for now: %s", reason.strerror)
            self._start_later(number, backoff, seconds=_FULL_SECONDS)

    def _spawn(self, number: int, backoff: Backoff, *, is_first: bool) -> None:
        nursery = self._mother or self._zygote
        turn, control = Turn(), None
        try:
            ours, theirs = nursery.pair()
            if is_first:
                control = nursery.pair()
        except OSError:
            turn.close()
            raise
        board = self._boards[number]
        board.reset()
        worker = Worker(self, nursery, board, (ours, turn), backoff)
        self._workers[number] = worker
        if control:
            self._expected = nursery.spawn_first(number, theirs, worker.turn, control)
            self._hear(self._expected)
        else:
            nursery.spawn(number, theirs, worker.turn)

    def _became_ready(self, worker: Worker, traits: Traits) -> None:
        worker.traits = traits
        worker.ready_at = self._loop.time()
        self._failed_starts = 0
        self.problem = None
        self._has_booted = self._has_booted or self.ready == self.size
        self.lending.pump()

    def _failed(self, worker: Worker, problem: Problem) -> None:
        """A start failed: fatal at boot, and when it has become the rule."""
        worker.doom = worker.doom or problem.message
        self.problem = problem
        self._failed_starts += 1
        is_hopeless = self._failed_starts >= _FAILED_STARTS and not self.ready
        if self._survives_failures:
            log.error("%s", problem)
            if not self.ready:
                self.lending.give_up(str(problem))
        elif not self._has_booted or is_hopeless:
            self._on_fatal(problem)
        else:
            log.error("a worker could not be started: %s", problem)

    def _watch_silence(self) -> None:
        """Replace workers that have hung for too long."""
        now = time.monotonic()
        for worker in tuple(self._workers.values()):
            is_watched = worker.is_ready and not worker.doom
            if is_watched and worker.silent_for(now) > self._worker_timeout:
                self._silent(worker)
        pause = min(1.0, self._worker_timeout / 4)
        self._watch = self._loop.call_later(pause, self._watch_silence)

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
            worker.nursery.kill(worker.pid, number)

    def _bury(self, worker: Worker) -> None:
        """It is gone and all it said has been heard."""
        number = next((n for n, each in self._workers.items() if each is worker), None)
        if number is None or worker.status is None:
            return
        del self._workers[number]
        worker.bury()
        _write_out(worker.board.log.all())
        how = worker.doom or self._describe(worker)
        self.lending.settle(worker, how)
        if self._stopping:
            self._settle()
            return
        log.error("worker with pid %s died: %s", worker.pid, how)
        self.restarts += 1
        if worker.ready_at is None and not worker.doom:
            self._failed(worker, _died_in_init(how))
        ready_seconds = self._loop.time() - (worker.ready_at or self._loop.time())
        wait, backoff = worker.backoff.after(ready_seconds)
        self._start_later(number, backoff, seconds=wait)

    def _describe(self, worker: Worker) -> str:
        how = exits.describe(worker.status or 0)
        return self.memory.explain(how, worker.status or 0, peak_bytes=worker.peak_bytes)

    def _start_later(self, number: int, backoff: Backoff, *, seconds: float) -> None:
        self._pending[number] = self._loop.call_later(seconds, self._start, number, backoff)

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


_ZYGOTE_DIED = Problem(
    "InternalServerError",
    "the process that starts workers has died",
    fix="look for an out-of-memory kill; restart the instance",
)


def _refusal(reason: str) -> Problem:
    return Problem(
        "ConfigurationError",
        f"a worker process could not be started: {reason}",
        fix="lower WORKER_COUNT or raise the limit of processes or memory",
    )


def _died_in_init(how: str) -> Problem:
    return BootFailure(
        "UserScriptInitFailed",
        f"the worker process ended before init() returned: {how}",
        fix="look at the log for what init() did last; it may need more memory",
    ).problem


def _write_out(lines: bytes) -> None:
    """Log lines that a dead worker had not written yet."""
    with contextlib.suppress(OSError):  # a log that cannot be written keeps nobody from serving
        sys.stdout.write(lines.decode("utf-8", "backslashreplace"))
        sys.stdout.flush()
