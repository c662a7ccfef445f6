"""Azure's request-id rules: what a response repeats of a request's identity."""

from __future__ import annotations

import os

from verdazul_serve import context
from verdazul_serve.logs import server as log
from verdazul_serve.reading import Request

_LONGEST = 100
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_DEPRECATED = (
    "x-ms-request-id header has been deprecated and will be removed from future versions of the"
    " server. Please use x-ms-client-request-id."
)

_CLIENT = b"x-ms-client-request-id"
_GIVEN = frozenset({b"x-request-id", b"x-ms-request-id", _CLIENT, b"traceid"})
_AT_ONCE = 64  # asking the kernel is what takes time
_pool: list[str] = []
os.register_at_fork(after_in_child=_pool.clear)  # or two processes would give the same ids

Pairs = tuple[tuple[str, str], ...]


class TooLong(Exception):
    """An id header is over the limit; `ids` may still be sent back."""

    def __init__(self, message: str, ids: Pairs) -> None:
        super().__init__(message)
        self.ids = ids


def response_ids(request: Request) -> Pairs:
    """Header pairs for the response. Raises TooLong."""
    fields = request.fields
    if _GIVEN.isdisjoint(fields):
        own = new_id()
        return ("x-request-id", own), ("x-ms-request-id", own)
    return _repeated(request)


def new_id() -> str:
    """A random UUID, version 4."""
    if not _pool:
        digits = os.urandom(_AT_ONCE * 16).hex()
        _pool.extend(digits[start : start + 32] for start in range(0, len(digits), 32))
    text = _pool.pop()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:]}"


def marks(request: Request, pairs: Pairs) -> context.Ids:
    """What the log says of a request: its id, and its trace if the caller sent one."""
    traceparent = request.fields.get(b"traceparent")
    trace = context.trace_id(traceparent.decode("latin-1")) if traceparent else ""
    return pairs[0][1] if pairs else "", trace


def _repeated(request: Request) -> Pairs:
    given = {name: _joined(request, name) for name in _GIVEN}
    own, old, client = given[b"x-request-id"], given[b"x-ms-request-id"], given[_CLIENT]
    own = new_id() if own is None else own
    if len(own) > _LONGEST:
        raise TooLong(f"x-request-id must not exceed {_LONGEST} characters", ())
    old, client = old or "", client or ""
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
    )
    trace = given[b"traceid"]
    told = () if trace is None else (("TraceId", trace),)
    return (*(pair for pair in pairs if pair[1]), *told)


def _joined(request: Request, name: bytes) -> str | None:
    """A header that comes more than once counts as one, as WSGI has it."""
    values = [value for key, value in request.pairs if key == name]
    return b",".join(values).decode("latin-1") if values else None
