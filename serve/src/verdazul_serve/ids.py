"""Azure's request-id rules: what a response repeats of a request's identity."""

from __future__ import annotations

import os

from verdazul_serve import context
from verdazul_serve.logs import server as log
from verdazul_serve.reading import Request

_LONGEST = 100
_DEPRECATED = (
    "x-ms-request-id header has been deprecated and will be removed from future versions of the"
    " server. Please use x-ms-client-request-id."
)

Pairs = tuple[tuple[str, str], ...]


class TooLong(Exception):
    """An id header is over the limit; `ids` may still be sent back."""

    def __init__(self, message: str, ids: Pairs) -> None:
        super().__init__(message)
        self.ids = ids


def response_ids(request: Request) -> Pairs:
    """Header pairs for the response; empty ids are left out. Raises TooLong."""
    own = request.header("x-request-id")
    if own is None:
        own = new_id()
    if len(own) > _LONGEST:
        raise TooLong(f"x-request-id must not exceed {_LONGEST} characters", ())
    fields = request.fields
    if b"x-ms-request-id" in fields or b"x-ms-client-request-id" in fields or b"traceid" in fields:
        return _with_client_ids(request, own)
    return (("x-request-id", own), ("x-ms-request-id", own)) if own else ()


def new_id() -> str:
    """A random UUID, version 4."""
    text = os.urandom(16).hex()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


def marks(request: Request, pairs: Pairs) -> context.Ids:
    """What the log says of a request: its id, and its trace if the caller sent one."""
    traceparent = request.header("traceparent")
    return (pairs[0][1] if pairs else "", context.trace_id(traceparent) if traceparent else "")


def _with_client_ids(request: Request, own: str) -> Pairs:
    old = request.header("x-ms-request-id") or ""
    client = request.header("x-ms-client-request-id") or ""
    if old:
        log.warning(_DEPRECATED)
    if max(len(old), len(client)) > _LONGEST:
        names = "x-ms-request-id and x-ms-client-request-id"
        ids = (("x-request-id", own),) if own else ()
        raise TooLong(f"{names} must not exceed {_LONGEST} characters", ids)
    pairs = (
        ("x-request-id", own),
        ("x-ms-request-id", old or client or own),
        ("x-ms-client-request-id", client or old),
        ("TraceId", request.header("traceid") or ""),
    )
    return tuple((name, value) for name, value in pairs if value)
