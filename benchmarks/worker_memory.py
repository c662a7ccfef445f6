"""What four workers over one 500 MB numpy model take, against one worker: Verdazul and azmlinfsrv.

Memory is the proportional set size of the whole process tree, so a page that workers share counts
once. It is read after every worker has answered, each time reading all of the model. azmlinfsrv is
measured as it comes and with its WORKER_PRELOAD. Takes 10 GB of memory for a minute or two.

    python benchmarks/worker_memory.py [-o json]
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from harness import table
from peers import azmlinfsrv, verdazul
from serving.environments import prepare
from serving.load import ask
from serving.peer import Peer
from serving.process import Server, memory_mb, running

WORKERS = 4
AIM = 1.5
BURSTS = 100
SCORE = """import os
import time
import numpy


def init():
    global MODEL
    MODEL = numpy.random.default_rng(1).random(62_500_000)


def run(raw):
    time.sleep(0.02)
    return {"pid": os.getpid(), "sum": float(MODEL[::256].sum())}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    rows = [measure(peer) for peer in contestants()]
    if options.output == "json":
        print(json.dumps(rows, indent=1))
    else:
        show(rows)


def contestants() -> list[Peer]:
    files = {"score.py": SCORE}
    preload = {"WORKER_PRELOAD": "true"}
    return [
        replace(verdazul.PEER, files=files),
        replace(azmlinfsrv.PEER, files=files),
        replace(
            azmlinfsrv.PEER, name="azmlinfsrv, preload", files=files, environ=lambda _: preload
        ),
    ]


def measure(peer: Peer) -> dict[str, Any]:
    """Both memories of one server, in MB, and their ratio."""
    one, many = (memory(peer, count) for count in (1, WORKERS))
    return {"server": peer.name, "one_mb": one, "many_mb": many, "ratio": many / one}


def memory(peer: Peer, workers: int) -> float:
    print(f"{peer.name}, workers: {workers}", file=sys.stderr)
    with running(peer, prepare(peer.environment), workers, check=answered) as server:
        until_all_answered(server, workers)
        return memory_mb()


def answered(port: int, path: str) -> int:
    """The worker that answered."""
    answer: Any = ask(port, path, b"{}")
    return int(answer["pid"])


def until_all_answered(server: Server, workers: int) -> None:
    """Bursts of simultaneous requests until each worker took part."""
    seen: set[int] = set()
    with ThreadPoolExecutor(4 * workers) as pool:
        for _ in range(BURSTS):
            ports = [server.port] * 4 * workers
            seen |= set(pool.map(lambda port: answered(port, server.path), ports))
            if len(seen) >= workers:
                return
    raise SystemExit(f"only {len(seen)} of {workers} workers ever answered")


def show(rows: list[dict[str, Any]]) -> None:
    least = rows[0]["many_mb"]
    table(
        [
            {
                "server": row["server"],
                "1 worker MB": f"{row['one_mb']:,.0f}",
                f"{WORKERS} workers MB": f"{row['many_mb']:,.0f}",
                f"{WORKERS} / 1": f"{row['ratio']:.2f}",
                f"{WORKERS} workers, x verdazul's": f"{row['many_mb'] / least:.2f}",
            }
            for row in rows
        ]
    )
    ratio = rows[0]["ratio"]
    if ratio < AIM:
        print(f"\nverdazul below {AIM} x: {ratio:.2f}, met")
    else:
        print(f"\nverdazul below {AIM} x: {ratio:.2f}, MISSED: its workers do not share the model")


if __name__ == "__main__":
    main()
