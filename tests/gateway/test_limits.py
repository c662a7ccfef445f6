"""Limits at their exact edge: n are allowed, n + 1 are not. A real Envoy."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.gateway.gateway_upstream import Connection, read_chunk
from tests.gateway.gateway_world import BEARER, KEY, World, deployment, route, run
from verdazul.core.limits import DeploymentLimits, Limits
from verdazul.core.route import DeploymentRoute
from verdazul.gateway.listener import Connections

pytestmark = pytest.mark.e2e

PATH = "/api/v1/endpoint/credit/name"
PINNED = {**BEARER, "azureml-model-deployment": "green"}


async def statuses(connection: Connection, *headers: dict[str, str]) -> tuple[list[int], float]:
    """One request after the other, and the seconds that they took together."""
    began = time.monotonic()
    found = [(await connection.ask(PATH, each)).status for each in headers]
    return found, time.monotonic() - began


def check_rate(found: list[int], limit: int, seconds: float) -> None:
    """The first `limit` pass; after that no more than have come back since."""
    assert found[:limit] == [200] * limit
    assert set(found[limit:]) <= {200, 429}
    assert found.count(200) <= limit + limit * seconds + 1
    if seconds < 1 / limit:
        assert found[limit] == 429


@pytest.mark.azure(84, 103)
def test_requests_a_second_count_over_all_deployments_and_a_change_of_traffic(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue, green = await world.upstream("blue"), await world.upstream("green")
            both = (deployment("blue", blue.address), deployment("green", green.address, weight=0))
            limited = replace(route(*both), limits=Limits(requests_per_second=10))
            other = route(deployment("blue", blue.address), endpoint="other")
            await world.plane.publish("other", replace(other, limits=Limits(requests_per_second=1)))
            await world.plane.publish("credit", limited)

            async with world.connect() as connection:
                began = time.monotonic()
                first, _ = await statuses(connection, *([BEARER, PINNED] * 4))
                moved = (replace(both[0], weight=0), replace(both[1], weight=100))
                await world.plane.publish("credit", replace(limited, deployments=moved))
                second, _ = await statuses(connection, *([PINNED, BEARER] * 10))
                refused = await connection.ask(PATH, BEARER)
                check_rate(first + second, 10, time.monotonic() - began)

        if refused.status == 429:
            assert refused.code == "TooManyRequests"
            assert "10 for all its deployments requests a second" in refused.message
            assert refused.headers["ms-azureml-model-error-reason"] == "rate_limited"
        assert first + second != [200] * 28

    run(test())


@pytest.mark.azure(84)
def test_a_deployment_may_have_a_rate_of_its_own_and_strangers_use_none_of_it(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue, green = await world.upstream("blue"), await world.upstream("green")
            slow = replace(
                deployment("green", green.address, weight=0),
                limits=DeploymentLimits(requests_per_second=5),
            )
            await world.plane.publish("credit", route(deployment("blue", blue.address), slow))

            async with world.connect() as connection:
                strangers, _ = await statuses(connection, *([{}] * 10))
                found, seconds = await statuses(connection, *([PINNED] * 20))
                others, _ = await statuses(connection, *([BEARER] * 20))

        assert set(strangers) == {401}
        check_rate(found, 5, seconds)
        assert set(others) == {200}

    run(test())


@pytest.mark.azure(84, 103)
def test_new_connections_to_an_endpoint_are_counted_once_each(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            plain = route(deployment("blue", blue.address))
            await world.plane.publish("other", replace(plain, endpoint="other"))
            limited = replace(plain, limits=Limits(connections_per_second=5))
            await world.plane.publish("credit", limited)

            began = time.monotonic()
            async with AsyncExitStack() as stack:
                opened = [await stack.enter_async_context(world.connect()) for _ in range(20)]
                strangers, _ = await statuses(opened[0], *([{}] * 10))
                first = [await each.ask(PATH, BEARER) for each in opened]
                seconds = time.monotonic() - began
                again, _ = await statuses(opened[0], *([BEARER] * 20))
                other = await world.ask("/name", endpoint="other")

        assert set(strangers) == {401}
        check_rate([each.status for each in first], 5, seconds)
        assert set(again) == {200}
        assert other.status == 200
        refused = [each for each in first if each.status == 429]
        assert {each.code for each in refused} == {"TooManyConnections"}
        assert "takes 5 new connections a second" in refused[0].message
        assert refused[0].headers["ms-azureml-model-error-reason"] == "rate_limited"
        assert "x-verdazul-known-connection" not in blue.seen[-1]

    run(test())


@pytest.mark.azure(85)
def test_a_body_of_the_limit_passes_and_one_byte_more_is_413(tmp_path: Path) -> None:
    most = 100_000

    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(sized(blue.address, request=most)))

            for size, status in ((most, 200), (most + 1, 413)):
                known = await world.ask("/name", body=b"x" * size)
                async with world.connect() as connection:
                    connection.writer.write(_chunked(size))
                    streamed, _ = await connection.head()
                assert (known.status, streamed) == (status, status)

        assert known.code == "PayloadTooLarge"
        assert "at most 100000 bytes (max_request_bytes)" in known.message

    run(test())


def sized(address: str, *, request: int = 0, response: int = 0) -> DeploymentRoute:
    return replace(deployment("blue", address), limits=DeploymentLimits(0, request, response))


def _chunked(size: int) -> bytes:
    start = f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\nauthorization: {KEY}\r\n"
    chunks = [b"8000\r\n" + b"x" * 0x8000 + b"\r\n"] * (size // 0x8000)
    rest = size % 0x8000
    chunks.append(f"{rest:x}\r\n".encode() + b"x" * rest + b"\r\n0\r\n\r\n")
    return start.encode() + b"transfer-encoding: chunked\r\n\r\n" + b"".join(chunks)


@pytest.mark.azure(85, 102)
@pytest.mark.parametrize("method", ["path", "host"])
def test_an_answer_over_the_limit_is_the_models_error(tmp_path: Path, method: str) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            tight, wide = sized(blue.address, response=3), sized(blue.address, response=4)
            host = "credit.local.inference.ml.test" if method == "host" else ""

            async with world.connect() as connection:
                path = "/name" if host else PATH
                headers = {**BEARER, "host": host} if host else BEARER
                await world.plane.publish("credit", replace(route(wide), host=host))
                fits = await connection.ask(path, headers)
                await world.plane.publish("credit", replace(route(tight), host=host))
                over = await connection.ask(path, headers)
                again = await connection.ask(path, headers)

        assert (fits.status, fits.body) == (200, b"blue")
        assert (over.status, over.code) == (424, "ResponseTooLarge")
        assert "with 4 bytes; it may be at most 3 (max_response_bytes)" in over.message
        assert over.headers["ms-azureml-model-error-statuscode"] == "200"
        assert over.headers["ms-azureml-model-error-reason"] == "model_error"
        assert again.body == over.body

    run(test())


@pytest.mark.azure(85, 102)
@pytest.mark.parametrize("most", [99_999, 999_999, 1_000_000, 1_572_864])
def test_a_long_answer_is_told_to_the_byte(tmp_path: Path, most: int) -> None:
    """The script that counts is spared short answers, by the number of their length's digits."""

    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(sized(blue.address, response=most)))

            fits = await world.ask(f"/size/{most}")
            over = await world.ask(f"/size/{most + 1}")

        assert (fits.status, len(fits.body)) == (200, most)
        assert (over.status, over.code) == (424, "ResponseTooLarge")

    run(test())


@pytest.mark.azure(84)
def test_bandwidth_slows_all_routes_of_an_endpoint_together_and_trailers_tell_the_delay(
    tmp_path: Path,
) -> None:
    size, kib = 150_000, 200

    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue, green = await world.upstream("blue"), await world.upstream("green")
            green.release.set()
            both = (deployment("blue", blue.address), deployment("green", green.address, weight=0))
            limits = Limits(bandwidth_kib_per_second=kib)
            await world.plane.publish("credit", replace(route(*both), limits=limits))

            began = time.monotonic()
            for _ in range(2):
                assert (await world.ask("/name", body=b"x" * size)).status == 200
            async with world.connect() as connection:
                connection.send("/api/v1/endpoint/credit/stream", PINNED, body=b"x" * size)
                status, _ = await connection.head()
                while await read_chunk(connection.reader):
                    pass
                trailers = await asyncio.wait_for(connection.reader.readuntil(b"\r\n\r\n"), 10)
            seconds = time.monotonic() - began

        assert status == 200
        assert b"ms-azureml-bandwidth-request-delay-ms: " in trailers
        assert b"ms-azureml-bandwidth-response-delay-ms: " in trailers
        # One second's worth is there at once; the rest has to come in.
        assert seconds > (3 * size / 1024 - kib) / kib * 0.9

    run(test())


@pytest.mark.azure(84)
def test_one_connection_too_many_is_closed_and_a_place_that_is_left_can_be_taken(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with World.open(tmp_path, connections=Connections(at_once=3)) as world:
            async with AsyncExitStack() as stack:
                held = [await stack.enter_async_context(world.connect()) for _ in range(3)]
                with pytest.raises((ConnectionError, OSError, asyncio.IncompleteReadError)):
                    async with world.connect() as refused:
                        await refused.ask("/", {})
                answers = [await one.ask("/", {}) for one in held]

            await _eventually_open(world)
        assert {answer.status for answer in answers} == {503}

    run(test())


async def _eventually_open(world: World) -> None:
    async with asyncio.timeout(10):
        while not await _is_open(world):
            pass


async def _is_open(world: World) -> bool:
    try:
        async with world.connect() as connection:
            return (await connection.ask("/", {})).status == 503  # there is no control API here
    except (OSError, asyncio.IncompleteReadError):
        return False


@pytest.mark.azure(84)
def test_new_connections_in_a_second_are_limited(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path, connections=Connections(per_second=5)) as world:
            began, open_ = time.monotonic(), 0
            for _ in range(12):
                open_ += await _is_open(world)
            seconds = time.monotonic() - began

        assert 5 <= open_ <= 5 + 5 * seconds + 1
        assert open_ < 12 or seconds > 1

    run(test())
