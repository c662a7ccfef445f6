"""What the gateway costs: ours beside a hand-written Envoy, HAProxy, and no gateway at all.

All gateways stand before the same instance, which answers at once: ours (TLS, key, limits, ids,
access log), an Envoy written by hand for the same duties, one with the shortest configuration that
forwards (envoys.py), and HAProxy with TLS, a split and a key check, if it is installed. Without a
gateway the same server is asked over plain HTTP. Rounds are interleaved; medians are shown, and of
ratios those within each round, which other work on the machine disturbs least. Added times are over
those without a gateway; each gateway has two threads.

    python benchmarks/gateway_overhead.py [--quick] [-o json]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import gateways
import psutil
from harness import Bench, bench, table
from peers import verdazul
from serving.environments import prepare
from serving.load import ask, measured, require_wrk
from serving.process import free_ports, running
from serving.report import digits, medians

ENDPOINT = "overhead"
BODY = json.dumps({"data": [1, 2, 3, 4]}).encode()
CALLERS = (1, 64)
AIM = 1.05
OURS, SAME, SHORTEST, NONE = "verdazul", "envoy, same duties", "envoy, shortest", "no gateway"


@dataclass(frozen=True)
class Door:
    """A way to the instance. `pid`: the process whose CPU time it costs."""

    name: str
    uri: str
    pid: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)

    def cpu_seconds(self) -> float:
        """Spent so far."""
        return sum(psutil.Process(self.pid).cpu_times()[:2]) if self.pid else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="length of each measurement")
    parser.add_argument("--quick", action="store_true", help="one round of one second each")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    if options.quick:
        options.rounds = options.seconds = 1
    require_wrk()
    with doors() as known:
        found = measure(known, rounds=options.rounds, seconds=options.seconds)
    if options.output == "json":
        print(json.dumps({f"{name}, {n} callers": it for (name, n), it in found.items()}, indent=1))
    else:
        show(found)


@contextmanager
def doors() -> Iterator[list[Door]]:
    """All ways, open inside."""
    with ExitStack() as stack:
        it = stack.enter_context(bench())
        deploy(it)
        target = it.target(ENDPOINT)
        key = f"Bearer {target.key}"
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vb-")))
        instance = instance_socket(it.home)
        known = [Door(OURS, target.uri, gateway_pid(it.home), {"Authorization": key})]
        ports = free_ports(3)
        same = gateways.envoy_with_same_duties(
            instance, it.home, folder, port=ports[2], key=target.key
        )
        known.append(Door(SAME, *stack.enter_context(same), {"Authorization": key}))
        shortest = gateways.shortest_envoy(instance, it.home, folder, port=ports[0])
        known.append(Door(SHORTEST, *stack.enter_context(shortest)))
        if shutil.which("haproxy"):
            other = gateways.haproxy(instance, it.home, folder, port=ports[1], key=key)
            started = stack.enter_context(other)
            known.append(Door("haproxy, split, key", *started, {"Authorization": key}))
        else:
            print("haproxy is not installed (apt-get install haproxy): left out", file=sys.stderr)
        python = prepare(verdazul.PEER.environment)
        server = stack.enter_context(
            running(verdazul.PEER, python, 1, check=lambda port, path: ask(port, path, BODY))
        )
        known.append(Door(NONE, server.uri))
        yield known


def deploy(it: Bench) -> None:
    """One instance that may hold as many requests as there are callers."""
    it.verdazul("online-endpoint", "create", "-n", ENDPOINT)
    it.deploy(ENDPOINT, "blue", concurrent=max(CALLERS))
    it.verdazul("online-endpoint", "update", "-n", ENDPOINT, "--traffic", "blue=100")


def instance_socket(home: Path) -> Path:
    """Where the only instance listens, as the gateway is told."""
    clusters = json.loads((home / "gateway" / "cds" / "cds.json").read_text())["resources"]
    (cluster,) = (each for each in clusters if each["name"].startswith(f"{ENDPOINT}."))
    (backend,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    return home / str(backend["endpoint"]["address"]["pipe"]["path"])


def gateway_pid(home: Path) -> int:
    """Our Envoy."""
    for process in psutil.process_iter(["name", "cwd"]):
        if process.info["name"] == "envoy" and process.info["cwd"] == str(home.resolve()):
            return int(process.pid)
    raise SystemExit(f"no Envoy runs in {home}")


Found = dict[tuple[str, int], dict[str, float]]


def measure(known: list[Door], *, rounds: int, seconds: int) -> Found:
    """Medians by door and number of callers."""
    figures: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}", file=sys.stderr)
        for callers in CALLERS:
            for name, figure in _round(known, callers, seconds).items():
                figures[name, callers].append(figure)
    return {place: medians(loads) for place, loads in figures.items()}


def _round(known: list[Door], callers: int, seconds: int) -> dict[str, dict[str, float]]:
    """All doors one after the other; `x_*` compares each with the Envoy of the same duties."""
    loads = {
        door.name: measured(
            door.uri,
            BODY,
            callers=callers,
            seconds=seconds,
            cpu=door.cpu_seconds,
            headers=door.headers,
        )
        for door in known
    }
    same = loads[SAME]
    return {
        name: {
            **asdict(load),
            "x_requests": load.requests_per_second / same.requests_per_second,
            "x_cpu": load.cpu_us / same.cpu_us,
        }
        for name, load in loads.items()
    }


def show(found: Found) -> None:
    """A table for each number of callers; then ours against the aim."""
    names = list(dict.fromkeys(name for name, _ in found))
    for callers in CALLERS:
        print(f"\n{callers} caller{'s' if callers > 1 else ''}")
        table([_row(name, callers, found) for name in names])
    worst = max(found[OURS, callers]["x_cpu"] for callers in CALLERS)
    verdict = "met" if worst <= AIM else "MISSED"
    print(f"\nCPU per request at most {AIM} x that of {SAME}: {worst:.2f} x, {verdict}")


def _row(name: str, callers: int, found: Found) -> dict[str, Any]:
    its, none = (found[each, callers] for each in (name, NONE))
    row = {"": name, "requests/s": digits(its["requests_per_second"])}
    row["x same duties"] = f"{its['x_requests']:.2f}"
    for key in ("p50_ms", "p99_ms"):
        row[key.replace("_", " ")] = digits(its[key])
        row[f"added {key.partition('_')[0]} ms"] = digits(its[key] - none[key])
    row["CPU µs/request"] = digits(its["cpu_us"]) if its["cpu_us"] else "-"
    row["CPU x same duties"] = f"{its['x_cpu']:.2f}" if its["cpu_us"] else "-"
    row["failed"] = f"{its['errors']:.0f}"
    return row


if __name__ == "__main__":
    main()
