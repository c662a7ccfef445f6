"""Copies of requests: how many, of which, and that no caller ever feels them. A real Envoy."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.gateway.gateway_upstream import Upstream, eventually
from tests.gateway.gateway_world import BEARER, World, deployment, route, run
from verdazul.core.route import Mirror, Route

pytestmark = pytest.mark.e2e

LARGE = 5_000_000
PINNED = {**BEARER, "azureml-model-deployment": "blue"}


def mirrored(blue: Upstream, *green: str, percent: int = 50, max_requests: int = 1000) -> Route:
    target = deployment("green", *green, weight=0, max_requests=max_requests)
    return replace(route(deployment("blue", blue.address), target), mirror=Mirror("green", percent))


@pytest.mark.azure(18, 27, 31)
def test_so_many_percent_of_unaddressed_requests_are_copied_and_no_others(tmp_path: Path) -> None:
    asked, percent = 2000, 10

    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue, green = await world.upstream("blue"), await world.upstream("green")
            await world.plane.publish("credit", mirrored(blue, green.address, percent=percent))

            async def ask(headers: dict[str, str], times: int) -> None:
                async with world.connect() as connection:
                    for _ in range(times):
                        await connection.ask("/api/v1/endpoint/credit/name", headers)

            await asyncio.gather(*(ask(PINNED, 50) for _ in range(4)))
            assert (blue.served, green.served) == (200, 0)

            await asyncio.gather(*(ask(BEARER, asked // 8) for _ in range(8)))
            assert blue.served == 200 + asked
            told = await _stat(world, "cluster.credit.green.upstream_rq_total")
            await eventually(lambda: green.served == told)

        expected, spread = asked * percent / 100, math.sqrt(asked * percent * (100 - percent)) / 100
        assert abs(green.served - expected) < 5 * spread  # by chance once in two million runs

    run(test())


@pytest.mark.azure(30)
def test_a_copy_is_the_whole_request_and_its_answer_is_dropped(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue, green = await world.upstream("blue"), await world.upstream("green")
            await world.plane.publish("credit", mirrored(blue, green.address))

            async with world.connect() as connection:
                while not green.seen:
                    answer = await connection.ask(
                        "/api/v1/endpoint/credit/name", {**BEARER, "x-mine": "1"}, body=b"x" * 9
                    )
                    assert (answer.status, answer.body) == (200, b"blue")
                    assert answer.headers["azureml-model-deployment"] == "blue"
                    await asyncio.sleep(0)

        assert green.paths[0] == "/name"
        assert green.seen[0]["x-mine"] == "1"
        assert green.seen[0]["content-length"] == "9"
        assert green.seen[0]["host"] == "localhost"
        assert "authorization" not in green.seen[0]

    run(test())


@pytest.mark.azure(30)
@pytest.mark.parametrize(
    "trouble", ["hangs", "reads nothing", "refuses", "fails", "is not there", "holds all it may"]
)
@pytest.mark.parametrize("size", [10, LARGE])
def test_whatever_happens_to_copies_their_callers_do_not_feel_it(
    tmp_path: Path, trouble: str, size: int
) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world, _target(world, trouble) as addresses:
            blue = await world.upstream("blue")
            most = 1 if trouble == "holds all it may" else 1000
            await world.plane.publish("credit", mirrored(blue, *addresses, max_requests=most))

            async with world.connect() as connection:
                for _ in range(20):
                    answer = await connection.ask(
                        "/api/v1/endpoint/credit/name", BEARER, body=b"x" * size
                    )
                    assert (answer.status, answer.body) == (200, b"blue")

        assert blue.served == 20

    run(test())


@asynccontextmanager
async def _target(world: World, trouble: str) -> AsyncIterator[list[str]]:
    """Where copies meet this trouble."""
    silent: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent.append(writer)
        if trouble == "fails":
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n")
        elif trouble in {"hangs", "holds all it may"}:
            while await reader.read(2**16):
                pass

    if trouble == "is not there":
        yield []
        return
    path = world.home / "run" / "green.sock"
    path.parent.mkdir(exist_ok=True)
    server = await asyncio.start_unix_server(serve, path)
    try:
        if trouble == "refuses":
            server.close()
            path.unlink(missing_ok=True)
        yield ["unix:run/green.sock"]
    finally:
        server.close()
        for writer in silent:
            writer.transport.abort()


@pytest.mark.azure(27, 34)
def test_mirror_on_and_off_fails_no_request(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue, green = await world.upstream("blue"), await world.upstream("green")
            on = mirrored(blue, green.address)
            await world.plane.publish("credit", on)
            done = asyncio.Event()

            async def ask() -> set[int]:
                statuses = set()
                async with world.connect() as connection:
                    while not done.is_set():
                        path = "/api/v1/endpoint/credit/name"
                        statuses.add((await connection.ask(path, BEARER, body=b"x")).status)
                return statuses

            asking = [asyncio.create_task(ask()) for _ in range(4)]
            for change in (replace(on, mirror=None), on) * 5:
                await world.plane.publish("credit", change)
            done.set()

            assert set().union(*await asyncio.gather(*asking)) == {200}

    run(test())


async def _stat(world: World, name: str) -> int:
    socket = str(world.home / "run" / "envoy-admin.sock")
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=socket)) as client:
        text = (await client.get(f"http://envoy/stats?filter=^{name}$")).text
    return int(text.rpartition(": ")[2] or 0)
