"""The folder that instances append to their sys.path: verdazul_serve, what it needs, and what
scripts written for Azure import without asking for it (Flask and inference-schema, which Azure's
server brings along).

It lies beside the user's environment, not in it, and comes last on sys.path: the user's own pins
always win, and the environment is exactly what the conda file says. One copy serves every
environment of the same minor version of Python. See docs/decisions/0007.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import secrets
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from verdazul.environments.explain import explain
from verdazul.environments.folders import Folders, remove, touch
from verdazul.environments.interpreters import Interpreter
from verdazul.environments.run_uv import run_uv
from verdazul.model.errors import Fatal, VerdazulError

_PACKAGE = "verdazul_serve"
_OF_THE_EXTRA = re.compile(r"\s*(?:(?P<own>.+) and )?extra == [\"']azure[\"']\s*")
_SKIPPED = shutil.ignore_patterns("__pycache__", ".*_cache", "*.pyc")


@dataclass(frozen=True, slots=True)
class ServeSource:
    """The installed verdazul_serve: its folder, its requirements, and a digest over both."""

    package: Path
    requirements: tuple[str, ...]
    digest: str

    def folder(self, folders: Folders, minor: str) -> Path:
        """Where its overlay for Python `minor` lies, once it is made."""
        text = f"{self.digest} {minor} {sys.platform} {platform.machine()}"
        return folders.serve(hashlib.sha256(text.encode()).hexdigest()[:32])


def find_serve() -> ServeSource:
    """Look it up without importing it. Raises Fatal when it is not installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    try:
        wanted = importlib.metadata.requires(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        wanted = None
    if spec is None or spec.origin is None or wanted is None:
        raise Fatal(
            "verdazul_serve is not installed beside verdazul; instances cannot be started",
            code="ImageBuildFailure",
            fix="pip install verdazul-serve",
        )
    package = Path(spec.origin).parent
    requirements = tuple(sorted(filter(None, map(_needed, wanted))))
    return ServeSource(package, requirements, _digest(package, requirements))


def _needed(line: str) -> str:
    """A requirement that is always needed, or one of the extra `azure` without that condition.

    `flask>=2.3; extra == "azure"` -> `flask>=2.3`; "" for those of other extras.
    """
    requirement, _, condition = line.partition(";")
    if "extra ==" not in condition:
        return line
    match = _OF_THE_EXTRA.fullmatch(condition)
    if match is None:
        return ""
    return f"{requirement}; {match['own']}" if match["own"] else requirement


def _digest(package: Path, requirements: tuple[str, ...]) -> str:
    digest = hashlib.sha256("\n".join(requirements).encode())
    for path in sorted(package.rglob("*")):
        relative = path.relative_to(package)
        hidden = any(part.startswith((".", "__pycache__")) for part in relative.parts)
        if path.is_file() and not hidden:
            content = path.read_bytes()
            digest.update(f"\n{relative.as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


async def ensure_overlay(
    source: ServeSource,
    folders: Folders,
    interpreter: Interpreter,
    on_line: Callable[[str], None],
) -> Path:
    """Make it when it is missing; return its folder."""
    final = source.folder(folders, interpreter.minor)
    if not final.is_dir():
        async with folders.lock(final.name, lambda: on_line("waiting for the inference server")):
            if not final.is_dir():
                await _make(source, final, interpreter, on_line)
    touch(final)
    return final


async def _make(
    source: ServeSource, final: Path, interpreter: Interpreter, on_line: Callable[[str], None]
) -> None:
    """Unlike an environment it holds no path of its own, so it is moved into place when whole."""
    draft = final.parent / f".building-{final.name}~{secrets.token_hex(4)}"
    try:
        draft.mkdir()
        if source.requirements:
            await _install(source, draft, interpreter, on_line)
        copied = draft / _PACKAGE
        await asyncio.to_thread(shutil.copytree, source.package, copied, ignore=_SKIPPED)
        os.rename(draft, final)  # noqa: PTH104 - the system call: atomic
    finally:
        remove(draft)


async def _install(
    source: ServeSource, draft: Path, interpreter: Interpreter, on_line: Callable[[str], None]
) -> None:
    settings = draft / "uv.toml"
    settings.touch()  # uv looks no further up for a project's settings
    target = ["--target", str(draft), "--python", interpreter.path]
    status, lines = await run_uv(
        ["pip", "install", *target, *source.requirements],
        folder=draft,
        on_line=lambda line: on_line(line.strip()),
    )
    if status != 0:
        raise VerdazulError.of(explain(lines, python=str(interpreter)))
    for leftover in (settings, draft / ".lock"):
        leftover.unlink(missing_ok=True)
