"""Compute with plain processes: each instance is one process under a shim, on this machine.

All truth lies in `home/instances` and /proc. A new object on the same home adopts what runs and
restarts nothing; a dead control plane leaves instances serving. See folder.py for who writes what.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from verdazul.compute import bundle, limits, logs, phases, probes, shim_launch
from verdazul.compute.caretaker import Caretaker, Surroundings, settle
from verdazul.compute.folder import (
    MARKERS,
    Folder,
    clear_leavings,
    folders,
    make_private,
    write_json,
)
from verdazul.compute.sweep import forget
from verdazul.core.instance import Instance, InstanceId, Launch
from verdazul.model.errors import Retryable
from verdazul.ports import Clock
from verdazul.processes import ProcessRecord, record_of

_log = logging.getLogger(__name__)
_LOCK_SECONDS = 5.0
_LOCK_PAUSE = 0.01
_AGAIN_SECONDS = 1.0


class ProcessCompute:
    """`async with ProcessCompute(home, ...) as compute`: adopts on entry, lets go on exit."""

    def __init__(
        self,
        home: Path,
        *,
        clock: Clock,
        workspace: str = "",
        log_bytes: int = 10_000_000,
        log_files: int = 3,
        timer: probes.Timer | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._home = home.absolute()
        self._clock = clock
        self._workspace = workspace
        self._log_bytes = log_bytes
        self._log_files = log_files
        self._environ = environ
        self._listeners: list[Callable[[str], None]] = []
        self._caretakers: dict[InstanceId, Caretaker] = {}
        self._tasks: dict[InstanceId, asyncio.Task[None]] = {}
        self._locks: defaultdict[InstanceId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._sockets = -1
        self._around = Surroundings(
            clock, timer or probes.RealTimer(), self._socket_path, self._changed
        )

    async def open(self) -> None:
        """Adopt what runs, write down what died meanwhile, continue what was being stopped."""
        sockets = self._home / "run" / "i"
        make_private(sockets)
        make_private(self._home / "instances")
        await asyncio.to_thread(clear_leavings, self._home)
        self._sockets = os.open(sockets, os.O_RDONLY | os.O_DIRECTORY)
        for folder in folders(self._home):
            if folder.has_shim():
                self._look_after(Caretaker(folder, self._around), folder)
            elif folder.launch() is None or not (folder.marker("state") or folder.marker("exit")):
                await asyncio.to_thread(forget, folder)  # we died before it was born
            else:
                await settle(folder, at=self._clock.now())

    async def close(self) -> None:
        """Let go of the instances; they go on serving."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._sockets >= 0:
            os.close(self._sockets)
            self._sockets = -1

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def on_change(self, listener: Callable[[str], None]) -> None:
        self._listeners.append(listener)

    async def observe(self, endpoint: str) -> tuple[Instance, ...]:
        mine = folders(self._home, endpoint=endpoint)
        return tuple(seen for folder in mine if (seen := phases.observe(folder)))

    async def endpoints(self) -> frozenset[str]:
        return frozenset(folder.id.endpoint for folder in folders(self._home))

    async def start(self, instance: InstanceId, launch: Launch, *, attempt: int) -> None:
        folder = Folder(self._home, instance)
        async with self._locks[instance]:
            if folder.exists() and (folder.marker("stopping") or not folder.marker("exit")):
                return
            await self._last_run_over(instance)
            try:
                await self._launch(folder, launch, attempt=attempt)
            except OSError as error:
                raise Retryable(
                    f"instance {instance} could not be started: {error}",
                    fix="free some disk space or processes; it is tried again",
                ) from error

    async def drain(self, instance: InstanceId) -> None:
        folder = Folder(self._home, instance)
        if folder.exists() and not (folder.marker("draining") or folder.marker("exit")):
            folder.mark("draining", since=self._clock.now())

    async def stop(self, instance: InstanceId) -> None:
        folder = Folder(self._home, instance)
        async with self._locks[instance]:
            if not folder.exists() or folder.marker("stopping"):
                return
            folder.mark("stopping", since=self._clock.now())
            task = self._tasks.get(instance)
            if task and not task.done() and instance in self._caretakers:
                self._caretakers[instance].end()
            else:
                self._own(instance, self._forget(folder))

    async def logs(self, endpoint: str, deployment: str, *, tail: int) -> str:
        mine = [
            (not folder.marker("exit"), self._last_sign(folder), folder.log)
            for folder in folders(self._home, endpoint=endpoint)
            if folder.id.deployment == deployment
        ]
        log = max(mine)[2] if mine else logs.newest_kept(self._home, endpoint, deployment)
        return "\n".join(logs.tail(log, tail)) if log else ""

    def _last_sign(self, folder: Folder) -> float:
        """When a running instance started, or an ended one ended."""
        marker = folder.marker("exit") or folder.marker("launch") or {}
        return float(marker.get("at", 0.0))

    async def _last_run_over(self, instance: InstanceId) -> None:
        if task := self._tasks.get(instance):
            await asyncio.wait({task}, timeout=_LOCK_SECONDS)

    async def _launch(self, folder: Folder, launch: Launch, *, attempt: int) -> None:
        folder.prepare()
        for _ in range(int(_LOCK_SECONDS / _LOCK_PAUSE)):
            with folder.locked() as lock:
                if lock is not None:
                    await asyncio.to_thread(folder.renew_work)
                    self._spawn(folder, launch, attempt=attempt, lock=lock)
                    return
            await asyncio.sleep(_LOCK_PAUSE)
        raise BlockingIOError("its last run has not ended yet")

    def _spawn(self, folder: Folder, launch: Launch, *, attempt: int, lock: int) -> None:
        last_run = {name: folder.marker(name) for name in ("launch", *MARKERS)}
        limits.release(folder.groups())  # a leftover's count of memory kills is not ours
        group = limits.create(limits.group_name(self._home, str(folder.id)), launch.limits)
        try:
            write_json(folder.spec, self._spec(folder, launch, group=group, attempt=attempt))
            folder.write_launch(launch, attempt=attempt, at=self._clock.now())
            folder.unmark(*MARKERS)
            pid = shim_launch.spawn(folder.spec, lock=lock)
        except OSError:
            limits.release(group.folders)
            self._undo(folder, last_run)
            raise
        shim = record_of(pid) or ProcessRecord(pid, "ended already")
        self._look_after(Caretaker(folder, self._around, shim=shim), folder)

    def _undo(self, folder: Folder, last_run: Mapping[str, dict[str, object] | None]) -> None:
        """A start that did not happen leaves things as they were."""
        if last_run["exit"] is None:
            folder.remove()
            return
        for name, content in last_run.items():
            if content is not None:
                folder.mark(name, **content)

    def _spec(
        self, folder: Folder, launch: Launch, *, group: limits.Group, attempt: int
    ) -> dict[str, object]:
        environment = bundle.environment(
            launch, folder, ours=self._environ, workspace=self._workspace
        )
        return {
            "argv": bundle.command(launch),
            "env": environment,
            "cwd": str(folder.work),
            "home": str(self._home),
            "folder": str(folder.path),
            "socket": folder.socket,
            "log": str(folder.log),
            "log_bytes": self._log_bytes,
            "log_files": self._log_files,
            "grace_seconds": launch.grace_seconds,
            "groups": group.folders,
            "oom_file": group.oom_file,
            "is_isolated": launch.is_isolated,
            "attempt": attempt,
            "lock_fd": shim_launch.LOCK_FD,
        }

    async def _forget(self, folder: Folder) -> None:
        await asyncio.to_thread(forget, folder)
        self._changed(folder.id.endpoint)

    def _look_after(self, caretaker: Caretaker, folder: Folder) -> None:
        self._caretakers[folder.id] = caretaker
        self._own(folder.id, self._care(caretaker, folder.id))

    async def _care(self, caretaker: Caretaker, instance: InstanceId) -> None:
        """A caretaker that fails (a full disk) begins again from what the folder says."""
        while True:
            try:
                return await caretaker.run()
            except Exception:  # noqa: BLE001 - whatever it was, the instance must be watched
                _log.exception("caretaker failed instance=%s", instance)
                await asyncio.sleep(_AGAIN_SECONDS)

    def _own(self, instance: InstanceId, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name=f"instance {instance}")
        self._tasks[instance] = task
        task.add_done_callback(lambda done: self._done(instance, done))

    def _done(self, instance: InstanceId, task: asyncio.Task[None]) -> None:
        if self._tasks.get(instance) is task:
            del self._tasks[instance]
            self._caretakers.pop(instance, None)
            if not (self._locks[instance].locked() or Folder(self._home, instance).exists()):
                self._locks.pop(instance, None)
        if not task.cancelled() and (error := task.exception()):
            _log.error("forgetting failed instance=%s", instance, exc_info=error)

    def _changed(self, endpoint: str) -> None:
        for listener in self._listeners:
            listener(endpoint)

    def _socket_path(self, folder: Folder) -> str:
        """Through a handle of the folder: home may be deeper than a socket's path may be long."""
        return f"/proc/self/fd/{self._sockets}/{Path(folder.socket).name}"
