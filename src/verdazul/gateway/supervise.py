"""Keeping one Envoy alive: start it or take over one that runs, and start it again when it dies.

One that runs with other settings, or in another version, is replaced by hot restart where that is
possible: the new one takes the socket over, the old one ends what it holds.

Envoy outlives the control plane: it runs in its own session, and a record tells the next control
plane whose it is. Its pid is asked of the kernel (who listens on the admin socket?), so a wrapper
that keeps the log may stand between us and it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import subprocess
from collections.abc import Callable

from verdazul import processes
from verdazul.gateway import disk
from verdazul.gateway.admin import Admin, Unanswered
from verdazul.gateway.hot_restart import Lineage, is_possible
from verdazul.gateway.launch import Launch, spawn
from verdazul.gateway.listening import check_alone, check_free, problem_of_log
from verdazul.gateway.record import (
    FILES,
    Draining,
    Record,
    envoy_of,
    recorded_pids,
    unrecorded,
)
from verdazul.model.errors import Fatal, Problem, VerdazulError
from verdazul.ports import Clock
from verdazul.processes import ProcessRecord

_log = logging.getLogger(__name__)

_SHORT_LIFE_SECONDS = 5.0
_LONGEST_WAIT_SECONDS = 5.0
_GRACE_SECONDS = 5.0
_LOOK_SECONDS = 0.01
_LEEWAY_SECONDS = 10.0  # in which its successor should have ended a replaced one


class Envoy:
    """One Envoy process, ours until `stop` or `detach`."""

    def __init__(
        self,
        launch: Launch,
        admin: Admin,
        *,
        timeout_seconds: float,
        clock: Clock,
        siblings: Callable[[], frozenset[int]] = frozenset,
    ) -> None:
        """`siblings` are pids of other gateway processes of ours, which may share the port."""
        self._launch = launch
        self._admin = admin
        self._timeout = timeout_seconds
        self._siblings = siblings
        self._clock = clock
        self._file = launch.home / FILES[launch.number - 1]
        self._child: subprocess.Popen[bytes] | None = None
        self._process: ProcessRecord | None = None
        self._lineage = Lineage()
        self._draining: tuple[Draining, ...] = ()
        self._watch: asyncio.Task[None] | None = None
        self.version = ""
        self.problem: Problem | None = None  # why it does not come up, while it does not

    @property
    def pid(self) -> int | None:
        """None while it is being restarted."""
        return self._process.pid if self._process else None

    async def start_or_adopt(self) -> None:
        """Return once Envoy takes requests.

        Raises UserError (PortInUse, ...) when it cannot have its port, Fatal (GatewayFailed) with
        its last log lines when it ends at once.
        """
        record = Record.read(self._file)
        if record and not record.is_alive:
            record.lineage.forget()
            record = None
        runs = record is not None and await self._answers(record)
        self._draining = _alive(record.draining) if record else ()
        if record and runs and record.digest == self._launch.digest():
            self._adopt(record)
        elif not (record and runs and await self._took_over(record)):
            await self._end_older(record)
            await self._start(Lineage())
        with contextlib.suppress(Unanswered):  # it has just died again: the watch sees to that
            self.version = await self._admin.version()
        self._watch = asyncio.create_task(self._keep_alive(), name="watch envoy")

    async def stop(self) -> None:
        """End Envoy."""
        await self._unwatch()
        await self._end_envoy(self._process or envoy_of(self._admin.pid()))
        await self._end_child()
        for older in self._draining:
            await self._end_envoy(older.process)
        self._lineage.forget()
        self._file.unlink(missing_ok=True)

    async def abandon(self) -> None:
        """End what we started; leave what we adopted."""
        if self._child:
            await self.stop()
        else:
            await self.detach()

    async def detach(self) -> None:
        """Let Envoy run on without us."""
        await self._unwatch()
        if self._child and self._child.poll() is None:
            # Popen warns of a child that is left running; leaving it is what is wanted here.
            self._child.returncode = 0
        self._child = None

    async def end_overdue(self) -> None:
        """End replaced ones whose time is over."""
        for older in self._draining:
            if older.until <= self._clock.now():
                await processes.end(older.process, grace_seconds=_GRACE_SECONDS)
        self._draining = _alive(self._draining)

    async def _unwatch(self) -> None:
        watch, self._watch = self._watch, None
        if watch:
            watch.cancel()
            await asyncio.wait([watch])

    async def _answers(self, record: Record) -> bool:
        return self._admin.pid() == record.process.pid and await self._admin.is_ready()

    def _adopt(self, record: Record) -> None:
        self._process, self._lineage = record.process, record.lineage
        _log.info("adopt envoy pid=%d", record.process.pid)

    async def _took_over(self, record: Record) -> bool:
        """Replace it without refusing a connection; False where that is not possible."""
        launch = self._launch
        is_same_line = record.lineage.base_id is not None and record.is_shared == launch.is_shared
        if not (is_same_line and is_possible()):
            return False
        if record.where != launch.where:
            check_free(launch.host, launch.port)
        try:
            await self._start(record.lineage.next(), instead_of=record.process)
        except VerdazulError as error:
            _log.warning("no hot restart why=%s", error.problem.message)
            return False
        _log.info("envoy pid=%d drains", record.process.pid)
        return True

    async def _end_older(self, record: Record | None) -> None:
        """End ours from before, and any without a record that holds our admin socket."""
        if record:
            await self._end_envoy(record.process)
            record.lineage.forget()
        await self._end_envoy(envoy_of(self._admin.pid()))
        for stray in unrecorded(self._launch.home):
            await self._end_envoy(stray)

    async def _end_envoy(self, process: ProcessRecord | None) -> None:
        if process and await processes.end(process, grace_seconds=_GRACE_SECONDS):
            _log.info("end envoy pid=%d", process.pid)
            if not self._child:
                processes.reap(process.pid)  # an earlier EnvoyDataPlane of this very process
        self._process = None

    async def _keep_alive(self) -> None:
        loop = asyncio.get_running_loop()
        deaths = 0
        while True:
            born = loop.time()
            if self._process:
                await processes.gone(self._process)
                _log.warning("envoy died pid=%d", self._process.pid)
            self._process = None
            deaths = deaths + 1 if loop.time() - born < _SHORT_LIFE_SECONDS else 1
            if deaths > 1:
                await asyncio.sleep(min(0.1 * 2 ** (deaths - 2), _LONGEST_WAIT_SECONDS))
            self._lineage.forget()
            await self._try_start()

    async def _try_start(self) -> None:
        try:
            await self._start(Lineage())
            self.problem = None
        except (VerdazulError, OSError) as error:
            self.problem = getattr(error, "problem", Problem("GatewayFailed", str(error)))
            _log.warning("envoy does not start why=%s", self.problem)

    async def _start(self, lineage: Lineage, *, instead_of: ProcessRecord | None = None) -> None:
        """`instead_of` is the process whose sockets the new one takes over."""
        launch = self._launch
        if instead_of is None:
            await self._end_child()
            check_free(launch.host, launch.port, ours=self._ours())
        if disk.read(launch.bootstrap_file) != launch.bootstrap:
            staging = launch.home / "gateway" / "new"
            disk.replace(launch.bootstrap_file, launch.bootstrap, staging=staging)
        mark = disk.mark(launch.log)
        self._child = spawn(launch, lineage)
        try:
            async with asyncio.timeout(self._timeout):
                process = await self._ready(self._child, mark, instead_of)
            if launch.is_shared:
                check_alone(launch.host, launch.port, ours=self._ours() | {process.pid})
        except TimeoutError:
            await self._give_up(instead_of)
            raise self._failed("is not ready in time", mark) from None
        except BaseException:
            await self._give_up(instead_of)
            raise
        if instead_of:
            until = self._clock.now() + launch.drain_seconds + _LEEWAY_SECONDS
            self._draining = (*_alive(self._draining), Draining(instead_of, until))
        self._own(process, lineage.drawn(launch.id_file))
        _log.info("start envoy pid=%d", process.pid)

    def _ours(self) -> frozenset[int]:
        """Who may listen on the port beside us."""
        is_shared, home = self._launch.is_shared, self._launch.home
        return self._siblings() | recorded_pids(home) if is_shared else frozenset()

    async def _ready(
        self, child: subprocess.Popen[bytes], mark: disk.Mark, instead_of: ProcessRecord | None
    ) -> ProcessRecord:
        await self._admin.renew()  # a kept connection would let the old one answer for the new
        while True:
            process = envoy_of(self._admin.pid())
            if process and process != instead_of and await self._admin.is_ready():
                return process
            if child.poll() is not None:
                raise self._failed(f"ended with code {child.returncode}", mark)
            await asyncio.sleep(_LOOK_SECONDS)

    def _failed(self, how: str, mark: disk.Mark) -> VerdazulError:
        lines = disk.tail(self._launch.log, since=mark)
        if self._launch.wrap:
            lines += disk.tail(self._launch.wrapper_log)
        told = problem_of_log(lines, self._launch.host, self._launch.port)
        return told or Fatal(f"Envoy {how}", code="GatewayFailed", log_tail=lines[-20:])

    async def _give_up(self, spared: ProcessRecord | None) -> None:
        """End what was begun, but never the one that it should have replaced."""
        begun = envoy_of(self._admin.pid())
        await self._end_envoy(begun if begun != spared else None)
        await self._end_child()

    async def _end_child(self) -> None:
        """Reap what we started: Envoy itself, or the wrapper that ends with it."""
        child, self._child = self._child, None
        if child and child.poll() is None:
            record = processes.record_of(child.pid)
            if record:
                await processes.end(record, grace_seconds=_GRACE_SECONDS)
            child.wait()

    def _own(self, process: ProcessRecord, lineage: Lineage) -> None:
        # Each request may hold two descriptors; the soft limit is often 1024.
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (hard, hard))
        launch, self._process, self._lineage = self._launch, process, lineage
        about = (launch.digest(), launch.where, launch.is_shared, lineage, self._draining)
        try:
            Record(process, *about).write(self._file, staging=launch.home / "gateway" / "new")
        except OSError as error:  # it serves; only a next control plane would replace it
            _log.warning("envoy pid=%d is not written down why=%s", process.pid, error)


def _alive(all_of: tuple[Draining, ...]) -> tuple[Draining, ...]:
    return tuple(one for one in all_of if one.is_alive)
