"""The bytes of an answer: what every response carries is added here, whoever answers."""

from __future__ import annotations

from typing import NamedTuple

from verdazul_serve import cors, wire
from verdazul_serve.answers import Answer, Stream
from verdazul_serve.ids import Pairs
from verdazul_serve.reading import Request
from verdazul_serve.settings import Settings

_OWN_HEADERS = 3  # an answer with more has those of a script's own response, which may not set ids
_OURS = frozenset({"x-request-id", "x-ms-request-id", "x-ms-client-request-id"})


class Opening(NamedTuple):
    """How a stream begins; `keep` says whether the connection lives on after it."""

    head: bytes
    is_chunked: bool
    keep: bool
    is_bare: bool  # HEAD: no body follows

    def piece(self, data: bytes) -> bytes:
        return wire.chunk(data) if self.is_chunked else data

    @property
    def end(self) -> bytes:
        return wire.LAST_CHUNK if self.is_chunked else b""


class Replies:
    """Completes answers: server version, request ids, CORS."""

    def __init__(self, settings: Settings) -> None:
        version = settings.server_version
        self._version: Pairs = (("x-ms-server-version", version),) if version else ()
        self._origins = settings.cors_origins

    def complete(self, answer: Answer, request: Request, ids: Pairs) -> Answer:
        if self._origins:
            answer = cors.allowed(answer, self._origins, request)
        headers = answer.headers
        if len(headers) > _OWN_HEADERS:
            headers = tuple(pair for pair in headers if pair[0].lower() not in _OURS)
        return Answer(answer.status, (*headers, *self._version, *ids), answer.body)

    def whole(self, answer: Answer, request: Request, ids: Pairs, *, keep: bool) -> bytes:
        """Head and body."""
        complete = self.complete(answer, request, ids)
        framing = ("content-length", str(len(answer.body)))
        head = wire.head(complete, framing, keep=keep, http11=request.http11)
        return head if request.method == "HEAD" else head + answer.body

    def head(self, stream: Stream, request: Request, ids: Pairs, *, keep: bool) -> Opening:
        """Of a stream, chunked where its length is not known and the client understands that."""
        complete = self.complete(stream.head, request, ids)
        framing = ("transfer-encoding", "chunked") if request.http11 else None
        if stream.length is not None:
            framing = ("content-length", str(stream.length))
        keep = keep and framing is not None
        head = wire.head(complete, framing, keep=keep, http11=request.http11)
        is_chunked = framing is not None and stream.length is None
        return Opening(head, is_chunked=is_chunked, keep=keep, is_bare=request.method == "HEAD")
