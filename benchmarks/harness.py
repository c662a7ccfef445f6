"""What the benchmarks share: a home of their own, a trivial model, and a small fast load tool.

Not a benchmark itself. The load tool speaks HTTP/1.1 with keep-alive over TLS; a caller sends its
next request when the last one was answered (closed loop).
"""

from __future__ import annotations

import asyncio
import json
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VERDAZUL = Path(sys.executable).with_name("verdazul")
SCORE = "import json\ndef init(): ...\ndef run(raw_data):\n    return json.loads(raw_data)\n"
CONDA = "dependencies:\n- python=3.11\n- pip\n"
DEPLOYMENT = """name: {name}
endpoint_name: {endpoint}
code_configuration: {{code: src, scoring_script: score.py}}
environment:
  image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04
  conda_file: conda.yml
environment_variables: {{ROUND: "{round}"}}
request_settings: {{max_concurrent_requests_per_instance: 16, max_queue_wait_ms: 5000}}
instance_type: Standard_DS2_v2
instance_count: {count}
"""


@dataclass(frozen=True)
class Bench:
    """A running Verdazul in a temporary home."""

    home: Path
    files: Path

    def verdazul(self, *words: str) -> str:
        """Run the command; anything but success ends the benchmark."""
        argv = [str(VERDAZUL), *words, "--home", str(self.home), "--only-show-errors"]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    def deploy(self, endpoint: str, name: str, *, count: int = 1, round_: int = 0) -> None:
        """Create or update a deployment of the trivial model."""
        self.files.joinpath("src").mkdir(parents=True, exist_ok=True)
        self.files.joinpath("src", "score.py").write_text(SCORE)
        self.files.joinpath("conda.yml").write_text(CONDA)
        text = DEPLOYMENT.format(name=name, endpoint=endpoint, count=count, round=round_)
        self.files.joinpath("deployment.yml").write_text(text)
        path = str(self.files / "deployment.yml")
        self.verdazul("online-deployment", "create", "-f", path, "-o", "none")

    def target(self, endpoint: str) -> Target:
        """Where and how to send requests."""
        shown = json.loads(self.verdazul("online-endpoint", "show", "-n", endpoint))
        keys = json.loads(self.verdazul("online-endpoint", "get-credentials", "-n", endpoint))
        return Target(shown["scoring_uri"], keys["primaryKey"], self.home / "certs" / "ca.pem")


@contextmanager
def bench() -> Iterator[Bench]:
    """Up inside, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="verdazul-bench-") as folder:
        it = Bench(Path(folder, "home"), Path(folder, "files"))
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
    """What the callers saw. Times in ms, of good answers."""

    statuses: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)

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


async def _call(target: Target, tally: Tally, ended: asyncio.Event) -> None:
    host, _, path = target.uri.removeprefix("https://").partition("/")
    name, _, port = host.partition(":")
    body = b'{"x": [1, 2, 3, 4]}'
    head = (
        f"POST /{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {target.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    trust = ssl.create_default_context(cafile=target.ca)
    while not ended.is_set():
        try:
            reader, writer = await asyncio.open_connection(name, int(port), ssl=trust)
        except OSError as error:
            tally.statuses[type(error).__name__] += 1
            await asyncio.sleep(0.01)
            continue
        await _converse(reader, writer, head.encode() + body, tally, ended)


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
            status = await _answer(reader)
            tally.statuses[status] += 1
            if status == "200":
                tally.times.append((time.perf_counter() - began) * 1000)
    except (OSError, asyncio.IncompleteReadError) as error:
        tally.statuses[type(error).__name__] += 1
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length:")[2].partition("\r\n")[0])
    await reader.readexactly(length)
    return head.split(" ", 2)[1]


def table(rows: list[dict[str, Any]]) -> None:
    """Print rows under their keys."""
    heads = list(rows[0])
    cells = [[str(row[head]) for head in heads] for row in rows]
    widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(heads))]
    for line in [heads, ["-" * width for width in widths], *cells]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))
