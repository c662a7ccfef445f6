"""Which Pythons this machine has, and which one a deployment gets.

Each candidate is run once with a timeout, because what lies on PATH may be a version manager's
stub that points nowhere. A machine that lacks the Python asked for gives the nearest one, with a
note that people cannot miss: most models do not care, and those that do must not be surprised.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

OLDEST = (3, 9)  # what verdazul_serve runs on
_NEWEST_MINOR = 15
_PROBE_SECONDS = 3.0
_PROBE = (
    "import json,sys;v=sys.version_info;print(json.dumps({'path':getattr(sys,'_base_executable',"
    "None) or sys.executable,'version':list(v[:3]),'final':v[3]=='final',"
    "'name':sys.implementation.name,'plain':not getattr(sys,'abiflags','')}))"
)
_HOMES = (
    "~/.pyenv/versions/*/bin/python",
    "~/.asdf/installs/python/*/bin/python",
    "~/.local/share/mise/installs/python/*/bin/python",
    "~/.local/share/uv/python/*/bin/python",
    "~/miniconda3/bin/python",
    "~/miniforge3/bin/python",
    "~/anaconda3/bin/python",
    "/opt/*/bin/python3",
)


@dataclass(frozen=True, slots=True, order=True)
class Interpreter:
    """One that answered. `path` is absolute and not inside a virtual environment."""

    version: tuple[int, int, int]
    path: str

    @property
    def minor(self) -> str:
        """The version that decides which packages fit, such as "3.12"."""
        return f"{self.version[0]}.{self.version[1]}"

    def __str__(self) -> str:
        return ".".join(map(str, self.version))


_probed: dict[tuple[str, int, int], Interpreter | None] = {}


def discover() -> tuple[Interpreter, ...]:
    """Every usable Python, oldest first, one for each version. Asks each file only once."""
    wanted = [(str(path), *_stamp(path)) for path in _candidates()]
    fresh = [key for key in wanted if key not in _probed]
    if fresh:
        with ThreadPoolExecutor(max_workers=8) as pool:
            _probed.update(zip(fresh, pool.map(lambda key: _probe(key[0]), fresh), strict=True))
    found = (_probed[key] for key in wanted)
    best: dict[tuple[int, int, int], Interpreter] = {}
    for interpreter in found:
        if interpreter:
            best.setdefault(interpreter.version, interpreter)  # the first candidate wins
    return tuple(sorted(best.values()))


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _candidates() -> list[Path]:
    """Real files, best first. Scripts (`#!`) are stubs of version managers: never a base."""
    ordered = [Path(sys.executable), *_in_folders(), *_in_homes()]
    real: dict[Path, Path] = {}
    for path in ordered:
        if _is_program(path):
            real.setdefault(path.resolve(), path)
    return list(real)


def _in_folders() -> Iterable[Path]:
    names = ["python3", *(f"python3.{n}" for n in range(_NEWEST_MINOR, OLDEST[1] - 1, -1))]
    path = os.get_exec_path()
    folders = dict.fromkeys(
        [f for f in path if Path(f).is_absolute()] + ["/usr/bin", "/usr/local/bin"]
    )
    return (Path(folder, name) for folder in folders for name in names)


def _in_homes() -> Iterable[Path]:
    for pattern in _HOMES:
        absolute = Path(pattern).expanduser()
        root = Path(absolute.anchor)
        yield from sorted(root.glob(str(absolute.relative_to(root))), reverse=True)


def _is_program(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(2) != b"#!" and os.access(path, os.X_OK)
    except OSError:
        return False


def _probe(path: str) -> Interpreter | None:
    """None when it does not run, is no final CPython, or is too old."""
    try:
        done = subprocess.run(
            [path, "-I", "-S", "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=True,
            cwd="/",
        )
        told = json.loads(done.stdout)
        major, minor, patch = told["version"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None
    usable = told["final"] and told["name"] == "cpython" and told["plain"]
    if not usable or (major, minor) < OLDEST:
        return None
    return Interpreter((int(major), int(minor), int(patch)), str(told["path"]))


def choose(
    specifiers: str | None, found: Sequence[Interpreter], *, ours: tuple[int, int]
) -> tuple[Interpreter, str]:
    """The Python for `specifiers` (PEP 440; None: not asked for), and a note when it is another.

    Among those that fit, the one nearest to `ours` (the version that runs Verdazul) is taken.
    `found` must not be empty.
    """
    fitting = [one for one in found if fits(specifiers or "", one.version)]
    if fitting:
        return _nearest(ours, fitting), ""
    wanted = _wanted_minor(specifiers or "") or ours
    chosen = _nearest(wanted, found)
    return chosen, _difference(re.sub(r"==|\.\*", "", specifiers or ""), wanted, chosen)


def _difference(asked: str, wanted: tuple[int, int], chosen: Interpreter) -> str:
    if asked == chosen.minor:
        return ""  # `python==3.12`: conda means 3.12.0 by it, people do not
    advice = "" if chosen.version[:2] == wanted else f". Install {wanted[0]}.{wanted[1]} to match"
    return f"the environment asks for Python {asked}; this machine has {chosen}: using it{advice}"


def _nearest(wanted: tuple[int, int], found: Iterable[Interpreter]) -> Interpreter:
    """The same minor version, else the next higher, else the next lower; its newest patch."""

    def distance(one: Interpreter) -> tuple[bool, int, int]:
        away = one.version[1] - wanted[1]
        return away < 0, abs(away), -one.version[2]

    return min(found, key=distance)


def fits(specifiers: str, version: tuple[int, int, int]) -> bool:
    """Whether a final release satisfies simple PEP 440 specifiers (numbers and `.*` only)."""
    return all(_clause_fits(part, version) for part in specifiers.split(",") if part)


def _clause_fits(clause: str, version: tuple[int, int, int]) -> bool:
    operator, numbers = _split(clause)
    padded = (*numbers, 0, 0, 0)[:3]
    same = version == padded
    if clause.endswith(".*") or operator == "~=":
        length = len(numbers) if clause.endswith(".*") else len(numbers) - 1
        same = version[:length] == numbers[:length] and (operator != "~=" or version >= padded)
    match operator:
        case ">=":
            return version >= padded
        case "<=":
            return version <= padded
        case ">":
            return version > padded
        case "<":
            return version < padded
        case "!=":
            return not same
        case _:
            return same


def _split(clause: str) -> tuple[str, tuple[int, ...]]:
    operator = re.match(r"[=<>!~]*", clause)
    numbers = tuple(int(n) for n in re.findall(r"\d+", clause))
    return (operator[0] if operator else ""), numbers[:3]


def _wanted_minor(specifiers: str) -> tuple[int, int] | None:
    """The minor version that a requirement points at; `<3.9` points at 3.8."""
    for clause in specifiers.split(","):
        operator, numbers = _split(clause)
        if len(numbers) > 1 and operator != "!=":
            below = operator == "<" and not any(numbers[2:])
            return numbers[0], max(numbers[1] - below, 0)
    return None
