"""How requests to a Kubernetes endpoint fail, row for row of Azure's table, through a real Envoy.

The model's own words about itself stay 424; what its run() did, and what the router did, is 5xx.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tests.gateway.gateway_upstream import Answer, eventually
from tests.gateway.gateway_world import BEARER, World, deployment, route, run
from tests.gateway.test_pausing import waiting
from verdazul.core.limits import DeploymentLimits, Limits
from verdazul.core.route import Hold, Route

pytestmark = [pytest.mark.e2e, pytest.mark.azure(104)]

REASON = "ms-azureml-model-error-reason"
STATUS = "ms-azureml-model-error-statuscode"


def kubernetes(*addresses: str, **settings: int) -> Route:
    return replace(route(deployment("blue", *addresses, **settings)), is_kubernetes=True)


def test_good_answers_wrong_keys_and_unknown_deployments_are_as_managed(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", kubernetes(blue.address))

            good = await world.ask("/name")
            older = await older_path(world)
            shut = await world.ask("/name", {})
            unknown = await world.ask("/name", {**BEARER, "azureml-model-deployment": "green"})

        assert [good.status, older.status, shut.status, unknown.status] == [200, 200, 401, 404]
        assert good.body == older.body == b"blue"

    run(test())


async def older_path(world: World) -> Answer:
    async with world.connect() as connection:
        return await connection.ask("/api/v1/service/credit/name", BEARER)


def test_what_the_model_answers_on_purpose_is_424(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", kubernetes(blue.address))

            for status in (201, 400, 404, 500, 503):
                answer = await world.ask(f"/status/{status}")
                assert (answer.status, answer.body) == (424, b'{"own": "body"}')
                assert answer.headers[STATUS] == str(status)
                assert answer.headers[REASON] == "model_error"

    run(test())


def test_an_exception_in_run_is_502_and_on_managed_endpoints_424(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", kubernetes(blue.address))
            managed = replace(kubernetes(blue.address), endpoint="other", is_kubernetes=False)
            await world.plane.publish("other", managed)

            failed = await world.ask("/status/500/failed")
            other = await world.ask("/status/500/failed", endpoint="other")
            claimed = await world.ask("/status/200/failed")

        assert (failed.status, failed.body) == (502, b'{"own": "body"}')
        assert (failed.headers[STATUS], failed.headers[REASON]) == ("500", "model_error")
        assert (other.status, claimed.status) == (424, 200)

    run(test())


@pytest.mark.parametrize("path", ["/drop", "/garbage"])
def test_an_instance_that_breaks_off_is_502(tmp_path: Path, path: str) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", kubernetes(blue.address))

            answer = await world.ask(path, body=b"{}")

        assert (answer.status, answer.code) == (502, "ModelError")
        assert (answer.headers[REASON], blue.paths) == ("model_error", [path])
        assert "broke off" in answer.message

    run(test())


@pytest.mark.azure(69)
def test_over_its_time_is_504(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            slow = await world.upstream("slow")
            await world.plane.publish("credit", kubernetes(slow.address, timeout_ms=100))

            late = await world.ask("/wait")
            slow.release.set()

        assert (late.status, late.code) == (504, "RequestTimeout")
        assert 'deployment "blue" of endpoint "credit"' in late.message

    run(test())


def test_more_than_it_may_hold_is_503_whoever_sheds_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", kubernetes(blue.address, max_requests=1))

            shed = await world.ask("/status/429/shed")
            first = asyncio.create_task(world.ask("/wait"))
            await eventually(lambda: blue.active == 1)
            second = await world.ask("/wait")
            blue.release.set()
            served = await first

        assert (shed.status, shed.body) == (503, b'{"own": "body"}')
        assert (second.status, second.code) == (503, "TooManyPendingRequests")
        assert shed.headers[REASON] == second.headers[REASON] == "too_many_pending_request"
        assert served.status == 200

    run(test())


def test_no_instance_is_503_and_limits_of_our_own_are_as_managed(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("none", replace(kubernetes(), endpoint="none"))
            small = replace(
                deployment("blue", blue.address), limits=DeploymentLimits(max_request_bytes=10)
            )
            few = replace(kubernetes(), deployments=(small,), limits=Limits(requests_per_second=1))
            await world.plane.publish("credit", few)

            nobody = await world.ask("/name", endpoint="none")
            large = await world.ask("/name", body=b"x" * 11)
            often = await asyncio.gather(*(world.ask("/name") for _ in range(20)))

        assert (nobody.status, nobody.headers[REASON]) == (503, "model_not_ready")
        assert large.status == 413
        assert {answer.headers[REASON] for answer in often if answer.status == 429} == {
            "rate_limited"
        }

    run(test())


def test_after_a_pause_it_is_504_and_503_too(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            slow = await world.upstream("slow")
            plain = kubernetes(slow.address, timeout_ms=100)
            await world.plane.publish("credit", replace(plain, hold=Hold(seconds=1, most=100)))
            await world.plane.publish(
                "full", replace(plain, endpoint="full", hold=Hold(seconds=60, most=0))
            )

            tired = await world.ask("/wait")
            surplus = await world.ask("/wait", endpoint="full")
            await world.plane.publish("credit", replace(plain, hold=Hold(seconds=60, most=100)))
            late = asyncio.create_task(world.ask("/wait"))
            await waiting(world, 1)
            await world.plane.publish("credit", plain)
            slow_answer = await late
            slow.release.set()

        assert (tired.status, tired.code) == (503, "EndpointPaused")
        assert (surplus.status, surplus.code) == (503, "TooManyPendingRequests")
        assert (slow_answer.status, slow_answer.code) == (504, "RequestTimeout")

    run(test())


def test_nobody_makes_a_managed_endpoint_answer_so(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            slow = await world.upstream("slow")
            managed = replace(kubernetes(slow.address, timeout_ms=100), is_kubernetes=False)
            await world.plane.publish("credit", managed)

            answer = await world.ask("/wait", {**BEARER, "x-verdazul-kubernetes": "1"})
            slow.release.set()

        assert answer.status == 408

    run(test())
