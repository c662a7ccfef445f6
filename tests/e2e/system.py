"""One real Verdazul in a home of its own, driven as a person drives it: by command and HTTPS."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

VERDAZUL = Path(sys.executable).with_name("verdazul")
DEADLINE_SECONDS = 60.0

SCORE = """
import json, os

def init():
    global name
    name = os.environ.get("WHO", "nobody")

def run(raw_data):
    return {"who": name, "echo": json.loads(raw_data)}
"""

CONDA = "dependencies:\n- python=3.11\n- pip\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


# Callers here ask without pause, and no test is about these limits.
OUT_OF_REACH = {
    "VERDAZUL_REQUESTS_PER_SECOND": "1000000",
    "VERDAZUL_CONNECTIONS_PER_SECOND": "1000000",
}


@dataclass
class System:
    """A home and where its files for deployments are written."""

    home: Path
    files: Path

    def run(self, *words: str, code: int | None = 0) -> Outcome:
        """Run the command; check how it ends (None: whatever)."""
        done = subprocess.run(
            [VERDAZUL, *words, "--home", str(self.home)],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            env={**os.environ, **OUT_OF_REACH},
        )
        if code is not None:
            assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return Outcome(done.returncode, done.stdout, done.stderr)

    def up(self) -> None:
        """On a port of its own: all that start at the same time would take the usual one."""
        is_first = not (self.home / "address.json").exists()
        self.run("up", "--detach", *(("--port", str(free_port())) if is_first else ()))

    def down(self) -> None:
        self.run("down")

    def status(self) -> Any:
        return self.run("status", "-o", "json").data

    def pid_of(self, part: str) -> int:
        return next(int(p["pid"]) for p in self.status()["parts"] if p["part"] == part)

    def instances(self, endpoint: str) -> dict[str, Any]:
        """Instances by id, as status tells them."""
        found = next(e for e in self.status()["endpoints"] if e["name"] == endpoint)
        return {i["id"]: i for d in found["deployments"] for i in d["instances"]}

    def write(self, name: str, text: str) -> Path:
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def deployment(
        self,
        endpoint: str,
        name: str,
        *,
        score: str = SCORE,
        conda: str = CONDA,
        count: int = 1,
        variables: Mapping[str, str] | None = None,
        extra: str = "",
    ) -> Path:
        """Write a deployment's files; returns the YAML file."""
        told = {"WHO": name, **(variables or {})}
        self.write(f"{name}/src/score.py", score)
        self.write(f"{name}/conda.yml", conda)
        return self.write(
            f"{name}/deployment.yml",
            f"""$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
name: {name}
endpoint_name: {endpoint}
code_configuration:
  code: src
  scoring_script: score.py
environment:
  image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04
  conda_file: conda.yml
environment_variables:
{"".join(f"  {key}: {json.dumps(each)}{chr(10)}" for key, each in told.items())}\
instance_type: Standard_DS2_v2
instance_count: {count}
{extra}""",
        )

    def serving(self, endpoint: str, *names: str, count: int = 1, extra: str = "") -> None:
        """An endpoint with these deployments; the first takes all traffic."""
        self.run("online-endpoint", "create", "-n", endpoint)
        for name in names:
            path = self.deployment(endpoint, name, count=count, extra=extra)
            self.run("online-deployment", "create", "-f", str(path))
        self.split(endpoint, f"{names[0]}=100")

    def split(self, endpoint: str, traffic: str) -> None:
        self.run("online-endpoint", "update", "-n", endpoint, "--traffic", traffic)

    def key(self, endpoint: str, which: str = "primaryKey") -> str:
        return str(self.run("online-endpoint", "get-credentials", "-n", endpoint).data[which])

    def client(self, endpoint: str, *, credential: str = "", **headers: str) -> httpx.Client:
        """A plain client that trusts the home and knows the key, or another credential."""
        address = (self.home / "run" / "address").read_text().strip()
        return httpx.Client(
            base_url=f"{address}/api/v1/endpoint/{endpoint}/",
            verify=self.trust(),
            headers={"Authorization": f"Bearer {credential or self.key(endpoint)}"} | headers,
            timeout=30,
        )

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.home / "certs" / "ca.pem")

    def processes(self) -> list[int]:
        """Every process that this home started, found by its traces and not by our records."""
        marks = (str(self.home).encode(),)
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal() or int(entry.name) == os.getpid():
                continue
            try:
                seen = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                cwd = str((entry / "cwd").readlink()).encode()
            except OSError:
                continue
            if any(mark in seen or cwd.startswith(mark) for mark in marks):
                found.append(int(entry.name))
        return found

    @contextmanager
    def load(self, endpoint: str, *, callers: int = 2, credential: str = "") -> Iterator[Load]:
        """Requests without pause from a few callers while the body runs."""
        load = Load()
        with self.client(endpoint, credential=credential) as client:
            threads = [threading.Thread(target=load.call, args=(client,)) for _ in range(callers)]
            for thread in threads:
                thread.start()
            try:
                load.more(20)
                yield load
                load.more(50)
            finally:
                load.ended.set()
                for thread in threads:
                    thread.join()


@dataclass
class Load:
    """What callers saw: how often which status, and who answered."""

    ended: threading.Event = field(default_factory=threading.Event)
    statuses: Counter[str] = field(default_factory=Counter)
    who: Counter[str] = field(default_factory=Counter)

    def call(self, client: httpx.Client) -> None:
        while not self.ended.is_set():
            try:
                response = client.post("score", json={"x": 1})
            except httpx.HTTPError as error:
                self.statuses[type(error).__name__] += 1
                continue
            self.statuses[str(response.status_code)] += 1
            self.who[response.headers.get("azureml-model-deployment", "?")] += 1

    def more(self, number: int) -> None:
        """Wait until so many more requests were answered with 200."""
        goal = self.statuses["200"] + number
        eventually(lambda: self.statuses["200"] >= goal)


@contextmanager
def running(folder: Path) -> Iterator[System]:
    """A Verdazul with a home in this folder; nothing of it runs afterwards."""
    system = System(folder / "home", folder / "files")
    system.up()
    try:
        yield system
    finally:
        system.down()
        eventually(lambda: not system.processes(), seconds=10)


def eventually(holds: Callable[[], object], *, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until it holds; fail when it does not in time."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(0.02)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
