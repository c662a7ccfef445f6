"""A new Envoy takes over from an older one, both as their packages bring them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import locked
from tests.gateway.gateway_upstream import eventually, read_chunk
from tests.gateway.gateway_world import BEARER, World, deployment, route, run
from tests.gateway.takeover import asking, needs_shared_memory, replaced
from verdazul.gateway import launch

pytestmark = [pytest.mark.e2e, needs_shared_memory]


def envoy_before() -> str:
    """The program of the last minor version."""
    python = locked.interpreter("envoy-before")
    (found,) = python.parents[1].glob("lib/python3*/site-packages/envoy/_bin/envoy")
    return str(found)


@pytest.mark.parametrize("processes", [1, 2])
def test_an_upgrade_loses_no_request_and_keeps_open_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    async def test() -> None:
        async with World.open(tmp_path, processes=processes) as world:
            blue = await world.upstream("blue")
            before = world.plane.processes[-1].version
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            monkeypatch.undo()
            async with world.connect() as events, world.connect() as sockets:
                events.send("/api/v1/endpoint/credit/stream", BEARER)
                await events.head()
                await read_chunk(events.reader)
                upgrade = {"connection": "upgrade", "upgrade": "websocket"}
                sockets.send("/api/v1/endpoint/credit/websocket", {**BEARER, **upgrade})
                await sockets.head()
                async with asking(world) as failed:
                    new = await replaced(world, processes=processes)
                    green = await world.upstream("green")
                    await new.publish("credit", route(deployment("blue", green.address)))
                    await eventually(lambda: green.served)
                    sockets.writer.write(b"hello")
                    echoed = await sockets.reader.readexactly(10)
                    blue.release.set()
                    told = await read_chunk(events.reader)
                    after = new.processes[-1].version

        assert failed == []
        assert (echoed, told) == (b"echo hello", b"data: two\n\n")
        assert _minor(before) == _minor(after) - 1

    monkeypatch.setattr(launch, "EXECUTABLE", envoy_before())
    run(test())


def _minor(version: str) -> int:
    found = re.search(r"1\.(\d+)\.\d+", version)
    assert found, version
    return int(found[1])
