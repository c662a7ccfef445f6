"""Azure's clients, each version in an environment of its own.

Made once from requirements/sdk-*.lock and kept in the user's cache folder, under a name that
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

AGES = ("new", "middle", "old")
_LOCKS = Path(__file__).parents[2] / "requirements"
_PREPARE_SECONDS = 600


def interpreter(age: str) -> Path:
    """The Python with that version of the SDK; makes it when it is not there."""
    home = _cache() / "verdazul" / "azure-sdk" / f"{age}-{_key(age)}"
    python = home / "bin" / "python"
    if not (home / "done").exists():
        shutil.rmtree(home, ignore_errors=True)
        _make(home, _LOCKS / f"sdk-{age}.lock")
    return python


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _key(age: str) -> str:
    told = f"{sys.version} {sys.base_prefix} {sys.platform}".encode()
    lock = (_LOCKS / f"sdk-{age}.lock").read_bytes()
    return hashlib.sha256(lock + told).hexdigest()[:16]


def _make(home: Path, lock: Path) -> None:
    """Build beside the final place, then rename: whoever is first wins."""
    home.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="making-", dir=home.parent))
    try:
        _uv("venv", "--allow-existing", "--python", sys.executable, str(folder))
        python = str(folder / "bin" / "python")
        _uv("pip", "sync", "--python", python, "--require-hashes", str(lock))
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
