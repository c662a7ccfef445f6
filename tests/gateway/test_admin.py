"""Asking Envoy about itself while one Envoy follows another: no connection is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from verdazul.gateway.admin import Admin

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nLIVE"


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What is left behind stays: Python would close it at some time of its own."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_a_connection_that_is_renewed_while_it_is_made_is_closed_all_the_same(
    tmp_path: Path,
) -> None:
    ended: list[asyncio.Future[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.get_running_loop().create_future())
        mine = ended[-1]
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(ANSWER)
        writer.close()
        mine.set_result(None)

    async def test() -> None:
        (tmp_path / "run").mkdir()
        async with await asyncio.start_unix_server(serve, tmp_path / "run" / "envoy-admin.sock"):
            admin = Admin(tmp_path, timeout_seconds=20)
            for steps in range(12):
                asked = asyncio.create_task(admin.is_ready())
                for _ in range(steps):
                    await asyncio.sleep(0)
                await admin.renew()
                assert await asked
            await admin.aclose()
            await asyncio.wait_for(asyncio.gather(*ended), 20)

    asyncio.run(test())
    assert ended
