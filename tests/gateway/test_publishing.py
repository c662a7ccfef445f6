"""Changing routes under load, refusals, and what survives: through a real Envoy."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.gateway.gateway_upstream import eventually, read_chunk
from tests.gateway.gateway_world import BEARER, KEY, World, deployment, files_below, route, run
from verdazul.core.route import Route
from verdazul.model.errors import Fatal, Retryable

pytestmark = pytest.mark.e2e


class Load:
    """Callers that never pause; counts what they are told."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.told: Counter[str] = Counter()
        self.is_over = False

    async def caller(self) -> None:
        async with self.world.connect() as connection:
            while not self.is_over:
                answer = await connection.ask("/api/v1/endpoint/credit/name", BEARER, body=b"{}")
                self.told[f"{answer.status} {answer.body.decode()}"] += 1


def test_fifty_flips_under_load_lose_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue, green = await world.upstream("blue"), await world.upstream("green")
            load = Load(world)
            to_blue = route(deployment("blue", blue.address), deployment("green", weight=0))
            await world.plane.publish("credit", to_blue)

            async with asyncio.TaskGroup() as group:
                for _ in range(6):
                    group.create_task(load.caller())
                for n in range(50):
                    weight = 100 * (n % 2)
                    await world.plane.publish(
                        "credit",
                        route(
                            deployment("blue", blue.address, weight=weight),
                            deployment("green", green.address, weight=100 - weight),
                        ),
                    )
                await eventually(lambda: load.told["200 blue"] and load.told["200 green"])
                load.is_over = True

        assert set(load.told) == {"200 blue", "200 green"}, load.told

    run(test())


def test_traffic_changes_without_routes_or_clusters_being_written(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue, green = await world.upstream("blue"), await world.upstream("green")

            def split(percent: int) -> Route:
                return route(
                    deployment("blue", blue.address, weight=percent),
                    deployment("green", green.address, weight=100 - percent),
                )

            await world.plane.publish("credit", split(100))
            before = written(tmp_path)
            await world.plane.publish("credit", split(0))
            after = written(tmp_path)
            told = {(await world.ask("/name")).body for _ in range(20)}
            assert world.plane.pid
            os.kill(world.plane.pid, signal.SIGKILL)
            await world.plane.publish("other", route(endpoint="other"))  # once it is back
            told_again = {(await world.ask("/name")).body for _ in range(20)}

        assert {kind for kind in after if after[kind] != before[kind]} == {"rtds"}
        assert told == told_again == {b"green"}

    run(test())


def written(home: Path) -> dict[str, int]:
    """Each file is a new one when it was written."""
    return {
        kind: (home / "gateway" / kind / f"{kind}.json").stat().st_ino
        for kind in ("cds", "rds", "rtds")
    }


def test_instances_and_deployments_come_and_go_under_load_without_loss(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            servers = [await world.upstream(f"s{n}") for n in range(4)]
            load = Load(world)
            await world.plane.publish("credit", route(deployment("d0", servers[0].address)))

            async with asyncio.TaskGroup() as group:
                for _ in range(6):
                    group.create_task(load.caller())
                for n in range(40):
                    # one instance, then two, then another deployment with other instances
                    chosen = [servers[(n + k) % 4].address for k in range(1 + n % 2)]
                    await world.plane.publish(
                        "credit", route(deployment(f"d{n // 8}", *chosen, max_requests=50 + n))
                    )
                load.is_over = True

        assert all(told.startswith("200 ") for told in load.told), load.told

    run(test())


def test_a_request_under_way_is_answered_although_its_deployment_was_removed(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue, green = await world.upstream("blue"), await world.upstream("green")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))

            async with world.connect() as connection:
                connection.send("/api/v1/endpoint/credit/wait", BEARER)
                await eventually(lambda: blue.active)
                await world.plane.publish("credit", route(deployment("green", green.address)))
                await world.plane.publish("credit", None)
                removed = await world.ask("/name")
                blue.release.set()
                status, headers = await connection.head()

        assert (status, headers["azureml-model-deployment"]) == (200, "blue")
        assert removed.status == 404

    run(test())


def test_a_stream_reaches_the_caller_event_by_event(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))

            async with world.connect() as connection:
                connection.send("/api/v1/endpoint/credit/stream", BEARER)
                status, headers = await connection.head()
                first = await read_chunk(connection.reader)
                blue.release.set()
                second = await read_chunk(connection.reader)

        assert (status, headers["content-type"]) == (200, "text/event-stream")
        assert (first, second) == (b"data: one\n\n", b"data: two\n\n")

    run(test())


def test_a_websocket_passes_and_outlives_the_request_timeout(tmp_path: Path) -> None:
    upgrade = {
        **BEARER,
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version": "13",
    }

    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish(
                "credit",
                route(
                    deployment("blue", blue.address, timeout_ms=100),
                    deployment("slow", blue.address, weight=0, timeout_ms=300),
                ),
            )

            async with world.connect() as connection:
                connection.send("/api/v1/endpoint/credit/websocket", upgrade)
                status, headers = await connection.head()
                timed_out = await world.ask("/wait", {**BEARER, "azureml-model-deployment": "slow"})
                connection.writer.write(b"hello")
                echoed = await connection.reader.readexactly(len(b"echo hello"))

        assert (status, headers["azureml-model-deployment"]) == (101, "blue")
        assert timed_out.status == 408
        assert echoed == b"echo hello"

    run(test())


def test_a_refused_configuration_tells_envoys_reason_and_the_last_good_one_stays(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            good = route(deployment("blue", blue.address))
            await world.plane.publish("credit", good)

            with pytest.raises(Fatal) as refused:
                await world.plane.publish("credit", route(deployment("blue", "unix:" + "x" * 200)))
            after = await world.ask("/name")
            await world.plane.publish(
                "other", route(deployment("b", blue.address), endpoint="other")
            )
            other = await world.ask("/name", endpoint="other")

        assert refused.value.problem.code == "GatewayRejected"
        assert "\n" not in refused.value.problem.message
        assert "exceeds maximum UNIX domain socket path size" in refused.value.problem.message
        assert world.plane.published("credit") == good
        assert world.plane.routed("credit") == {"blue-0"}
        assert (after.status, other.status) == (200, 200)

    run(test())


def test_publish_waits_for_an_envoy_that_is_being_restarted(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            assert world.plane.pid

            os.kill(world.plane.pid, signal.SIGKILL)
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            answer = await world.ask("/name")

        assert answer.status == 200

    run(test())


def test_an_envoy_that_does_not_answer_is_retryable_and_both_routes_count(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path, timeout_seconds=1.0) as world:
            blue, green = await world.upstream("blue"), await world.upstream("green")
            old = route(deployment("blue", blue.address))
            new = route(deployment("green", green.address))
            await world.plane.publish("credit", old)
            pid = world.plane.pid
            assert pid

            os.kill(pid, signal.SIGSTOP)
            try:
                with pytest.raises(Retryable) as late:
                    await world.plane.publish("credit", new)
                between = world.plane.routed("credit")
            finally:
                os.kill(pid, signal.SIGCONT)
            await world.plane.publish("credit", new)
            answer = await world.ask("/name")

        assert late.value.problem.code == "GatewayNotAnswering"
        assert between == {"blue-0", "green-0"}
        assert world.plane.routed("credit") == {"green-0"}
        assert answer.body == b"green"

    run(test())


def test_many_publishes_at_once_all_come_into_force(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            names = [f"endpoint-{n}" for n in range(20)]

            async with asyncio.TaskGroup() as group:
                for name in names:
                    one = route(deployment("blue", blue.address), endpoint=name)
                    group.create_task(world.plane.publish(name, one))
            statuses = [(await world.ask("/name", endpoint=name)).status for name in names]

        assert statuses == [200] * 20
        assert world.plane.endpoints() == set(names)

    run(test())


def test_more_deployments_than_inotify_instances_are_served(tmp_path: Path) -> None:
    """By file, each EDS cluster would take an inotify instance; Linux grants a user 128."""

    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            for n in range(7):
                weights = [100] + [0] * 19
                many = (deployment(f"d{k}", blue.address, weight=w) for k, w in enumerate(weights))
                await world.plane.publish(f"e{n}", route(*many, endpoint=f"e{n}"))

            pinned = {**BEARER, "azureml-model-deployment": "d19"}
            answer = await world.ask("/name", pinned, endpoint="e6")

        assert (answer.status, answer.headers["azureml-model-deployment"]) == (200, "d19")

    run(test())


def test_no_file_below_home_holds_a_key(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            await world.ask("/name")
            await world.ask("/wait", {"authorization": f"Bearer {KEY}-wrong"})

            files = files_below(tmp_path)
            telling = [path for path in files if KEY.encode() in path.read_bytes()]

        assert len(files) > 8
        assert telling == []

    run(test())
