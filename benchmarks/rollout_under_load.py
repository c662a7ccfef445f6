"""Is anything lost while everything changes? A constant rate through traffic changes and updates.

Under one load that never stops: at rest; 50 traffic changes; mirroring on and off; scaling 1 -> 4
-> 1; and 5 rolling updates, of which one fails and must leave the old version serving. Each phase
is compared with rest in the same run: failures, p50, p99. Also the time from the command to the
first answer of the new version. Times count from when a request was due, so waiting is seen.

    python benchmarks/rollout_under_load.py [--rate 300] [--requests 100000] [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import math
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from control_api import control, put_traffic
from harness import SCORE, Bench, Tally, bench, steady, table

ENDPOINT = "rollout"
CHANGES, UPDATES, FAILING = 50, 5, 3
BROKEN = "def init(): raise RuntimeError('this version is broken')\ndef run(data): ...\n"
PAUSE_SECONDS = 0.1
CALLERS = 16


@dataclass
class Phase:
    """What was changed, and which part of the tally is its."""

    name: str
    times: list[float] = field(default_factory=list)
    lost: int = 0


@dataclass
class Run:
    """One load and its phases; `waits` are seconds to each new version's first answer."""

    tally: Tally
    phases: list[Phase] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    @asynccontextmanager
    async def phase(self, name: str) -> AsyncIterator[None]:
        """What is answered inside belongs to it."""
        print(name, file=sys.stderr)
        answered, lost = len(self.tally.times), len(self.tally.lost)
        yield
        self.phases.append(Phase(name, self.tally.times[answered:], len(self.tally.lost) - lost))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=float, default=300, help="requests a second")
    parser.add_argument("--requests", type=int, default=100_000, help="at least so many in all")
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests")
    options = parser.parse_args()
    if options.quick:
        options.requests //= 10
    with bench() as it:
        it.verdazul("online-endpoint", "create", "-n", ENDPOINT)
        for name in ("blue", "green"):
            it.deploy(ENDPOINT, name)
        it.verdazul("online-endpoint", "update", "-n", ENDPOINT, "--traffic", "blue=100")
        run = asyncio.run(measure(it, rate=options.rate, requests=options.requests))
    show(run)


async def measure(it: Bench, *, rate: float, requests: int) -> Run:
    """All phases under one load; the last one, at rest again, lasts until there are enough."""
    target = it.target(ENDPOINT)
    async with steady(target, rate=rate, callers=CALLERS) as tally, control(it) as client:
        run = Run(tally)
        async with run.phase("at rest"):
            await until(lambda: tally.total >= requests // 10)
        async with run.phase(f"{CHANGES} traffic changes"):
            await change_traffic(client)
        async with run.phase("mirror on and off"):
            await mirror(client)
        async with run.phase("scale 1 -> 4 -> 1"):
            await scale(it)
        async with run.phase(f"{UPDATES} rolling updates, one fails"):
            await update(it, run)
        async with run.phase("at rest again"):
            await until(lambda: tally.total >= requests)
    return run


async def change_traffic(client: httpx.AsyncClient) -> None:
    for number in range(CHANGES):
        share = (number * 37) % 101
        await put_traffic(client, ENDPOINT, {"blue": 100 - share, "green": share})
        await asyncio.sleep(PAUSE_SECONDS)
    await put_traffic(client, ENDPOINT, {"blue": 100})


async def mirror(client: httpx.AsyncClient) -> None:
    for percent in (50, 0, 10, 0):
        mirrored = {"green": percent} if percent else None
        await put_traffic(client, ENDPOINT, {"blue": 100}, mirrored)
        await asyncio.sleep(1)


async def scale(it: Bench) -> None:
    for count in (4, 1):
        await asyncio.to_thread(it.deploy, ENDPOINT, "blue", count=count)


async def update(it: Bench, run: Run) -> None:
    """Two instances, so that one is replaced after the other."""
    await asyncio.to_thread(it.deploy, ENDPOINT, "blue", count=2)
    for number in range(1, UPDATES + 1):
        script = BROKEN if number == FAILING else SCORE
        began = time.monotonic()
        work = asyncio.to_thread(it.deploy, ENDPOINT, "blue", count=2, round_=number, script=script)
        if number == FAILING:
            await must_fail(work)
            assert str(number) not in run.tally.first, "a broken version answered"
        else:
            await work
            await until(lambda: str(number) in run.tally.first)  # noqa: B023 - awaited at once
            run.waits.append(run.tally.first[str(number)] - began)


async def must_fail(work: Awaitable[None]) -> None:
    """An update that cannot succeed says so."""
    try:
        await work
    except subprocess.CalledProcessError:
        return
    raise SystemExit("the update to a broken version did not fail")


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.01)


def show(run: Run) -> None:
    rest = run.phases[0]
    table([_row(phase, rest) for phase in run.phases])
    waits = ", ".join(f"{wait:.1f}" for wait in run.waits)
    print(f"\ncommand to first answer of the new version: {waits} s")
    tally = run.tally
    verdict = "met" if not tally.failed else f"MISSED ({dict(tally.statuses)})"
    print(f"0 failed: {tally.failed} of {tally.total}, {verdict}")


def _row(phase: Phase, rest: Phase) -> dict[str, Any]:
    return {
        "": phase.name,
        "requests": len(phase.times) + phase.lost,
        "failed": phase.lost,
        "p50 ms": f"{_percentile(phase, 0.5):.1f}",
        "p99 ms": f"{_percentile(phase, 0.99):.1f}",
        "p99 / p99 at rest": f"{_percentile(phase, 0.99) / _percentile(rest, 0.99):.2f}",
    }


def _percentile(phase: Phase, share: float) -> float:
    ordered = sorted(phase.times) or [math.nan]
    return ordered[int(share * (len(ordered) - 1))]


if __name__ == "__main__":
    main()
