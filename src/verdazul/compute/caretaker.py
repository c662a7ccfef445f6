"""Looks after one running instance: probes it, ends it when told, notices its end.

It holds nothing that the folder does not say; when we die, another one takes over from there.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass

from verdazul import processes
from verdazul.compute import probes
from verdazul.compute.folder import Folder
from verdazul.compute.sweep import forget, living_shim, sweep
from verdazul.core.instance import Launch, Probe
from verdazul.ports import Clock
from verdazul.processes import ProcessRecord

_SHIM_MARGIN_SECONDS = 5.0
_SICK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all caretakers share. `socket_path` gives a path short enough to connect to."""

    clock: Clock
    timer: probes.Timer
    socket_path: Callable[[Folder], str]
    changed: Callable[[str], None]


class Caretaker:
    """One for each living shim; `run` returns when the shim is gone and that is written down."""

    def __init__(
        self, folder: Folder, around: Surroundings, *, shim: ProcessRecord | None = None
    ) -> None:
        self._folder = folder
        self._around = around
        self._shim = shim
        self._told_to_end = asyncio.Event()

    def end(self) -> None:
        """SIGTERM now, SIGKILL after the grace (the shim's task, ours when it does not)."""
        self._told_to_end.set()

    async def run(self) -> None:
        shim = self._shim or await living_shim(self._folder)
        if shim is not None:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._probe()), group.create_task(self._end(shim))]
                await processes.gone(shim)
                for task in tasks:
                    task.cancel()
            processes.reap(shim.pid)
        await settle(self._folder, at=self._around.clock.now())
        self._around.changed(self._folder.id.endpoint)

    async def _end(self, shim: ProcessRecord) -> None:
        if not (self._folder.marker("stopping") or self._folder.marker("verdict")):
            await self._told_to_end.wait()
        processes.send(shim, signal.SIGTERM)
        await asyncio.sleep(self._seconds_to_end())
        processes.send(shim, signal.SIGKILL)  # the kernel then kills the process

    def _seconds_to_end(self) -> float:
        """Its grace, unless it was given up: its successor waits for its end."""
        launch = self._folder.launch()
        grace = launch.grace_seconds if launch else 0.0
        if self._folder.marker("verdict"):
            return min(grace, _SICK_SECONDS)
        return grace + _SHIM_MARGIN_SECONDS

    async def _probe(self) -> None:
        launch = self._folder.launch()
        if launch is None:
            fix = "delete the deployment's instance: its record is damaged"
            self._give_up("the instance's launch.json is not readable", fix)
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_readiness(launch))
            group.create_task(self._watch_liveness(launch))

    async def _watch_readiness(self, launch: Launch) -> None:
        subject = self._subject(launch.readiness)
        if not self._folder.marker("ready"):
            if answer := await probes.become_ready(subject):
                self._give_up(*probes.never_ready(launch.readiness, answer))
                return
            self._tell(ready=True)
        ready = not self._folder.marker("unready")
        await probes.stay_ready(subject, ready=ready, tell=lambda now: self._tell(ready=now))

    async def _watch_liveness(self, launch: Launch) -> None:
        answer = await probes.stay_alive(self._subject(launch.liveness))
        self._give_up(*probes.not_alive(launch.liveness, answer))

    def _subject(self, probe: Probe) -> probes.Subject:
        launched = self._folder.marker("launch") or {}
        age = max(0.0, self._around.clock.now() - launched.get("at", 0.0))
        path = self._around.socket_path(self._folder)
        timer = self._around.timer
        return probes.Subject(lambda: probes.get(path, probe), probe, timer, timer.now() - age)

    def _tell(self, *, ready: bool) -> None:
        now = self._around.clock.now()
        if ready:
            first = (self._folder.marker("ready") or {}).get("first", now)
            self._folder.mark("ready", since=now, first=first)
            self._folder.unmark("unready")
        else:
            self._folder.mark("unready", since=now)
        self._around.changed(self._folder.id.endpoint)

    def _give_up(self, message: str, fix: str) -> None:
        """Out of the routes first, then the end; the first verdict is the one that counts."""
        if self._folder.marker("verdict") or self._folder.marker("stopping"):
            return  # who was told to go may be deaf while it ends what it holds
        self._folder.mark("verdict", message=message, fix=fix)
        if self._folder.marker("ready"):
            self._tell(ready=False)
        self.end()


async def settle(folder: Folder, *, at: float) -> None:
    """Write down what the end of a shim means; forget the instance when that was wanted."""
    if not folder.marker("exit"):  # the shim was killed, or the machine went down
        await asyncio.to_thread(sweep, folder)
        _mark_exit(folder, at=at)
    if folder.marker("stopping"):
        await asyncio.to_thread(forget, folder)


def _mark_exit(folder: Folder, *, at: float) -> None:
    if folder.marker("state"):
        folder.mark("exit", code=None, signal=int(signal.SIGKILL), at=at)
    else:
        why = "its shim ended before it began (killed, or the disk is full)"
        folder.mark("exit", code=None, signal=None, at=at, error=why)
