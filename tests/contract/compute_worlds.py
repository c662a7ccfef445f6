"""Two worlds for the contract of Compute: one in memory, one of real processes.

A world starts instances of a kind (healthy, fails-in-init, exits, never-ready), disturbs them,
waits until something holds, and can restart the control plane's side.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol

from verdazul import processes
from verdazul.clock import SystemClock
from verdazul.compute.fake import Behaviour, FakeCompute, ManualClock
from verdazul.compute.process import ProcessCompute
from verdazul.compute.sweep import stop_all
from verdazul.core.instance import Instance, InstanceId, Launch, Limits, Phase, Probe
from verdazul.model.errors import Problem
from verdazul.ports import Compute

STUB = Path(__file__).with_name("compute_stub.py")
DEADLINE_SECONDS = 15.0


def instance_id(
    endpoint: str = "credit", deployment: str = "blue", *, revision: str = "3f2a", n: int = 0
) -> InstanceId:
    return InstanceId(endpoint, deployment, revision, n)


# One "no" is enough; a slow boot is no "no": the listening socket lets the probe wait for it.
QUICK = Probe(initial_delay=1, period=1, timeout=10, failure_threshold=1)
# Notices silence after one second, but leaves the boot its time.
ALERT = Probe(initial_delay=100, period=1, timeout=1, failure_threshold=1)
PATIENT = Probe(initial_delay=10, period=10, timeout=2, failure_threshold=30)


def launch(folder: Path, *, readiness: Probe = PATIENT, **variables: str) -> Launch:
    """A launch of the stub server, in the interpreter below any virtual environment."""
    return Launch(
        python=str(Path(sys.executable).resolve()),
        serve_path=str(serve_path(folder)),
        code_dir=str(folder / "code"),
        scoring_script="src/score.py",
        model_dir=str(folder / "model"),
        variables=tuple(variables.items()),
        limits=Limits(1.0, 256 * 1024**2),
        liveness=PATIENT,
        readiness=readiness,
        grace_seconds=5.0,
    )


def serve_path(folder: Path) -> Path:
    package = folder / "serve" / "verdazul_serve"
    if not package.exists():
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        shutil.copy(STUB, package / "__main__.py")
    return package.parent


class World(Protocol):
    """What a contract test needs of either."""

    compute: Compute

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def restart(self) -> None: ...
    def launch(self, kind: str = "healthy", *, readiness: Probe = PATIENT) -> Launch: ...
    async def until(self, holds: Callable[[], Awaitable[bool]], what: str) -> None: ...
    async def kill(self, instance: InstanceId) -> None: ...
    async def hang(self, instance: InstanceId) -> None: ...
    async def recover(self, instance: InstanceId) -> None: ...


class FakeWorld:
    """FakeCompute; time is moved in small steps."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clock = ManualClock()
        self.fake = FakeCompute(self._clock, behave=self._behave)
        self.compute: Compute = self.fake
        self._kinds: dict[InstanceId, str] = {}

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def restart(self) -> None:
        self.fake = FakeCompute(self._clock, world=self.fake.world, behave=self._behave)
        self.compute = self.fake

    def launch(self, kind: str = "healthy", *, readiness: Probe = PATIENT) -> Launch:
        self._kind = kind
        return launch(self._folder, readiness=readiness, STUB=kind)

    def _behave(self, _instance: InstanceId, _attempt: int) -> Behaviour:
        failed = Problem("UserScriptInitFailed", "init() raised ValueError", "look at init()")
        return {
            "healthy": Behaviour(),
            "never-ready": Behaviour(ready_after=None),
            "exits": Behaviour(ready_after=None, exit_after=0.1, exit_code=7),
            "fails-in-init": Behaviour(None, exit_after=0.1, exit_code=3, problem=failed),
        }[self._kind]

    async def until(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        for _ in range(2000):
            if await holds():
                return
            self._clock.advance(0.25)
            self.fake.tick()
        raise AssertionError(f"never: {what}")

    async def kill(self, instance: InstanceId) -> None:
        self._clock.advance(1.0)
        self.fake.crash(instance, signal=9)

    async def hang(self, instance: InstanceId) -> None:
        self.fake.hang(instance)

    async def recover(self, instance: InstanceId) -> None:
        self.fake.recover(instance)


class FastTimer:
    """Ten times as fast, so that a period of one second takes a tenth."""

    def now(self) -> float:
        return time.monotonic() * 10

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 10)


class ProcessWorld:
    """Real processes; conditions are polled."""

    def __init__(self, folder: Path, *, environ: Mapping[str, str] = os.environ) -> None:
        self._folder = folder
        self._environ = environ
        self.home = folder / "home"
        self.real = self._make()
        self.compute: Compute = self.real

    def _make(self) -> ProcessCompute:
        return ProcessCompute(
            self.home, clock=SystemClock(), timer=FastTimer(), environ=self._environ
        )

    async def open(self) -> None:
        await self.real.open()

    async def close(self) -> None:
        """Stop all, then look that nothing is left of them anywhere."""
        await self.real.close()
        await stop_all(self.home)
        await self.until(lambda: just(not left_over(self.home)), "nothing left over")

    async def restart(self) -> None:
        await self.real.close()
        self.real = self._make()
        self.compute = self.real
        await self.real.open()

    def launch(self, kind: str = "healthy", *, readiness: Probe = PATIENT) -> Launch:
        return launch(self._folder, readiness=readiness, STUB=kind)

    async def until(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not await holds():
            assert time.monotonic() < deadline, f"never: {what}"
            await asyncio.sleep(0.005)

    async def kill(self, instance: InstanceId) -> None:
        os.kill(await self._pid(instance), signal.SIGKILL)

    async def hang(self, instance: InstanceId) -> None:
        os.kill(await self._pid(instance), signal.SIGSTOP)

    async def recover(self, instance: InstanceId) -> None:
        os.kill(await self._pid(instance), signal.SIGCONT)

    async def _pid(self, instance: InstanceId) -> int:
        pid = (await the(self, instance)).pid
        assert pid is not None
        return pid


async def the(world: World, instance: InstanceId) -> Instance:
    """Observe this one instance."""
    return next(i for i in await world.compute.observe(instance.endpoint) if i.id == instance)


async def reach(world: World, instance: InstanceId, phase: Phase) -> Instance:
    """Wait until it is in that phase."""

    async def is_there() -> bool:
        seen = await world.compute.observe(instance.endpoint)
        return any(i.id == instance and i.phase is phase for i in seen)

    await world.until(is_there, f"{instance} {phase}")
    return await the(world, instance)


async def vanish(world: World, instance: InstanceId) -> None:
    """Wait until it is forgotten."""

    async def is_gone() -> bool:
        return instance not in {i.id for i in await world.compute.observe(instance.endpoint)}

    await world.until(is_gone, f"{instance} gone")


def left_over(home: Path) -> list[str]:
    """Processes that name this home in their arguments or environment, and open sockets."""
    needle = str(home).encode()
    found = [str(path) for path in (home / "run" / "i").glob("*.sock")]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            text = b"".join(_read(entry / name) for name in ("cmdline", "environ"))
            if needle in text and processes.birth(int(entry.name)):
                found.append(f"{entry.name}: {_read(entry / 'cmdline')!r}")
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


async def just(value: bool) -> bool:  # noqa: FBT001
    """A condition that needs no waiting by itself."""
    return value
