"""What parent and worker say to each other, over one SEQPACKET socket: a message is whole or not.

    kind u8, slot u16, serial u64, leading u32, flags u8, at f64, sizes of meta u32 and body u64

then meta and body; when these are long they travel in an anonymous file whose descriptor comes with
the message, so a message always fits and sending one never has to be continued.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import tempfile
from array import array
from enum import IntEnum
from typing import NamedTuple

from verdazul_serve import polling

_HEAD = struct.Struct("=BHQIBdIQ")
_INLINE = 1 << 15
_LARGEST = _HEAD.size + _INLINE
_ROOM = socket.CMSG_SPACE(2 * array("i").itemsize)
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)  # socket.recv_fds() forgets its flags

FULL = "this process has too many files open for any connection; it ends"


class Kind(IntEnum):
    """Who says it stands in front."""

    LEND = 1  # parent: a connection (descriptor) with a request to be run (meta, body)
    CANCEL = 2  # parent, to async scripts: nobody waits for the answer on this slot any more
    RETURN_ALL = 3  # parent: keep no connection from now on
    READY = 4  # worker: init() has succeeded; meta says what kind of script it is
    FAILED = 5  # worker: it has not; the body is a Problem
    BACK = 6  # worker: yours again; body: `leading` bytes to be sent, then bytes read
    GONE = 7  # worker: the connection is over; close it


class Flag(IntEnum):
    """Bits."""

    MAY_KEEP = 1  # LEND: the worker may keep the connection after the answer
    CLOSE = 2  # LEND: close after the answer; BACK: close once everything is sent
    BROKEN = 4  # GONE: the answer is not whole, so the connection must be seen to break


class Message(NamedTuple):
    """`serial` counts loans; `at` is when the request arrived (monotonic seconds)."""

    kind: Kind
    slot: int = 0
    serial: int = 0
    leading: int = 0
    flags: int = 0
    at: float = 0.0
    meta: bytes = b""
    body: bytes = b""
    descriptor: int = -1


class LinkLost(Exception):
    """The other side is gone."""


def socketpair() -> tuple[socket.socket, socket.socket]:
    """Two ends; what is sent into one comes out of the other, message by message."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(link: socket.socket, message: Message) -> None:
    """Raises BlockingIOError or another OSError, when nothing was sent, and LinkLost."""
    kind, slot, serial, leading, flags, at, meta, body, descriptor = message
    head = _HEAD.pack(kind, slot, serial, leading, flags, at, len(meta), len(body))
    descriptors = [descriptor] if descriptor >= 0 else []
    payload: list[bytes] = [meta, body]
    file = -1
    if len(meta) + len(body) > _INLINE:
        file = _anonymous_file(payload)
        descriptors.append(file)
        payload = []
    try:
        if descriptors:
            socket.send_fds(link, [head, *payload], descriptors)
        else:
            link.sendmsg([head, *payload])
    except BlockingIOError:
        raise
    except OSError as error:
        raise LinkLost from error
    finally:
        if file >= 0:
            os.close(file)


def say(link: socket.socket, message: Message) -> None:
    """For workers: wait for room. What cannot be given back whole is a connection that broke."""
    while True:
        try:
            send(link, message)
        except BlockingIOError:  # noqa: PERF203  # rare
            polling.writable(link.fileno())
        except OSError:
            message = _broken(message.slot, message.serial)
        else:
            return


def receive(link: socket.socket) -> Message | None:
    """The next message, None at the end. Raises BlockingIOError and LinkLost.

    When this process can open no more descriptors, and so has lost what came with the message, that
    is told as a connection that broke.
    """
    try:
        data, ancillary, _, _ = link.recvmsg(_LARGEST, _ROOM, _CLOEXEC)
    except BlockingIOError:
        raise
    except ConnectionResetError:
        return None
    except OSError as error:
        raise LinkLost from error
    if not data:
        return None
    kind, slot, serial, leading, flags, at, meta_length, body_length = _HEAD.unpack_from(data)
    descriptors = [number for _, _, numbers in ancillary for number in array("i", numbers)]
    is_long = meta_length + body_length > _INLINE
    if len(descriptors) < (kind == Kind.LEND) + is_long:
        for each in descriptors:
            os.close(each)
        return _broken(slot, serial)
    content = data[_HEAD.size :]
    if is_long:
        content = _read_whole(descriptors.pop(), meta_length + body_length)
    descriptor = descriptors[0] if descriptors else -1
    meta, body = content[:meta_length], content[meta_length:]
    return Message(Kind(kind), slot, serial, leading, flags, at, meta, body, descriptor)


def _broken(slot: int, serial: int) -> Message:
    return Message(Kind.GONE, slot, serial, flags=Flag.BROKEN)


def _anonymous_file(parts: list[bytes]) -> int:
    if sys.platform == "linux" and hasattr(os, "memfd_create"):
        file = os.memfd_create("verdazul")
    else:
        with tempfile.TemporaryFile() as named:
            file = os.dup(named.fileno())
    try:
        for part in parts:
            view = memoryview(part)
            while view:
                view = view[os.write(file, view) :]
    except OSError:
        os.close(file)
        raise
    return file


def _read_whole(file: int, size: int) -> bytes:
    try:
        parts, at = [], 0
        while at < size:
            part = os.pread(file, size - at, at)
            if not part:
                raise LinkLost
            parts.append(part)
            at += len(part)
        return b"".join(parts)
    finally:
        os.close(file)
