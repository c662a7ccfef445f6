"""The contract of the port Compute, held by the fake and by real processes alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.contract.compute_worlds import (
    ALERT,
    QUICK,
    FakeWorld,
    ProcessWorld,
    World,
    instance_id,
    just,
    reach,
    the,
    vanish,
)

from verdazul.core.instance import Phase

Run = Callable[[Callable[[World], Awaitable[None]]], None]
A = instance_id()


@pytest.fixture(params=[FakeWorld, ProcessWorld], ids=["fake", "process"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    def in_world(test: Callable[[World], Awaitable[None]]) -> None:
        async def opened() -> None:
            world: World = request.param(tmp_path)
            await world.open()
            try:
                await test(world)
            finally:
                await world.close()

        asyncio.run(opened())

    return in_world


def test_nothing_is_observed_where_nothing_was_started(run: Run) -> None:
    async def test(world: World) -> None:
        assert await world.compute.observe("credit") == ()
        assert await world.compute.endpoints() == frozenset()
        assert await world.compute.logs("credit", "blue", tail=10) == ""

    run(test)


def test_started_instance_is_starting_then_ready_and_listeners_hear_of_it(run: Run) -> None:
    async def test(world: World) -> None:
        heard: list[str] = []
        world.compute.on_change(heard.append)

        await world.compute.start(A, world.launch(), attempt=1)

        first = await the(world, A)
        assert (first.phase, first.attempt, first.exit) == (Phase.STARTING, 1, None)
        ready = await reach(world, A, Phase.READY)
        assert ready.since >= first.since
        assert ready.pid is not None
        assert len(ready.address.removeprefix("unix:")) < 60
        assert "credit" in heard

    run(test)


def test_starting_twice_is_one_instance(run: Run) -> None:
    async def test(world: World) -> None:
        await world.compute.start(A, world.launch(), attempt=1)
        ready = await reach(world, A, Phase.READY)

        await world.compute.start(A, world.launch(), attempt=2)

        assert await world.compute.observe("credit") == (ready,)

    run(test)


def test_instances_are_observed_by_endpoint_and_in_order(run: Run) -> None:
    async def test(world: World) -> None:
        ids = [instance_id(n=2), instance_id(deployment="a"), instance_id(n=1)]
        other = instance_id("other")

        for instance in (*ids, other):
            await world.compute.start(instance, world.launch(), attempt=1)

        assert [i.id for i in await world.compute.observe("credit")] == sorted(ids)
        assert await world.compute.endpoints() == {"credit", "other"}

    run(test)


def test_drained_instance_stays_and_is_not_ready(run: Run) -> None:
    async def test(world: World) -> None:
        await world.compute.start(A, world.launch(), attempt=1)
        ready = await reach(world, A, Phase.READY)

        await world.compute.drain(A)
        await world.compute.drain(A)

        draining = await the(world, A)
        assert (draining.phase, draining.pid) == (Phase.DRAINING, ready.pid)

    run(test)


def test_stopped_instance_is_leaving_until_it_is_gone(run: Run) -> None:
    async def test(world: World) -> None:
        heard: list[str] = []
        await world.compute.start(A, world.launch(), attempt=1)
        await reach(world, A, Phase.READY)
        world.compute.on_change(heard.append)

        await world.compute.stop(A)
        await world.compute.stop(A)

        assert (await the(world, A)).phase is Phase.STOPPING
        await vanish(world, A)
        await world.until(lambda: just(heard == ["credit"]), "told once that it is gone")
        assert await world.compute.endpoints() == frozenset()

    run(test)


def test_unknown_instance_can_be_drained_and_stopped(run: Run) -> None:
    async def test(world: World) -> None:
        await world.compute.drain(A)
        await world.compute.stop(A)

        assert await world.compute.observe("credit") == ()

    run(test)


def test_killed_instance_is_exited_and_tells_how_long_it_was_ready(run: Run) -> None:
    async def test(world: World) -> None:
        await world.compute.start(A, world.launch(), attempt=1)
        await reach(world, A, Phase.READY)
        heard: list[str] = []
        world.compute.on_change(heard.append)

        await world.kill(A)

        dead = await reach(world, A, Phase.EXITED)
        assert dead.exit is not None
        assert (dead.exit.code, dead.exit.signal, dead.pid) == (None, 9, None)
        assert dead.exit.problem.code == "ResourceNotReady"
        assert dead.ready_seconds > 0
        await world.until(lambda: just(heard == ["credit"]), "told once that it exited")

    run(test)


def test_failed_boot_is_exited_with_the_servers_own_problem(run: Run) -> None:
    async def test(world: World) -> None:
        await world.compute.start(A, world.launch("fails-in-init"), attempt=1)

        dead = await reach(world, A, Phase.EXITED)

        assert dead.exit is not None
        assert (dead.exit.code, dead.exit.problem.code) == (3, "UserScriptInitFailed")
        assert dead.ready_seconds == 0.0

    run(test)


def test_exited_instance_is_replaced_by_a_start_with_the_next_attempt(run: Run) -> None:
    async def test(world: World) -> None:
        await world.compute.start(A, world.launch("exits"), attempt=1)
        assert (await reach(world, A, Phase.EXITED)).exit is not None

        await world.compute.start(A, world.launch(), attempt=2)

        again = await reach(world, A, Phase.READY)
        assert (again.attempt, again.exit, again.ready_seconds) == (2, None, 0.0)

    run(test)


def test_exited_instance_is_forgotten_by_a_stop(run: Run) -> None:
    async def test(world: World) -> None:
        await world.compute.start(A, world.launch("exits"), attempt=1)
        await reach(world, A, Phase.EXITED)

        await world.compute.stop(A)

        await vanish(world, A)

    run(test)


@pytest.mark.azure(73)
def test_instance_that_never_gets_ready_is_given_up_naming_the_probe(run: Run) -> None:
    async def test(world: World) -> None:
        launch = world.launch("never-ready", readiness=QUICK)
        await world.compute.start(A, launch, attempt=1)

        dead = await reach(world, A, Phase.EXITED)

        assert dead.exit is not None
        assert dead.exit.problem.code == "ResourceNotReady"
        assert "readiness_probe" in dead.exit.problem.message
        assert "503" in dead.exit.problem.message

    run(test)


@pytest.mark.azure(71)
def test_hanging_instance_is_unready_and_ready_again_when_it_recovers(run: Run) -> None:
    async def test(world: World) -> None:
        await world.compute.start(A, world.launch(readiness=ALERT), attempt=1)
        await reach(world, A, Phase.READY)

        await world.hang(A)
        await reach(world, A, Phase.UNREADY)
        await world.recover(A)

        await reach(world, A, Phase.READY)

    run(test)


def test_everything_is_still_known_after_a_restart_of_ours(run: Run) -> None:
    async def test(world: World) -> None:
        draining, dead = instance_id(n=1), instance_id(n=2)
        await world.compute.start(dead, world.launch("exits"), attempt=3)
        await reach(world, dead, Phase.EXITED)
        for instance in (A, draining):
            await world.compute.start(instance, world.launch(), attempt=1)
            await reach(world, instance, Phase.READY)
        await world.compute.drain(draining)
        before = await world.compute.observe("credit")

        await world.restart()

        assert await world.compute.observe("credit") == before
        await world.kill(A)
        await reach(world, A, Phase.EXITED)

    run(test)


def test_logs_outlive_the_process_and_the_instance(run: Run) -> None:
    async def test(world: World) -> None:
        await world.compute.start(A, world.launch(), attempt=1)
        await reach(world, A, Phase.READY)
        running = await world.compute.logs("credit", "blue", tail=100)
        await world.kill(A)
        await reach(world, A, Phase.EXITED)
        exited = await world.compute.logs("credit", "blue", tail=100)
        await world.compute.stop(A)
        await vanish(world, A)

        forgotten = await world.compute.logs("credit", "blue", tail=100)

        assert exited.startswith(running)
        assert "begins" in exited
        assert forgotten == exited
        assert len((await world.compute.logs("credit", "blue", tail=1)).splitlines()) == 1

    run(test)
