"""Exit -> Problem: how an instance ended, in words that tell its owner what to change.

The most specific witness wins: our own verdict (a probe failed), the server's failure file (init()
raised), the kernel (out of memory), then the bare exit code or signal with the end of the log.
"""

from __future__ import annotations

import signal
from typing import Any

from verdazul.compute import logs
from verdazul.compute.folder import Folder
from verdazul.core.instance import Exit
from verdazul.model.errors import Problem

TAIL_LINES = 20
_CODE = "ResourceNotReady"
_TEXT_LIMIT = 4000
_CLOCK_STEP_SECONDS = 0.02  # a file's time may lie one kernel tick behind
_SIGNALS = {
    signal.SIGKILL: (
        "was killed by someone (SIGKILL)",
        "if nobody did, the machine may have run out of memory: see the kernel's log (dmesg)",
    ),
    signal.SIGSEGV: (
        "crashed in native code (SIGSEGV)",
        "a compiled package is broken or does not fit this machine; pin another version of it",
    ),
    signal.SIGBUS: (
        "crashed in native code (SIGBUS)",
        "a mapped file shrank or shared memory ran out (/dev/shm); see the log",
    ),
    signal.SIGILL: (
        "crashed in native code (SIGILL)",
        "a compiled package uses instructions this CPU lacks; use another build of it",
    ),
    signal.SIGABRT: (
        "aborted in native code (SIGABRT)",
        "see the log for what the library printed before it gave up",
    ),
    signal.SIGTERM: ("was told to end (SIGTERM) by someone else", "find out who sent the signal"),
}


def exit_of(folder: Folder, ended: dict[str, Any]) -> Exit:
    """Read the witnesses beside `ended` (what exit.json says)."""
    # an earlier run's words would only mislead
    began = (folder.marker("launch") or {}).get("at", 0.0) - _CLOCK_STEP_SECONDS
    tail = tuple(logs.tail(folder.log, TAIL_LINES, since=began))
    problem = (
        _from_verdict(folder.marker("verdict"), tail)
        or _from_server(folder.marker("failure"))
        or _from_memory(folder, ended, tail)
        or _from_status(ended, tail)
    )
    return Exit(code=ended.get("code"), signal=ended.get("signal"), problem=problem)


def _from_verdict(verdict: dict[str, Any] | None, tail: tuple[str, ...]) -> Problem | None:
    if verdict is None:
        return None
    return Problem(_CODE, str(verdict.get("message")), str(verdict.get("fix", "")), log_tail=tail)


def _from_server(failure: dict[str, Any] | None) -> Problem | None:
    """The server's own words; user code can write this file too, so nothing in it is trusted."""
    if failure is None or not failure.get("message"):
        return None
    traceback = failure.get("traceback")
    lines = traceback if isinstance(traceback, list) else []
    return Problem(
        str(failure.get("code") or _CODE)[:100],
        _text(failure, "message"),
        _text(failure, "fix"),
        _text(failure, "where"),
        log_tail=tuple(str(line).rstrip("\n")[:1000] for line in lines[-2 * TAIL_LINES :]),
    )


def _text(failure: dict[str, Any], key: str) -> str:
    return str(failure.get(key) or "")[:_TEXT_LIMIT]


def _from_memory(folder: Folder, ended: dict[str, Any], tail: tuple[str, ...]) -> Problem | None:
    if not ended.get("oom") or ended.get("code") == 0:
        return None
    launch = folder.launch()
    granted = _gib(launch.limits.memory_bytes) if launch else "memory"
    return Problem(
        _CODE,
        f"the instance used more than its {granted} and was killed by the kernel "
        f"(peak of one process: {_gib(ended.get('peak_memory') or 0)})",
        "choose an instance_type with more memory, or load less: a smaller model, fewer workers",
        log_tail=tail,
    )


def _from_status(ended: dict[str, Any], tail: tuple[str, ...]) -> Problem:
    what, fix = _words(ended)
    if not tail:
        what += "; it printed nothing"
    return Problem(_CODE, what, fix, log_tail=tail)


def _words(ended: dict[str, Any]) -> tuple[str, str]:
    number, code = ended.get("signal"), ended.get("code")
    if ended.get("error"):
        return (
            f"the instance could not be started: {ended['error']}",
            "the environment or the working folder is gone; update the deployment to rebuild it",
        )
    if number is not None:
        what, fix = _SIGNALS.get(number, (f"was ended by {_name(number)}", "see the log"))
        return f"the instance {what}", fix
    if code == 0:
        return (
            "the instance ended by itself with exit code 0, but it must go on serving",
            "remove sys.exit(), exit() or quit() from the scoring script",
        )
    return f"the instance ended with exit code {code}", "see the end of its log for the cause"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _gib(size: int) -> str:
    if size >= 1024**3:
        return f"{size / 1024**3:.4g} GiB"
    return f"{size / 1024**2:.4g} MiB"
