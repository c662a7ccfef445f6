"""What the benchmarks share: a home of their own, a trivial model, and a small fast load tool.

Not a benchmark itself. The load tool speaks HTTP/1.1 with keep-alive over TLS. In `load`, a caller
sends its next request when the last one was answered (closed loop); `steady` keeps a rate whatever
the answers do, and counts times from when a request was due (open loop).
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VERDAZUL = Path(sys.executable).with_name("verdazul")
SCORE = """import json, os

def init(): ...

def run(raw_data):
    return {**json.loads(raw_data), "round": os.environ["ROUND"]}
"""
CONDA = "dependencies:\n- python=3.11\n- pip\n"
DEPLOYMENT = """name: {name}
endpoint_name: {endpoint}
code_configuration: {{code: src, scoring_script: score.py}}
environment:
  image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04
  conda_file: conda.yml
environment_variables: {{ROUND: "{round}"}}
request_settings:
  max_concurrent_requests_per_instance: {concurrent}
  max_queue_wait_ms: 5000
instance_type: Standard_DS2_v2
instance_count: {count}
"""


# Limits are in force, and no benchmark reaches them.
OUT_OF_REACH = {
    "VERDAZUL_REQUESTS_PER_SECOND": "1000000",
    "VERDAZUL_BANDWIDTH_KIB_PER_SECOND": "10000000",
    "VERDAZUL_CONNECTIONS": "8000",
    "VERDAZUL_CONNECTIONS_PER_SECOND": "1000000",
}


@dataclass(frozen=True)
class Bench:
    """A running Verdazul in a temporary home."""

    home: Path
    files: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def verdazul(self, *words: str) -> str:
        """Run the command; anything but success ends the benchmark."""
        argv = [str(VERDAZUL), *words, "--home", str(self.home), "--only-show-errors"]
        environ = {**os.environ, **OUT_OF_REACH, **self.settings}
        done = subprocess.run(argv, check=True, capture_output=True, text=True, env=environ)
        return done.stdout

    def deploy(
        self,
        endpoint: str,
        name: str,
        *,
        count: int = 1,
        round_: int = 0,
        concurrent: int = 16,
        script: str = SCORE,
    ) -> None:
        """Create or update a deployment of the trivial model."""
        self.files.joinpath("src").mkdir(parents=True, exist_ok=True)
        self.files.joinpath("src", "score.py").write_text(script)
        self.files.joinpath("conda.yml").write_text(CONDA)
        text = DEPLOYMENT.format(
            name=name, endpoint=endpoint, count=count, round=round_, concurrent=concurrent
        )
        self.files.joinpath("deployment.yml").write_text(text)
        path = str(self.files / "deployment.yml")
        self.verdazul("online-deployment", "create", "-f", path, "-o", "none")

    def target(self, endpoint: str) -> Target:
        """Where and how to send requests."""
        shown = json.loads(self.verdazul("online-endpoint", "show", "-n", endpoint))
        keys = json.loads(self.verdazul("online-endpoint", "get-credentials", "-n", endpoint))
        return Target(shown["scoring_uri"], keys["primaryKey"], self.home / "certs" / "ca.pem")


@contextmanager
def bench(**settings: str) -> Iterator[Bench]:
    """Up inside, with these variables, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="verdazul-bench-") as folder:
        it = Bench(Path(folder, "home"), Path(folder, "files"), settings)
        it.verdazul("up", "--detach")
        try:
            yield it
        finally:
            it.verdazul("down")


@dataclass(frozen=True)
class Target:
    """One scoring address."""

    uri: str
    key: str
    ca: Path


@dataclass
class Tally:
    """What the callers saw. Times in ms, of good answers.

    `lost` tells of each other answer when it was due (time.monotonic) and what came instead;
    `first` when each round (see SCORE) answered first.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    lost: list[tuple[float, str]] = field(default_factory=list)
    first: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.statuses.values())

    @property
    def failed(self) -> int:
        """All that were not answered with 200."""
        return self.total - self.statuses["200"]

    def percentile(self, share: float) -> float:
        """A time that `share` of the good answers did not exceed."""
        return statistics.quantiles(self.times, n=1000)[int(share * 1000) - 1]


@asynccontextmanager
async def load(target: Target, *, callers: int) -> AsyncIterator[Tally]:
    """Requests without pause while the body runs."""
    tally, ended = Tally(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(_call(target, tally, ended))
        try:
            yield tally
        finally:
            ended.set()


@asynccontextmanager
async def steady(target: Target, *, rate: float, callers: int) -> AsyncIterator[Tally]:
    """`rate` requests a second while the body runs, over at most so many connections."""
    tally, due = Tally(), asyncio.Queue[float | None]()
    request, trust = _request(target), ssl.create_default_context(cafile=target.ca)
    async with asyncio.TaskGroup() as group:
        clock = group.create_task(_tick(due, rate))
        for _ in range(callers):
            group.create_task(_send_when_due(target, request, trust, due, tally))
        try:
            yield tally
        finally:
            clock.cancel()
            for _ in range(callers):
                due.put_nowait(None)


async def _tick(due: asyncio.Queue[float | None], rate: float) -> None:
    began, count = time.monotonic(), 0
    while True:
        now = time.monotonic()
        while began + count / rate <= now:
            due.put_nowait(began + count / rate)
            count += 1
        await asyncio.sleep(began + count / rate - now)


async def _send_when_due(
    target: Target,
    request: bytes,
    trust: ssl.SSLContext,
    due: asyncio.Queue[float | None],
    tally: Tally,
) -> None:
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while (at := await due.get()) is not None:
        if streams and streams[0].at_eof():  # closed while it was idle, as any client sees
            streams[1].close()
            streams = None
        try:
            streams = streams or await _connect(target, trust)
            streams[1].write(request)
            status, body = await _answer(streams[0])
        except (OSError, asyncio.IncompleteReadError) as error:
            status, body = type(error).__name__, b""
            if streams:
                streams[1].close()
            streams = None
        tally.statuses[status] += 1
        if status != "200":
            tally.lost.append((at, status))
            continue
        now = time.monotonic()
        tally.times.append((now - at) * 1000)
        tally.first.setdefault(json.loads(body)["round"], now)
    if streams:
        streams[1].close()


def _request(target: Target) -> bytes:
    host, _, path = target.uri.removeprefix("https://").partition("/")
    body = b'{"x": [1, 2, 3, 4]}'
    head = (
        f"POST /{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {target.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _connect(
    target: Target, trust: ssl.SSLContext
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host = target.uri.removeprefix("https://").partition("/")[0]
    name, _, port = host.partition(":")
    return await asyncio.open_connection(name, int(port), ssl=trust)


async def _call(target: Target, tally: Tally, ended: asyncio.Event) -> None:
    request, trust = _request(target), ssl.create_default_context(cafile=target.ca)
    while not ended.is_set():
        try:
            reader, writer = await _connect(target, trust)
        except OSError as error:
            tally.statuses[type(error).__name__] += 1
            await asyncio.sleep(0.01)
            continue
        await _converse(reader, writer, request, tally, ended)


async def _converse(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    request: bytes,
    tally: Tally,
    ended: asyncio.Event,
) -> None:
    try:
        while not ended.is_set():
            began = time.perf_counter()
            writer.write(request)
            status, _ = await _answer(reader)
            tally.statuses[status] += 1
            if status == "200":
                tally.times.append((time.perf_counter() - began) * 1000)
    except (OSError, asyncio.IncompleteReadError) as error:
        tally.statuses[type(error).__name__] += 1
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """Status and body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length:")[2].partition("\r\n")[0])
    return head.split(" ", 2)[1], await reader.readexactly(length)


def table(rows: list[dict[str, Any]]) -> None:
    """Print rows under their keys."""
    heads = list(rows[0])
    cells = [[str(row[head]) for head in heads] for row in rows]
    widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(heads))]
    for line in [heads, ["-" * width for width in widths], *cells]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))
