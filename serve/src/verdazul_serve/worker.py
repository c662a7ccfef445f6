"""One worker process: loads the script, then runs one request at a time in its main thread.

Scripts may rely on no concurrency within a process, and on signals. It talks to the parent over one
socket; when that ends, so does the worker, through the interpreter's ordinary exit.
"""

from __future__ import annotations

import errno
import faulthandler
import os
import select
import socket

from verdazul_serve import exits, frames, logs, script
from verdazul_serve.answers import Answer
from verdazul_serve.failure import EXIT_CODE, BootFailure
from verdazul_serve.frames import Kind
from verdazul_serve.score import Input, Stream, log_exception, score
from verdazul_serve.script import Script
from verdazul_serve.settings import Settings

# Ours alone: a script's own children have no use for them.
_PRIVATE = ("VERDAZUL_LISTEN_FD", "VERDAZUL_FAILURE_FILE")


def serve(link: socket.socket, settings: Settings, *, parent: int) -> int:
    """Run until the parent closes the link; returns the exit code."""
    exits.die_with_parent(parent)
    exits.ignore_stop_signals()
    faulthandler.enable()
    logs.hook_print()
    for name in _PRIVATE:
        os.environ.pop(name, None)
    try:
        return _serve(link, settings)
    except frames.LinkLost as lost:
        if getattr(lost.__cause__, "errno", None) == errno.EBADF:
            logs.server.error("the script closed the server's socket; this worker ends")
        return 1


def _serve(link: socket.socket, settings: Settings) -> int:
    try:
        loaded = script.load(settings)
    except BootFailure as failure:
        frames.send(link, Kind.FAILED, body=failure.problem.to_json())
        return EXIT_CODE
    logs.server.info("Scoring timeout is set to %d", settings.scoring_timeout_ms)
    frames.send(link, Kind.READY)
    logs.server.info("Worker with pid %d ready for serving traffic", os.getpid())
    _run_requests(link, loaded, settings.scoring_timeout_ms)
    return 0


def _run_requests(link: socket.socket, loaded: Script, timeout_ms: int) -> None:
    while True:
        frame = frames.read(link)
        if frame is None:
            return
        if frame.kind is not Kind.SCORE:  # a CANCEL that crossed our END
            continue
        headers = tuple((name, value) for name, value in frame.meta["headers"])
        request = Input(frame.meta["method"], frame.meta["query"], headers, frame.body)
        _answer(link, score(loaded, request, timeout_ms=timeout_ms))


def _answer(link: socket.socket, outcome: Answer | Stream) -> None:
    if isinstance(outcome, Answer):
        frames.send(link, Kind.ANSWER, _meta(outcome), outcome.body)
        return
    frames.send(link, Kind.BEGIN, _meta(outcome.head))
    frames.send(link, _stream(link, outcome))


def _stream(link: socket.socket, stream: Stream) -> Kind:
    """Send the items until they end or nobody reads them; returns how it ended."""
    try:
        for item in stream.items:
            if _cancelled(link):
                stream.items.close()  # type: ignore[attr-defined]  # a generator of ours
                break
            if item:
                frames.send(link, Kind.CHUNK, body=item)
    except frames.LinkLost:
        raise
    except BaseException as reason:  # noqa: BLE001  # the head is out: break the stream visibly
        log_exception(reason)
        return Kind.BROKEN
    return Kind.END


def _cancelled(link: socket.socket) -> bool:
    readable, _, _ = select.select([link], [], [], 0)
    return bool(readable)


def _meta(answer: Answer) -> dict[str, object]:
    return {"status": answer.status, "headers": answer.headers}
