"""The bytes of an answer: what every response carries is added here, whoever answers."""

from __future__ import annotations

import re
from typing import NamedTuple

from verdazul_serve import cors, wire
from verdazul_serve.answers import INTERNAL, Answer, Stream, error
from verdazul_serve.ids import Pairs
from verdazul_serve.logs import server as log
from verdazul_serve.reading import Request
from verdazul_serve.settings import Settings

_OWN_HEADERS = 3  # an answer with more has those of a script's own response, which may not set ids
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD_VALUE = re.compile(r"[\x00\r\n]")


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
        """Refuses headers of a script that would break the response."""
        if len(answer.headers) > _OWN_HEADERS and not all(map(_is_good, answer.headers)):
            log.error("run() returned a header that HTTP does not allow; it is not sent")
            answer = error(500, INTERNAL)
        return Answer(answer.status, self._headers(answer, request, ids), answer.body)

    def whole(self, answer: Answer, request: Request, ids: Pairs, *, keep: bool) -> bytes:
        """Head and body."""
        headers = answer.headers
        if self._origins or len(headers) > _OWN_HEADERS:
            answer = self.complete(answer, request, ids)
            headers = answer.headers
        else:
            headers = (*headers, *self._version, *ids)
        is_bare = request.method == "HEAD"
        http11 = request.http11
        return wire.whole(
            answer.status, headers, answer.body, keep=keep, http11=http11, is_bare=is_bare
        )

    def head(self, stream: Stream, request: Request, ids: Pairs, *, keep: bool) -> Opening:
        """Of a stream, chunked where its length is not known and the client understands that."""
        answer = self.complete(stream.head, request, ids)
        is_chunked = stream.length is None and request.http11
        framing = wire.CHUNKED if is_chunked else ""
        if stream.length is not None:
            framing = wire.length(stream.length)
        keep = keep and bool(framing)
        head = wire.head(answer.status, answer.headers, framing, keep=keep, http11=request.http11)
        return Opening(head, is_chunked=is_chunked, keep=keep, is_bare=request.method == "HEAD")

    def _headers(self, answer: Answer, request: Request, ids: Pairs) -> Pairs:
        headers = answer.headers
        if self._origins:
            headers = cors.merged(headers, self._origins, request)
        if len(headers) > _OWN_HEADERS:
            ours = {name for name, _ in ids}  # in lower case, but for TraceId, which adds up
            headers = tuple(pair for pair in headers if pair[0].lower() not in ours)
        return (*headers, *self._version, *ids)


def _is_good(pair: tuple[str, str]) -> bool:
    return bool(_NAME.fullmatch(pair[0])) and not _BAD_VALUE.search(pair[1])
