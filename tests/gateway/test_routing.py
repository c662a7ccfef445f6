"""Which deployment answers, what reaches it, and what the caller is told, through a real Envoy."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.gateway.gateway_world import BEARER, KEY, World, deployment, route, run
from verdazul.gateway.resources import LEEWAY_MS

pytestmark = pytest.mark.e2e

TIME_LEFT = "x-envoy-expected-rq-timeout-ms"
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.mark.azure(22, 25)
def test_a_header_reaches_a_deployment_without_traffic_in_any_case(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue, green = await world.upstream("blue"), await world.upstream("green")
            await world.plane.publish(
                "credit",
                route(
                    deployment("Blue", blue.address),
                    deployment("green", green.address, weight=0),
                ),
            )

            unaddressed = await world.ask("/name")
            pinned = await world.ask("/name", {**BEARER, "azureml-model-deployment": "GREEN"})
            to_blue = await world.ask("/name", {**BEARER, "azureml-model-deployment": "blue"})

        assert (unaddressed.status, unaddressed.body) == (200, b"blue")
        assert unaddressed.headers["azureml-model-deployment"] == "Blue"
        assert (pinned.status, pinned.body) == (200, b"green")
        assert pinned.headers["azureml-model-deployment"] == "green"
        assert to_blue.body == b"blue"

    run(test())


@pytest.mark.azure(23, 24)
def test_unknown_deployment_endpoint_and_no_traffic_are_404_that_say_which(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            await world.plane.publish(
                "idle", route(deployment("blue", blue.address, weight=0), endpoint="idle")
            )
            await world.plane.publish("empty", route(endpoint="empty"))

            named = await world.ask("/score", {**BEARER, "azureml-model-deployment": 'pur"ple'})
            nowhere = await world.ask("/score", {}, endpoint="credit2")
            idle = await world.ask("/score", endpoint="idle")
            pinned = await world.ask(
                "/name", {**BEARER, "azureml-model-deployment": "blue"}, endpoint="idle"
            )
            empty = await world.ask("/score", endpoint="empty")

        for answer in (named, nowhere, idle, empty):
            assert (answer.status, answer.code) == (404, "NotFound")
            assert answer.headers["content-type"] == "application/json"
        assert 'endpoint "credit" has no deployment "pur"ple"' in named.message
        assert "/api/v1/endpoint/credit2/score" in nowhere.message
        assert "no traffic" in idle.message
        assert "no traffic" in empty.message
        assert pinned.status == 200

    run(test())


FORWARDED = {
    "/api/v1/endpoint/credit/score": "/score",
    "/api/v1/endpoint/credit/score?a=b%20c": "/score?a=b%20c",
    "/api/v1/endpoint/credit": "/",
    "/api/v1/endpoint/credit/": "/",
    "/api/v1/endpoint/credit?x=1": "/?x=1",
    "/api/v1/service/CREDIT/v2/models/m/infer": "/v2/models/m/infer",
    "/api/v1/endpoint/Credit/api/v1/endpoint/credit/x": "/api/v1/endpoint/credit/x",
    "/api/v1/endpoint/credit/a%2Fb": "/a%2Fb",
    "/api/v1/endpoint/credit//twice": "//twice",
}


def test_any_path_below_the_endpoint_is_forwarded_without_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))

            async with world.connect() as connection:
                statuses = {(await connection.ask(asked, BEARER)).status for asked in FORWARDED}

        assert statuses == {200}
        assert dict(zip(FORWARDED, blue.paths, strict=True)) == FORWARDED

    run(test())


def test_dots_in_a_path_do_not_climb_from_one_endpoint_into_another(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))

            climbed = await world.ask("/../other/score")

        assert climbed.status == 404
        assert blue.paths == []

    run(test())


@pytest.mark.azure(18)
def test_traffic_is_split_by_weight(tmp_path: Path) -> None:
    weights = {"blue": 20, "green": 30, "grey": 50}

    async def test() -> None:
        async with World.open(tmp_path) as world:
            servers = {name: await world.upstream(name) for name in weights}
            await world.plane.publish(
                "credit",
                route(*(deployment(n, s.address, weight=weights[n]) for n, s in servers.items())),
            )

            async def ask(times: int) -> None:
                async with world.connect() as connection:
                    for _ in range(times):
                        await connection.ask("/api/v1/endpoint/credit/name", BEARER)

            async with asyncio.TaskGroup() as group:
                for _ in range(8):
                    group.create_task(ask(250))

        total = sum(server.served for server in servers.values())
        expected = {name: total * weight / 100 for name, weight in weights.items()}
        chi_square = sum((servers[n].served - e) ** 2 / e for n, e in expected.items())
        assert total == 2000
        assert chi_square < 27.6  # two degrees of freedom: by chance once in a million runs

    run(test())


def test_the_instance_sees_no_key_and_only_our_own_control_headers(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish(
                "credit", route(deployment("blue", blue.address, queue_wait_ms=321))
            )
            sent = {
                **BEARER,
                "x-verdazul-max-queue-wait-ms": "999999",
                "x-verdazul-path": "/forged",
                "x-envoy-upstream-rq-timeout-ms": "1",
                "x-envoy-max-retries": "9",
                TIME_LEFT: "1",
                "x-request-id": "chosen-by-the-caller",
                "x-custom": "kept",
            }

            answer = await world.ask("/score?secret=1", sent, body=b"x" * 100_000)

        (seen,) = blue.seen
        assert answer.status == 200
        assert json.loads(answer.body)["length"] == 100_000
        assert KEY not in str(seen)
        assert seen["x-verdazul-max-queue-wait-ms"] == "321"
        assert seen["x-verdazul-path"] == "/api/v1/endpoint/credit/score"
        assert seen["x-custom"] == "kept"
        assert [name for name in seen if name.startswith("x-envoy-")] == [TIME_LEFT]
        assert seen["x-request-id"] == answer.headers["x-request-id"]

    run(test())


def test_the_instance_is_told_how_long_the_caller_waits(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish(
                "credit", route(deployment("blue", blue.address, timeout_ms=4321))
            )

            await world.ask("/score", {**BEARER, TIME_LEFT: "9", "x-envoy-original-path": "/no"})

        assert blue.seen[0][TIME_LEFT] == str(4321 + LEEWAY_MS)

    run(test())


@pytest.mark.azure(105)
def test_response_headers_are_ours_whatever_the_model_says(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))

            first = await world.ask("/score", {**BEARER, "x-request-id": "chosen"})
            second = await world.ask("/score", {**BEARER, "x-request-id": "chosen"})

        headers = first.headers
        assert GUID.fullmatch(headers["x-request-id"])
        assert headers["x-request-id"] != second.headers["x-request-id"]
        assert headers["azureml-model-deployment"] == "blue"
        assert int(headers["ms-azureml-model-time"]) < 10_000
        assert headers["server"] == "verdazul"
        assert "ms-azureml-model-error-reason" not in headers
        assert "ms-azureml-model-error-statuscode" not in headers
        assert "x-ms-client-request-id" not in headers
        assert not [name for name in headers if name.startswith(("x-envoy-", "x-verdazul-"))]

    run(test())


@pytest.mark.azure(106)
def test_client_request_id_is_cleaned_and_echoed(tmp_path: Path) -> None:
    echoed = {
        "abc_DEF-123": "abc_DEF-123",
        "a b/c\u00e9$d": "abcd",
        "x" * 60: "x" * 40,
        "///": None,
    }

    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))

            for given, expected in echoed.items():
                sent = {"x-ms-client-request-id": given}
                served = await world.ask("/score", {**BEARER, **sent})
                refused = await world.ask("/score", sent)
                told = [served.headers, refused.headers, blue.seen[-1]]
                assert [one.get("x-ms-client-request-id") for one in told] == [expected] * 3

    run(test())


def test_everything_else_goes_to_the_control_api_untouched(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            down = await world.ask("/../../../../subscriptions/s?api-version=1", {})
            api = await world.upstream("api")

            async with world.connect() as connection:
                up = await connection.ask("/subscriptions/s?api-version=1", BEARER)
                teapot = await connection.ask("/status/418", {})

        assert (down.status, down.code) == (503, "ControlPlaneUnavailable")
        assert up.status == 200
        assert api.seen[0]["authorization"] == f"Bearer {KEY}"
        assert teapot.status == 418
        assert not [n for n in up.headers if n.startswith(("x-envoy-", "x-verdazul-"))]
        assert not [n for n in api.seen[0] if n.startswith(("x-envoy-", "x-verdazul-"))]
        assert up.headers["x-ms-client-request-id"] == "mine"
        assert up.headers["ms-azureml-model-time"] == "123456"

    run(test())


def test_http_1_0_without_a_host_is_served(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))

            async with world.connect() as connection:
                start = "GET /api/v1/endpoint/credit/name HTTP/1.0"
                connection.writer.write(f"{start}\r\nauthorization: {KEY}\r\n\r\n".encode())
                status, _ = await connection.head()

        assert status == 200

    run(test())
