"""Log lines in Azure's format, in UTC, on stdout; and print() as log lines.

`2026-11-22 17:49:25,959 I [19668] azmlinfsrv.user_script - Invoking user's init function`
Only the loggers below `azmlinfsrv` are configured: the root logger belongs to the user's script.
"""

from __future__ import annotations

import builtins
import io
import logging
import sys
import time
from typing import Any

FORMAT = "%(asctime)s %(levelname).1s [%(process)d] %(name)s - %(message)s"

server = logging.getLogger("azmlinfsrv")
user_script = logging.getLogger("azmlinfsrv.user_script")
_print = logging.getLogger("azmlinfsrv.print")


def configure(level: str = "INFO") -> None:
    """May be called again to change the level."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    formatter = logging.Formatter(FORMAT)
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    server.handlers[:] = [handler]
    server.setLevel(level)
    server.propagate = False
    _print.setLevel(logging.INFO)  # what the user prints is never filtered away


def hook_print() -> None:
    """Turn print() to stdout into log lines; prints to any other file stay as they are."""
    original = builtins.print
    stdout = sys.stdout

    def hooked(*values: object, **options: Any) -> None:
        file = options.get("file") or sys.stdout
        if file is not stdout:
            original(*values, **options)
            return
        separator = options.get("sep")
        _print.info("%s", (" " if separator is None else separator).join(map(str, values)))

    builtins.print = hooked
