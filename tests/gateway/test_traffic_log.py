"""Each request to an endpoint leaves a row that says what became of it, and no credential."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.gateway.gateway_upstream import eventually
from tests.gateway.gateway_world import BEARER, KEY, World, deployment, route, run

ID = "caller-1"
TOLD = BEARER | {"x-ms-client-request-id": ID, "User-Agent": "a" * 200}


def rows_of(home: Path) -> list[dict[str, Any]]:
    """Envoy's stdout stands in its log here; rows are what is JSON."""
    lines = (home / "logs" / "envoy.txt").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


async def rows(world: World, count: int) -> list[dict[str, Any]]:
    await eventually(lambda: len(rows_of(world.home)) >= count)
    found = rows_of(world.home)
    assert len(found) == count
    return found


def test_a_row_tells_who_answered_what_and_how_long_it_took(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            answer = await world.ask("/score?key=secret", TOLD, body=b"12345")
            (row,) = await rows(world, 1)

            assert row["EndpointName"] == "credit"
            assert row["DeploymentName"] == "blue"
            assert (row["Method"], row["Protocol"]) == ("POST", "HTTP/1.1")
            assert row["Path"] == "/api/v1/endpoint/credit/score"
            assert (row["ResponseCode"], row["ModelStatusCode"]) == (200, None)
            assert row["RequestPayloadSize"] == 5
            assert row["ResponsePayloadSize"] == len(answer.body)
            assert row["XRequestId"] == answer.headers["x-request-id"]
            assert row["XMSClientRequestId"] == ID
            assert row["UserAgent"] == "a" * 70
            assert row["TotalDurationMs"] >= row["ResponseDurationMs"] >= 0
            assert row["CallerAddress"] == "127.0.0.1"

    run(test())


def test_refusals_and_failures_have_rows_that_say_why(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            gone = deployment("green", "unix:run/nobody.sock", weight=0)
            await world.plane.publish("credit", route(deployment("blue", blue.address), gone))
            pinned = BEARER | {"azureml-model-deployment": "green"}
            for headers, path in (
                ({"Authorization": "Bearer wrong-key"}, "/score"),
                (BEARER | {"azureml-model-deployment": "red"}, "/score"),
                (pinned, "/score"),
                (BEARER, "/status/500"),
            ):
                await world.ask(path, headers)
            wrong, unknown, away, failed = await rows(world, 4)

            assert (wrong["ResponseCode"], wrong["DeploymentName"]) == (401, None)
            assert (unknown["ResponseCode"], unknown["InstanceAddress"]) == (404, None)
            assert (away["ResponseCode"], away["DeploymentName"]) == (503, "green")
            assert away["ModelStatusReason"] == "model_not_ready"
            assert (failed["ResponseCode"], failed["ModelStatusCode"]) == (424, "500")
            assert failed["ModelStatusReason"] == "model_error"

    run(test())


def test_no_row_holds_a_credential_and_others_paths_have_none(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            async with world.connect() as connection:
                await connection.ask("/healthz", BEARER)  # the control API's
            await world.ask(f"/score?token={KEY}")
            found = await rows(world, 1)

            assert KEY not in json.dumps(found)

    run(test())


def test_rows_can_be_left_out(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path, is_logged=False) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            await world.ask("/score")
        assert rows_of(tmp_path) == []  # Envoy has ended, and writes what it has before

    run(test())
