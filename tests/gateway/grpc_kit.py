"""A server that speaks as much HTTP/2 as gRPC needs, and a caller of it: curl."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.gateway.gateway_world import KEY, World


@asynccontextmanager
async def grpc_server(world: World, *, is_silent: bool = False) -> AsyncIterator[list[bytes]]:
    """Speaks HTTP/2 as far as one answer needs: SETTINGS, then headers, a message and trailers."""
    seen: list[bytes] = []
    path = world.home / "run" / "grpc.sock"
    path.parent.mkdir(exist_ok=True)

    def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
        return (
            len(payload).to_bytes(3, "big")
            + bytes([kind, flags])
            + stream.to_bytes(4, "big")
            + payload
        )

    def literal(name: bytes, value: bytes) -> bytes:
        return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(24)
        writer.write(frame(4, 0, 0))
        try:
            while True:
                head = await reader.readexactly(9)
                kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
                payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
                if kind == 4 and not flags:  # SETTINGS
                    writer.write(frame(4, 1, 0))
                if kind == 0:  # DATA
                    seen.append(payload)
                if kind in {0, 1} and flags & 1 and not is_silent:  # END_STREAM
                    start = b"\x88" + literal(b"content-type", b"application/grpc")
                    writer.write(frame(1, 4, stream, start))
                    writer.write(frame(0, 0, stream, b"\0\0\0\0\x02ok"))
                    writer.write(frame(1, 5, stream, literal(b"grpc-status", b"0")))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_unix_server(serve, path)
    try:
        yield seen
    finally:
        server.close()


async def curl_grpc(world: World, url: str) -> str:
    curl = await asyncio.create_subprocess_exec(
        *("curl", "-sSv", "--http2", "--cacert", str(world.home / "certs" / "ca.pem")),
        *("-H", f"Authorization: Bearer {KEY}", "-H", "content-type: application/grpc"),
        *("-H", "te: trailers", "--data-binary", "@-", url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(curl.communicate(b"\0\0\0\0\x05hello"), 30)
    return output.decode(errors="replace")
