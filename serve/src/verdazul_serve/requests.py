"""A Request as bytes between processes of this server, and back: marshal, the quickest way.

Never used on anything that came from outside: what is packed was parsed and checked before.
"""

from __future__ import annotations

import marshal

from verdazul_serve.reading import Request


def pack(request: Request) -> tuple[bytes, bytes]:
    """Everything but the body, and the body."""
    head = (request.method, request.target, request.pairs, request.http11, request.keep_alive)
    return marshal.dumps(head), request.body


def unpack(meta: bytes, body: bytes) -> Request:
    """What was packed."""
    method, target, pairs, http11, keep_alive = marshal.loads(meta)  # noqa: S302  # our own bytes
    return Request.raw(method, target, pairs, body, http11=http11, keep_alive=keep_alive)
