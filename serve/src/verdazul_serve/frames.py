"""Messages between the parent and one worker: kind, JSON meta, raw body, each length-prefixed.

    kind u8 | meta length u32 | body length u64 | meta | body

The worker reads blockingly (`read`), the parent feeds what arrives to a `Decoder`.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

_HEAD = struct.Struct("!BIQ")
_PIECE = 1 << 20


class Kind(IntEnum):
    """Worker to parent, except SCORE and CANCEL."""

    READY = 1  # init() has succeeded
    FAILED = 2  # it has not; the body is a Problem
    SCORE = 3  # run this
    ANSWER = 4  # the whole response
    BEGIN = 5  # the head of a streamed response
    CHUNK = 6
    END = 7
    BROKEN = 8  # the stream failed half-way
    CANCEL = 9  # nobody reads the stream any more


class Frame(NamedTuple):
    """One message. `meta` is what JSON can say; the body is never looked into."""

    kind: Kind
    meta: dict[str, Any]
    body: bytes


def encode(kind: Kind, meta: dict[str, Any] | None = None, body: bytes = b"") -> tuple[bytes, ...]:
    """The pieces to send, in order: a large body is not copied just to sit behind its head."""
    text = json.dumps(meta).encode() if meta else b""
    head = _HEAD.pack(kind, len(text), len(body)) + text
    return (head, body) if len(body) > _HEAD.size * 1000 else (head + body,)


class LinkLost(Exception):
    """The other side is gone."""


def send(
    link: socket.socket, kind: Kind, meta: dict[str, Any] | None = None, body: bytes = b""
) -> None:
    """Send blockingly. Raises LinkLost, which no script's own broken pipe can be mistaken for."""
    try:
        for piece in encode(kind, meta, body):
            link.sendall(piece)
    except OSError as error:
        raise LinkLost from error


def read(link: socket.socket) -> Frame | None:
    """The next message, None at the end."""
    head = _exactly(link, _HEAD.size)
    if head is None:
        return None
    kind, meta_length, body_length = _HEAD.unpack(head)
    rest = _exactly(link, meta_length + body_length)
    return None if rest is None else _frame(kind, rest[:meta_length], bytes(rest[meta_length:]))


class Decoder:
    """Bytes in any pieces go in, whole messages come out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        buffer = self._buffer
        buffer += data
        while len(buffer) >= _HEAD.size:
            kind, meta_length, body_length = _HEAD.unpack_from(buffer)
            body_at = _HEAD.size + meta_length
            end = body_at + body_length
            if len(buffer) < end:
                return
            with memoryview(buffer) as view:
                meta, body = bytes(view[_HEAD.size : body_at]), bytes(view[body_at:end])
            del buffer[:end]
            yield _frame(kind, meta, body)


def _frame(kind: int, meta: bytes | bytearray, body: bytes) -> Frame:
    return Frame(Kind(kind), json.loads(meta) if meta else {}, body)


def _exactly(link: socket.socket, size: int) -> bytearray | None:
    data = bytearray(size)
    with memoryview(data) as view:
        got = 0
        while got < size:
            count = _receive(link, view[got : got + _PIECE])
            if not count:
                return None
            got += count
    return data


def _receive(link: socket.socket, into: memoryview) -> int:
    try:
        return link.recv_into(into)
    except ConnectionResetError:
        return 0
