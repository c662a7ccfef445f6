"""The interpreters the servers run in: one with the original server, one with all but it.

They are made once from requirements/oracle.lock and kept in the user's cache folder, under a name
that changes with the lock and the Python version. Ours runs where the original is not installed, so
that a script's imports from it are answered by ours; one group of cases runs beside the original.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

LOCK = Path(__file__).parents[3] / "requirements" / "oracle.lock"
ORIGINAL = "azureml-inference-server-http"
_PREPARE_SECONDS = 600


@dataclass(frozen=True)
class Interpreters:
    """Paths of two Python programs with the same packages, but for the original server."""

    original: Path
    ours: Path


def prepare() -> Interpreters:
    """Make the environments unless they are there; safe when several runs do it at once."""
    home = _cache() / "verdazul" / "oracle" / _key()
    found = _within(home)
    if not (found.original.exists() and found.ours.exists()):
        shutil.rmtree(home, ignore_errors=True)
        _make(home)
    return found


def version() -> str:
    """The original's, as locked."""
    name, _, rest = next(
        line.partition("==") for line in LOCK.read_text().splitlines() if line.startswith(ORIGINAL)
    )
    assert name == ORIGINAL
    return rest.split()[0]


def _within(home: Path) -> Interpreters:
    return Interpreters(home / "original" / "bin" / "python", home / "ours" / "bin" / "python")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _key() -> str:
    told = f"{sys.version} {sys.base_prefix} {sys.platform}".encode()
    return hashlib.sha256(LOCK.read_bytes() + told).hexdigest()[:16]


def _make(home: Path) -> None:
    """Build beside the final place, then rename: whoever is first wins."""
    home.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="making-", dir=home.parent))
    try:
        for python in (_within(folder).original, _within(folder).ours):
            _uv("venv", "--python", sys.executable, str(python.parents[1]))
            _uv("pip", "sync", "--python", str(python), "--require-hashes", str(LOCK))
        _uv("pip", "uninstall", "--python", str(_within(folder).ours), ORIGINAL)
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
