"""Whether processes may be forked from one that has loaded the script: its model is then shared.

A fork copies memory (as it is written to, so an untouched model stays shared) but only the thread
that forks. Threads, connections and event loops that init() made would be broken in the copies.
Libraries that know about forks end their threads when one is about to happen (OpenBLAS does), and
then it is safe: so the question is put after a trial fork, to what is left.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable

_KEPT_APART = ("socket:", "anon_inode:[eventpoll]", "anon_inode:[io_uring]", "/dev/nvidia")


def open_things() -> frozenset[str]:
    """What this process has open that two processes must not share, by the kernel's names."""
    return frozenset(name for name in _descriptors() if name.startswith(_KEPT_APART))


def obstacle(before: frozenset[str]) -> str:
    """Why no worker may be forked from here; "" when all is well. `before` loading, see above."""
    others = [each.name for each in threading.enumerate() if each is not threading.main_thread()]
    if others:
        return f"the script has started threads ({', '.join(others[:5])})"
    opened = sorted(open_things() - before)
    if opened:
        kind = opened[0].partition(":[")[0]
        return f"the script holds {len(opened)} open connections or loops ({kind})"
    _try_fork()
    left = _thread_count() - 1
    if left:
        return f"a library has {left} threads running that a fork would lose"
    return ""


def _try_fork() -> None:
    """Libraries with fork handlers end their threads in the parent of this."""
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)


def _thread_count() -> int:
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208
    except OSError:
        return 2  # it cannot be told: assume the worst


def _descriptors() -> Iterable[str]:
    try:
        names = os.listdir("/proc/self/fd")  # noqa: PTH208
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(f"/proc/self/fd/{name}")  # noqa: PTH115
        except OSError:  # noqa: PERF203  # it was closed meanwhile
            continue
