"""Other gateways before an instance of ours, for `gateway_overhead.py`. Not a benchmark itself.

Each is given the instance's socket and the home's own certificate, listens with TLS on a free port,
and has two threads, as ours has.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from ssl import create_default_context
from typing import Any, NamedTuple

import envoy
import envoys

ENVOY = str(Path(envoy.__file__).parent / "_bin" / "envoy")
START_SECONDS = 20
PATH = "/score"


class Started(NamedTuple):
    """Where it listens, and the process that costs."""

    uri: str
    pid: int


@contextmanager
def shortest_envoy(socket: Path, home: Path, folder: Path, *, port: int) -> Iterator[Started]:
    """An Envoy that ends TLS and forwards every request, and does nothing else."""
    config = envoys.shortest(socket, pair(home), port)
    with _envoy(config, folder / "shortest", port) as pid:
        yield Started(f"https://127.0.0.1:{port}{PATH}", pid)


@contextmanager
def envoy_with_same_duties(
    socket: Path, home: Path, folder: Path, *, port: int, key: str
) -> Iterator[Started]:
    """An Envoy with the duties of ours."""
    config = envoys.same_duties(socket, pair(home), port, key=key)
    with _envoy(config, folder / "same", port) as pid:
        yield Started(f"https://127.0.0.1:{port}{envoys.BASE}{PATH[1:]}", pid)


@contextmanager
def _envoy(config: dict[str, Any], folder: Path, port: int) -> Iterator[int]:
    folder.mkdir()
    file = folder / "envoy.json"
    file.write_text(json.dumps(config))
    argv = [ENVOY, "-c", str(file), "--concurrency", "2", "--disable-hot-restart"]
    with _running([*argv, "--log-level", "error"], folder, port) as pid:
        yield pid


@contextmanager
def haproxy(socket: Path, home: Path, folder: Path, *, port: int, key: str) -> Iterator[Started]:
    """HAProxy with TLS, a check of the key and a split between two names of the instance."""
    pem = folder / "haproxy.pem"
    pem.touch(0o600)
    pem.write_text(certificate(home).read_text() + private_key(home).read_text())
    file = folder / "haproxy.cfg"
    file.write_text(
        f"""global
    nbthread 2
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    http-reuse always
frontend public
    bind 127.0.0.1:{port} ssl crt {pem} alpn h2,http/1.1
    http-request deny deny_status 401 unless {{ req.hdr(authorization) -m str "{key}" }}
    default_backend deployments
backend deployments
    balance random
    server blue unix@{socket} weight 90
    server green unix@{socket} weight 10
"""
    )
    with _running(["haproxy", "-f", str(file), "-db", "-q"], folder, port) as pid:
        yield Started(f"https://127.0.0.1:{port}{PATH}", pid)


def pair(home: Path) -> tuple[Path, Path]:
    """Certificate and key."""
    return certificate(home), private_key(home)


def certificate(home: Path) -> Path:
    """The one that our own gateway shows."""
    return home / "certs" / "server.pem"


def private_key(home: Path) -> Path:
    """What belongs to it."""
    return home / "certs" / "server-key.pem"


@contextmanager
def _running(argv: list[str], folder: Path, port: int) -> Iterator[int]:
    log = folder / f"{Path(argv[0]).name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(argv, cwd=folder, stdout=output, stderr=output, env=os.environ)
    try:
        _until_listening(process, log, port)
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


def _until_listening(process: subprocess.Popen[bytes], log: Path, port: int) -> None:
    ends = time.monotonic() + START_SECONDS
    trust = create_default_context()
    trust.check_hostname = False
    trust.verify_mode = 0  # type: ignore[assignment]  # CERT_NONE: it is ours, on loopback
    while True:
        try:
            urllib.request.urlopen(f"https://127.0.0.1:{port}/", context=trust, timeout=2).close()
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            if process.poll() is not None or time.monotonic() > ends:
                raise SystemExit(f"{process.args!r} does not answer: {log.read_text()}") from None
            time.sleep(0.02)
        else:
            return
