"""The kernel's answers and files that are whole or absent, in as few imports as can be.

Some of it verdazul has elsewhere, on top of modules that would cost a shim more than it weighs.
"""

from __future__ import annotations

import ctypes
import json
import os
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def prctl(option: int, value: int) -> None:
    """Ask the kernel; the standard library has no other way."""
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def birth(pid: int) -> str | None:
    """Name when it began, in the words of verdazul.processes (whose imports are too heavy here)."""
    fields = stat_fields(pid)
    if not fields or fields[0] in "ZX":
        return None
    with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:  # noqa: PTH123
        return f"{file.read().strip()}/{fields[19]}"


def stat_fields(pid: int) -> list[str]:
    """Read /proc/PID/stat from the state on; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def children_of(parent: int) -> set[int]:
    """Look through /proc for processes whose parent this is."""
    found = set()
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit() and stat_fields(int(name))[1:2] == [str(parent)]:
            found.add(int(name))
    return found


def reap_all() -> bool:
    """Collect children that ended; true while others are left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def write_json(path: str, content: object) -> None:
    """All or nothing, also across a power cut. Raises OSError."""
    temporary = f"{path}.{os.getpid()}.tmp"
    write_text(temporary, json.dumps(content), sync=True)
    os.replace(temporary, path)  # noqa: PTH105


def write_text(path: str, text: str, *, sync: bool = False) -> None:
    """Write in one go, readable for us alone."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, text.encode())
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)


def now() -> float:
    """Return unix seconds; the shim is the adapter here."""
    return time.time()  # noqa: TID251


def quietly(function: object, *arguments: object) -> None:
    """Call it; that its target is gone already is fine."""
    try:
        function(*arguments)  # type: ignore[operator]  # typing.Callable would cost its import
    except OSError:
        return
