"""The cgroups of a process: put it in, look in, empty them, remove them.

Making them is for `verdazul.compute.limits`; a shim is only told their folders.
"""

from __future__ import annotations

import os
import signal
import time

from verdazul.compute.shim.system import children_of, quietly, reap_all, write_text

LEFTOVER_SECONDS = 5.0


def join(groups: list[str], pid: int) -> str:
    """Put it into its cgroups; returns why some refused ("" when none did)."""
    refused = []
    for group in groups:
        try:
            write_text(f"{group}/cgroup.procs", str(pid))
        except OSError as error:
            refused.append(f"{group}: {error.strerror}")
    return "; ".join(refused)


def kill_all(groups: list[str], *, children_too: bool) -> None:
    """SIGKILL everything in the cgroups (and all our children) until nothing is left."""
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while time.monotonic() < deadline:
        left = {pid for group in groups for pid in pids_in(group)}
        if children_too and reap_all():
            left |= children_of(os.getpid())
        if not left:
            return
        for pid in left - {os.getpid()}:
            quietly(os.kill, pid, signal.SIGKILL)
        time.sleep(0.002)


def pids_in(group: str) -> list[int]:
    """Read a cgroup's processes; none when it is gone."""
    try:
        with open(f"{group}/cgroup.procs", encoding="utf-8") as file:  # noqa: PTH123
            return [int(line) for line in file]
    except OSError:
        return []


def remove_groups(groups: list[str]) -> None:
    """Remove empty cgroups; only ever ones that we made."""
    for group in groups:
        if os.path.basename(os.path.dirname(group)) == "verdazul":  # noqa: PTH119, PTH120
            quietly(os.rmdir, group)


def oom_kills(path: str | None) -> int:
    """Read how often the kernel killed in that cgroup for want of memory."""
    try:
        with open(path or os.devnull, encoding="utf-8") as file:  # noqa: PTH123
            lines = [line.split() for line in file]
    except OSError:
        return 0
    return sum(int(value) for key, value in lines if key == "oom_kill")
