"""How a process ended, in words; and the promise that none outlives the server."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # of getrusage's ru_maxrss, in bytes


def describe(status: int) -> str:
    """`status` as waitpid gives it."""
    if not os.WIFSIGNALED(status):
        return f"exit code {os.WEXITSTATUS(status)}"
    number = os.WTERMSIG(status)
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "unknown"
    return f"killed by signal {number} ({name})"


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent` ends, however it ends.

    Without ctypes (or on another system) the closed socket to the parent ends it a little later.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (ImportError, OSError, AttributeError):
        return
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def ignore_stop_signals() -> None:
    """SIGTERM and SIGINT are for the parent alone, even when a whole process group gets them.

    A handler, not SIG_IGN: that would be inherited by the programs a script starts. Processes a
    script forks keep the usual meaning.
    """
    owner = os.getpid()

    def unless_forked(number: int, _frame: object) -> None:
        if os.getpid() != owner:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, unless_forked)


def prefer_for_oom_kill(score: int) -> None:
    """Have the kernel choose this process, of ours, when memory runs out."""
    path = "/proc/self/oom_score_adj"
    with contextlib.suppress(OSError), open(path, "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(str(score))
