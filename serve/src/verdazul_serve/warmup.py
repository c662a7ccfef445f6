"""Requests of the user's own that are run before a worker calls itself ready (VERDAZUL_WARMUP).

One file holds one request body; a folder holds several, taken in the order of their names, hidden
ones left out. They are no requests in the figures. What the
first calls of a model load or compile then costs no caller. A warm-up that fails is a failed start:
a model that cannot answer its own example should not receive traffic.
"""

from __future__ import annotations

import os
import time

from verdazul_serve.answers import Answer, Stream
from verdazul_serve.failure import BootFailure
from verdazul_serve.logs import server as log
from verdazul_serve.reading import Request
from verdazul_serve.results import AsyncItems
from verdazul_serve.score import Scorer
from verdazul_serve.settings import Settings

_GOOD = range(200, 300)


def run(scorer: Scorer, settings: Settings) -> None:
    """Raises BootFailure (WarmUpFailed, ConfigurationError)."""
    if settings.warmup is None:
        return
    started = time.monotonic()
    paths = _files(os.path.join(settings.app_root, settings.warmup))  # noqa: PTH118
    for path in paths:
        status = _score(scorer, _request(path))
        if status not in _GOOD:
            raise BootFailure(
                "WarmUpFailed",
                f"the warm-up request {path} was answered with {status}",
                fix="correct run() or the request; the log shows what run() raised",
            )
    log.info("warmed up with %d requests in %.3f s", len(paths), time.monotonic() - started)


def _files(path: str) -> list[str]:
    try:
        names = sorted(os.listdir(path)) if os.path.isdir(path) else []  # noqa: PTH112, PTH208
        shown = [name for name in names if not name.startswith(".")]
        found = [os.path.join(path, name) for name in shown]  # noqa: PTH118
        found = [each for each in found if os.path.isfile(each)]  # noqa: PTH113
    except OSError:
        found = []
    if os.path.isfile(path):  # noqa: PTH113
        found = [path]
    if not found:
        raise BootFailure(
            "ConfigurationError",
            f"VERDAZUL_WARMUP names {path}, which is neither a file nor a folder with files",
            fix="name a file with a request body, relative to the code folder",
        )
    return found


def _request(path: str) -> Request:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            body = file.read()
    except OSError as reason:
        raise BootFailure(
            "ConfigurationError",
            f"the warm-up request {path} cannot be read: {reason.strerror}",
            fix="let the file be read by everyone, or take it away",
        ) from None
    headers = (("content-type", "application/json"), ("content-length", str(len(body))))
    return Request("POST", "/score", headers, body)


def _score(scorer: Scorer, request: Request) -> int:
    script = scorer.script
    if script.batch:
        return _status(scorer.score_batch([request])[0])
    if script.is_async:
        return int(script.coroutines.finish(_async_status(scorer, request)))
    return _status(scorer.score(request))


async def _async_status(scorer: Scorer, request: Request) -> int:
    outcome = await scorer.score_async(request)
    if isinstance(outcome, Stream) and isinstance(outcome.items, AsyncItems):
        await outcome.items.aclose()
        return outcome.head.status
    return _status(outcome)


def _status(outcome: Answer | Stream) -> int:
    if isinstance(outcome, Answer):
        return outcome.status
    outcome.items.close()  # type: ignore[union-attr]  # Items
    return outcome.head.status
