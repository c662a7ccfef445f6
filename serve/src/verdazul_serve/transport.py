"""A connected socket on the parent's event loop, which can be let go of and taken up again.

asyncio's own transports cannot part with their socket. A connection that is lent to a worker stays
open here and is neither read nor written until it is taken up again.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Protocol

_PIECE = 1 << 16


class Listener(Protocol):
    """What the owner of a transport hears."""

    def data_received(self, data: bytes) -> None: ...

    def eof_received(self) -> bool:
        """True to go on writing."""

    def pause_writing(self) -> None:
        """The other side does not read all that is written; said again when it has read some."""

    def resume_writing(self) -> None:
        """Now it has."""

    def connection_lost(self) -> None: ...


class Transport:
    """Reads from the start. `close` sends what is queued first, `abort` does not."""

    def __init__(self, sock: socket.socket, listener: Listener) -> None:
        sock.setblocking(False)  # noqa: FBT003
        if sock.family != socket.AF_UNIX:
            with contextlib.suppress(OSError):  # it may have been reset already
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = sock
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._queued = bytearray()
        self._is_reading = False
        self._is_watching = False
        self._may_read = True
        self._is_over = False  # nothing more is written once the queue is empty
        self._is_closed = False
        self._says_eof = False
        self.resume_reading()

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    # reading

    def is_reading(self) -> bool:
        return self._is_reading

    def pause_reading(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self.socket)

    def resume_reading(self) -> None:
        self.stop_watching()
        if not self._is_reading and self._may_read and not self._is_closed:
            self._is_reading = True
            self._loop.add_reader(self.socket, self._read)

    def watch_end(self, action: Callable[[], None]) -> None:
        """Call `action` when the other side leaves; nothing is read, and data ends the watch."""
        if not self._is_closed and not self._is_reading and not self._is_watching:
            self._is_watching = True
            self._loop.add_reader(self.socket, self._look, action)

    def stop_watching(self) -> None:
        if self._is_watching:
            self._is_watching = False
            self._loop.remove_reader(self.socket)

    def _look(self, action: Callable[[], None]) -> None:
        try:
            has_left = not self.socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            has_left = True
        self.stop_watching()
        if has_left:
            action()

    def has_unread(self) -> bool:
        """Bytes, or the end, lie in the kernel."""
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def _read(self) -> None:
        try:
            data = self.socket.recv(_PIECE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._lose()
            return
        if data:
            self._listener.data_received(data)
            return
        self.pause_reading()
        self._may_read = False
        if not self._listener.eof_received():
            self.close()

    # writing

    def write(self, data: bytes) -> None:
        if self._is_over or self._is_closed or not data:
            return
        if not self._queued:
            data = data[self._send(data) :]
            if not data or self._is_closed:
                return
            self._loop.add_writer(self.socket, self._write_queued)
        self._queued += data
        self._listener.pause_writing()

    def write_eof(self) -> None:
        """Send what is queued, then the end; reading goes on."""
        self._says_eof = True
        self._after_queue()

    def close(self) -> None:
        self._is_over = True
        self.pause_reading()
        self._may_read = False
        self._after_queue()

    def abort(self) -> None:
        """Without a farewell: the other side sees that something broke."""
        self._lose()

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return self.socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self._lose()
            return len(data)

    def _write_queued(self) -> None:
        sent = self._send(self._queued)
        del self._queued[:sent]
        if self._queued and sent:
            self._listener.pause_writing()  # still, but not for as long as before
        if self._is_closed or self._queued:
            return
        self._loop.remove_writer(self.socket)
        self._listener.resume_writing()
        self._after_queue()

    def _after_queue(self) -> None:
        if self._queued or self._is_closed:
            return
        if self._is_over:
            self._lose()
        elif self._says_eof:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)

    def _lose(self) -> None:
        """The end. Shut down first: a process that a script forked may hold the socket open."""
        if self._is_closed:
            return
        self._is_closed = True
        self.pause_reading()
        self.stop_watching()
        if self._queued:
            self._loop.remove_writer(self.socket)
            self._queued.clear()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self._loop.call_soon(self._listener.connection_lost)
