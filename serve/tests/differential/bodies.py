"""Bodies that need building: multi-part, chunked, compressed."""

from __future__ import annotations

import gzip
import zlib

BOUNDARY = "----the-boundary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
BINARY = bytes(range(256)) * 16


def part(name: str, content: bytes, *, file: str | None = None, kind: str | None = None) -> bytes:
    """One part of a form."""
    head = f'Content-Disposition: form-data; name="{name}"'
    if file is not None:
        head += f'; filename="{file}"'
    if kind:
        head += f"\r\nContent-Type: {kind}"
    return head.encode() + b"\r\n\r\n" + content


def form(*parts: bytes) -> bytes:
    """The body of a multi-part form."""
    mark = b"--" + BOUNDARY.encode()
    return b"".join(mark + b"\r\n" + piece + b"\r\n" for piece in parts) + mark + b"--\r\n"


def chunked(*chunks: bytes, trailer: bytes = b"") -> bytes:
    """The body in chunks."""
    sent = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return sent + b"0\r\n" + trailer + b"\r\n"


def gzipped(data: bytes) -> bytes:
    """The same bytes each time."""
    return gzip.compress(data, mtime=0)


def deflated(data: bytes) -> bytes:
    """As `Content-Encoding: deflate` has it."""
    return zlib.compress(data)
