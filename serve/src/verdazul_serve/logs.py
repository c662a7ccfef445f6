"""Log lines in Azure's format, in UTC, on stdout; and print() as log lines.

`2026-11-22 17:49:25,959 I [19668] azmlinfsrv.user_script - Invoking user's init function`
Only the loggers below `azmlinfsrv` are configured: the root logger belongs to the user's script.
While a request runs, its id is on every line, the script's own logging included (log_marks.py).
"""

from __future__ import annotations

import builtins
import functools
import io
import logging
import os
import sys
import time
from typing import Any, Protocol

from verdazul_serve import log_file, log_marks
from verdazul_serve.failure import BootFailure
from verdazul_serve.log_config import FORMAT, AMLLogFormatter
from verdazul_serve.log_marks import before_emit, escaped, mark
from verdazul_serve.settings import Settings

__all__ = [
    "FORMAT",
    "AccessLog",
    "before_emit",
    "configure",
    "give_up_unwritten",
    "hook_print",
    "load_config",
    "load_config_if_possible",
    "server",
    "user_script",
]

server = logging.getLogger("azmlinfsrv")
user_script = logging.getLogger("azmlinfsrv.user_script")
_print = logging.getLogger("azmlinfsrv.print")
_handler: logging.Handler = logging.NullHandler()
_MILLISECONDS = tuple(f",{number:03d}" for number in range(1000))  # a sixth of a line's time


def configure(level: str = "INFO") -> None:
    """May be called again to change the level."""
    global _handler  # noqa: PLW0603  # AccessLog asks whether it is still in charge
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    _handler = logging.StreamHandler(sys.stdout)
    _handler.setFormatter(AMLLogFormatter())
    server.handlers[:] = [_handler]
    server.setLevel(level)
    server.propagate = False
    _print.setLevel(logging.INFO)  # what the user prints is never filtered away
    log_marks.install()


def give_up_unwritten() -> None:
    """At the end: a log that takes nothing more would otherwise make the exit code 120."""
    ours = (sys.__stdout__, sys.__stderr__)  # whatever a script has put in their place
    for stream in (each for each in ours if each and not each.closed):
        try:
            stream.flush()
        except OSError:  # noqa: PERF203  # each on its own
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def load_config(settings: Settings) -> None:
    """Apply the user's logging.json, if there is one. Raises BootFailure."""
    path = log_file.find(settings.app_root, settings.entry_script)
    if path:
        log_file.apply(path)
        server.info("Loaded logging config from %s", path)


def load_config_if_possible(settings: Settings) -> None:
    """For the parent: a file may name classes in the user's code, which only workers import."""
    try:
        load_config(settings)
    except BootFailure:
        configure(settings.log_level)


def hook_print() -> None:
    """Turn print() to stdout into log lines; prints to any other file stay as they are."""
    original = builtins.print
    stdout = sys.stdout

    @functools.wraps(original)
    def hooked(
        *values: object,
        sep: str | None = " ",
        end: str | None = "\n",
        file: Any = None,
        flush: bool = False,
    ) -> None:
        if (file or sys.stdout) is stdout:
            _print.info("%s", (" " if sep is None else sep).join(map(str, values)))
        else:
            original(*values, sep=sep, end=end, file=file, flush=flush)

    builtins.print = hooked


class Sink(Protocol):
    """Takes finished lines; whoever owns it writes them out, soon and in `before_emit`."""

    def write(self, data: bytes, /) -> object: ...


class AccessLog:
    """One line per request: `POST /score 200 0.583ms 2`, for a fraction of what `logging` costs.

    It writes the very text that `logging` would, as long as nobody has changed how the server logs;
    whether somebody has, is looked at once a second.
    """

    def __init__(self, sink: Sink) -> None:
        self._write = sink.write
        self._plain = ""  # the last target that needed no escaping
        self._name = f" I [{os.getpid()}] {server.name}"
        self._begin(time.time_ns() // 1_000_000_000)

    @property
    def is_fast(self) -> bool:
        return self._is_fast

    def write(  # noqa: PLR0917  # names cost time, and this is called for each request
        self,
        method: str,
        target: str,
        status: int,
        seconds: float,
        length: str,
        request_id: str = "",
        trace_id: str = "",
    ) -> None:
        """`length` is the body's size, or `N/A` for a stream."""
        second, rest = divmod(time.time_ns(), 1_000_000_000)
        if second != self._second:
            self._begin(second)
        if target != self._plain:  # most are the same as the last one
            if target.isascii() and target.isprintable() and "\\" not in target:
                self._plain = target
            else:
                target = escaped(target)
        if not self._is_fast:
            ids = {"request_id": request_id, "trace_id": trace_id}
            text = "%s %s %d %.3fms %s"
            server.info(text, method, target, status, seconds * 1000, length, extra=ids)
            return
        is_common = request_id and not trace_id and request_id.isprintable()
        shown = f" [{request_id}]" if is_common else mark(request_id, trace_id)
        when = self._time + _MILLISECONDS[rest // 1_000_000]
        took = f"{seconds * 1000:.3f}ms {length}"
        line = f"{when}{self._name}{shown} - {method} {target} {status} {took}\n"
        self._write(line.encode())

    def _begin(self, second: int) -> None:
        self._second = second
        self._time = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))
        self._is_fast = _is_ours()


def _is_ours() -> bool:
    """Whether an INFO line of the server goes through our handler, and through nothing else."""
    changed = server.filters or _handler.filters or server.propagate or server.disabled
    is_alone = server.handlers == [_handler] and _handler.level <= logging.INFO
    return is_alone and not changed and server.isEnabledFor(logging.INFO)
