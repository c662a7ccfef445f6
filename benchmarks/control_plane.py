"""Does one change cost the same with 1,000 endpoints as with 10? And starting, listing, memory.

Real API, database, loop and Envoy; only the instances are not real (`instant_machine.py`): every
endpoint has two deployments of one instance each, which is ready as soon as it is started. Times
are a client's: from the PUT to the operation's end, as it is polled without pause. There is no fair
peer: what can be installed from PyPI declares no endpoints with deployments behind a gateway, or
not without their processes. So the ratio of the two sizes, from one run, is the figure.

    python benchmarks/control_plane.py [--sizes 10 1000] [--rounds 15]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from control_api import WORKSPACE, control, ended
from harness import OUT_OF_REACH, Bench, load, table

SERVER = Path(__file__).with_name("instant_machine.py")
LOOK_SECONDS = 0.002
LAST_READY_SECONDS = 120
REST_SECONDS = 12
SETTINGS = {
    **OUT_OF_REACH,
    "VERDAZUL_ENDPOINTS": "100000",
    "VERDAZUL_DEPLOYMENTS": "100000",
    "VERDAZUL_GATEWAY_TIMEOUT_SECONDS": "60",
    "VERDAZUL_DRAIN_SECONDS": "0",
}


@dataclass
class Plane:
    """A control plane in a home of its own, and its process while it runs."""

    it: Bench
    process: subprocess.Popen[bytes] | None = None
    times: dict[str, list[float]] = field(default_factory=dict)

    async def start(self) -> float:
        """Return once the API answers; how long that took."""
        began = time.monotonic()
        process = self._spawn()
        while not await self._answers():
            assert process.poll() is None, self.log.read_text()
            assert time.monotonic() < began + LAST_READY_SECONDS, self.log.read_text()
            await asyncio.sleep(LOOK_SECONDS)
        return time.monotonic() - began

    @property
    def log(self) -> Path:
        """What the control plane prints."""
        return self.it.home.parent / "server.log"

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(SERVER), str(self.it.home)],
                stdout=output,
                stderr=output,
                env={**os.environ, **SETTINGS},
            )
        return self.process

    async def _answers(self) -> bool:
        with suppress(OSError, httpx.HTTPError):
            async with control(self.it) as client:
                return (await client.get("/healthz")).is_success
        return False

    def end(self, number: signal.Signals) -> None:
        """Send the control plane a signal; return when it is gone."""
        assert self.process
        self.process.send_signal(number)
        self.process.wait()

    def pid_of(self, part: str) -> int:
        """The process of a part."""
        return int(json.loads((self.it.home / "run" / f"{part}.json").read_text())["pid"])

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Note how long it takes, in ms."""
        began = time.monotonic()
        yield
        self.times.setdefault(what, []).append((time.monotonic() - began) * 1000)

    def median(self, what: str) -> float:
        """Of the times noted."""
        return statistics.median(self.times[what])


@asynccontextmanager
async def plane() -> AsyncIterator[Plane]:
    """Running inside, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="verdazul-bench-") as folder:
        it = Plane(Bench(Path(folder, "home"), Path(folder, "files"), SETTINGS))
        await it.start()
        try:
            yield it
        finally:
            it.end(signal.SIGTERM)


async def declare_all(it: Plane, client: httpx.AsyncClient, size: int) -> float:
    """Endpoints with two deployments each; returns the seconds until all serve.

    The first is declared as people do; the others are copies of its rows, found at the next start.
    """
    await first_endpoint(it, client)
    opens = {"Authorization": f"Bearer {it.it.target(name_of(0)).key}"}
    it.end(signal.SIGUSR1)
    copy_first(it.it.home, range(1, size))
    began = time.monotonic()
    await it.start()
    for number in range(size):
        place = f"/api/v1/endpoint/{name_of(number)}/score"
        while not (await client.post(place, headers=opens, json={})).is_success:
            await asyncio.sleep(LOOK_SECONDS)
    return time.monotonic() - began


def copy_first(home: Path, numbers: Iterable[int]) -> None:
    """The first endpoint's rows, and what its machine keeps of its instances, under other names."""
    names = [name_of(number) for number in numbers]
    instances = home / "instant-instances.jsonl"
    lines = instances.read_text()
    instances.write_text(lines + "".join(lines.replace(name_of(0), name) for name in names))
    with closing(sqlite3.connect(home / "verdazul.db")) as database, database:
        for table in ("endpoints", "deployments"):
            rows = database.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - of ours
            marks = ", ".join("?" * len(rows[0]))
            copies = [[_renamed(value, name) for value in row] for name in names for row in rows]
            database.executemany(f"INSERT INTO {table} VALUES ({marks})", copies)  # noqa: S608


def _renamed(value: Any, name: str) -> Any:
    return value.replace(name_of(0), name) if isinstance(value, str) else value


async def first_endpoint(it: Plane, client: httpx.AsyncClient) -> None:
    """By the command line, with files."""
    it.it.verdazul("online-endpoint", "create", "-n", name_of(0), "--auth-mode", "key")
    for color in ("blue", "green"):
        it.it.deploy(name_of(0), color)
    path = f"{WORKSPACE}/onlineEndpoints/{name_of(0)}"
    await put(client, path, {"authMode": "Key", "traffic": {"blue": 90, "green": 10}})


async def declare(client: httpx.AsyncClient, name: str, bodies: dict[str, Any]) -> None:
    """One endpoint like the first."""
    path = f"{WORKSPACE}/onlineEndpoints/{name}"
    await put(client, path, {"authMode": "Key"})
    for color, body in bodies.items():
        await ended(client, await client.put(f"{path}/deployments/{color}", json=body))
    await put(client, path, {"authMode": "Key", "traffic": {"blue": 90, "green": 10}})


async def put(client: httpx.AsyncClient, path: str, properties: dict[str, Any]) -> None:
    """Returns when the change is in force."""
    body = {"location": "local", "properties": properties}
    await ended(client, await client.put(path, json=body))


def name_of(number: int) -> str:
    """Of an endpoint."""
    return f"endpoint-{number:04}"


async def changes(it: Plane, client: httpx.AsyncClient, size: int, rounds: int) -> None:
    """Reads, and changes of every kind, one at a time, spread over the endpoints."""
    for step in range(rounds):
        path = f"{WORKSPACE}/onlineEndpoints/{name_of(step * 7 % size)}"
        blue = f"{path}/deployments/blue"
        traffic = {"blue": 10 + step, "green": 90 - step}
        body = (await client.get(blue)).json()
        body["properties"]["environmentVariables"] = {"ROUND": str(step)}
        with it.timed("show"):
            await client.get(path)
        with it.timed("tags"):
            await ended(client, await client.patch(path, json={"tags": {"n": str(step)}}))
        with it.timed("traffic"):
            await put(client, path, {"authMode": "Key", "traffic": traffic})
        with it.timed("update"):
            await ended(client, await client.put(blue, json=body))
    first = f"{WORKSPACE}/onlineEndpoints/{name_of(0)}/deployments"
    both = {one: (await client.get(f"{first}/{one}")).json() for one in ("blue", "green")}
    for _ in range(3):
        with it.timed("new"):
            await declare(client, "one-more", both)
        with it.timed("delete"):
            await ended(client, await client.delete(f"{WORKSPACE}/onlineEndpoints/one-more"))
        with it.timed("page"):
            await client.get(f"{WORKSPACE}/onlineEndpoints")
        with it.timed("list"):
            await _list(client)


async def _list(client: httpx.AsyncClient) -> int:
    path, count = f"{WORKSPACE}/onlineEndpoints", 0
    while path:
        body = (await client.get(path)).json()
        count += len(body["value"])
        path = body.get("nextLink", "")
    return count


async def requests(it: Plane, size: int) -> float:
    """Median ms of requests to the endpoint that is declared last, one caller."""
    async with load(it.it.target(name_of(size - 1)), callers=1) as tally:
        await asyncio.sleep(2)
    assert not tally.failed, tally.statuses
    return statistics.median(tally.times)


async def restart(it: Plane, number: signal.Signals) -> float:
    """End the control plane and start another; seconds of the latter until the API answers."""
    it.end(number)
    return await it.start()


async def measure(size: int, rounds: int) -> dict[str, float]:
    """All figures of one size."""
    say(f"{size} endpoints with two deployments each")
    async with plane() as it, control(it.it) as client:
        figures = {"first start, until all serve, s": await declare_all(it, client, size)}
        say("changes")
        await changes(it, client, size, rounds)
        for what, row in ROWS.items():
            figures[row] = it.median(what)
        figures["a request, ms"] = await requests(it, size)
        busy = cpu_seconds(it.pid_of("control"))
        await asyncio.sleep(REST_SECONDS)
        busy = cpu_seconds(it.pid_of("control")) - busy
        figures["CPU at rest, %"] = 100 * busy / REST_SECONDS
        figures["memory, control plane, MB"] = memory_mb(it.pid_of("control"))
        figures["memory, gateway, MB"] = memory_mb(it.pid_of("envoy"))
        say("restarts")
        figures["restart after SIGKILL, s"] = await restart(it, signal.SIGKILL)
        figures["handed over, s"] = await restart(it, signal.SIGUSR1)
        figures["all anew, s"] = await restart(it, signal.SIGTERM)
    return figures


ROWS = {
    "show": "show, ms",
    "page": "list, one page, ms",
    "list": "list, all pages, ms",
    "tags": "change tags, ms",
    "traffic": "change traffic, ms",
    "update": "update a deployment, ms",
    "new": "a new endpoint, ms",
    "delete": "delete an endpoint, ms",
}


def cpu_seconds(pid: int) -> float:
    """What the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Resident."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def say(text: str) -> None:
    """Progress."""
    print(text, file=sys.stderr)


async def main() -> None:
    """Print one row a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs=2, default=[10, 1000])
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    few, many = [await measure(size, asked.rounds) for size in asked.sizes]
    heads = [f"{size:,} endpoints" for size in asked.sizes]
    table(
        [
            {
                "": what,
                heads[0]: f"{few[what]:.4g}",
                heads[1]: f"{many[what]:.4g}",
                "ratio": f"{many[what] / few[what]:.2f}" if few[what] else "",
            }
            for what in few
        ]
    )


if __name__ == "__main__":
    asyncio.run(main())
