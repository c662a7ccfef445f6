"""Containers of the local engine: each is one process of the inference server under a shim.

What a container is and how it is doing is read from its folder at each question; there is nothing
to adopt after a restart. See folders.py for who writes what.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from verdazul import processes
from verdazul.compute import shim_launch
from verdazul.compute.folder import read_json, write_json
from verdazul.compute.sweep import kill_marked
from verdazul.engine.folders import Places
from verdazul.engine.wanted import Bind, Wanted
from verdazul.model.errors import Conflict, NotFound, Retryable
from verdazul.processes import ProcessRecord

_MARKS = ("shim", "state", "exit", "failure")
_BORN_SECONDS = 30.0
_PAUSE_SECONDS = 0.02
_KILLED = 128 + signal.SIGKILL
_GRACE_SECONDS = 3600.0  # of the shim: how long a stop waits is said by each stop


@dataclass(frozen=True, slots=True)
class State:
    """How a container is doing, in Docker's words."""

    status: str  # created, running or exited
    pid: int = 0
    port: int | None = None
    exit_code: int = 0
    error: str = ""
    is_oom: bool = False
    started: float | None = None
    finished: float | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """One container on disk."""

    path: Path
    name: str
    image_id: str
    wanted: Wanted
    created: float

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def log(self) -> Path:
        return self.path / "logs" / "log.txt"

    @property
    def failure(self) -> Path:
        return self.path / "failure.json"

    def state(self) -> State:
        """Read it from what the shim wrote."""
        born, ended = self.mark("state") or {}, self.mark("exit")
        if self.mark("shim") is None:
            return State("created")
        if ended:
            return _ended(born, ended)
        if not self._has_shim():
            error = "it ended without a word: it was killed, or the machine was restarted"
            return State("exited", exit_code=_KILLED, error=error, started=born.get("started_at"))
        child = born.get("child") or {}
        return State(
            "running",
            pid=child.get("pid", 0),
            port=born.get("port"),
            started=born.get("started_at"),
        )

    def mark(self, name: str) -> dict[str, Any] | None:
        return read_json(self.path / f"{name}.json")

    def record(self, who: str) -> ProcessRecord | None:
        """The `shim` or its `child`; None before it is born."""
        found = (self.mark("state") or {}).get(who)
        return ProcessRecord(found["pid"], found["birth"]) if found and found["birth"] else None

    def _has_shim(self) -> bool:
        try:
            with _locked(self.path) as lock:
                return lock is None
        except FileNotFoundError:  # it is being removed
            return False


class Containers:
    """All of one home."""

    def __init__(self, places: Places) -> None:
        self._root = places.containers
        self._turn = asyncio.Lock()

    def all(self) -> list[Container]:
        """The newest first."""
        found = [_parse(path) for path in self._root.iterdir() if not path.name.startswith(".")]
        return sorted((c for c in found if c), key=lambda c: (c.created, c.id), reverse=True)

    def used_images(self) -> frozenset[str]:
        return frozenset(container.image_id for container in self.all())

    def find(self, name: str) -> Container:
        """By name, id, or the beginning of an id. Raises NotFound as Docker words it."""
        plain = name.removeprefix("/")
        everybody = self.all()
        for is_it in (
            lambda c: plain in {c.name, c.id},
            lambda c: bool(plain) and c.id.startswith(plain),
        ):
            if found := next(filter(is_it, everybody), None):
                return found
        raise NotFound(f"No such container: {name}", code="NoSuchContainer")

    async def create(self, name: str, wanted: Wanted, *, image_id: str, at: float) -> Container:
        """Write it down, whole or not at all. Raises Conflict when the name is taken."""
        async with self._turn:
            if holder := next((c for c in self.all() if c.name == name), None):
                raise Conflict(
                    f'Conflict. The container name "/{name}" is already in use by container '
                    f'"{holder.id}". You have to remove (or rename) that container to be able to '
                    "reuse that name.",
                    code="NameInUse",
                )
            id_ = secrets.token_hex(32)
            draft = self._root / f".making.{id_}"
            (draft / "logs").mkdir(mode=0o700, parents=True)
            content = {"name": name, "image_id": image_id, "wanted": asdict(wanted), "created": at}
            write_json(draft / "config.json", content)
            draft.rename(self._root / id_)
            return self.find(id_)

    async def start(self, container: Container, spec: Mapping[str, object]) -> bool:
        """Start it and wait until it is born. False: it runs already."""
        async with self._turn:
            with _locked(container.path) as lock:
                if lock is None:
                    return False
                await asyncio.to_thread(_renew, container)
                write_json(container.path / "shim.json", {**spec, "grace_seconds": _GRACE_SECONDS})
                pid = shim_launch.spawn(container.path / "shim.json", lock=lock)
        await self._born(container)
        processes.reap(pid)
        return True

    async def stop(self, container: Container, *, grace_seconds: float) -> bool:
        """SIGTERM, then SIGKILL. False: it did not run."""
        if container.state().status != "running":
            return False
        await self._born(container)
        shim = container.record("shim")
        if shim:
            await processes.end(shim, grace_seconds=grace_seconds)
            processes.reap(shim.pid)
        await asyncio.to_thread(kill_marked, container.failure)
        return True

    def kill(self, container: Container, number: signal.Signals) -> None:
        """Send a signal to its process. Raises Conflict when there is none."""
        child = container.record("child")
        is_running = container.state().status == "running"
        if not (is_running and child and processes.send(child, number)):
            raise Conflict(f"Container {container.id} is not running", code="ContainerNotRunning")

    async def wait(self, container: Container) -> int:
        """Its exit code, once it has ended."""
        while container.state().status == "running":
            await self._born(container)
            shim = container.record("shim")
            if shim:
                await processes.gone(shim)
                processes.reap(shim.pid)
        return container.state().exit_code

    async def remove(self, container: Container) -> None:
        """Forget it; what it left behind is ended."""
        async with self._turn:
            await asyncio.to_thread(kill_marked, container.failure)
            leaving = self._root / f".leaving.{container.id}"
            with contextlib.suppress(FileNotFoundError):
                container.path.rename(leaving)
            await asyncio.to_thread(shutil.rmtree, leaving, ignore_errors=True)

    async def _born(self, container: Container) -> None:
        for _ in range(int(_BORN_SECONDS / _PAUSE_SECONDS)):
            if container.record("child") or container.state().status != "running":
                return
            await asyncio.sleep(_PAUSE_SECONDS)
        raise Retryable(f"container {container.name} did not start in {_BORN_SECONDS:g} s")


def _renew(container: Container) -> None:
    """A start leaves nothing of the last run but its log."""
    kill_marked(container.failure)
    for mark in _MARKS:
        (container.path / f"{mark}.json").unlink(missing_ok=True)
    shutil.rmtree(container.path / "work", ignore_errors=True)
    (container.path / "work").mkdir(mode=0o700)


@contextlib.contextmanager
def _locked(path: Path) -> Any:
    """The container's lock, which its shim inherits; None while a shim lives."""
    descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    except BlockingIOError:
        yield None
    finally:
        os.close(descriptor)


def _ended(born: Mapping[str, Any], ended: Mapping[str, Any]) -> State:
    number = ended.get("signal")
    code = 128 + number if number else ended.get("code")
    return State(
        "exited",
        exit_code=127 if code is None else int(code),
        error=str(ended.get("error") or ""),
        is_oom=bool(ended.get("oom")),
        started=born.get("started_at"),
        finished=ended.get("at"),
    )


def _parse(path: Path) -> Container | None:
    try:
        content = json.loads((path / "config.json").read_bytes())
        wanted = dict(content["wanted"])
        return Container(
            path,
            content["name"],
            content["image_id"],
            Wanted(
                **{
                    **wanted,
                    "env": tuple((str(name), str(value)) for name, value in wanted["env"]),
                    "binds": tuple(Bind(**bind) for bind in wanted["binds"]),
                    "ports": tuple(wanted["ports"]),
                }
            ),
            content["created"],
        )
    except (OSError, TypeError, KeyError, ValueError):
        return None


def matching(containers: Iterable[Container], filters: Mapping[str, list[str]]) -> list[Container]:
    """Those that every filter lets through: label, name, id, status."""
    tests = {
        "label": _has_label,
        "name": lambda c, text: text.removeprefix("/") in c.name,
        "id": lambda c, text: c.id.startswith(text),
        "status": lambda c, text: c.state().status == text,
    }
    return [c for c in containers if all(_passes(tests[k], c, v) for k, v in filters.items())]


def _passes(test: Any, container: Container, values: list[str]) -> bool:
    """Labels must all be there; of other filters one value has to fit."""
    several = all if test is _has_label else any
    return several(test(container, value) for value in values)


def _has_label(container: Container, text: str) -> bool:
    name, equals, value = text.partition("=")
    found = container.wanted.labels.get(name)
    return found is not None and (not equals or found == value)
