"""Azure's request-id rules: what a response repeats of a request's identity."""

from __future__ import annotations

import uuid

from verdazul_serve.logs import server as log
from verdazul_serve.reading import Request

_LONGEST = 100
_DEPRECATED = (
    "x-ms-request-id header has been deprecated and will be removed from future versions of the"
    " server. Please use x-ms-client-request-id."
)


class TooLong(Exception):
    """An id header is over the limit; `ids` may still be sent back."""

    def __init__(self, message: str, ids: tuple[tuple[str, str], ...]) -> None:
        super().__init__(message)
        self.ids = ids


def response_ids(request: Request) -> tuple[tuple[str, str], ...]:
    """Header pairs for the response; empty ids are left out. Raises TooLong."""
    own = request.header("x-request-id")
    if own is None:
        own = str(uuid.uuid4())
    if len(own) > _LONGEST:
        raise TooLong(f"x-request-id must not exceed {_LONGEST} characters", ())
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
