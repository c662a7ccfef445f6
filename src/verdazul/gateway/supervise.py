"""Keeping one Envoy alive: start it or take over one that runs, and start it again when it dies.

Envoy outlives the control plane: it runs in its own session, and a record tells the next control
plane whose it is. Its pid is asked of the kernel (who listens on the admin socket?), so a wrapper
that keeps the log may stand between us and it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

from verdazul import processes
from verdazul.gateway import disk
from verdazul.gateway.admin import Admin, Unanswered
from verdazul.gateway.launch import Launch, spawn
from verdazul.gateway.listening import check_free, problem_of_log
from verdazul.model.errors import Fatal, Problem, VerdazulError
from verdazul.processes import ProcessRecord

_log = logging.getLogger(__name__)

_SHORT_LIFE_SECONDS = 5.0
_LONGEST_WAIT_SECONDS = 5.0
_GRACE_SECONDS = 5.0
_LOOK_SECONDS = 0.01
_RECORD = "run/envoy.json"


@dataclass(frozen=True, slots=True)
class Record:
    """Which process is ours, and what it was started with."""

    process: ProcessRecord
    digest: str

    @classmethod
    def read(cls, home: Path) -> Record | None:
        """None when there is none, or its process is gone."""
        path = home / _RECORD
        process = processes.read_record(path)
        if process is None or not processes.is_alive(process):
            return None
        return cls(process, str(json.loads(disk.read(path)).get("digest")))

    def write(self, home: Path) -> None:
        """In the shape of verdazul.processes, and the digest besides."""
        content = {"pid": self.process.pid, "birth": self.process.birth, "digest": self.digest}
        disk.replace(home / _RECORD, json.dumps(content), staging=home / "gateway" / "new")


def recorded_gateway(home: Path) -> ProcessRecord | None:
    """The Envoy of this home, when it runs."""
    record = Record.read(home)
    return record.process if record else None


async def stop_recorded_gateway(home: Path) -> bool:
    """End the Envoy of this home without a control plane; False when none ran."""
    return await processes.stop_recorded(home / _RECORD, grace_seconds=_GRACE_SECONDS) is not None


class Envoy:
    """One Envoy process, ours until `stop` or `detach`."""

    def __init__(self, launch: Launch, admin: Admin, *, timeout_seconds: float) -> None:
        self._launch = launch
        self._admin = admin
        self._timeout = timeout_seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._process: ProcessRecord | None = None
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
        record = Record.read(self._launch.home)
        if record and record.digest == self._launch.digest() and await self._answers(record):
            self._process = record.process
            _log.info("adopt envoy pid=%d", record.process.pid)
        else:
            await self._end_older(record)
            await self._start()
        with contextlib.suppress(Unanswered):  # it has just died again: the watch sees to that
            self.version = await self._admin.version()
        self._watch = asyncio.create_task(self._keep_alive(), name="watch envoy")

    async def stop(self) -> None:
        """End Envoy."""
        await self._unwatch()
        await self._end_envoy(self._process or _envoy(self._admin.pid()))
        await self._end_child()
        (self._launch.home / _RECORD).unlink(missing_ok=True)

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

    async def _unwatch(self) -> None:
        watch, self._watch = self._watch, None
        if watch:
            watch.cancel()
            await asyncio.wait([watch])

    async def _answers(self, record: Record) -> bool:
        return self._admin.pid() == record.process.pid and await self._admin.is_ready()

    async def _end_older(self, record: Record | None) -> None:
        """End ours from before, and any without a record that holds our admin socket."""
        await self._end_envoy(record.process if record else None)
        await self._end_envoy(_envoy(self._admin.pid()))

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
            await self._try_start()

    async def _try_start(self) -> None:
        try:
            await self._start()
            self.problem = None
        except (VerdazulError, OSError) as error:
            self.problem = getattr(error, "problem", Problem("GatewayFailed", str(error)))
            _log.warning("envoy does not start why=%s", self.problem)

    async def _start(self) -> None:
        launch = self._launch
        await self._end_child()
        check_free(launch.host, launch.port)
        bootstrap = launch.home / "gateway" / "bootstrap.json"
        disk.replace(bootstrap, launch.bootstrap, staging=launch.home / "gateway" / "new")
        mark = disk.mark(launch.log)
        self._child = spawn(launch)
        try:
            async with asyncio.timeout(self._timeout):
                process = await self._ready(self._child, mark)
        except TimeoutError:
            await self._give_up()
            raise self._failed("is not ready in time", mark) from None
        except BaseException:
            await self._give_up()
            raise
        self._own(process)
        _log.info("start envoy pid=%d", process.pid)

    async def _ready(self, child: subprocess.Popen[bytes], mark: disk.Mark) -> ProcessRecord:
        while True:
            if await self._admin.is_ready() and (process := _envoy(self._admin.pid())):
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

    async def _give_up(self) -> None:
        await self._end_envoy(_envoy(self._admin.pid()))
        await self._end_child()

    async def _end_child(self) -> None:
        """Reap what we started: Envoy itself, or the wrapper that ends with it."""
        child, self._child = self._child, None
        if child and child.poll() is None:
            record = processes.record_of(child.pid)
            if record:
                await processes.end(record, grace_seconds=_GRACE_SECONDS)
            child.wait()

    def _own(self, process: ProcessRecord) -> None:
        # Each request may hold two descriptors; the soft limit is often 1024.
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (hard, hard))
        Record(process, self._launch.digest()).write(self._launch.home)
        self._process = process


def _envoy(pid: int | None) -> ProcessRecord | None:
    """That process when it runs an Envoy, so that no stranger is ever ended."""
    try:
        name = Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return None
    if pid is None or name.removesuffix(" (deleted)") != "envoy":
        return None
    return processes.record_of(pid)
