"""What is lost when parts are killed? A constant rate while one part after another dies.

Under one load: graceful actions (scale up and down, update, traffic), then SIGKILL of instances, of
the control plane and of gateway processes, at moments drawn from a fixed seed. A request is lost
when its caller got anything but a 200; each is put down to the last thing that happened before it
ended. An instance may lose what it held, the control plane nothing; with two gateway processes
99.99 % shall be answered although both are killed again and again.

    python benchmarks/chaos.py [--rate 200] [--kills 5] [--seed 1] [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from control_api import control, put_traffic
from harness import Bench, Tally, bench, steady, table

ENDPOINT = "chaos"
CALLERS = 16
AIM_OF_TWO = 0.9999
MOST_REST_SECONDS = 2.0


@dataclass
class Phase:
    """One kind of event; `lost` counts by what callers got instead."""

    name: str
    may_lose: str
    events: int = 0
    requests: int = 0
    lost: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Scene:
    """What every phase needs."""

    it: Bench
    tally: Tally
    chance: random.Random
    kills: int
    phases: list[Phase] = field(default_factory=list)

    @asynccontextmanager
    async def phase(self, name: str, may_lose: str) -> AsyncIterator[Phase]:
        """What comes inside, and while the dust settles, is put down to it."""
        print(name, file=sys.stderr)
        phase = Phase(name, may_lose)
        total, lost = self.tally.total, len(self.tally.lost)
        yield phase
        await asyncio.sleep(MOST_REST_SECONDS)
        phase.requests = self.tally.total - total
        phase.lost.update(cause for _, cause in self.tally.lost[lost:])
        self.phases.append(phase)

    async def rest(self) -> None:
        """Until the next blow."""
        await asyncio.sleep(self.chance.uniform(0.2, MOST_REST_SECONDS))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=float, default=200, help="requests a second")
    parser.add_argument("--kills", type=int, default=5, help="of each part")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="two kills of each part")
    options = parser.parse_args()
    kills = 2 if options.quick else options.kills
    phases = []
    for gateways in (1, 2):
        with bench(VERDAZUL_GATEWAY_PROCESSES=str(gateways)) as it:
            deploy(it)
            acts = WITH_ONE if gateways == 1 else WITH_TWO
            chance = random.Random(options.seed)  # noqa: S311 - repeatable, which is the point
            phases += asyncio.run(run(it, acts, rate=options.rate, kills=kills, chance=chance))
    show(phases)


def deploy(it: Bench) -> None:
    """Two instances, so that one is left."""
    it.verdazul("online-endpoint", "create", "-n", ENDPOINT)
    it.deploy(ENDPOINT, "blue", count=2)
    it.deploy(ENDPOINT, "green")
    it.verdazul("online-endpoint", "update", "-n", ENDPOINT, "--traffic", "blue=100")


async def run(
    it: Bench, acts: list[Any], *, rate: float, kills: int, chance: random.Random
) -> list[Phase]:
    async with steady(it.target(ENDPOINT), rate=rate, callers=CALLERS) as tally:
        scene = Scene(it, tally, chance, kills)
        for act in acts:
            await act(scene)
    return scene.phases


async def graceful(scene: Scene) -> None:
    async with scene.phase("graceful actions", "nothing") as phase, control(scene.it) as client:
        for number in range(scene.kills):
            await put_traffic(client, ENDPOINT, {"blue": 50, "green": 50})
            await asyncio.to_thread(scene.it.deploy, ENDPOINT, "blue", count=3 - number % 2)
            await asyncio.to_thread(
                scene.it.deploy, ENDPOINT, "blue", count=3 - number % 2, round_=number + 1
            )
            await put_traffic(client, ENDPOINT, {"blue": 100})
            phase.events += 4


async def kill_instances(scene: Scene) -> None:
    async with scene.phase("SIGKILL of an instance", "what it held") as phase:
        for _ in range(scene.kills):
            await scene.rest()
            victims = below(scene.it, lambda argv: "verdazul_serve" in " ".join(argv))
            phase.events += kill(scene.chance.choice(victims))
            await until_served(scene)


async def kill_control_plane(scene: Scene) -> None:
    async with scene.phase("SIGKILL of the control plane", "nothing") as phase:
        for _ in range(scene.kills):
            await scene.rest()
            record = psutil.Process(control_pid(scene.it.home))
            phase.events += kill(record)
            record.wait(10)
            await scene.rest()
            await asyncio.to_thread(scene.it.verdazul, "up", "--detach")


async def kill_the_gateway(scene: Scene) -> None:
    name = "SIGKILL of the only gateway process"
    async with scene.phase(name, "until it is back") as phase:
        await kill_gateways(scene, phase)


async def kill_one_of_two(scene: Scene) -> None:
    async with scene.phase("SIGKILL of one of two gateway processes", "0.01 %") as phase:
        await kill_gateways(scene, phase)


async def kill_gateways(scene: Scene, phase: Phase) -> None:
    for _ in range(scene.kills):
        await scene.rest()
        phase.events += kill(scene.chance.choice(gateways_of(scene.it)))
        await until_served(scene)


WITH_ONE = [graceful, kill_instances, kill_control_plane, kill_the_gateway]
WITH_TWO = [kill_one_of_two]


async def until_served(scene: Scene) -> None:
    """Requests are answered again, and what died is back."""
    good = scene.tally.statuses["200"]
    while scene.tally.statuses["200"] < good + CALLERS:
        await asyncio.sleep(0.01)
    await asyncio.sleep(MOST_REST_SECONDS)


def below(it: Bench, wanted: Callable[[list[str]], bool]) -> list[psutil.Process]:
    """Processes that work in this home."""
    home, found = str(it.home.resolve()), []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(home) and wanted(process.cmdline()):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def gateways_of(it: Bench) -> list[psutil.Process]:
    return below(it, lambda argv: bool(argv) and Path(argv[0]).name == "envoy")


def control_pid(home: Path) -> int:
    return int(json.loads((home / "run" / "control.json").read_text())["pid"])


def kill(process: psutil.Process) -> int:
    process.send_signal(signal.SIGKILL)
    return 1


def show(phases: list[Phase]) -> None:
    table([_row(phase) for phase in phases])
    for phase in phases:
        if phase.lost:
            print(f"{phase.name}: callers got {dict(phase.lost)}")
    two = phases[-1]
    share = 1 - two.lost.total() / two.requests
    verdict = "met" if share >= AIM_OF_TWO else "MISSED"
    print(f"two gateway processes: {share:.4%} answered (at least {AIM_OF_TWO:.2%}), {verdict}")
    for phase in phases:
        if phase.may_lose == "nothing":
            verdict = "met" if not phase.lost else "MISSED"
            print(f"{phase.name}: {phase.lost.total()} lost of {phase.requests}, {verdict}")


def _row(phase: Phase) -> dict[str, Any]:
    return {
        "": phase.name,
        "events": phase.events,
        "requests": phase.requests,
        "lost": phase.lost.total(),
        "lost an event": f"{phase.lost.total() / max(1, phase.events):.1f}",
        "may lose": phase.may_lose,
    }


if __name__ == "__main__":
    main()
