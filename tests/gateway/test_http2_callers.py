"""Replies of the gateway's own reach callers over HTTP/2 whole, curl above all."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from tests.gateway.gateway_upstream import eventually
from tests.gateway.gateway_world import KEY, World, deployment, route, run

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not shutil.which("curl"), reason="needs curl"),
]


@pytest.mark.parametrize(
    ("name", "headers", "status"),
    [
        pytest.param("credit", ["Authorization: Bearer wrong"], 401, id="wrong key"),
        pytest.param(
            "credit",
            [f"Authorization: Bearer {KEY}", "azureml-model-deployment: red"],
            404,
            id="unknown deployment",
        ),
        pytest.param("empty", [f"Authorization: Bearer {KEY}"], 404, id="no traffic"),
        pytest.param("nobody", [], 404, id="no endpoint"),
        pytest.param("down", [f"Authorization: Bearer {KEY}"], 503, id="no instance"),
    ],
)
def test_a_refusal_never_overtakes_a_short_body(
    tmp_path: Path, name: str, headers: list[str], status: int
) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            await world.plane.publish("empty", route(endpoint="empty"))
            await world.plane.publish("down", route(deployment("blue"), endpoint="down"))

            answers = [await _curl(world, name, headers) for _ in range(15)]

        assert [code for code, _ in answers] == [str(status)] * len(answers)
        assert all(json.loads(body)["error"]["message"] for _, body in answers)

    run(test())


def test_each_request_too_many_is_told_so_in_a_burst(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            limited = deployment("blue", blue.address, max_requests=1)
            await world.plane.publish("credit", route(limited))
            key = [f"Authorization: Bearer {KEY}"]

            held = asyncio.create_task(_curl(world, "credit", key, path="wait"))
            await eventually(lambda: blue.active)
            burst = await asyncio.gather(*(_curl(world, "credit", key) for _ in range(20)))
            blue.release.set()
            await held

        assert [code for code, _ in burst] == ["429"] * 20

    run(test())


async def _curl(
    world: World, endpoint: str, headers: list[str], *, path: str = "score"
) -> tuple[str, str]:
    words = [word for header in headers for word in ("-H", header)]
    curl = await asyncio.create_subprocess_exec(
        *("curl", "-sS", "--http2", "--cacert", str(world.home / "certs" / "ca.pem")),
        *("-w", "\n%{http_code}", "-d", '{"data": [1, 2, 3]}', *words),
        f"https://localhost:{world.port}/api/v1/endpoint/{endpoint}/{path}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(curl.communicate(), 30)
    body, _, code = output.decode().rpartition("\n")
    return code, body
