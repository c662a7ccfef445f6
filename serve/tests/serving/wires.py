"""A raw HTTP/1.1 connection: kept open, pipelined or broken off as a test likes it."""

from __future__ import annotations

import json
import socket
from types import TracebackType
from typing import Any, NamedTuple

from .process import dial


class Got(NamedTuple):
    """One response."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Ended(Exception):
    """The connection is over before the response is; holds what came."""


def post(body: str | bytes = b"", *headers: str, target: str = "/score") -> bytes:
    """The bytes of one request."""
    data = body.encode() if isinstance(body, str) else body
    lines = (f"POST {target} HTTP/1.1", f"Content-Length: {len(data)}", *headers, "", "")
    return "\r\n".join(lines).encode() + data


PROBE = b"GET / HTTP/1.1\r\n\r\n"


class Wire:
    """Responses are read one by one, whatever pieces they come in."""

    def __init__(self, path: str, *, timeout: float = 20.0) -> None:
        self.sock: socket.socket = dial(path, timeout=timeout)
        self._data = b""

    def __enter__(self) -> Wire:  # noqa: PYI034  # Self is 3.11
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def ask(self, body: str | bytes = b"", *headers: str) -> Got:
        self.send(post(body, *headers))
        return self.read()

    def probe(self) -> Got:
        self.send(PROBE)
        return self.read()

    def read(self) -> Got:
        """The next response but 100. Raises Ended, TimeoutError and ConnectionError."""
        head = self.head()
        if head == "HTTP/1.1 100 Continue":
            return self.read()
        first, *lines = head.split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        status = int(first.split(" ")[1])
        if "transfer-encoding" in headers:
            return Got(status, headers, b"".join(iter(self.chunk, b"")))
        return Got(status, headers, self._take(int(headers["content-length"])))

    def head(self) -> str:
        """Of a stream, whose pieces are then read by `chunk`."""
        return self._until(b"\r\n\r\n").decode("latin-1")

    def chunk(self) -> bytes:
        """One piece of a chunked body; the last one is empty."""
        size = int(self._until(b"\r\n"), 16)
        data = self._take(size + 2)
        assert data.endswith(b"\r\n")
        return data[:-2]

    def rest(self) -> bytes:
        """All that comes until the other side closes."""
        while self._more():
            pass
        data, self._data = self._data, b""
        return data

    def is_over(self) -> bool:
        """Whether the other side has closed; waits for it, and nothing may come before."""
        return self.rest() == b""

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._data:
            self._need_more()
        found, _, self._data = self._data.partition(mark)
        return found

    def _take(self, size: int) -> bytes:
        while len(self._data) < size:
            self._need_more()
        found, self._data = self._data[:size], self._data[size:]
        return found

    def _need_more(self) -> None:
        if not self._more():
            raise Ended(self._data)

    def _more(self) -> bool:
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionResetError:
            return False
        self._data += data
        return bool(data)
