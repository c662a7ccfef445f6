"""Whoever guesses is slowed, and nobody else: through a real Envoy with one worker."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from tests.gateway.gateway_upstream import SECONDS, Connection
from tests.gateway.gateway_world import BEARER, OTHER_KEY, World, deployment, route, run

pytestmark = [pytest.mark.e2e, pytest.mark.azure(40)]

PATH = "/api/v1/endpoint/credit/name"
GUESSES = 2100  # more than digests are remembered


async def guess(connection: Connection, times: int) -> set[int]:
    seen = set()
    for n in range(times):
        # What a caller says of its address counts for nothing.
        address = f"192.0.2.{n % 250}"
        headers = {"authorization": f"Bearer guess-{n}", "x-forwarded-for": address}
        answer = await connection.ask(PATH, headers)
        seen.add(answer.status)
        if answer.status == 429:
            assert answer.code == "TooManyRequests"
            assert answer.headers["retry-after"] == "1"
            assert "azureml-model-deployment" not in answer.headers
    return seen


def test_guessers_are_slowed_and_callers_of_the_same_address_go_on(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path, concurrency=1) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))

            async with world.connect() as connection:
                before = await connection.ask(PATH, BEARER)
                told = await guess(connection, GUESSES)
                after = await connection.ask(PATH, BEARER)

        assert told == {401, 429}
        assert (before.status, after.status) == (200, 200)

    run(test())


def test_a_new_caller_of_a_guessers_address_gets_in_soon(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path, concurrency=1) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))

            async with world.connect() as connection, asyncio.timeout(SECONDS):
                while await guess(connection, 20) != {429}:
                    pass
                tries = []
                while 200 not in tries:
                    answer = await connection.ask(PATH, {"authorization": f"Bearer {OTHER_KEY}"})
                    tries.append(answer.status)
                told = await guess(connection, 200)
                known = await connection.ask(PATH, {"authorization": f"Bearer {OTHER_KEY}"})

        assert set(tries) <= {200, 429}
        assert 429 in told
        assert known.status == 200

    run(test())


def test_callers_from_other_addresses_do_not_notice(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path, concurrency=1) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))

            async with world.connect() as connection:
                while 429 not in await guess(connection, 20):
                    pass
            context = ssl.create_default_context(cafile=str(world.home / "certs" / "ca.pem"))
            reader, writer = await asyncio.open_connection(
                "127.0.0.1",
                world.port,
                ssl=context,
                server_hostname="localhost",
                local_addr=("127.0.0.2", 0),
            )
            elsewhere = await Connection(reader, writer).ask(PATH, BEARER)
            writer.transport.abort()

        assert elsewhere.status == 200

    run(test())
