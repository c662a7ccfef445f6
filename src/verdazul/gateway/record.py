"""What is written down of a running Envoy, so that the next control plane finds it.

One file for each gateway process. It names the process, what it was started with, its place among
hot restarts, and older processes of that place that still end their streams.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from verdazul import processes
from verdazul.gateway import disk
from verdazul.gateway.hot_restart import Lineage
from verdazul.processes import ProcessRecord

FILES = ("run/envoy.json", "run/envoy-2.json")
ACTIVATOR = "run/activator.json"
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Draining:
    """An older process that ends what it holds, at the longest `until` (unix time).

    Its successor ends it then, as a rule; but that may have died.
    """

    process: ProcessRecord
    until: float

    @property
    def is_alive(self) -> bool:
        """Whether that very process still runs."""
        return processes.is_alive(self.process)


@dataclass(frozen=True, slots=True)
class Record:
    """Which process is ours, and what it was started with. `where` is its host and port."""

    process: ProcessRecord
    digest: str
    where: str
    is_shared: bool
    lineage: Lineage
    draining: tuple[Draining, ...]

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """None when there is none that can be read. Its process may be gone."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                ProcessRecord(int(content["pid"]), str(content["birth"])),
                str(content["digest"]),
                str(content["where"]),
                bool(content["is_shared"]),
                Lineage(**content["lineage"]),
                tuple(
                    Draining(ProcessRecord(**one["process"]), float(one["until"]))
                    for one in content["draining"]
                ),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def is_alive(self) -> bool:
        """Whether that very process still runs."""
        return processes.is_alive(self.process)

    def write(self, path: Path, *, staging: Path) -> None:
        """In the shape of verdazul.processes, and the rest besides."""
        content = {**asdict(self), **asdict(self.process)}
        del content["process"]
        disk.replace(path, json.dumps(content), staging=staging)


def recorded_gateway(home: Path) -> ProcessRecord | None:
    """An Envoy of this home, when one runs."""
    records = (Record.read(home / file) for file in FILES)
    return next((one.process for one in records if one and one.is_alive), None)


def recorded_pids(home: Path) -> frozenset[int]:
    """Every Envoy of this home that runs and takes connections."""
    records = (Record.read(home / file) for file in FILES)
    return frozenset(one.process.pid for one in records if one and one.is_alive)


def unrecorded(home: Path) -> tuple[ProcessRecord, ...]:
    """Envoys that run in this home and that no record tells of: one was lost."""
    told = {one.pid for file in FILES for one in _told(Record.read(home / file))}
    found = (envoy_of(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return tuple(one for one in found if one and one.pid not in told and _runs_in(home, one.pid))


def envoy_of(pid: int | None) -> ProcessRecord | None:
    """That process when it runs an Envoy, so that no stranger is ever ended."""
    try:
        name = Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return None
    if pid is None or name.removesuffix(" (deleted)") != "envoy":
        return None
    return processes.record_of(pid)


def _runs_in(home: Path, pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").samefile(home)
    except OSError:
        return False


def _told(record: Record | None) -> tuple[ProcessRecord, ...]:
    return (record.process, *(one.process for one in record.draining)) if record else ()


async def stop_recorded_gateway(home: Path) -> bool:
    """End each Envoy of this home without a control plane; False when none ran."""
    stopped = [await _stop(home / file) for file in FILES]
    await processes.stop_recorded(home / ACTIVATOR, grace_seconds=_GRACE_SECONDS)
    return any(stopped)


async def end_surplus(home: Path, wanted: int) -> None:
    """End gateway processes of a home beyond the wanted number: fewer were asked for."""
    for file in FILES[wanted:]:
        await _stop(home / file)


async def _stop(path: Path) -> bool:
    record = Record.read(path)
    stopped = await processes.stop_recorded(path, grace_seconds=_GRACE_SECONDS) is not None
    for older in record.draining if record else ():
        stopped |= await processes.end(older.process, grace_seconds=_GRACE_SECONDS)
    if record:
        record.lineage.forget()
    return stopped
