"""Environments from lock files, for tests that need packages which the project's own may not have.

Each is made once from requirements/NAME.lock and kept in the user's cache folder, under a name that
changes with the lock and the Python version.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

LOCKS = Path(__file__).parents[1] / "requirements"
_PREPARE_SECONDS = 600


def interpreter(name: str, *, without: str = "") -> Path:
    """The Python that has what the lock names, but for one package; made when it is not there.

    Safe when several runs ask at once.
    """
    lock = LOCKS / f"{name}.lock"
    home = _cache() / "verdazul" / "locked" / f"{name}{without and '-without'}-{_key(lock)}"
    if not (home / "done").exists():
        shutil.rmtree(home, ignore_errors=True)
        _make(home, lock, without)
    return home / "bin" / "python"


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _key(lock: Path) -> str:
    told = f"{sys.version} {sys.base_prefix} {sys.platform}".encode()
    return hashlib.sha256(lock.read_bytes() + told).hexdigest()[:16]


def _make(home: Path, lock: Path, without: str) -> None:
    """Build beside the final place, then rename: whoever is first wins."""
    home.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="making-", dir=home.parent))
    python = str(folder / "bin" / "python")
    try:
        _uv("venv", "--allow-existing", "--python", sys.executable, str(folder))
        _uv("pip", "sync", "--python", python, "--require-hashes", str(lock))
        if without:
            _uv("pip", "uninstall", "--python", python, without)
        (folder / "done").touch()
        with contextlib.suppress(OSError):
            folder.rename(home)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _uv(*arguments: str) -> None:
    program = Path(sys.executable).parent / "uv"
    done = subprocess.run(
        [program, *arguments, "--quiet"],
        capture_output=True,
        check=False,
        text=True,
        timeout=_PREPARE_SECONDS,
    )
    assert done.returncode == 0, f"uv {' '.join(arguments)}: {done.stderr}"
