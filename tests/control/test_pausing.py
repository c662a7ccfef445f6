"""Pause and resume through the control plane, on a clock moved by hand."""

from __future__ import annotations

import asyncio

import pytest

from tests.control.bench import Bench
from verdazul.control import endpoints, pausing
from verdazul.core.records import OperationState
from verdazul.core.route import Hold
from verdazul.model.endpoint import EndpointSpec
from verdazul.model.errors import Conflict, NotFound


def test_a_pause_lets_requests_wait_until_it_is_resumed_and_restarts_nothing() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        before = bench.compute.world.bodies.copy()

        paused = await pausing.pause(bench.world, "CREDIT")
        await bench.settle()
        held = bench.gateway.published("credit")
        again = await pausing.pause(bench.world, "credit")
        view = await endpoints.get_endpoint(bench.world, "credit")
        resumed = await pausing.resume(bench.world, "credit")
        await bench.settle()
        free = bench.gateway.published("credit")

        assert paused
        assert resumed
        for accepted in (paused, resumed):
            assert (await bench.ended(accepted)).state is OperationState.SUCCEEDED
        assert held
        assert free
        assert (held.hold, free.hold, again) == (Hold(300, 1000), None, None)
        assert view.status
        assert [c.type for c in view.status.conditions] == ["TrafficApplied", "Paused"]
        assert bench.compute.world.bodies == before

    asyncio.run(story())


def test_other_changes_leave_it_paused() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        await pausing.pause(bench.world, "credit")
        await bench.settle()

        await endpoints.put_endpoint(bench.world, EndpointSpec(name="credit", traffic={"blue": 0}))
        await bench.settle()
        route = bench.gateway.published("credit")

        assert route
        assert route.hold
        assert [each.weight for each in route.deployments] == [0]

    asyncio.run(story())


def test_what_is_not_there_or_going_cannot_be_paused() -> None:
    async def story() -> None:
        bench = Bench()
        with pytest.raises(NotFound):
            await pausing.pause(bench.world, "credit")
        await bench.create_endpoint()
        await endpoints.delete_endpoint(bench.world, "credit")
        with pytest.raises(Conflict):
            await pausing.pause(bench.world, "credit")

    asyncio.run(story())
