"""Starting a shim: for an instance (`spawn`), or around any command (`wrap`).

A shim runs in its own session, so that neither a terminal's Ctrl-C nor our own end reaches it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from verdazul.compute import shim

LOCK_FD = 3


def wrap(
    argv: list[str],
    *,
    home: Path,
    name: str,
    log_dir: Path,
    cwd: Path | None = None,
    grace_seconds: float = 10.0,
    log_bytes: int = 10_000_000,
    log_files: int = 3,
    rows: str | None = None,
) -> list[str]:
    """An argv that runs `argv` with bounded, rotating logs in `log_dir/name.txt`.

    Its stdout goes there too, or into a file of its own, `log_dir/rows`, bounded alike.

    SIGTERM to it ends the command (SIGKILL after the grace); SIGINT, SIGHUP and SIGUSR1/2 are
    passed on; it exits as the command does; killed itself, it takes the command along. The
    environment is inherited, other open files are not. Start it with `start_new_session=True`.
    """
    log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    spec = {
        "argv": argv,
        "cwd": str(cwd or home),
        "log": str(log_dir / f"{name}.txt"),
        "rows": str(log_dir / rows) if rows else None,
        "log_bytes": log_bytes,
        "log_files": log_files,
        "grace_seconds": grace_seconds,
    }
    return [*command(), json.dumps(spec)]


def spawn(spec: Path, *, lock: int) -> int:
    """Start the instance's shim and return its pid; the shim inherits the lock.

    Raises OSError when the machine has no process left.
    """
    quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    argv = [*command(), str(spec)]
    return os.posix_spawn(
        argv[0],
        argv,
        {"LC_ALL": "C.UTF-8"},
        file_actions=[*quiet, (os.POSIX_SPAWN_DUP2, lock, LOCK_FD)],
        setsid=True,
        setsigmask=[],
    )


def command() -> list[str]:
    """What starts a shim; its spec, or the path of one, is the only argument."""
    return [sys.executable, "-I", "-S", str(Path(shim.__file__).with_name("__main__.py"))]
