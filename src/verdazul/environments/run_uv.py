"""Running uv: its output line by line, and its end when we are cancelled.

uv and all it starts (compilers, git) share a process group, so that a cancelled build leaves
nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from uv import find_uv_bin

from verdazul.environments.redact import redact
from verdazul.model.errors import Retryable

TIMEOUT_SECONDS = 3600.0
_KILL_SECONDS = 5.0
_KEPT_LINES = 400
_LINE_BYTES = 4000
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_NOT_OURS = re.compile(
    r"VERDAZUL_.*|VIRTUAL_ENV|CONDA_PREFIX|PYTHON(PATH|HOME|STARTUP)"
    r"|UV_(PYTHON|SYSTEM_PYTHON|TARGET|PREFIX|PROJECT|PROJECT_ENVIRONMENT|WORKING_DIR)"
)


async def run_uv(
    arguments: Sequence[str],
    *,
    folder: Path,
    on_line: Callable[[str], None],
    hold: Sequence[int] = (),
) -> tuple[int, list[str]]:
    """Run uv in `folder`; return its exit status and last lines. Kills it when cancelled.

    `hold` are file descriptors (locks) that live as long as uv does, even when we do not.
    """
    process = await _start(arguments, folder, hold)
    kept: deque[str] = deque(maxlen=_KEPT_LINES)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            async for line in _lines(process):
                kept.append(line)
                on_line(line)
            status = await process.wait()
    except TimeoutError:
        kept.append(f"error: it took longer than {TIMEOUT_SECONDS:.0f} seconds and was ended")
        return -1, list(kept)
    finally:
        await _end(process)
    return status, list(kept)


async def _start(
    arguments: Sequence[str], folder: Path, hold: Sequence[int]
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            find_uv_bin(),
            *arguments,
            cwd=folder,
            env=_environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            pass_fds=tuple(hold),
        )
    except OSError as error:
        raise Retryable(f"uv cannot be started: {error}") from None


def _environment() -> dict[str, str]:
    """Ours (proxies, certificates, index settings), without what points at our own Python."""
    kept = {name: value for name, value in os.environ.items() if not _NOT_OURS.fullmatch(name)}
    return kept | {
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "NO_COLOR": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }


async def _lines(process: asyncio.subprocess.Process) -> AsyncIterator[str]:
    """Split by hand: StreamReader.readline gives up on lines longer than its limit."""
    assert process.stdout is not None  # noqa: S101 - asked for with PIPE
    rest = b""
    while chunk := await process.stdout.read(65536):
        *whole, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
        for line in whole:
            yield _clean(line)
        rest = rest[-_LINE_BYTES:]
    if rest:
        yield _clean(rest)


def _clean(line: bytes) -> str:
    return redact(_COLOURS.sub("", line[:_LINE_BYTES].decode(errors="replace")).rstrip())


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill the whole group; uv writes into a folder that is thrown away, so no need to ask."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _KILL_SECONDS)
