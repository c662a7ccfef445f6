"""Kubernetes endpoints over HTTP: what is put, what is shown, and kinds that do not mix."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.door import WORKSPACE, Door, Tell, endpoint_body, problem
from tests.api.test_api_templates import ENDPOINT, deployment, ended, put, request
from verdazul.core.instance import Limits

COMPUTE = (
    "[resourceId('Microsoft.MachineLearningServices/workspaces/computes', "
    "parameters('workspace'), 'inferencecompute')]"
)
CREDIT = "onlineEndpoints/credit"
BLUE = f"{CREDIT}/deployments/blue"
RESOURCES = {
    "containerResourceRequests": {"cpu": "0.1", "memory": "0.1Gi"},
    "containerResourceLimits": {"cpu": "0.2", "memory": "200Mi"},
}


async def blue(door: Door, **properties: Any) -> Any:
    """What a client sends for a Kubernetes deployment; an instance type may be left out."""
    told = {"endpointComputeType": "Kubernetes", "instanceType": None, **properties}
    return await door.deployment(**told)


@pytest.mark.azure(5, 66)
def test_an_endpoint_shows_its_compute_and_a_deployment_what_it_gets(tell: Tell) -> None:
    async def story(door: Door) -> None:
        made = await door.endpoint(compute="azureml:inferencecompute")
        put = await blue(door, containerResourceRequirements=RESOURCES, capacity=2)
        await door.settle()
        shown = (await door.ask("GET", BLUE)).json()["properties"]

        assert (made.status_code, put.status_code) == (201, 201)
        assert made.json()["kind"] == "K8S"
        assert made.json()["properties"]["compute"] == f"{WORKSPACE}/computes/inferencecompute"
        assert shown["provisioningState"] == "Succeeded"
        assert shown["endpointComputeType"] == "Kubernetes"
        assert shown["containerResourceRequirements"] == RESOURCES
        assert shown["instanceType"] == "defaultinstancetype"
        bodies = door.bench.compute.world.bodies.values()
        assert {body.launch.limits for body in bodies} == {
            Limits(0.2, 200 * 2**20, requested_cpus=0.1, requested_memory_bytes=107_374_183)
        }
        route = door.bench.gateway.published("credit")
        assert route is not None
        assert route.is_kubernetes

    tell(story)


def test_what_is_shown_can_be_put_again_and_patched(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint(compute=f"{WORKSPACE}/computes/cluster")
        await blue(door)
        await door.settle()
        shown = (await door.ask("GET", CREDIT)).json()

        shown["properties"]["traffic"] = {"blue": 100}
        again = await door.ask("PUT", CREDIT, shown)
        await door.settle()
        patched = await door.ask("PATCH", CREDIT, {"tags": {"a": "b"}})
        scaled = await door.ask("PATCH", BLUE, {"sku": {"capacity": 3}})

        assert [again.status_code, patched.status_code, scaled.status_code] == [200, 200, 200]
        assert (await door.ask("GET", CREDIT)).json()["properties"]["compute"].endswith("/cluster")

    tell(story)


@pytest.mark.parametrize("compute", [None, "azureml:other"])
def test_an_endpoint_stays_where_it_is(tell: Tell, compute: str | None) -> None:
    async def story(door: Door) -> None:
        await door.endpoint(compute="azureml:cluster")
        same = await door.ask("PUT", CREDIT, endpoint_body(compute="azureml:Cluster"))

        moved = await door.ask("PUT", CREDIT, endpoint_body(compute=compute))

        assert same.status_code == 200
        assert problem(moved)[:2] == (400, "BadArgument")
        assert 'compute of endpoint "credit" is azureml:' in problem(moved)[2]

    tell(story)


def test_kinds_do_not_mix(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint(compute="azureml:cluster")

        managed = await door.deployment()

        status, code, message = problem(managed)
        assert (status, code) == (400, "BadArgument")
        assert message.startswith('deployment "blue" is of type managed; endpoint "credit" is kube')
        assert "write `type: kubernetes`" in message
        assert await door.bench.store.deployments("credit") == ()

    tell(story)


@pytest.mark.azure(170)
@pytest.mark.parametrize(
    ("properties", "code", "said"),
    [
        ({"instanceType": "cpu-huge"}, "InvalidInstanceType", "cpu-huge"),
        (
            {
                "containerResourceRequirements": {
                    "containerResourceRequests": {"cpu": "3", "memory": "1Gi"}
                }
            },
            "BadArgument",
            "allows at most",
        ),
        (
            {
                "containerResourceRequirements": {
                    **RESOURCES,
                    "containerResourceLimits": {"cpu": "50m"},
                }
            },
            "BadArgument",
            "properties.containerResourceRequirements.containerResourceRequests.cpu",
        ),
        (
            {"scaleSettings": {"scaleType": "TargetUtilization", "maxInstances": 3}},
            "NotSupportedYet",
            "instance_count",
        ),
        ({"requestSettings": {"requestTimeout": "PT301S"}}, "InvalidValue", "requestTimeout"),
    ],
)
def test_what_a_cluster_would_not_run_is_refused(
    tell: Tell, properties: dict[str, Any], code: str, said: str
) -> None:
    async def story(door: Door) -> None:
        await door.endpoint(compute="azureml:cluster")

        answer = await blue(door, **properties)

        assert problem(answer)[:2] == (400, code)
        assert said in answer.text
        assert await door.bench.store.deployments("credit") == ()

    tell(story)


def test_usages_leave_out_what_is_the_clusters(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint(compute="azureml:cluster")
        await blue(door, instanceType="Standard_DS3_v2")

        path = (
            f"/subscriptions/{WORKSPACE.split('/')[2]}/providers/Microsoft.MachineLearningServices"
        )
        answer = await door.client.get(f"{path}/locations/local/usages?api-version=2023-04-01")

        names = {one["name"]["value"] for one in answer.json()["value"]}
        assert "onlineEndpoints" in names
        assert not any(name.startswith("standard") for name in names)

    tell(story)


TYPES = """\
apiVersion: amlarc.azureml.com/v1alpha1
kind: InstanceTypeList
items:
- metadata: {name: cpu-small}
  spec:
    resources:
      requests: {cpu: "700m", memory: "1500Mi"}
      limits: {cpu: "1", memory: "2Gi"}
"""


@pytest.mark.azure(169)
def test_types_of_ones_own_are_read_when_they_are_asked_for(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint(compute="azureml:cluster")
        file = door.bench.settings.home / "instance-types.yml"
        file.write_text(TYPES)
        made = await blue(door, instanceType="cpu-small")
        await door.settle()
        file.write_text(TYPES.replace("Gi", "QQ"))

        wrong = await door.deployment(
            "green", endpointComputeType="Kubernetes", instanceType="cpu-small"
        )
        await door.settle()

        assert made.status_code == 201
        (body,) = door.bench.compute.world.bodies.values()
        assert body.launch.limits == Limits(1.0, 2 * 2**30, 0.7, 1500 * 2**20)
        assert problem(wrong)[:2] == (400, "InvalidValue")
        assert "instance-types.yml:8" in wrong.text

    tell(story)


@pytest.mark.azure(15)
def test_a_template_makes_an_endpoint_and_a_deployment_of_this_kind(tell: Tell) -> None:
    async def story(door: Door) -> None:
        owner = {**ENDPOINT, "properties": {"authMode": "Key", "compute": COMPUTE}}
        made = await deployment(door)
        made["properties"] |= {
            "endpointComputeType": "Kubernetes",
            "instanceType": "defaultinstancetype",
            "containerResourceRequirements": RESOURCES,
            "requestSettings": {"requestTimeout": "PT300S"},
        }

        await put(door, request(owner, made))
        told = await ended(door)

        assert told["provisioningState"] == "Succeeded", told
        shown = (await door.ask("GET", BLUE)).json()["properties"]
        assert shown["containerResourceRequirements"] == RESOURCES
        assert shown["requestSettings"]["requestTimeout"] == "PT5M"

    tell(story)
