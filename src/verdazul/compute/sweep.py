"""What is left of an instance after its shim: processes, cgroups, socket, folder.

A shim cleans up by itself. This is for shims that were killed, for machines that were switched off,
and for `verdazul down` after the control plane died.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from verdazul import processes
from verdazul.compute import limits, logs
from verdazul.compute.folder import Folder, folders
from verdazul.core.instance import InstanceId
from verdazul.processes import ProcessRecord

_ROUNDS = 20
_MARGIN_SECONDS = 5.0
LAST_SECONDS = 10.0
_BIRTH_SECONDS = 30.0
_BIRTH_PAUSE = 0.01


def sweep(folder: Folder) -> None:
    """Kill whatever the instance's process left behind, and free its cgroups and socket."""
    limits.release(folder.groups())
    kill_marked(folder.failure)
    (folder.home / folder.socket).unlink(missing_ok=True)


def kill_marked(failure: Path) -> None:
    """Kill every process that was to report its failure in that file."""
    marker = f"VERDAZUL_FAILURE_FILE={failure}".encode()
    for _ in range(_ROUNDS):  # a process may fork while we look
        if not _kill_with(marker):
            break


def forget(folder: Folder) -> None:
    """Remove an instance that is gone; the end of its log is kept."""
    sweep(folder)
    with contextlib.suppress(OSError):  # a full disk must not keep the instance from going
        logs.keep(folder)
    folder.remove()


async def living_shim(folder: Folder) -> ProcessRecord | None:
    """The instance's shim. One that is being born holds the lock and is about to tell its name."""
    for _ in range(int(_BIRTH_SECONDS / _BIRTH_PAUSE)):
        if found := folder.processes():
            return found[0]
        if not folder.has_shim():
            return None
        await asyncio.sleep(_BIRTH_PAUSE)
    return None


async def stop_all(home: Path, *, last_seconds: float = LAST_SECONDS) -> tuple[InstanceId, ...]:
    """End every instance of a home without its control plane; returns those that were running.

    SIGTERM to all at once, SIGKILL after `last_seconds` at most: the gateway went first, so nobody
    waits for an answer any more. Nothing of them stays but their logs.
    """
    async with asyncio.TaskGroup() as group:
        ended = {f.id: group.create_task(_stop(f, last_seconds)) for f in folders(home)}
    return tuple(instance for instance, was_running in ended.items() if was_running.result())


async def _stop(folder: Folder, last_seconds: float) -> bool:
    folder.mark("stopping", since=0.0)  # should we die now, the next start goes on
    launch = folder.launch()
    own = launch.grace_seconds + _MARGIN_SECONDS if launch else last_seconds
    was_running = False
    await living_shim(folder)  # one that is not yet written down would go on without its folder
    for record in folder.processes():  # the shim; its child only where the shim was killed
        was_running |= await processes.end(record, grace_seconds=min(own, last_seconds))
        processes.reap(record.pid)
    await asyncio.to_thread(forget, folder)
    return was_running


def _kill_with(marker: bytes) -> bool:
    """SIGKILL every process that carries this variable; environments pass on to forks."""
    found = False
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and marker in _environment(entry):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(entry.name), signal.SIGKILL)
                found = True
    return found


def _environment(process: Path) -> list[bytes]:
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:  # gone, a zombie, or another user's
        return []
