"""One instance on disk: everything known about it, readable after any crash of ours.

Written by us: launch.json, shim.json and the markers (ready, unready, draining, stopping, verdict).
Written by the shim: state.json, exit.json, logs/. Written by the server: failure.json. A shim holds
`lock` for as long as it lives, and had it before it was born: who can take the lock knows that
there is none.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from verdazul.core.instance import InstanceId, Launch
from verdazul.model.errors import Fatal
from verdazul.processes import ProcessRecord

MARKERS = ("ready", "unready", "draining", "stopping", "verdict", "exit", "failure", "state")
_LEAVING = ".leaving."
_FAILURE_LIMIT = 1_000_000
_LAUNCH = TypeAdapter(Launch)


@dataclass(frozen=True, slots=True)
class Folder:
    """Paths of one instance below home, and the reading and writing of its small files."""

    home: Path
    id: InstanceId

    def __post_init__(self) -> None:
        """Refuse an id that would name a place outside."""
        try:
            sound = InstanceId.parse(str(self.id)) == self.id and not set(str(self.id)) & {
                "/",
                "\0",
            }
        except ValueError:
            sound = False
        if not sound:
            raise Fatal(f"{str(self.id)!r} cannot name an instance's folder", code="BadInstanceId")

    @property
    def path(self) -> Path:
        return self.home / "instances" / str(self.id)

    @property
    def work(self) -> Path:
        return self.path / "work"

    @property
    def log(self) -> Path:
        return self.path / "logs" / "log.txt"

    @property
    def failure(self) -> Path:
        return self.path / "failure.json"

    @property
    def collected(self) -> Path:
        """What its scripts collect: of the deployment, since it must outlive every instance."""
        return self.home / "collected" / f"{self.id.endpoint}.{self.id.deployment}"

    @property
    def spec(self) -> Path:
        return self.path / "shim.json"

    @property
    def socket(self) -> str:
        """Relative to home, and short: the kernel allows 107 characters."""
        return f"run/i/{hashlib.sha256(str(self.id).encode()).hexdigest()[:12]}.sock"

    @property
    def address(self) -> str:
        return f"unix:{self.socket}"

    def prepare(self) -> None:
        """Make the folders."""
        for folder in (self.path, self.log.parent, self.home / "run" / "i"):
            make_private(folder)

    def renew_work(self) -> None:
        """Give each start an empty working directory."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(mode=0o700, exist_ok=True)

    def exists(self) -> bool:
        return (self.path / "launch.json").exists()

    def mark(self, name: str, **content: object) -> None:
        """Set a marker; nothing when the folder is being removed by somebody else."""
        with contextlib.suppress(FileNotFoundError):
            write_json(self.path / f"{name}.json", content)

    def unmark(self, *names: str) -> None:
        for name in names:
            (self.path / f"{name}.json").unlink(missing_ok=True)

    def marker(self, name: str) -> dict[str, Any] | None:
        """What the marker says; None when it is not set (or is half a file of a hostile server)."""
        return read_json(self.path / f"{name}.json")

    def write_launch(self, launch: Launch, *, attempt: int, at: float) -> None:
        content = {"attempt": attempt, "at": at, "launch": _LAUNCH.dump_python(launch, mode="json")}
        write_json(self.path / "launch.json", content)

    def launch(self) -> Launch | None:
        """How it was started; None when that is not readable."""
        content = self.marker("launch")
        try:
            return _LAUNCH.validate_python(content["launch"]) if content else None
        except (ValidationError, KeyError):
            return None

    def processes(self) -> tuple[ProcessRecord, ...]:
        """The shim, then its child, as the shim wrote them down."""
        state = self.marker("state") or {}
        found = (state.get("shim"), state.get("child"))
        return tuple(ProcessRecord(r["pid"], r["birth"]) for r in found if r and r["birth"])

    def groups(self) -> tuple[str, ...]:
        """Its cgroups."""
        return tuple((self.marker("shim") or {}).get("groups") or ())

    @contextlib.contextmanager
    def locked(self) -> Iterator[int | None]:
        """Hold the lock, which a spawned shim inherits; None when a living shim has it."""
        fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield fd
        finally:
            os.close(fd)

    def has_shim(self) -> bool:
        """Whether a shim lives, or is being born."""
        try:
            with self.locked() as lock:
                return lock is None
        except FileNotFoundError:
            return False

    def remove(self) -> None:
        """Forget it, socket included: in one step, nobody sees half of it."""
        (self.home / self.socket).unlink(missing_ok=True)
        leaving = self.path.with_name(f"{_LEAVING}{self.id}")
        shutil.rmtree(leaving, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            self.path.rename(leaving)
        shutil.rmtree(leaving, ignore_errors=True)


def folders(home: Path, *, endpoint: str = "") -> tuple[Folder, ...]:
    """Instances on disk (of one endpoint), by id; what is not an instance's folder is left alone.

    Of the others no more than the names are read: there may be thousands, and each endpoint is
    looked at every few seconds.
    """
    try:
        names = os.listdir(home / "instances")  # noqa: PTH208 - makes no object for each
    except FileNotFoundError:
        return ()
    found = []
    for name in names:
        if endpoint and not name.startswith(f"{endpoint}."):
            continue
        with contextlib.suppress(ValueError):
            found.append(Folder(home, InstanceId.parse(name)))
    return tuple(sorted((f for f in found if f.exists()), key=lambda f: f.id))


def clear_leavings(home: Path) -> None:
    """Remove what a removal that was cut off left."""
    for path in (home / "instances").glob(f"{_LEAVING}*"):
        shutil.rmtree(path, ignore_errors=True)


def make_private(folder: Path) -> None:
    """Make it and what is missing above it, for our eyes only (mkdir's mode skips the latter)."""
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def write_json(path: Path, content: object) -> None:
    """All or nothing, for our own eyes."""
    temporary = path.with_name(f".{path.name}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        json.dump(content, file)
    temporary.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """An object from a file; None when there is none in it."""
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_FAILURE_LIMIT))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
