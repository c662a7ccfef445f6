"""Writing answers to sockets: at once, bit by bit, or as a task."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

from verdazul_serve import polling, trace
from verdazul_serve.answers import Stream
from verdazul_serve.messages import LinkLost
from verdazul_serve.replies import Opening

_WRITE_WAIT_SECONDS = 0.05


def send_now(sock: socket.socket, data: bytes) -> bytes:
    """What did not fit. A client that is gone has received everything it ever will."""
    try:
        sent = sock.send(data, socket.MSG_DONTWAIT)
    except (BlockingIOError, InterruptedError):
        return data
    except OSError as reason:
        if reason.errno == errno.EBADF:  # the script has closed it, and surely more than this
            raise LinkLost from reason
        return b""
    return data[sent:] if sent < len(data) else b""


def send_some(sock: socket.socket, data: bytes) -> int | None:
    """Wait a moment for room. None when the client is gone."""
    try:
        return sock.send(data, socket.MSG_DONTWAIT)
    except (BlockingIOError, InterruptedError):
        polling.writable(sock.fileno(), _WRITE_WAIT_SECONDS)
        return 0
    except OSError:
        return None


def has_left(sock: socket.socket) -> bool:
    """Whether the other side has closed, or half closed, the connection."""
    try:
        return not sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except (BlockingIOError, InterruptedError):
        return False
    except OSError:
        return True


async def stream_async(
    stream: Stream,
    opening: Opening,
    sock: socket.socket,
    write: Callable[[socket.socket, bytes], Awaitable[bool]],
) -> bool:
    """Send a stream as a task; `write` waits for room. False when it did not end well."""
    import asyncio

    try:
        if not await write(sock, opening.head):
            return False
        async for piece in each(stream):
            if opening.is_bare:
                break
            if not await write(sock, opening.piece(piece)):
                return False
        return await write(sock, opening.end)
    except asyncio.CancelledError:  # nobody reads it any more
        return False
    except BaseException as reason:  # noqa: BLE001  # the head is out: break it visibly
        trace.log(reason)
        return False


async def each(stream: Stream) -> AsyncIterator[bytes]:
    """The items of a stream, whatever kind of generator makes them; closes it at the end."""
    items = stream.items
    try:
        if isinstance(items, AsyncIterator):
            async for item in items:
                yield item
        else:
            for item in items:
                yield item
    finally:
        with contextlib.suppress(Exception):
            if isinstance(items, AsyncIterator):
                await items.aclose()  # type: ignore[attr-defined]  # an AsyncItems
            else:
                items.close()  # type: ignore[attr-defined]  # an Items
