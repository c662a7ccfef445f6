"""What a request costs each Envoy in instructions of its own: exact where times are noise.

Ours, one written by hand for the same duties, and the shortest one (envoys.py) run one after the
other, each with one worker under callgrind, before the same instance. Counted is what lies between
two dumps, divided by the requests between them. The kernel's part is not in it.

    python benchmarks/gateway_instructions.py [--requests N]
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import envoys
from gateway_overhead import AIM, BODY, ENDPOINT, deploy, instance_socket
from gateways import ENVOY, PATH, pair
from harness import Bench, Target, bench, table
from serving.process import free_ports

START_SECONDS = 300
WARM_UP = 50
OURS, SAME, SHORTEST = "verdazul", "envoy, same duties", "envoy, shortest"
MISSING = "callgrind is missing: apt-get install valgrind"


class Envoy(NamedTuple):
    """One configuration, and where in it the scoring path is."""

    config: dict[str, Any]
    port: int
    path: str


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=300)
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        raise SystemExit(MISSING)
    with bench() as it:
        deploy(it)
        target = it.target(ENDPOINT)
        found = {
            name: counted(one, it, target, options.requests)
            for name, one in configurations(it, target).items()
        }
    same = found[SAME]
    table(
        [
            {
                "": name,
                "thousand instructions": f"{n / 1000:.0f}",
                "x same duties": f"{n / same:.2f}",
            }
            for name, n in found.items()
        ]
    )
    verdict = "met" if found[OURS] <= AIM * same else "MISSED"
    print(f"\nat most {AIM} x those of {SAME}: {found[OURS] / same:.2f} x, {verdict}")


def configurations(it: Bench, target: Target) -> dict[str, Envoy]:
    """Each on a port of its own."""
    ports, socket, certificate = free_ports(3), instance_socket(it.home), pair(it.home)
    ours = json.loads((it.home / "gateway" / "bootstrap.json").read_text())
    (listener,) = ours["static_resources"]["listeners"]
    listener["address"]["socket_address"]["port_value"] = ports[0]
    del ours["admin"]  # the socket is the running gateway's
    same = envoys.same_duties(socket, certificate, ports[1], key=target.key)
    shortest = envoys.shortest(socket, certificate, ports[2])
    return {
        OURS: Envoy(ours, ports[0], urlsplit(target.uri).path),
        SAME: Envoy(same, ports[1], f"{envoys.BASE}{PATH[1:]}"),
        SHORTEST: Envoy(shortest, ports[2], PATH),
    }


def counted(one: Envoy, it: Bench, target: Target, requests: int) -> float:
    """Instructions for each request."""
    with tempfile.TemporaryDirectory(prefix="vb-") as folder, _running(one, it, folder) as pid:
        headers = {"Authorization": f"Bearer {target.key}", "Content-Type": "application/json"}
        _until_answering(one, headers)
        _ask(one, headers, WARM_UP)
        before = _dumped(pid, Path(folder))
        _ask(one, headers, requests)
        return (_dumped(pid, Path(folder)) - before) / requests


@contextmanager
def _running(one: Envoy, it: Bench, folder: str) -> Iterator[int]:
    file = Path(folder, "envoy.json")
    file.write_text(json.dumps(one.config))
    tool = ["valgrind", "--tool=callgrind", "--smc-check=all-non-file"]
    tool.append(f"--callgrind-out-file={folder}/counts")
    argv = [*tool, ENVOY, "-c", str(file), "--concurrency", "1", "--disable-hot-restart"]
    process = subprocess.Popen(
        [*argv, "--log-level", "error"],
        cwd=it.home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def _until_answering(one: Envoy, headers: Mapping[str, str]) -> None:
    ends = time.monotonic() + START_SECONDS
    while True:
        try:
            return _ask(one, headers, 1)
        except (OSError, ValueError) as error:
            if time.monotonic() > ends:
                raise SystemExit(f"an Envoy under callgrind does not answer: {error}") from None
            time.sleep(0.2)


def _ask(one: Envoy, headers: Mapping[str, str], times: int) -> None:
    """One caller, one connection."""
    trust = ssl._create_unverified_context()  # noqa: S323, SLF001 - our own, on loopback
    connection = http.client.HTTPSConnection("127.0.0.1", one.port, timeout=30, context=trust)
    try:
        for _ in range(times):
            connection.request("POST", one.path, BODY, dict(headers))
            answer = connection.getresponse()
            answer.read()
            if answer.status != http.HTTPStatus.OK:
                raise ValueError(f"status {answer.status}")
    finally:
        connection.close()


def _dumped(pid: int, folder: Path) -> int:
    """All instructions so far."""
    argv = ["callgrind_control", "--dump", str(pid)]
    subprocess.run(argv, check=True, capture_output=True)
    lines = (line for file in folder.glob("counts*") for line in file.read_text().splitlines())
    return sum(int(line.split()[1]) for line in lines if line.startswith("totals:"))


if __name__ == "__main__":
    main()
