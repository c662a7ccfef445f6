"""Whether the kernel killed a worker for its memory, and what the limit and the peak were.

The parent looks at the counters of its own control group, v2 or v1, when a worker died by SIGKILL.
"""

from __future__ import annotations

import os
import signal

_V1 = "/sys/fs/cgroup/memory"
_V2 = "/sys/fs/cgroup"
_UNLIMITED = 1 << 60


class Watch:
    """Remembers how many kills there had been before."""

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder or _own_group()
        self._kills = self._count()

    def explain(self, how: str, status: int, *, peak_bytes: int) -> str:
        """`how` a worker ended, with what memory has to do with it."""
        peak = f" (its peak was {_mebibytes(peak_bytes)})" if peak_bytes else ""
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            return how
        before, self._kills = self._kills, self._count()
        if self._kills <= before:
            return f"{how}; the machine or its memory limit may be exhausted{peak}"
        limit = self._limit()
        allowed = f"the memory limit of {_mebibytes(limit)}" if limit else "the machine's memory"
        return f"killed by the kernel: {allowed} was used up{peak}"

    def _count(self) -> int:
        for name in ("memory.events", "memory.oom_control"):
            for line in _read(self._folder, name).splitlines():
                key, _, value = line.partition(" ")
                if key == "oom_kill":
                    return int(value)
        return 0

    def _limit(self) -> int:
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _read(self._folder, name).strip()
            if text.isdecimal() and int(text) < _UNLIMITED:
                return int(text)
        return 0


def _own_group() -> str:
    """The folder of the control group that limits our memory; "" when there is none to be seen."""
    for line in _read("/proc/self", "cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if "memory" in controllers.split(","):
            return _nearest(_V1, path)
        if number == "0" and os.path.exists(f"{_V2}/cgroup.controllers"):  # noqa: PTH110
            return _nearest(_V2, path)
    return ""


def _nearest(mount: str, path: str) -> str:
    folder = mount + path
    return folder if os.path.isdir(folder) else mount  # noqa: PTH112


def _read(folder: str, name: str) -> str:
    try:
        with open(f"{folder}/{name}", encoding="ascii") as file:  # noqa: PTH123
            return file.read()
    except (OSError, ValueError):
        return ""


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"
