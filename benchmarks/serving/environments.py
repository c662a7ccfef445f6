"""A virtual environment for each server, made by uv from a lock file and kept in the cache folder.

It is made anew when its lock file changes. Python is 3.11 everywhere, so that no server gains by a
newer one; modules are compiled at installation, so that start-up times do not contain it.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

from serving.peer import Environment, UnavailableError

PYTHON = "3.11"
UV = str(Path(sys.executable).with_name("uv"))
REQUIREMENTS = Path(__file__).parents[2] / "requirements"


def prepare(environment: Environment) -> Path:
    """Its interpreter, installed if need be; UnavailableError if that fails."""
    lock = lock_file(environment)
    if not lock.exists():
        raise UnavailableError(f"{lock.name} is missing (benchmarks/inference_server.py --lock)")
    folder = cache() / environment.name
    python, stamp = folder / "bin" / "python", folder / "lock.sha256"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        print(f"installing {environment.name} in {folder}", file=sys.stderr)
        _uv("venv", "--clear", "--python", PYTHON, str(folder))
        options = ("--compile-bytecode", "--require-hashes", "--python", str(python))
        _uv("pip", "sync", *options, str(lock))
        stamp.write_text(digest)
    return python


def resolve(environment: Environment) -> None:
    """Write its lock file anew, with the newest versions: names, versions and hashes."""
    options = (
        "--universal",
        "--generate-hashes",
        "--no-header",
        "--no-emit-index-url",
        "--upgrade",
    )
    target = ("--python-version", PYTHON, "--output-file", str(lock_file(environment)))
    _uv("pip", "compile", *options, *target, "-", text="\n".join(environment.requires))


def version(environment: Environment) -> str:
    """Name and version of what the environment is for: its first requirement."""
    name = re.split(r"[\[<>=]", environment.requires[0])[0]
    found = re.search(
        rf"^{re.escape(name)}==(\S+)", lock_file(environment).read_text(), re.MULTILINE
    )
    return f"{name} {found[1]}" if found else name


def lock_file(environment: Environment) -> Path:
    """The committed list of exactly what is installed."""
    return REQUIREMENTS / f"bench-{environment.name}.lock"


def cache() -> Path:
    """The folder that all environments are in; it may be deleted at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "verdazul-bench"


def _uv(*words: str, text: str | None = None) -> None:
    done = subprocess.run(
        [UV, *words, "--quiet"], input=text, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise UnavailableError(f"uv {words[0]} failed: {' '.join(lines[-3:])}")
