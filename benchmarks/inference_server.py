"""Verdazul's inference server beside its peers: the same score function, machine, load and hour.

Each server is started in turn with 1 and 2 workers and loaded with requests of 1 KB and 100 KB by
1, 8 and 64 callers. Rounds are interleaved, because a machine's speed drifts, and medians shown.
Every peer runs in a locked environment of its own (requirements/bench-*.lock, made on first use),
configured as its module in `peers/` says. Takes about twenty minutes.

The 100 KB are a picture in base64 beside the numbers, so that servers are compared and not readers
of JSON: MLServer and BentoML bring their own, which read numbers several times faster than the
score function's json.loads. `--payloads '100 KB numbers'` shows that.

    python benchmarks/inference_server.py [--quick] [--servers verdazul,azmlinfsrv] [-o json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import timeit
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from peers import azmlinfsrv, bare, bentoml, litserve, mlserver, ray_serve, verdazul
from serving.comparison import Comparison
from serving.environments import prepare, resolve
from serving.load import ask, load, require_wrk
from serving.peer import SCORE, Peer, UnavailableError
from serving.process import Server, memory_mb, running
from serving.report import Place

PEERS = (
    verdazul.PEER,
    azmlinfsrv.PEER,
    mlserver.PEER,
    bentoml.PEER,
    litserve.PEER,
    ray_serve.PEER,
    bare.UVICORN,
    bare.HTTPTOOLS,
)
EVERYONE = [peer.name for peer in PEERS]
WORKERS = (1, 2)
CALLERS = (1, 8, 64)


def payload(count: int, **more: str) -> bytes:
    """Numbers of three digits."""
    return json.dumps({"data": [100 + number % 900 for number in range(count)], **more}).encode()


PAYLOADS = {
    "1 KB": payload(203),
    "100 KB": payload(203, image="QUJD" * 25_300),
    "100 KB numbers": payload(20_475),
}
USUAL = ("1 KB", "100 KB")


def main() -> None:
    options = arguments()
    if options.lock:
        for peer in PEERS:
            resolve(peer.environment)
        return
    require_wrk()
    names = chosen(options.servers, EVERYONE)
    result = Comparison(verdazul.PEER.name, [peer for peer in PEERS if peer.name in names])
    payloads = chosen(options.payloads, PAYLOADS)
    compare(result, payloads, rounds=options.rounds, seconds=options.seconds)
    if options.output == "json":
        print(json.dumps(result.as_json(), indent=1))
    else:
        result.show()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    servers = f"some of {','.join(EVERYONE)}"
    parser.add_argument("--servers", default=",".join(EVERYONE), help=servers)
    payloads = f"some of {','.join(PAYLOADS)}"
    parser.add_argument("--payloads", default=",".join(USUAL), help=payloads)
    parser.add_argument("--seconds", type=int, default=2, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round of one second each")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("--lock", action="store_true", help="only resolve the environments anew")
    options = parser.parse_args()
    if options.quick:
        options.rounds = options.seconds = 1
    return options


def chosen(names: str, known: Collection[str]) -> list[str]:
    """Of comma-separated names those there are, in their order; an unknown one ends the program."""
    wanted = names.split(",")
    if unknown := set(wanted) - set(known):
        raise SystemExit(f"there is no {', '.join(sorted(unknown))}, only {', '.join(known)}")
    return [name for name in known if name in wanted]


def compare(result: Comparison, payloads: Sequence[str], *, rounds: int, seconds: int) -> None:
    """Round by round; a server that failed once is out."""
    for number in range(1, rounds + 1):
        for name in payloads:
            result.alone[name].append(function_us(PAYLOADS[name]))
        for peer in result.peers:
            try:
                for workers in WORKERS:
                    if peer.name not in result.unavailable:
                        say(f"round {number} of {rounds}: {peer.name}, workers: {workers}")
                        measure(peer, workers, payloads, seconds=seconds, result=result)
            except UnavailableError as error:
                say(f"{peer.name}: {error}")
                result.unavailable[peer.name] = str(error)


def function_us(body: bytes) -> float:
    """What the score function takes without any server, with its answer as JSON."""
    names: dict[str, Any] = {}
    exec(SCORE, names)  # noqa: S102 - it is our own text
    run = names["run"]
    timer = timeit.Timer(lambda: json.dumps(run(body)).encode(), timer=time.process_time)
    count = 2_000_000 // len(body)
    return timer.timeit(count) / count * 1e6


def measure(
    peer: Peer, workers: int, payloads: Sequence[str], *, seconds: int, result: Comparison
) -> None:
    """One start of one server: every payload and number of callers."""
    python = prepare(peer.environment)
    with running(peer, python, workers, check=check) as server:
        for name in payloads:
            load(server, PAYLOADS[name], callers=CALLERS[1], seconds=1)  # warm-up
            for callers in CALLERS:
                figures = measured(server, PAYLOADS[name], callers=callers, seconds=seconds)
                result.add(Place(workers, name, callers), peer.name, figures)
        start = {"start_seconds": server.start_seconds, "memory_mb": memory_mb()}
        result.add(Place(workers), peer.name, start)


def measured(server: Server, body: bytes, *, callers: int, seconds: int) -> dict[str, float]:
    """With an answer looked at afterwards; while the load runs only statuses are."""
    figures = asdict(load(server, body, callers=callers, seconds=seconds))
    try:
        check(server.port, server.path, body)
    except (OSError, ValueError) as error:
        say(f"{server.uri}: {error}")
        figures["errors"] += 1
    return figures


def check(port: int, path: str, body: bytes = PAYLOADS["1 KB"]) -> None:
    """ValueError unless the answer is the sum."""
    answer = ask(port, path, body)
    if answer != {"sum": sum(json.loads(body)["data"])}:
        raise ValueError(f"wrong answer: {str(answer)[:200]}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
