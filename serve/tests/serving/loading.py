"""Scripts loaded within the test's own process, and everything that this changes put back."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from verdazul_serve import results, script
from verdazul_serve.answers import Answer, Stream
from verdazul_serve.reading import Request
from verdazul_serve.script import Script
from verdazul_serve.settings import Settings

_AZURES = ("azureml", "main", "verdazul_serve.compat.aml_")


def request(
    method: str = "POST", target: str = "/score", *, body: bytes = b"", **headers: str
) -> Request:
    """Header names with underscores for dashes."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Request(method, target, tuple(pairs), body)


@contextmanager
def loaded(
    folder: Path, text: str, *, files: Mapping[str, str] | None = None, **environ: str
) -> Iterator[Script]:
    for name, content in {"score.py": text, **(files or {})}.items():
        (folder / name).write_text(content, encoding="utf-8")
    named = {"AML_APP_ROOT": str(folder), "AZUREML_ENTRY_SCRIPT": "score.py", **environ}
    with imports_put_back():
        yield script.load(Settings.read(named, cwd=str(folder)))


@contextmanager
def imports_put_back() -> Iterator[None]:
    """sys.path, the finders, Azure's modules and what inference-schema knows of `run`."""
    path, finders = sys.path[:], sys.meta_path[:]
    kept = {name: module for name, module in sys.modules.items() if not name.startswith(_AZURES)}
    try:
        yield
    finally:
        sys.path[:], sys.meta_path[:] = path, finders
        for name in [name for name in sys.modules if name.startswith(_AZURES)]:
            del sys.modules[name]
        sys.modules.update(kept)
        schemas: Any = sys.modules.get("inference_schema.schema_util")
        if schemas:
            schemas.__functions_schema__.clear()
            schemas.__versions__.clear()


def answered(script: Script, request: Request) -> Answer | Stream:
    """What a worker answers when run() raises nothing."""
    result = script.function(**script.arguments(request))
    if script.is_async:
        result = asyncio.run(result)
    return results.render(results.begin(result), exec_ms=1.5)


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


@contextmanager
def logged(name: str) -> Iterator[list[str]]:
    """What this logger of the server says meanwhile, however logging is configured."""
    logger, lines = logging.getLogger(name), list[str]()
    handler, level = _Lines(lines), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
