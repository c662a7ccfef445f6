"""Which instance gets a request: the least loaded one, none that fails; through a real Envoy."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest

from tests.gateway.gateway_upstream import Upstream, eventually
from tests.gateway.gateway_world import World, deployment, route, run

pytestmark = pytest.mark.e2e


async def serve(world: World, *names: str) -> list[Upstream]:
    """One deployment of so many instances."""
    servers = [await world.upstream(name) for name in names]
    addresses = [server.address for server in servers]
    await world.plane.publish("credit", route(deployment("blue", *addresses)))
    return servers


async def until_spared(world: World) -> Counter[int]:
    """Ask until nobody fails any more: a coin shows heads so often once in thousands of times.

    Envoy hears of the fifth failure in a row in one thread and acts on it in another.
    """
    told: Counter[int] = Counter()
    in_a_row = 0
    while in_a_row < 16:
        status = (await world.ask("/name", body=b"{}")).status
        told[status] += 1
        in_a_row = in_a_row + 1 if status == 200 else 0
    return told


def holds(servers: Iterable[Upstream], number: int) -> bool:
    return sum(server.active for server in servers) == number


def test_requests_go_to_the_instance_that_holds_the_fewest(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            one, other = await serve(world, "one", "other")
            async with asyncio.TaskGroup() as group:
                for number in range(20):
                    group.create_task(world.ask("/wait"))
                    await eventually(partial(holds, (one, other), number + 1))
                spread = (one.active, other.active)
                one.release.set()
                other.release.set()

        # a request in 16 goes astray, and the next one makes up for it
        assert min(spread) >= 8, spread

    run(test())


def test_a_dead_idle_instance_costs_no_request_although_it_holds_the_fewest(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            alive = await world.upstream("alive")
            addresses = (alive.address, "unix:run/gone.sock", "unix:run/gone-too.sock")
            await world.plane.publish("credit", route(deployment("blue", *addresses)))
            async with asyncio.TaskGroup() as group:
                held = [group.create_task(world.ask("/wait")) for _ in range(5)]
                await eventually(lambda: alive.active == len(held))
                answers = [await world.ask("/name") for _ in range(40)]
                alive.release.set()

        assert {answer.body for answer in answers} == {b"alive"}

    run(test())


def test_an_instance_that_keeps_failing_is_spared_for_a_while(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            _, bad = await serve(world, "good", "bad")
            bad.is_broken = True
            told = await until_spared(world)

            bad.is_broken, before = False, bad.served
            while bad.served == before:
                await world.ask("/name", body=b"{}")

        assert set(told) == {200, 424}
        assert 5 <= told[424] <= 7, told

    run(test())


def test_an_instance_that_is_always_late_is_spared_too(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            good, late = await world.upstream("good"), await world.upstream("late")
            late.is_silent = True
            both = deployment("blue", good.address, late.address, timeout_ms=200)
            await world.plane.publish("credit", route(both))

            told = await until_spared(world)

        assert set(told) == {200, 408}
        assert 5 <= told[408] <= 7, told

    run(test())


@pytest.mark.parametrize("names", [("only",), ("one", "other")])
def test_the_last_instance_is_never_spared_whatever_fails(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            servers = await serve(world, *names)
            for server in servers:
                server.is_broken = True
            failed = [await world.ask("/name", body=b"{}") for _ in range(30)]
            for server in servers:
                server.is_broken = False
            healed = await world.ask("/name", body=b"{}")

        assert {answer.status for answer in failed} == {424}
        assert healed.status == 200

    run(test())


def test_errors_that_the_model_answers_spare_no_instance(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            one, other = await serve(world, "one", "other")
            for _ in range(40):
                await world.ask("/status/503")
            before = (one.served, other.served)
            for _ in range(40):
                await world.ask("/name")

        assert one.served > before[0]
        assert other.served > before[1]

    run(test())
