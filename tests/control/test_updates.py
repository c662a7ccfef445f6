"""What an update touches, and what it must leave alone."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from tests.control.bench import Bench
from verdazul.compute.fake import Behaviour
from verdazul.control import deployments, endpoints
from verdazul.control.loop import LookAgain
from verdazul.core.instance import LIVE
from verdazul.core.records import OperationState
from verdazul.model.deployment import DeploymentType, RequestSettings
from verdazul.model.endpoint import Access, EndpointSpec
from verdazul.model.errors import UserError


def pids(bench: Bench) -> list[int]:
    return [body.pid for body in bench.compute.world.bodies.values()]


@pytest.mark.azure(63, 69, 70)
def test_tags_timeouts_limits_and_traffic_restart_nothing() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        before = pids(bench)
        limits = RequestSettings(
            request_timeout_ms=90_000, max_concurrent_requests_per_instance=7, max_queue_wait_ms=50
        )
        spec = (await bench.spec()).model_copy(
            update={"request_settings": limits, "tags": {"team": "risk"}, "description": "new"}
        )

        accepted = await deployments.put_deployment(bench.world, spec)
        await bench.settle()
        tagged = EndpointSpec(name="credit", traffic={"blue": 0}, tags={"a": "b"})
        await endpoints.put_endpoint(bench.world, tagged)
        await bench.settle()

        assert (await bench.ended(accepted)).state is OperationState.SUCCEEDED
        assert pids(bench) == before
        route = bench.gateway.published("credit")
        assert route is not None
        (blue,) = route.deployments
        assert (blue.request_timeout_ms, blue.max_queue_wait_ms) == (90_000, 50)
        assert (blue.max_requests, blue.weight) == (14, 0)

    asyncio.run(story())


@pytest.mark.azure(65, 69)
@pytest.mark.parametrize(("limit", "least"), [(None, 180.0), (600.0, 600.0), (0.0, 5.0)])
def test_a_timeout_raised_later_is_within_the_grace_of_what_runs(
    limit: float | None, least: float
) -> None:
    async def story() -> None:
        bench = Bench()
        if limit is not None:
            settings = replace(bench.settings, instance_drain_seconds=limit)
            bench.world = replace(bench.world, settings=settings)
        await bench.serving(blue=100)

        (body,) = bench.compute.world.bodies.values()

        assert body.launch.grace_seconds >= least

    asyncio.run(story())


@pytest.mark.azure(77)
def test_an_instance_that_keeps_dying_is_started_ever_more_rarely_and_its_sibling_serves() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()
        await bench.deploy(count=2)
        await bench.settle()
        victim = min(bench.compute.world.bodies)
        bench.compute.behave = lambda *_: Behaviour(exit_after=2.0)
        bench.compute.crash(victim)

        began, backends = set(), set()
        for _ in range(300):
            await bench.look()
            began.add(bench.compute.world.bodies[victim].began)
            route = bench.gateway.published("credit")
            assert route is not None
            backends.add(len(route.deployments[0].backends))
            bench.clock.advance(0.5)

        starts = sorted(began)
        gaps = [round(later - earlier) for earlier, later in itertools.pairwise(starts)]
        assert gaps == sorted(gaps)
        assert len(gaps) < 8
        assert gaps[-1] > 30
        assert backends == {1, 2}

    asyncio.run(story())


@pytest.mark.azure(66)
def test_on_kubernetes_one_replica_is_replaced_after_the_other() -> None:
    async def story() -> None:
        bench = Bench()
        owner = EndpointSpec(name="credit", compute="azureml:cluster")
        await endpoints.put_endpoint(bench.world, owner)
        kind = {"type": DeploymentType.KUBERNETES, "instance_type": "defaultinstancetype"}
        spec = (await bench.spec(count=10)).model_copy(update=kind)
        await deployments.put_deployment(bench.world, spec)
        await bench.settle()

        newer = (await bench.spec(count=10, version="2")).model_copy(update=kind)
        accepted = await deployments.put_deployment(bench.world, newer)
        counts = await _live_until_settled(bench)

        assert (await bench.ended(accepted)).state is OperationState.SUCCEEDED
        assert (min(counts), max(counts)) == (10, 11)

    asyncio.run(story())


async def _live_until_settled(bench: Bench) -> list[int]:
    """How many instances start or serve, at each look."""
    counts = []
    for _ in range(2000):
        result = await bench.look("credit")
        assert isinstance(result, LookAgain)
        found = await bench.compute.observe("credit")
        counts.append(sum(instance.phase in LIVE for instance in found))
        times = [result.at, bench.compute.next_change()]
        due = min((at for at in times if at is not None), default=None)
        if due is None and not bench.woken:
            return counts
        bench.woken.clear()
        bench.clock.advance(max(0.01, (due or 0.0) - bench.clock.now()))
    raise AssertionError("did not settle")


@pytest.mark.azure(74)
def test_egress_is_fixed_when_a_deployment_is_created() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()
        spec = await bench.spec()
        closed = spec.model_copy(update={"egress_public_network_access": Access.DISABLED})
        await deployments.put_deployment(bench.world, closed)
        await bench.settle()

        with pytest.raises(UserError, match="it cannot become enabled") as refused:
            await deployments.put_deployment(bench.world, spec)
        await deployments.put_deployment(
            bench.world, closed.model_copy(update={"instance_count": 2})
        )
        await bench.settle()

        assert refused.value.problem.code == "BadArgument"
        started = [body.launch.is_isolated for body in bench.compute.world.bodies.values()]
        assert started == [True, True]

    asyncio.run(story())
