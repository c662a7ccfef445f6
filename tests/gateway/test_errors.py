"""Every way in which a request can fail, as the caller sees it, through a real Envoy."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.gateway.gateway_upstream import Answer, eventually
from tests.gateway.gateway_world import BEARER, KEY, OTHER_KEY, World, deployment, route, run

pytestmark = pytest.mark.e2e

REASON = "ms-azureml-model-error-reason"
STATUS = "ms-azureml-model-error-statuscode"


@pytest.mark.azure(35)
def test_either_key_opens_with_and_without_scheme(tmp_path: Path) -> None:
    right = [f"Bearer {KEY}", f"bearer {OTHER_KEY}", f"BEARER   {KEY}", KEY, f"{OTHER_KEY} "]

    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))

            statuses = [(await world.ask("/name", {"authorization": a})).status for a in right]

        assert statuses == [200] * len(right)

    run(test())


@pytest.mark.azure(40)
def test_without_the_right_key_nothing_but_401_is_told(tmp_path: Path) -> None:
    wrong = [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {KEY}x"},
        {"authorization": f"Basic {KEY}"},
        {"authorization": f"Bearer Bearer {KEY}"},
        {"authorization": "Bearer " + "y" * 20_000},
        {"authorization": "Bearer \u00ff\u0080"},
        {"azureml-model-deployment": "no-such"},
        {"azureml-model-deployment": "blue"},
    ]

    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            await world.plane.publish("empty", route(endpoint="empty"))

            answers = [await world.ask("/name", headers) for headers in wrong]
            answers.append(await world.ask("/name", {}, endpoint="empty"))

        assert blue.paths == []
        for answer in answers:
            assert (answer.status, answer.code) == (401, "Unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == "application/json"
            assert "azureml-model-deployment" not in answer.headers

    run(test())


@pytest.mark.azure(35, 36)
def test_a_key_opens_its_own_endpoint_only_and_stops_when_replaced(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            ours = route(deployment("blue", blue.address))
            await world.plane.publish("credit", ours)
            await world.plane.publish("other", type(ours)("other", ("0" * 64,), ours.deployments))

            here = await world.ask("/name")
            there = await world.ask("/name", endpoint="other")
            await world.plane.publish("credit", type(ours)("credit", (), ours.deployments))
            after = await world.ask("/name")

        assert [a.status for a in (here, there, after)] == [200, 401, 401]

    run(test())


@pytest.mark.azure(102)
def test_an_answer_other_than_200_is_the_models_error(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))

            for status in (201, 204, 302, 400, 401, 404, 408, 429, 500, 503):
                answer = await world.ask(f"/status/{status}")
                assert answer.status == 424
                assert answer.headers[STATUS] == str(status)
                assert answer.headers[REASON] == "model_error"
                assert answer.headers["azureml-model-deployment"] == "blue"
                assert answer.body == (b"" if status == 204 else b'{"own": "body"}')

    run(test())


def test_an_instance_that_sheds_load_keeps_its_429(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))

            shed = await world.ask("/status/429/shed")
            other = await world.ask("/status/500/shed")

        assert (shed.status, shed.body) == (429, b'{"own": "body"}')
        assert shed.headers[REASON] == "too_many_pending_request"
        assert STATUS not in shed.headers
        assert (other.status, other.headers[REASON]) == (424, "model_error")

    run(test())


@pytest.mark.azure(69)
def test_each_deployment_has_its_own_timeout(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            slow = await world.upstream("slow")
            await world.plane.publish(
                "credit",
                route(
                    deployment("short", slow.address, timeout_ms=100),
                    deployment("long", slow.address, weight=0),
                ),
            )

            async with world.connect() as patient:
                headers = {**BEARER, "azureml-model-deployment": "long"}
                patient.send("/api/v1/endpoint/credit/wait", headers)
                late = await world.ask("/wait")
                slow.release.set()
                in_time, _ = await patient.head()

        assert (late.status, late.code) == (408, "RequestTimeout")
        assert "ms-azureml-model-time" not in late.headers
        assert 'deployment "short" of endpoint "credit"' in late.message
        assert "100 ms" in late.message
        assert in_time == 200

    run(test())


@pytest.mark.azure(70, 103)
def test_one_request_too_many_is_429_and_the_rest_are_served(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish(
                "credit", route(deployment("blue", blue.address, max_requests=3))
            )

            tasks = [asyncio.create_task(world.ask("/wait")) for _ in range(12)]
            await eventually(lambda: sum(task.done() for task in tasks) == 9)
            held = blue.active
            blue.release.set()
            answers: list[Answer] = await asyncio.gather(*tasks)

        refused = [answer for answer in answers if answer.status == 429]
        assert held == blue.most_active == 3
        assert sorted(answer.status for answer in answers) == [200] * 3 + [429] * 9
        assert {answer.code for answer in refused} == {"TooManyPendingRequests"}
        assert {answer.headers[REASON] for answer in refused} == {"too_many_pending_request"}
        assert not any(name.startswith("x-envoy") for a in refused for name in a.headers)

    run(test())


def test_no_instance_that_answers_is_503_model_not_ready(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            await world.plane.publish("none", route(deployment("blue"), endpoint="none"))
            await world.plane.publish(
                "gone",
                route(deployment("blue", "unix:run/gone.sock", "127.0.0.1:1"), endpoint="gone"),
            )

            answers = [await world.ask("/score", endpoint=name) for name in ("none", "gone")]

        for answer in answers:
            assert (answer.status, answer.code) == (503, "ModelNotReady")
            assert answer.headers[REASON] == "model_not_ready"

    run(test())


def test_a_refused_connection_is_tried_again_on_another_instance(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            both = deployment("blue", blue.address, "unix:run/gone.sock")
            await world.plane.publish("credit", route(both))

            statuses = {(await world.ask("/name")).status for _ in range(40)}

        assert statuses == {200}

    run(test())


@pytest.mark.parametrize("path", ["/drop", "/garbage"])
def test_an_instance_that_breaks_off_is_424_and_is_not_asked_twice(
    tmp_path: Path, path: str
) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish(
                "credit", route(deployment("blue", blue.address, blue.address))
            )

            answer = await world.ask(path, body=b"{}")

        assert (answer.status, answer.code) == (424, "ModelError")
        assert answer.headers[REASON] == "model_error"
        assert "broke off" in answer.message
        assert blue.paths == [path]

    run(test())


def test_requests_that_are_no_http_are_refused_in_json_too(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            async with world.connect() as connection:
                connection.writer.write(b"GET / HTTP/1.1\r\nbroken header line\r\n\r\n")
                broken, headers = await connection.head()
            large = await world.ask("/", {"x-large": "y" * 100_000})

        assert (broken, headers["content-type"]) == (400, "application/json")
        assert (large.status, large.code) == (431, "RequestHeaderFieldsTooLarge")

    run(test())
