"""Single faults that need a patient eye, each told as a story."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.control.bench import Bench
from verdazul.compute.fake import Behaviour
from verdazul.control import deployments
from verdazul.core.instance import Phase
from verdazul.core.records import OperationState
from verdazul.model.errors import Retryable
from verdazul.model.status import ProvisioningState

NEVER_READY = Behaviour(ready_after=None, exit_after=0.5)


def test_an_instance_waits_while_the_gateway_refuses_to_let_it_go() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()
        await bench.settle()
        await bench.deploy(count=2)
        await bench.settle()
        bench.gateway.refusal = "no such cluster"

        await bench.deploy(count=1)
        await bench.settle(seconds=600)
        waiting = sorted((await bench.phases()).values())
        bench.gateway.refusal = ""
        await bench.settle()

        assert waiting == [Phase.DRAINING, Phase.READY]
        assert await bench.phases() == {"blue-0": "ready"}

    asyncio.run(story())


def test_a_silent_gateway_stops_nothing_and_loses_nothing() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        bench.gateway.silent = True
        accepted = await bench.deploy(version="2")
        for _ in range(5):
            await bench.look()  # the new instance starts: nothing to publish yet
            bench.clock.advance(0.1)
        bench.clock.advance(5.0)

        with pytest.raises(Retryable):
            await bench.look()  # it is ready: now the gateway has to know
        assert (await bench.store.operation(accepted.operation.id)) == accepted.operation
        bench.gateway.silent = False
        await bench.settle()

        assert (await bench.ended(accepted)).state is OperationState.SUCCEEDED

    asyncio.run(story())


def test_a_machine_that_refuses_to_start_is_tried_until_it_does() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()
        bench.compute.refuse("no processes left")
        accepted = await bench.deploy()

        with pytest.raises(Retryable, match="no processes left"):
            await bench.look()
        bench.compute.refuse(None)
        await bench.settle()

        assert (await bench.ended(accepted)).state is OperationState.SUCCEEDED

    asyncio.run(story())


@pytest.mark.azure(71, 72, 77)
def test_an_instance_that_hangs_is_unrouted_replaced_and_routed_again() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        (only,) = bench.compute.world.bodies

        bench.compute.hang(only)
        bench.clock.advance(10 * 30 + 1)
        await bench.look()
        route = bench.gateway.published("credit")
        assert route is not None
        assert route.deployments[0].backends == ()
        await bench.settle(seconds=1000)

        assert await bench.phases() == {"blue-0": "ready"}

    asyncio.run(story())


def test_a_lost_environment_is_built_again_before_the_next_start() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        recipe = (await bench.state()).record.bundle.recipe
        bench.environments.lose(recipe)

        (only,) = bench.compute.world.bodies
        bench.compute.crash(only)
        await bench.settle()

        assert bench.environments.builds == 2
        assert await bench.phases() == {"blue-0": "ready"}

    asyncio.run(story())


def test_a_deployment_that_the_gateway_refuses_for_good_ends_as_failed() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        bench.gateway.refusal = "the socket name is too long"

        accepted = await bench.deploy("green")
        await bench.settle(seconds=3600)

        operation = await bench.store.operation(accepted.operation.id)
        assert operation is not None
        assert operation.state is OperationState.FAILED
        assert operation.problem is not None
        assert operation.problem.code == "GatewayRejected"

    asyncio.run(story())


def test_a_declaration_during_a_late_start_gets_all_its_attempts() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()
        bench.compute.behave = lambda *_: NEVER_READY
        await bench.deploy()
        while not await _is_in_start(bench, attempt=4):
            await bench.look()
            bench.clock.advance(0.1)

        await bench.deploy()
        bench.compute.behave = lambda *_: Behaviour()
        await bench.settle(seconds=60)

        state = await bench.state()
        assert state.status is not None
        assert state.status.state is ProvisioningState.SUCCEEDED

    asyncio.run(story())


async def _is_in_start(bench: Bench, *, attempt: int) -> bool:
    seen = await bench.compute.observe("credit")
    return [(i.phase, i.attempt) for i in seen] == [(Phase.STARTING, attempt)]


def test_logs_outlive_the_instance_that_wrote_them() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        (only,) = bench.compute.world.bodies
        bench.compute.say(only, "last words")
        bench.compute.behave = lambda *_: replace(NEVER_READY, exit_after=60.0)

        bench.compute.crash(only)
        await bench.look()

        told = await deployments.logs(bench.world, "CREDIT", "BLUE", tail=100)
        assert "last words" in told

    asyncio.run(story())
