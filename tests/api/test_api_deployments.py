"""Deployments over HTTP, as an SDK talks to them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.door import (
    ADDRESS,
    IMAGE,
    VERSION,
    WORKSPACE,
    Door,
    Tell,
    deployment_body,
    endpoint_body,
    problem,
)
from verdazul.compute.fake import Behaviour
from verdazul.model.errors import Problem

BLUE = "onlineEndpoints/credit/deployments/blue"
LOGS = f"{BLUE}/getLogs"


async def serving(door: Door) -> None:
    """An endpoint with one deployment that takes all traffic."""
    await door.endpoint()
    await door.deployment()
    await door.settle()
    await door.ask("PUT", "onlineEndpoints/credit", endpoint_body(traffic={"blue": 100}))
    await door.settle()


@pytest.mark.azure(16)
def test_openapi_address_is_told_from_the_start(tell: Tell) -> None:
    """Azure's own scripts ask for it once, before they deploy."""

    async def story(door: Door) -> None:
        await door.endpoint()

        made = (await door.ask("GET", "onlineEndpoints/credit")).json()["properties"]

        assert made["swaggerUri"] == f"{ADDRESS}/api/v1/endpoint/credit/swagger.json"

    tell(story)


def test_a_new_deployment_is_201_and_ends_as_succeeded(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()

        answer = await door.deployment("Blue")

        assert (answer.status_code, answer.headers["etag"]) == (201, '"1"')
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["location"] == (
            f"{ADDRESS}{WORKSPACE}/onlineEndpoints/credit/deployments/Blue?{VERSION}"
        )
        assert answer.json()["properties"]["provisioningState"] == "Creating"
        await door.settle()
        found = (await door.client.get(answer.headers["azure-asyncoperation"])).json()
        assert found["status"] == "Succeeded"
        reasons = [each["reason"] for each in found["properties"]["progress"]]
        assert (reasons[0], reasons[-1]) == ("Declared", "Succeeded")
        assert {"Built", "Started", "Ready"} <= set(reasons)
        shown = (await door.ask("GET", BLUE)).json()
        assert shown["name"] == "Blue"
        assert shown["properties"]["provisioningState"] == "Succeeded"
        assert shown["sku"]["capacity"] == 1

    tell(story)


def test_scaling_is_200_and_what_get_answers_can_be_put_back(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await serving(door)
        shown = (await door.ask("GET", BLUE)).json()
        shown["sku"]["capacity"] = 3

        answer = await door.ask("PUT", BLUE.replace("blue", "BLUE"), shown)
        await door.settle()

        assert (answer.status_code, answer.headers["etag"]) == (200, '"2"'), answer.text
        assert answer.json()["name"] == "blue"
        assert await door.bench.phases() == {f"blue-{n}": "ready" for n in range(3)}
        assert (await door.ask("GET", BLUE)).json()["sku"]["capacity"] == 3

    tell(story)


def test_deployments_are_listed_by_name(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        for name in ("green", "Blue"):
            await door.deployment(name)

        found = (await door.ask("GET", "onlineEndpoints/CREDIT/deployments")).json()["value"]

        assert [each["name"] for each in found] == ["Blue", "green"]
        assert found[0]["id"] == f"{WORKSPACE}/onlineEndpoints/credit/deployments/Blue"

    tell(story)


def test_preconditions_hold_for_deployments_too(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await door.deployment()
        await door.settle()
        shown = (await door.ask("GET", BLUE)).json()

        stale = await door.ask("PUT", BLUE, shown, if_match='"7"')
        exists = await door.ask("PUT", BLUE, shown, if_none_match="*")
        fresh = await door.ask("PUT", BLUE, shown, if_match='"1"')

        assert problem(stale)[:2] == (412, "PreconditionFailed")
        assert problem(exists)[:2] == (409, "ResourceExists")
        assert fresh.status_code == 200

    tell(story)


def test_a_deployment_without_traffic_is_deleted_and_one_with_is_not(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await serving(door)
        await door.deployment("green")
        await door.settle()

        refused = await door.ask("DELETE", BLUE)
        accepted = await door.ask("DELETE", "onlineEndpoints/credit/deployments/GREEN")
        await door.settle()
        nothing = await door.ask("DELETE", "onlineEndpoints/credit/deployments/green")

        assert problem(refused)[:2] == (400, "DeploymentHasTraffic")
        assert accepted.status_code == 202
        found = (await door.client.get(accepted.headers["azure-asyncoperation"])).json()
        assert found["status"] == "Succeeded"
        assert nothing.status_code == 204
        assert await door.bench.phases() == {"blue-0": "ready"}

    tell(story)


def test_a_failed_start_is_told_with_cause_fix_and_log(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        cause = Problem(
            "UserScriptInitFailed", "init() raised ValueError", "mend init()", "score.py:3",
            ("Traceback", "ValueError: no model"),
        )  # fmt: skip
        door.bench.compute.behave = lambda *_: Behaviour(None, exit_after=0.1, problem=cause)

        answer = await door.deployment()
        await door.settle()

        error = (await door.client.get(answer.headers["azure-asyncoperation"])).json()["error"]
        assert error["code"] == "ResourceNotReady"
        assert "init() raised ValueError" in error["message"]
        assert {"code": "LogTail", "message": "Traceback\nValueError: no model"} in error["details"]
        assert Problem.from_arm(error).fix == "mend init()"
        shown = (await door.ask("GET", BLUE)).json()
        assert shown["properties"]["provisioningState"] == "Failed"

    tell(story)


def test_what_a_deployment_needs_must_be_there(tell: Tell) -> None:
    async def story(door: Door) -> None:
        code, environment = await door.code(), await door.environment()
        no_endpoint = await door.ask("PUT", BLUE, deployment_body(code, environment))
        await door.endpoint()
        no_code = await door.ask("PUT", BLUE, deployment_body(f"{code}0", environment))
        no_environment = await door.ask("PUT", BLUE, deployment_body(code, f"{environment}0"))
        wrong_kind = await door.ask("PUT", BLUE, deployment_body(environment, environment))

        assert problem(no_endpoint)[0] == 404
        assert 'endpoint "credit" does not exist' in problem(no_endpoint)[2]
        assert problem(no_code)[::2] == (404, "codes/code version 10 does not exist")
        assert problem(no_environment)[::2] == (404, "environments/env version 10 does not exist")
        assert problem(wrong_kind)[:2] == (400, "InvalidId")
        assert await door.bench.store.deployments("credit") == ()

    tell(story)


@pytest.mark.azure(56)
@pytest.mark.parametrize("code", ["azureml:code:1", "azureml:code@latest"])
def test_assets_may_be_named_the_short_way(tell: Tell, code: str) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await door.code()

        answer = await door.ask("PUT", BLUE, deployment_body(code, await door.environment()))

        assert answer.status_code == 201, answer.text

    tell(story)


def test_an_asset_of_another_workspace_is_not_taken_from_ours(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        code = (await door.code()).replace("workspaces/verdazul", "workspaces/another")

        answer = await door.ask("PUT", BLUE, deployment_body(code, await door.environment()))

        assert answer.status_code in {400, 404}

    tell(story)


@pytest.mark.parametrize(
    ("properties", "code", "said"),
    [
        ({"instanceType": "Standard_Nothing"}, "InvalidInstanceType", "Standard_Nothing"),
        ({"capacity": 0}, "InvalidValue", "sku.capacity"),
        ({"capacity": 51}, "InvalidValue", "sku.capacity"),
        ({"appInsightsEnabled": True}, "NotSupportedYet", "app_insights_enabled"),
        ({"codeConfiguration": None}, "NotSupportedYet", "code_configuration"),
        ({"endpointComputeType": "Kubernetes"}, "BadArgument", "is managed"),
        ({"livenessProbe": {"period": "ten"}}, "InvalidValue", "properties.livenessProbe.period"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_declared(
    tell: Tell, properties: dict[str, Any], code: str, said: str
) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()

        answer = await door.deployment(**properties)

        assert problem(answer)[:2] == (400, code), answer.text
        assert said in answer.text
        assert await door.bench.store.deployments("credit") == ()

    tell(story)


@pytest.mark.azure(83)
def test_an_endpoint_takes_twenty_deployments(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        for number in range(20):
            assert (await door.deployment(f"blue{number}")).status_code == 201

        answer = await door.deployment("one-more")

        assert problem(answer)[:2] == (400, "OutOfQuota")

    tell(story)


# -- logs


@pytest.mark.parametrize("container", ["InferenceServer", "inference-server", None, "absent"])
def test_logs_are_the_last_lines_of_an_instance(tell: Tell, container: str | None) -> None:
    async def story(door: Door) -> None:
        await serving(door)
        (instance,) = door.bench.compute.world.bodies
        for line in ("one", "two", "three"):
            door.bench.compute.say(instance, line)
        body = {"tail": 2} | ({} if container == "absent" else {"containerType": container})

        answer = await door.ask("POST", LOGS, body)

        assert answer.json() == {"content": "two\nthree"}

    tell(story)


@pytest.mark.parametrize("tail", [0, -1, 100_001, 2.5, "10", True, [1], {"a": 1}])
def test_a_tail_that_is_no_number_of_lines_is_refused(tell: Tell, tail: object) -> None:
    async def story(door: Door) -> None:
        await serving(door)

        answer = await door.ask("POST", LOGS, {"tail": tail})

        assert problem(answer)[:2] == (400, "InvalidValue")
        assert "it must be a whole number from 1 to 100000" in problem(answer)[2]

    tell(story)


@pytest.mark.parametrize(
    ("container", "code"),
    [
        ("sidecar", "InvalidValue"),
        (["InferenceServer"], "InvalidValue"),
        (7, "InvalidValue"),
    ],
)
def test_another_container_is_refused(tell: Tell, container: object, code: str) -> None:
    async def story(door: Door) -> None:
        await serving(door)

        answer = await door.ask("POST", LOGS, {"containerType": container})

        assert problem(answer)[:2] == (400, code)

    tell(story)


@pytest.mark.azure(117)
@pytest.mark.parametrize("container", ["StorageInitializer", "storage-initializer"])
def test_the_initializers_log_tells_of_code_and_environment(tell: Tell, container: str) -> None:
    async def story(door: Door) -> None:
        await serving(door)

        answer = await door.ask("POST", LOGS, {"containerType": container})

        lines = answer.json()["content"].splitlines()
        assert [line.split(" ", 2)[1] for line in lines] == ["code", "environment:"]
        assert "sha256:" in lines[0]
        assert "environment ready" in lines[1]

    tell(story)


def test_logs_of_nobody_are_not_found(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()

        assert problem(await door.ask("POST", LOGS, {}))[:2] == (404, "ResourceNotFound")

    tell(story)


def test_a_conda_file_that_cannot_be_built_is_refused_at_once(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        broken = "dependencies:\n- python=3.11\n- numpy=1|2\n"
        body = {"properties": {"image": IMAGE, "condaFile": broken}}
        environment = (await door.ask("PUT", "environments/env/versions/2", body)).json()["id"]

        answer = await door.ask("PUT", BLUE, deployment_body(await door.code(), environment))

        assert answer.status_code == 400
        assert await door.bench.store.deployments("credit") == ()

    tell(story)
