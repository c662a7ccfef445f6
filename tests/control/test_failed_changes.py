"""What fails is said, and what served before goes on serving."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.control.bench import Bench
from verdazul.compute.fake import Behaviour
from verdazul.control import deployments
from verdazul.core.records import OperationState
from verdazul.environments.fake import FakeEnvironments
from verdazul.model.errors import Problem, UserError
from verdazul.model.status import ProvisioningState

INIT_FAILED = Problem("UserScriptInitFailed", "init() raised ValueError: no model", "mend init()")
NEVER_READY = Behaviour(ready_after=None, exit_after=0.5, exit_code=3, problem=INIT_FAILED)


@pytest.mark.azure(67)
def test_failed_update_keeps_the_old_version_and_says_why() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        good = (await bench.state()).record.bundle.revision
        bench.compute.behave = lambda instance, _: (
            Behaviour() if instance.revision == good else NEVER_READY
        )

        accepted = await bench.deploy("blue", version="2")
        await bench.settle()

        operation = await bench.ended(accepted)
        assert operation.state is OperationState.FAILED
        assert operation.problem is not None
        assert operation.problem.code == "ResourceNotReady"
        assert "init() raised ValueError: no model" in operation.problem.message
        assert "goes on serving" in operation.problem.message
        assert operation.problem.fix == "mend init()"
        assert [i.revision for i in bench.compute.world.bodies] == [good]

    asyncio.run(story())


@pytest.mark.azure(67, 77)
def test_after_a_failed_update_a_killed_instance_comes_back_in_the_old_version() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        good = (await bench.state()).record.bundle.revision
        bench.compute.behave = lambda instance, _: (
            Behaviour() if instance.revision == good else NEVER_READY
        )
        await bench.deploy("blue", version="2")
        await bench.settle()

        (only,) = bench.compute.world.bodies
        bench.compute.crash(only)
        await bench.settle()

        assert await bench.phases() == {"blue-0": "ready"}
        assert [i.revision for i in bench.compute.world.bodies] == [good]

    asyncio.run(story())


def test_log_after_a_failed_update_says_whose_it_is() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        good = (await bench.state()).record.bundle.revision
        assert not (await deployments.logs(bench.world, "credit", "blue", tail=9)).startswith("#")
        bench.compute.behave = lambda instance, _: (
            Behaviour() if instance.revision == good else NEVER_READY
        )
        await bench.deploy("blue", version="2")
        await bench.settle()

        log = await deployments.logs(bench.world, "credit", "blue", tail=9)

        failed = (await bench.state()).record.bundle.revision
        assert log.startswith(f"# revision {failed} failed; this is the log of revision {good}")

    asyncio.run(story())


@pytest.mark.azure(73)
def test_first_deployment_that_fails_says_cause_and_is_tried_on() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()
        bench.compute.behave = lambda _, attempt: NEVER_READY if attempt < 5 else Behaviour()
        accepted = await bench.deploy()

        await bench.settle(seconds=6)
        failed = await bench.ended(accepted)
        await bench.settle(seconds=60)

        assert failed.state is OperationState.FAILED
        assert await bench.phases() == {"blue-0": "ready"}
        state = await bench.state()
        assert state.status is not None
        assert state.status.state is ProvisioningState.FAILED, "the outcome stands"

    asyncio.run(story())


def test_declaring_again_after_a_failure_tries_again_at_once() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()
        bench.compute.behave = lambda *_: NEVER_READY
        await bench.deploy()
        await bench.settle(seconds=30)
        bench.compute.behave = lambda *_: Behaviour()

        accepted = await bench.deploy()
        await bench.settle(seconds=5)

        assert (await bench.ended(accepted)).state is OperationState.SUCCEEDED

    asyncio.run(story())


def test_environment_that_cannot_be_built_fails_the_operation() -> None:
    async def story() -> None:
        bench = Bench()
        bench.environments = FakeEnvironments(is_instant=False)
        bench.world = replace(bench.world, environments=bench.environments)
        await bench.create_endpoint()
        accepted = await bench.deploy()
        await bench.look()
        recipe = (await bench.state()).record.bundle.recipe

        bench.environments.fail(recipe, Problem("x", "no version of `scikit-lern` exists"))
        await bench.settle()

        operation = await bench.ended(accepted)
        assert operation.state is OperationState.FAILED
        assert operation.problem is not None
        assert operation.problem.code == "ImageBuildFailure"
        assert not bench.compute.world.bodies

    asyncio.run(story())


def test_conda_file_that_nobody_could_build_is_refused_at_once() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()
        spec = await bench.spec(conda="dependencies:\n- python=3.11\n- numpy=1|2\n")

        with pytest.raises(UserError) as caught:
            await deployments.put_deployment(bench.world, spec)

        assert caught.value.problem.code == "InvalidCondaFile"
        assert await bench.store.deployment("credit", "blue") is None

    asyncio.run(story())


@pytest.mark.azure(67)
def test_refused_route_fails_the_operation_and_keeps_the_last_good_one() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100, green=0)
        bench.gateway.refusal = "no such cluster"

        accepted = await bench.traffic(green=100)
        await bench.look()

        operation = await bench.ended(accepted)
        assert operation.problem is not None
        assert operation.problem.code == "GatewayRejected"
        route = bench.gateway.published("credit")
        assert route is not None
        assert {d.name: d.weight for d in route.deployments} == {"blue": 100, "green": 0}

    asyncio.run(story())


def test_refused_route_fails_a_deployment_that_waits_for_it() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()
        await bench.settle()
        bench.gateway.refusal = "no such cluster"

        accepted = await bench.deploy()
        await bench.settle(seconds=5)

        operation = await bench.ended(accepted)
        assert operation.problem is not None
        assert operation.problem.code == "GatewayRejected"

    asyncio.run(story())
