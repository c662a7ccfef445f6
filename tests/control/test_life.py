"""Life of endpoints and deployments through the control plane, on a clock moved by hand."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.control.bench import Bench
from verdazul.compute.fake import Behaviour
from verdazul.control import credentials, deployments, endpoints
from verdazul.control.endpoints import Precondition
from verdazul.control.loop import Gone
from verdazul.core.instance import Phase
from verdazul.core.keys import digest
from verdazul.core.records import OperationState
from verdazul.model.endpoint import EndpointSpec
from verdazul.model.errors import Conflict, NotFound, PreconditionFailed, UserError
from verdazul.model.events import Severity
from verdazul.model.status import ProvisioningState


@pytest.mark.azure(19)
def test_deployment_becomes_ready_routed_and_its_operation_succeeds() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()
        await bench.settle()
        accepted = await bench.deploy(count=3)

        await bench.settle()

        assert (await bench.ended(accepted)).state is OperationState.SUCCEEDED
        route = bench.gateway.published("credit")
        assert route is not None
        assert [len(d.backends) for d in route.deployments] == [3]
        assert [d.weight for d in route.deployments] == [0]

    asyncio.run(story())


@pytest.mark.azure(17)
def test_traffic_change_restarts_nothing_and_is_acknowledged() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        await bench.deploy("green")
        await bench.settle()
        before = bench.compute.world.bodies.copy()

        accepted = await bench.traffic(blue=90, GREEN=10)
        await bench.settle()

        assert (await bench.ended(accepted)).state is OperationState.SUCCEEDED
        route = bench.gateway.published("credit")
        assert route is not None
        assert {d.name: d.weight for d in route.deployments} == {"blue": 90, "green": 10}
        assert [b.began for b in bench.compute.world.bodies.values()] == [
            b.began for b in before.values()
        ]

    asyncio.run(story())


@pytest.mark.azure(65)
def test_update_replaces_instances_without_a_gap() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        await bench.deploy("blue", version="2")

        served = []
        for _ in range(40):
            await bench.look()
            route = bench.gateway.published("credit")
            assert route is not None
            served.append(len(route.deployments[0].backends))
            bench.clock.advance(0.3)

        assert min(served) >= 1
        state = await bench.state()
        assert state.status is not None
        assert state.status.state is ProvisioningState.SUCCEEDED
        assert len(bench.compute.world.bodies) == 1

    asyncio.run(story())


@pytest.mark.azure(64)
def test_update_of_count_and_code_scales_the_old_version_first() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        old = (await bench.state()).record.bundle.revision
        accepted = await bench.deploy("blue", count=3, version="2")

        seen = []
        for _ in range(40):
            await bench.look()
            ready = [i for i in await bench.compute.observe("credit") if i.phase is Phase.READY]
            seen.append([i.id.revision == old for i in ready])
            bench.clock.advance(0.3)

        assert [True, True, True] in seen
        assert seen.index([True, True, True]) == next(n for n, s in enumerate(seen) if len(s) > 1)
        assert seen[-1] == [False, False, False]
        assert (await bench.ended(accepted)).state is OperationState.SUCCEEDED

    asyncio.run(story())


@pytest.mark.azure(77)
def test_crashed_instance_is_replaced_and_unrouted_meanwhile() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        (only,) = bench.compute.world.bodies

        bench.compute.crash(only)
        await bench.look()
        route = bench.gateway.published("credit")
        assert route is not None
        assert route.deployments[0].backends == ()
        await bench.settle()

        assert await bench.phases() == {"blue-0": "ready"}

    asyncio.run(story())


@pytest.mark.azure(26)
def test_deployment_with_traffic_cannot_be_deleted() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=90, green=10)

        with pytest.raises(UserError, match=r'"green" takes 10 % of the traffic') as caught:
            await deployments.delete_deployment(bench.world, "credit", "GREEN")

        assert caught.value.problem.code == "DeploymentHasTraffic"
        assert await bench.phases() == {"blue-0": "ready", "green-0": "ready"}

    asyncio.run(story())


def test_deleted_deployment_leaves_nothing_behind() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100, green=0)

        accepted = await deployments.delete_deployment(bench.world, "credit", "green")
        await bench.settle()

        assert accepted is not None
        assert (await bench.ended(accepted)).state is OperationState.SUCCEEDED
        assert await bench.phases() == {"blue-0": "ready"}
        assert await bench.store.deployment("credit", "green") is None

    asyncio.run(story())


def test_deleting_an_endpoint_takes_everything_down_and_frees_the_name() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)

        accepted = await endpoints.delete_endpoint(bench.world, "Credit")
        await bench.settle()

        assert accepted is not None
        assert (await bench.ended(accepted)).state is OperationState.SUCCEEDED
        assert bench.gateway.endpoints() == frozenset()
        assert not bench.compute.world.bodies
        assert isinstance(await bench.look(), Gone)
        await bench.create_endpoint()

    asyncio.run(story())


def test_deletion_overtakes_a_creation_that_does_not_end() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()
        bench.compute.behave = lambda *_: Behaviour(ready_after=None)
        creation = await bench.deploy()
        await bench.settle(seconds=5)

        deletion = await endpoints.delete_endpoint(bench.world, "credit")
        await bench.settle()

        assert (await bench.ended(creation)).state is OperationState.CANCELED
        assert deletion is not None
        assert (await bench.ended(deletion)).state is OperationState.SUCCEEDED
        assert not bench.compute.world.bodies

    asyncio.run(story())


def test_second_change_while_one_is_open_is_a_conflict() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()
        await bench.settle()
        await bench.deploy()

        with pytest.raises(Conflict) as caught:
            await bench.deploy(version="2")

        assert caught.value.problem.code == "OperationInProgress"
        await bench.settle()
        assert (await bench.state()).record.generation == 1

    asyncio.run(story())


def test_preconditions_are_honoured() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()
        await bench.settle()
        spec = EndpointSpec(name="credit", tags={"a": "b"})

        with pytest.raises(Conflict, match="exists already"):
            await endpoints.put_endpoint(
                bench.world, spec, precondition=Precondition(must_be_new=True)
            )
        with pytest.raises(PreconditionFailed, match="is at generation 1, not 7"):
            await endpoints.put_endpoint(bench.world, spec, precondition=Precondition(generation=7))

    asyncio.run(story())


@pytest.mark.azure(36)
def test_regenerated_key_opens_and_the_other_stays() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()
        await bench.settle()
        primary, secondary = await credentials.list_keys(bench.world, "credit")

        await credentials.regenerate_key(bench.world, "credit", primary=True, value=primary)
        await bench.settle()

        new_primary, same_secondary = await credentials.list_keys(bench.world, "credit")
        assert new_primary != primary
        assert same_secondary == secondary
        route = bench.gateway.published("credit")
        assert route is not None
        assert route.key_digests == (digest(new_primary), digest(secondary))

    asyncio.run(story())


def test_traffic_to_an_unknown_deployment_is_refused_and_nothing_changes() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)

        with pytest.raises(UserError, match="does not have") as caught:
            await bench.traffic(blu=100)

        assert caught.value.problem.code == "InvalidTraffic"
        endpoint = await bench.store.endpoint("credit")
        assert endpoint is not None
        assert endpoint.spec.traffic == {"blue": 100}

    asyncio.run(story())


def test_restarted_control_plane_changes_nothing() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=90, green=10)
        pids = [body.pid for body in bench.compute.world.bodies.values()]

        after = bench.restart_control_plane()
        await after.settle()

        assert [body.pid for body in after.compute.world.bodies.values()] == pids

    asyncio.run(story())


def test_creation_interrupted_by_a_restart_is_finished_by_the_next_one() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()
        await bench.settle()
        accepted = await bench.deploy(count=2)
        await bench.look()

        after = bench.restart_control_plane()
        await after.settle()

        assert (await after.ended(accepted)).state is OperationState.SUCCEEDED
        assert await after.phases() == {"blue-0": "ready", "blue-1": "ready"}

    asyncio.run(story())


def test_orphaned_instances_are_taken_down() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        bench.store = type(bench.store)()
        bench.world = replace(bench.world, store=bench.store)

        await bench.settle()

        assert not bench.compute.world.bodies
        assert bench.gateway.endpoints() == frozenset()

    asyncio.run(story())


def test_unknown_names_are_not_found() -> None:
    async def story() -> None:
        bench = Bench()

        with pytest.raises(NotFound, match='endpoint "credit" does not exist'):
            await endpoints.get_endpoint(bench.world, "credit")
        with pytest.raises(NotFound, match='endpoint "credit" does not exist'):
            await bench.deploy()

    asyncio.run(story())


@pytest.mark.azure(75)
@pytest.mark.parametrize("small", ["Standard_DS1_v2", "Standard_DS2_v2"])
def test_a_small_instance_type_is_taken_and_warned_of(small: str) -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()
        spec = (await bench.spec()).model_copy(update={"instance_type": small})

        accepted = await deployments.put_deployment(bench.world, spec)
        await bench.settle()

        assert (await bench.ended(accepted)).state is OperationState.SUCCEEDED
        events = await bench.store.events("credit", "blue", last=100)
        (warning,) = [event for event in events if event.severity is Severity.WARNING]
        assert (warning.reason, small in warning.message) == ("SmallSKUs", True)

    asyncio.run(story())
