"""Sends a request's exact bytes on a connection of its own and reads one answer, strictly.

http.client would mend or refuse what is odd; here each byte is the case's own, and an answer whose
length is not what its head says is an error.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

_SECONDS = 15.0
_NO_BODY = (204, 304)
BROKEN = "the body broke off"


@dataclass(frozen=True)
class Reply:
    """An answer as it came; status 0 when the connection was closed without one."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    interim: tuple[int, ...] = ()
    fault: str = ""  # why the bytes are no whole answer

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


class FramingError(Exception):
    """The bytes that came are no HTTP answer, or not as long as the answer says."""


def request(
    method: str = "POST",
    target: str = "/score",
    body: bytes = b"",
    *,
    headers: Mapping[str, str] | tuple[tuple[str, str], ...] = (),
    version: str = "1.1",
) -> bytes:
    """A request with Host and, where a body or POST asks for it, Content-Length."""
    given = tuple(headers.items()) if isinstance(headers, Mapping) else headers
    lines = [f"{method} {target} HTTP/{version}", "Host: score.test"]
    lines += [f"{name}: {value}" for name, value in given]
    framed = {name.lower() for name, _ in given} & {"content-length", "transfer-encoding"}
    if not framed and (body or method in {"POST", "PUT", "PATCH"}):
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def ask(address: tuple[str, int], data: bytes) -> Reply:
    """Send `data`, read the answer."""
    with socket.create_connection(address, timeout=_SECONDS) as sock, sock.makefile("rb") as stream:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(data)
        try:
            head = _head(stream)
            return _with_body(stream, head, is_head=data.startswith(b"HEAD "))
        except ConnectionResetError:
            return Reply()
        except TimeoutError:
            return Reply(fault="no answer in time")


def _head(stream: BinaryIO) -> Reply:
    interim: list[int] = []
    while True:
        line = stream.readline()
        if not line:
            return Reply(interim=tuple(interim))
        status = _status(line)
        headers = tuple(_headers(stream))
        if status >= 200:
            return Reply(status, headers, b"", tuple(interim))
        interim.append(status)


def _with_body(stream: BinaryIO, head: Reply, *, is_head: bool) -> Reply:
    if not head.status:
        return head
    try:
        body = b"" if is_head or head.status in _NO_BODY else _body(stream, head)
        _check_end(stream, head)
    except FramingError as error:
        return replace(head, fault=str(error))
    return replace(head, body=body)


def _status(line: bytes) -> int:
    version, _, rest = line.partition(b" ")
    if version not in {b"HTTP/1.1", b"HTTP/1.0"} or not line.endswith(b"\r\n"):
        raise FramingError(f"no status line: {line!r}")
    return int(rest[:3])


def _headers(stream: BinaryIO) -> list[tuple[str, str]]:
    headers = []
    while (line := stream.readline()) != b"\r\n":
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not line.endswith(b"\r\n"):
            raise FramingError(f"no header: {line!r}")
        headers.append((name.lower(), value.strip()))
    return headers


def _body(stream: BinaryIO, head: Reply) -> bytes:
    lengths, codings = head.values("content-length"), head.values("transfer-encoding")
    if len(lengths) + len(codings) > 1:
        raise FramingError(f"the body's length is said twice: {head.headers}")
    if codings:
        return _chunks(stream)
    if not lengths:
        return stream.read()
    body = stream.read(int(lengths[0]))
    if len(body) != int(lengths[0]):
        raise FramingError(f"{len(body)} bytes came, {lengths[0]} were promised")
    return body


def _chunks(stream: BinaryIO) -> bytes:
    body = b""
    while True:
        line = stream.readline()
        if not line.endswith(b"\r\n"):
            raise FramingError(BROKEN)
        size = int(line, 16)
        chunk, end = stream.read(size), stream.read(2)
        if len(chunk) != size or end != b"\r\n":
            raise FramingError(f"a chunk is not {size} bytes long")
        if not size:
            return body
        body += chunk


def _check_end(stream: BinaryIO, head: Reply) -> None:
    """A connection said to be closed is closed, and nothing follows the answer."""
    if "close" in [value.lower() for value in head.values("connection")]:
        rest = stream.read()
        if rest:
            raise FramingError(f"the answer is followed by {rest[:200]!r}")
