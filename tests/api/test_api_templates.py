"""Template deployments over HTTP: checked whole, put in order, told as Azure tells them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.api.door import WORKSPACE, Door, Tell, problem
from tests.api.test_api_permissions import give, is_forbidden, somebody
from verdazul.model.roles import DATA_SCIENTIST, OWNER
from verdazul.settings import Settings

pytestmark = pytest.mark.azure(15)
GROUP = f"/subscriptions/{Settings().subscription}/resourceGroups/local"
ALL = f"{GROUP}/providers/Microsoft.Resources/deployments"
ML = "Microsoft.MachineLearningServices/workspaces"
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
ENDPOINT = {
    "type": f"{ML}/onlineEndpoints",
    "apiVersion": "2023-10-01",
    "name": "[concat(parameters('workspace'), '/', parameters('endpoint'))]",
    "location": "[resourceGroup().location]",
    "identity": {"type": "SystemAssigned"},
    "properties": {"authMode": "[parameters('auth')]"},
}
PARAMETERS = {
    "workspace": {"type": "string", "defaultValue": "verdazul"},
    "endpoint": {"type": "string"},
    "auth": {"type": "string", "allowedValues": ["Key", "AMLToken"], "defaultValue": "Key"},
}
OUTPUTS = {
    "uri": {"type": "string", "value": "[reference(parameters('endpoint')).scoringUri]"},
}


def request(*resources: dict[str, Any], mode: str = "Incremental", **values: Any) -> dict[str, Any]:
    template = {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": PARAMETERS | {"secret": {"type": "secureString", "defaultValue": ""}},
        "resources": list(resources or (ENDPOINT,)),
        "outputs": OUTPUTS if not resources else {},
    }
    given = {name: {"value": value} for name, value in {"endpoint": "credit", **values}.items()}
    return {"properties": {"mode": mode, "template": template, "parameters": given}}


async def put(door: Door, body: dict[str, Any], name: str = "d1") -> httpx.Response:
    return await door.client.put(f"{ALL}/{name}", json=body)


async def ended(door: Door, name: str = "d1") -> dict[str, Any]:
    """What became of it; the world moves on meanwhile."""
    async with asyncio.timeout(30):
        while True:
            told: dict[str, Any] = (await door.client.get(f"{ALL}/{name}")).json()["properties"]
            if told["provisioningState"] != "Running":
                return told
            await door.settle()
            await asyncio.sleep(0.01)  # the other task looks again by itself


async def deployment(door: Door) -> dict[str, Any]:
    code, environment = await door.code(), await door.environment()
    return {
        "type": f"{ML}/onlineEndpoints/deployments",
        "name": "[concat(parameters('workspace'), '/', parameters('endpoint'), '/blue')]",
        "location": "local",
        "sku": {"name": "Default", "capacity": "[add(1, 1)]"},
        "dependsOn": [f"[resourceId('{ML}/onlineEndpoints', 'verdazul', parameters('endpoint'))]"],
        "properties": {
            "endpointComputeType": "Managed",
            "codeConfiguration": {"codeId": code, "scoringScript": "score.py"},
            "environmentId": environment,
            "environmentVariables": {"SECRET": "[parameters('secret')]"},
            "instanceType": "Standard_DS3_v2",
        },
    }


def test_an_endpoint_and_its_deployment_are_made_in_their_order(tell: Tell) -> None:
    async def story(door: Door) -> None:
        body = request(await deployment(door), ENDPOINT, secret="hush")
        begun = await put(door, body)
        assert begun.status_code == 201
        told = await ended(door)

        assert told["provisioningState"] == "Succeeded"
        assert [one["id"].rpartition("/")[2] for one in told["outputResources"]] == [
            "credit",
            "blue",
        ]
        blue = (await door.ask("GET", "onlineEndpoints/credit/deployments/blue")).json()
        assert blue["sku"]["capacity"] == 2
        status = await door.client.get(begun.headers["azure-asyncoperation"])
        assert status.json() == {"status": "Succeeded"}
        operations = (await door.client.get(f"{ALL}/d1/operations")).json()["value"]
        assert [one["properties"]["provisioningState"] for one in operations] == ["Succeeded"] * 2
        item = await door.bench.store.item("templateDeployments", "d1")
        assert item
        assert (item.sealed, "hush" in item.body) == ("", False)
        assert "hush" not in json.dumps(told)

    tell(story)


def test_outputs_refer_to_what_was_made_and_a_second_run_changes_nothing(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await put(door, request())
        told = await ended(door)
        assert told["outputs"]["uri"]["value"].endswith("/credit/score")
        before = await door.bench.store.endpoint("credit")

        again = await put(door, request())
        assert again.status_code == 200
        assert (await ended(door))["provisioningState"] == "Succeeded"
        after = await door.bench.store.endpoint("credit")
        assert before
        assert after
        assert before.spec == after.spec

    tell(story)


def test_a_template_that_cannot_be_changes_nothing(tell: Tell) -> None:
    async def story(door: Door) -> None:
        other = {**ENDPOINT, "type": "Microsoft.Web/sites"}
        status, code, message = problem(await put(door, request(ENDPOINT, other)))

        assert (status, code) == (400, "InvalidTemplate")
        assert "resources[1].type" in message
        assert await door.bench.store.endpoint("credit") is None
        assert (await door.client.get(f"{ALL}/d1")).status_code == 404

    tell(story)


def test_a_resource_that_is_refused_is_told_with_its_own_cause(tell: Tell) -> None:
    async def story(door: Door) -> None:
        wrong = {**ENDPOINT, "name": "verdazul/Not_a_name"}
        await put(door, request(ENDPOINT, wrong))
        told = await ended(door)

        assert told["provisioningState"] == "Failed"
        assert told["error"]["code"] == "DeploymentFailed"
        (inner,) = told["error"]["details"]
        assert "Not_a_name" in inner["message"]
        assert [one["id"].rpartition("/")[2] for one in told["outputResources"]] == ["credit"]
        operations = (await door.client.get(f"{ALL}/d1/operations")).json()["value"]
        assert operations[1]["properties"]["statusMessage"]["error"]["code"] == inner["code"]

    tell(story)


def test_what_was_running_goes_on_after_a_restart(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await put(door, request(ENDPOINT, await deployment(door)))
        await door.api.templates.close()
        assert (await door.client.get(f"{ALL}/d1")).json()["properties"]["provisioningState"] == (
            "Running"
        )
        again = await put(door, request())
        assert problem(again)[:2] == (409, "DeploymentActive")
        await door.api.templates.resume()

        assert (await ended(door))["provisioningState"] == "Succeeded"
        assert await door.bench.store.deployment("credit", "blue")

    tell(story)


def test_a_canceled_one_puts_no_further_resource(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await put(door, request(ENDPOINT, await deployment(door)))
        assert (await door.client.post(f"{ALL}/d1/cancel")).status_code == 204
        told = await ended(door)
        await door.settle()

        assert told["provisioningState"] == "Canceled"
        assert await door.bench.store.deployment("credit", "blue") is None
        assert problem(await door.client.post(f"{ALL}/d1/cancel"))[0] == 409
        assert (await door.client.delete(f"{ALL}/d1")).status_code == 200
        assert (await door.client.delete(f"{ALL}/d1")).status_code == 204

    tell(story)


def test_validate_says_what_would_be_made_and_makes_nothing(tell: Tell) -> None:
    async def story(door: Door) -> None:
        told = (await door.client.post(f"{ALL}/d1/validate", json=request())).json()["properties"]

        assert told["validatedResources"] == [{"id": f"{WORKSPACE}/onlineEndpoints/credit"}]
        assert await door.bench.store.endpoint("credit") is None
        wrong = await door.client.post(f"{ALL}/d1/validate", json=request(auth="None"))
        assert problem(wrong)[1] == "InvalidTemplate"

    tell(story)


def test_it_may_do_what_its_caller_may(tell: Tell) -> None:
    async def story(door: Door) -> None:
        alice = await somebody(door)
        await give(door, alice.id, DATA_SCIENTIST)
        assert is_forbidden(await alice.ask("PUT", f"{ALL}/d1", request()))
        await give(door, alice.id, OWNER, number=2)
        assert (await alice.ask("PUT", f"{ALL}/d1", request())).status_code == 201
        await door.client.delete(
            f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments/"
            "00000000-0000-4000-8000-000000000002"
        )
        await ended(door)

        insights = "providers/Microsoft.Insights/eventtypes/management/values"
        log = f"/subscriptions/{Settings().subscription}/{insights}"
        events = (await door.client.get(log)).json()["value"]
        made = [e for e in events if e["resourceId"].lower().endswith("onlineendpoints/credit")]
        assert [event["caller"] for event in made] == ["alice@example.com"]

    tell(story)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "MissingKey"),
        ({"properties": {"template": None}}, "MissingKey"),
        ({"properties": {"templateLink": {"uri": "https://x"}}}, "UnknownKey"),
        (request(mode="Complete"), "InvalidValue"),
        ({"properties": {"template": {}, "parameters": []}}, "InvalidTemplate"),
        ({"properties": {"template": {"$schema": SCHEMA, "resources": None}}}, "InvalidTemplate"),
    ],
)
def test_bodies_that_cannot_be_are_refused(tell: Tell, body: dict[str, Any], code: str) -> None:
    async def story(door: Door) -> None:
        status, told, _ = problem(await put(door, body))
        assert (status, told) == (400, code)

    tell(story)


def test_names_and_places_are_checked(tell: Tell) -> None:
    async def story(door: Door) -> None:
        assert problem(await put(door, request(), "a%20b"))[1] == "InvalidDeploymentName"
        elsewhere = ALL.replace("/local/", "/other/")
        answer = await door.client.put(f"{elsewhere}/d1", json=request())
        assert problem(answer)[1] == "ResourceGroupNotFound"

    tell(story)


def test_a_bug_of_ours_ends_it_and_is_said(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    async def story(door: Door) -> None:
        monkeypatch.setattr("verdazul.control.templates._outputs", broken)
        await put(door, request())
        told = await ended(door)

        assert told["provisioningState"] == "Failed"
        assert told["error"]["code"] == "InternalServerError"

    tell(story)


def test_the_history_is_bounded(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(door: Door) -> None:
        monkeypatch.setattr("verdazul.control.templates.KEPT", 3)
        for n in range(5):
            await put(door, request(), f"d{n}")
            await ended(door, f"d{n}")
            door.bench.clock.advance(1)

        found = (await door.client.get(ALL)).json()["value"]
        assert [one["name"] for one in found] == ["d4", "d3", "d2"]

    tell(story)
