"""Mirrors and limits through the control plane: what is refused, and that nothing restarts."""

from __future__ import annotations

import asyncio

import pytest

from tests.control.bench import Bench
from verdazul.control import deployments, endpoints
from verdazul.core.limits import DeploymentLimits, Limits
from verdazul.core.route import Mirror, Route
from verdazul.model.endpoint import EndpointSpec
from verdazul.model.errors import UserError
from verdazul.settings import Settings


@pytest.mark.azure(27, 29)
def test_a_mirror_is_set_moved_and_reset_and_restarts_nothing() -> None:
    async def scenario() -> None:
        bench = Bench()
        await bench.serving(blue=100, green=0)
        before = await bench.compute.observe("credit")

        async def mirrored(traffic: dict[str, int], mirror: dict[str, int]) -> Route:
            spec = EndpointSpec(name="credit", traffic=traffic, mirror_traffic=mirror)
            await endpoints.put_endpoint(bench.world, spec)
            await bench.settle()
            found = bench.gateway.published("credit")
            assert found is not None
            return found

        assert (await mirrored({"blue": 100}, {"GREEN": 10})).mirror == Mirror("green", 10)
        assert (await mirrored({"green": 100}, {"blue": 50})).mirror == Mirror("blue", 50)
        assert (await mirrored({"green": 100}, {"blue": 0})).mirror is None
        view = await endpoints.get_endpoint(bench.world, "credit")
        assert view.record.spec.mirror_traffic == {}
        assert await bench.compute.observe("credit") == before

    asyncio.run(scenario())


@pytest.mark.azure(26, 29)
def test_what_is_mirrored_to_is_neither_unknown_nor_deleted() -> None:
    async def scenario() -> None:
        bench = Bench()
        await bench.serving(blue=100, green=0)
        spec = EndpointSpec(name="credit", traffic={"blue": 100}, mirror_traffic={"gren": 10})

        with pytest.raises(UserError, match='mirror_traffic names deployment "gren"') as unknown:
            await endpoints.put_endpoint(bench.world, spec)
        mended = spec.model_copy(update={"mirror_traffic": {"green": 10}})
        await endpoints.put_endpoint(bench.world, mended)
        with pytest.raises(UserError, match="copies of 10 % of the requests") as mirrored:
            await deployments.delete_deployment(bench.world, "credit", "green")

        assert "did you mean green" in unknown.value.problem.fix
        assert mirrored.value.problem.code == "DeploymentHasTraffic"
        assert "--mirror-traffic" in mirrored.value.problem.fix

    asyncio.run(scenario())


@pytest.mark.azure(84, 85)
def test_limits_come_into_force_without_a_restart() -> None:
    async def scenario() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        before = await bench.compute.observe("credit")
        limits = {
            "verdazul.requests_per_second": "7",
            "verdazul.bandwidth_kib_per_second": "0",
            "verdazul.max_request_bytes": "1000",
        }

        spec = EndpointSpec(name="credit", traffic={"blue": 100}, properties=limits)
        await endpoints.put_endpoint(bench.world, spec)
        await bench.settle()
        known = await bench.state()
        own = known.record.spec.model_copy(
            update={"properties": {"verdazul.max_response_bytes": "2000"}}
        )
        await deployments.put_deployment(bench.world, own)
        await bench.settle()

        found = bench.gateway.published("credit")
        assert found is not None
        assert found.limits == Limits(7, 0, 1000, 1_572_864)
        assert found.deployments[0].limits == DeploymentLimits(0, 1000, 2000)
        assert await bench.compute.observe("credit") == before

    asyncio.run(scenario())


@pytest.mark.azure(83)
@pytest.mark.parametrize(
    ("settings", "told", "raised_by"),
    [
        (Settings(deployments=3), "3 deployments of all endpoints", "VERDAZUL_DEPLOYMENTS"),
        (
            Settings(deployments_per_endpoint=2),
            'endpoint "credit" has 2 deployments',
            "VERDAZUL_DEPLOYMENTS_PER_ENDPOINT",
        ),
    ],
)
def test_so_many_deployments_are_the_limit_and_what_raises_it_is_said(
    settings: Settings, told: str, raised_by: str
) -> None:
    async def scenario() -> None:
        bench = Bench(settings=settings)
        await bench.serving(blue=100, green=0)
        await bench.create_endpoint("other")
        elsewhere = await bench.spec("blue", endpoint="other")
        await deployments.put_deployment(bench.world, elsewhere)

        with pytest.raises(UserError, match=told) as refused:
            await bench.deploy("red")
        await bench.deploy("green", version="2")

        assert refused.value.problem.code == "OutOfQuota"
        assert refused.value.problem.fix.endswith(f"a higher {raised_by}")

    asyncio.run(scenario())
