"""gRPC calls of a paused endpoint: they speak HTTP/2 up to the instance, and wait as others do."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.gateway.gateway_world import World, deployment, route, run
from tests.gateway.grpc_kit import curl_grpc, grpc_server
from tests.gateway.test_pausing import HOLD, waiting
from verdazul.core.route import Hold, Route

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not shutil.which("curl"), reason="needs curl"),
]
CALL = "https://localhost:{}/api/v1/endpoint/credit/inference.Service/Infer"


def grpc_route(*, timeout_ms: int = 10_000, hold: Hold | None = None) -> Route:
    made = deployment("blue", "unix:run/grpc.sock", timeout_ms=timeout_ms)
    return replace(route(replace(made, http2=True)), hold=hold)


def test_grpc_calls_wait_and_go_on_with_their_trailers(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world, grpc_server(world) as seen:
            await world.plane.publish("credit", grpc_route(hold=HOLD))
            calls = [asyncio.create_task(curl_grpc(world, CALL.format(world.port)))]
            calls += [asyncio.create_task(curl_grpc(world, CALL.format(world.port)))]
            await waiting(world, 2)
            seen_before = list(seen)
            await world.plane.publish("credit", grpc_route())
            answers = await asyncio.gather(*calls)

        assert not seen_before
        assert len(seen) == 2
        for answer in answers:
            assert "HTTP/2 200" in answer
            assert "grpc-status: 0" in answer

    run(test())


def test_a_grpc_call_that_has_waited_too_long_is_told_so(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world, grpc_server(world) as seen:
            await world.plane.publish("credit", grpc_route(hold=Hold(1, 10)))
            answer = await curl_grpc(world, CALL.format(world.port))

        assert "HTTP/2 503" in answer
        assert "EndpointPaused" in answer
        assert "retry-after: 1" in answer
        assert "x-verdazul-held" not in answer
        assert not seen

    run(test())


@pytest.mark.parametrize("is_held", [False, True])
def test_a_grpc_call_that_gets_no_answer_in_time_is_told_so(
    tmp_path: Path,
    is_held: bool,  # noqa: FBT001
) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world, grpc_server(world, is_silent=True):
            plain = grpc_route(timeout_ms=300)
            await world.plane.publish("credit", replace(plain, hold=HOLD if is_held else None))
            call = asyncio.create_task(curl_grpc(world, CALL.format(world.port)))
            if is_held:
                await waiting(world, 1)
                await world.plane.publish("credit", plain)
            answer = await call

        assert "did not answer within 300 ms" in answer
        assert ("HTTP/2 408" in answer) == is_held  # without a pause, Envoy's own reply is gRPC's
        assert ("grpc-status: 4" in answer) != is_held  # DEADLINE_EXCEEDED

    run(test())
