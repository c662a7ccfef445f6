"""A tiny model server on a unix socket, and a client that sees every byte: stdlib asyncio only."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 20.0  # no await of a test may hang longer
NO_CONTENT = 204


@dataclass
class Upstream:
    """Answers by path; see `_reply`. `active` and `most_active` count requests it holds.

    One that `is_broken` breaks off whatever it gets, one that `is_silent` never answers.
    """

    name: str
    home: Path
    served: int = 0
    active: int = 0
    most_active: int = 0
    is_broken: bool = False
    is_silent: bool = False
    release: asyncio.Event = field(default_factory=asyncio.Event)
    paths: list[str] = field(default_factory=list)
    seen: list[dict[str, str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"unix:run/{self.name}.sock"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Upstream]:
        path = self.home / "run" / f"{self.name}.sock"
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, path, backlog=1000)
        try:
            yield self
        finally:
            self.release.set()
            server.close()
            path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start, headers = _parse((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
        body = await _body(reader, headers)
        method, path, _ = start.split(" ", 2)
        self.paths.append(path)
        self.seen.append(headers)
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            await self._reply(method, path, headers, body, reader, writer)
        finally:
            self.active -= 1
            self.served += 1

    async def _reply(  # noqa: PLR0917 - one row of the table
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if self.is_broken or path == "/drop":
            raise ConnectionResetError
        if path == "/wait" or self.is_silent:
            await asyncio.wait_for(self.release.wait(), SECONDS)
            _answer(writer, 200, self.name.encode())
        elif path == "/garbage":
            writer.write(b"this is not HTTP\r\n\r\n")
        elif path == "/stream":
            await self._stream(writer)
        elif path == "/websocket":
            await _websocket(reader, writer)
        elif match := re.match(r"/status/(\d+)(/shed|/failed)?$", path):
            _answer(writer, int(match[1]), b'{"own": "body"}', _TOLD[match[2]])
        elif match := re.match(r"/size/(\d+)$", path):
            _answer(writer, 200, b"x" * int(match[1]))
        elif path == "/name":
            _answer(writer, 200, self.name.encode())
        else:
            told = {"method": method, "path": path, "headers": headers, "length": len(body)}
            _answer(writer, 200, json.dumps(told).encode(), _LIES)

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        """The second event comes only once the test has seen the first."""
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n" + _chunk(b"data: one\n\n")
        )
        await asyncio.wait_for(self.release.wait(), SECONDS)
        writer.write(_chunk(b"data: two\n\n") + _chunk(b""))


# What an upstream might say to pass for the gateway.
_LIES = {
    "x-request-id": "mine",
    "x-envoy-overloaded": "true",
    "x-envoy-upstream-service-time": "123456",
    "x-verdazul-upstream": "",
    "azureml-model-deployment": "another",
    "ms-azureml-model-error-reason": "model_not_ready",
    "ms-azureml-model-error-statuscode": "1",
    "ms-azureml-model-time": "123456",
    "x-ms-client-request-id": "mine",
    "server": "uvicorn",
}
_TOLD: dict[str | None, dict[str, str]] = {
    None: _LIES,
    "/shed": {"ms-azureml-model-error-reason": "too_many_pending_request"},
    "/failed": {"x-ms-run-function-failed": "True"},
}


def _answer(
    writer: asyncio.StreamWriter, status: int, body: bytes, headers: dict[str, str] | None = None
) -> None:
    body = b"" if status == NO_CONTENT else body
    lines = [f"HTTP/1.1 {status} Whatever"]
    lines += [] if status == NO_CONTENT else [f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


async def _websocket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    )
    while data := await reader.read(1000):
        writer.write(b"echo " + data)
    raise ConnectionResetError


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, dict[str, str]]:
        told: dict[str, dict[str, str]] = json.loads(self.body)
        return told

    @property
    def code(self) -> str:
        return self.json()["error"]["code"]

    @property
    def message(self) -> str:
        return self.json()["error"]["message"]


class Connection:
    """One TLS connection that speaks HTTP/1.1 and keeps alive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @asynccontextmanager
    async def open(cls, port: int, ca: Path) -> AsyncIterator[Connection]:
        context = ssl.create_default_context(cafile=str(ca))
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost"),
            SECONDS,
        )
        try:
            yield cls(reader, writer)
        finally:
            writer.transport.abort()

    def send(
        self, path: str, headers: dict[str, str], *, body: bytes = b"", method: str = ""
    ) -> None:
        lines = [f"{method or ('POST' if body else 'GET')} {path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in {"host": "localhost", **headers}.items()]
        lines += [f"content-length: {len(body)}"] if body else []
        self.writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    async def head(self) -> tuple[int, dict[str, str]]:
        text = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), SECONDS)
        start, headers = _parse(text.decode("latin-1"))
        return int(start.split()[1]), headers

    async def ask(
        self, path: str, headers: dict[str, str], *, body: bytes = b"", method: str = ""
    ) -> Answer:
        self.send(path, headers, body=body, method=method)
        status, told = await self.head()
        return Answer(status, told, await asyncio.wait_for(_body(self.reader, told), SECONDS))


async def eventually(claim: Callable[[], object]) -> None:
    """Poll until it holds; a test that waits in vain fails here."""
    async with asyncio.timeout(SECONDS):
        while not claim():  # noqa: ASYNC110 - processes and files set no asyncio.Event
            await asyncio.sleep(0.005)


def _parse(text: str) -> tuple[str, dict[str, str]]:
    start, *lines = text.strip().split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        known = headers.get(name.lower())
        headers[name.lower()] = value.strip() if known is None else f"{known},{value.strip()}"
    return start, headers


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") == "chunked":
        parts = []
        while part := await read_chunk(reader):
            parts.append(part)
        return b"".join(parts)
    return await reader.readexactly(int(headers.get("content-length", "0")))


async def read_chunk(reader: asyncio.StreamReader) -> bytes:
    size = int(await asyncio.wait_for(reader.readline(), SECONDS), 16)
    return (await reader.readexactly(size + 2))[:-2]


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
