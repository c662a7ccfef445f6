"""Which process is meant: a pid alone may long belong to somebody else.

A process is named by its pid *and* its birth (boot id and start time, from /proc). Whoever starts a
process that outlives us writes that down; whoever ends one checks it first, through a pidfd, so
that no stranger is ever signalled. Shared by the adapters that hold processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

_AFTER_KILL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """One process for good: `birth` differs for each process that ever has this pid."""

    pid: int
    birth: str


def birth(pid: int) -> str | None:
    """When it began, as `<boot id>/<ticks>`; None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # the command's name may hold spaces and brackets; what we want follows the last bracket
    after_name = stat.rpartition(")")[2].split()
    if after_name[0] in {"Z", "X"}:
        return None
    return f"{boot_id()}/{after_name[19]}"


@cache
def boot_id() -> str:
    """Differ after each start of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def record_of(pid: int) -> ProcessRecord | None:
    """Name a process that runs now; None when it does not."""
    born = birth(pid)
    return ProcessRecord(pid, born) if born else None


def is_alive(record: ProcessRecord) -> bool:
    """Whether that very process still runs."""
    return birth(record.pid) == record.birth


def write_record(path: Path, record: ProcessRecord) -> None:
    """Write it down, all or nothing, for our own eyes."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(asdict(record)))
    temporary.chmod(0o600)
    temporary.replace(path)


def read_record(path: Path) -> ProcessRecord | None:
    """What was written down; None when there is nothing, or nothing readable."""
    try:
        content = json.loads(path.read_text())
        return ProcessRecord(int(content["pid"]), str(content["birth"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def send(record: ProcessRecord, signum: int) -> bool:
    """Signal that very process; False when it is gone."""
    handle = _open(record)
    if handle is None:
        return False
    try:
        signal.pidfd_send_signal(handle, signum)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


async def gone(record: ProcessRecord, *, timeout_seconds: float | None = None) -> bool:
    """Wait until it has ended; at once, and for processes of any parent. False: still there."""
    handle = _open(record)
    if handle is None:
        return True
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        async with asyncio.timeout(timeout_seconds):
            await ended.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(handle)
        os.close(handle)
    return True


async def end(record: ProcessRecord, *, grace_seconds: float) -> bool:
    """SIGTERM, wait, SIGKILL; True when it was running. The caller reaps its own children."""
    if not send(record, signal.SIGTERM):
        return False
    if not await gone(record, timeout_seconds=grace_seconds):
        send(record, signal.SIGKILL)
        await gone(record, timeout_seconds=_AFTER_KILL_SECONDS)
    return True


async def stop_recorded(path: Path, *, grace_seconds: float = 10.0) -> ProcessRecord | None:
    """End the process written down there and drop the record; returns it when it was running."""
    record = read_record(path)
    was_running = record is not None and await end(record, grace_seconds=grace_seconds)
    await asyncio.to_thread(path.unlink, missing_ok=True)
    return record if was_running else None


def reap(pid: int) -> None:
    """Collect an ended child of ours; nothing when it is not ours or has not ended."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _open(record: ProcessRecord) -> int | None:
    try:
        handle = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return None
    # the check comes after: from here on the handle cannot change its meaning
    if not is_alive(record):
        os.close(handle)
        return None
    return handle
