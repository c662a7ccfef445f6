"""A program, not an adapter: httptools in a minimal epoll loop around score.py's run().

The limit for Verdazul's server, so it leaves out all that a server must have. Never use it as one.

    python httptools_loop.py PORT WORKERS     (in a folder with score.py)
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
from collections.abc import Callable
from typing import Any

import httptools

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


class Connection:
    """Bytes in, answers out; assumes that a client reads what it asked for."""

    def __init__(self, sock: socket.socket, run: Callable[[bytes], Any]) -> None:
        self._sock, self._run = sock, run
        self._parser = httptools.HttpRequestParser(self)
        self._body: list[bytes] = []

    def on_body(self, data: bytes) -> None:
        """Called by the parser."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        body = json.dumps(self._run(b"".join(self._body))).encode()
        self._body = []
        self._sock.send(HEAD % (len(body), body))

    def read(self) -> bool:
        """Whether the client is still there."""
        try:
            data = self._sock.recv(262144)
        except ConnectionResetError:
            data = b""
        if data:
            self._parser.feed_data(data)
        else:
            self._sock.close()
        return bool(data)


def main() -> None:
    port, workers = int(sys.argv[1]), int(sys.argv[2])
    sys.path.append(os.getcwd())  # noqa: PTH109 - nothing more is imported than is needed
    from score import run  # type: ignore[import-not-found]  # written by the benchmark

    for _ in range(workers - 1):
        if os.fork() == 0:
            break
    serve(_listen(port), run)


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # the kernel spreads callers
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(1024)
    return listener


def serve(listener: socket.socket, run: Callable[[bytes], Any]) -> None:
    connections: dict[int, Connection] = {}
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN)
    while True:
        for number, _ in epoll.poll():
            if number == listener.fileno():
                sock, _ = listener.accept()
                connections[sock.fileno()] = Connection(sock, run)
                epoll.register(sock, select.EPOLLIN)
            elif not connections[number].read():
                del connections[number]


if __name__ == "__main__":
    main()
