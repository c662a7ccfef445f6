"""What a process that logs as the server does wrote: logging belongs to the whole process."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

from .process import SOURCE

STAMP = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "
PRELUDE = f"""
import logging, os, sys
sys.path.append({SOURCE!r})
from verdazul_serve import context, logs
from verdazul_serve.failure import BootFailure
from verdazul_serve.settings import Settings
settings = Settings.read(os.environ, cwd=os.getcwd())
logs.configure(settings.log_level)
class Sink:
    def write(self, data): os.write(1, data)
"""


class Told:
    """What a process wrote, with stamps and its own pid left out."""

    def __init__(self, ended: subprocess.CompletedProcess[str]) -> None:
        self.raw = ended.stdout
        self.out = [_plain(line) for line in ended.stdout.splitlines()]
        self.err = ended.stderr.splitlines()


def _plain(line: str) -> str:
    return re.sub(r"\[\d+\] ", "", re.sub(STAMP, "", line), count=1)


def run(code: str, *, folder: Path | None = None, **environ: str) -> Told:
    ended = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env=environ,
        timeout=60,
    )
    return Told(ended)


ACCESS = """
log = logs.AccessLog(Sink())
log.write("POST", "/score", 200, 0.0005834, "2", request_id="id-1")
log.write("GET", "/score?a=\\u00e9\\\\", 500, 61.5, "N/A", request_id="id-2", trace_id="t")
log.write("GET", "/score", 200, 0, "0")
"""
LINES = [
    "I azmlinfsrv [id-1] - POST /score 200 0.583ms 2",
    r"I azmlinfsrv [id-2 t] - GET /score?a=\xe9\\ 500 61500.000ms N/A",
    "I azmlinfsrv - GET /score 200 0.000ms 0",
]
