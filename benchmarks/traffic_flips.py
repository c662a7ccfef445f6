"""Are requests lost when traffic moves? 50 flips from blue to green and back under load.

Ours during the flips beside ours at rest, in one run: requests, failures, latency. The flips go
through the control API (PUT, wait for the gateway's acknowledgement), as any client's do.

    python benchmarks/traffic_flips.py [--flips 50] [--requests 20000] [--callers 8]
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

from control_api import control, put_traffic
from harness import Bench, Tally, bench, load, table

ENDPOINT = "flips"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=50)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--callers", type=int, default=8)
    arguments = parser.parse_args()
    with bench() as it:
        it.verdazul("online-endpoint", "create", "-n", ENDPOINT)
        for name in ("blue", "green"):
            it.deploy(ENDPOINT, name)
        it.verdazul("online-endpoint", "update", "-n", ENDPOINT, "--traffic", "blue=100")
        asyncio.run(measure(it, arguments))


async def measure(it: Bench, arguments: argparse.Namespace) -> None:
    target = it.target(ENDPOINT)
    async with load(target, callers=arguments.callers) as rest:
        await until(rest, arguments.requests // 4)
    flip_times: list[float] = []
    async with load(target, callers=arguments.callers) as flipped, control(it) as client:
        for number in range(arguments.flips):
            await until(flipped, number * arguments.requests // arguments.flips)
            began = time.perf_counter()
            await put_traffic(client, ENDPOINT, {"green" if number % 2 == 0 else "blue": 100})
            flip_times.append((time.perf_counter() - began) * 1000)
        await until(flipped, arguments.requests)
    table([row("at rest", rest, rest), row(f"{arguments.flips} flips", flipped, rest)])
    middle = sorted(flip_times)[len(flip_times) // 2]
    print(f"a flip, from PUT to acknowledged: median {middle:.0f} ms, max {max(flip_times):.0f} ms")
    print(f"failed: {flipped.failed} of {flipped.total} ({dict(flipped.statuses)})")


def row(name: str, tally: Tally, rest: Tally) -> dict[str, Any]:
    ratio = tally.percentile(0.99) / rest.percentile(0.99)
    return {
        "": name,
        "requests": tally.total,
        "failed": tally.failed,
        "p50 ms": f"{tally.percentile(0.5):.1f}",
        "p99 ms": f"{tally.percentile(0.99):.1f}",
        "p99 / p99 at rest": f"{ratio:.2f}",
    }


async def until(tally: Tally, total: int) -> None:
    while tally.total < total:
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    main()
