"""What `show` prints, and the bodies of assets."""

from __future__ import annotations

from typing import Any

import pytest
from tests.model.factories import CODE, ENVIRONMENT, MODEL, WORKSPACE, deployment, endpoint

from verdazul.model.arm import deployment_to_arm, endpoint_to_arm
from verdazul.model.asset_bodies import (
    code_to_arm,
    environment_from_arm,
    environment_to_arm,
    model_to_arm,
)
from verdazul.model.assets import InlineEnvironment, InlineModel
from verdazul.model.entity import (
    deployment_entity,
    endpoint_entity,
    size_entity,
    usage_entity,
    workspace_entity,
)
from verdazul.model.errors import UserError


def test_endpoint_is_shown_as_az_shows_it() -> None:
    resource: Any = endpoint_to_arm(endpoint(traffic={"blue": 100}), location="local")
    resource |= {"id": f"{WORKSPACE}/onlineEndpoints/credit", "name": "credit"}
    resource["properties"] |= {
        "scoringUri": "http://x/score",
        "swaggerUri": "http://x/swagger.json",
        "provisioningState": "Succeeded",
        "properties": {"createdBy": "me"},
    }

    entity = endpoint_entity(resource)

    assert entity == {
        "auth_mode": "key",
        "id": f"{WORKSPACE}/onlineEndpoints/credit",
        "kind": "Managed",
        "location": "local",
        "mirror_traffic": {},
        "name": "credit",
        "openapi_uri": "http://x/swagger.json",
        "properties": {"createdBy": "me"},
        "provisioning_state": "Succeeded",
        "public_network_access": "enabled",
        "resourceGroup": "rg1",
        "scoring_uri": "http://x/score",
        "tags": {},
        "traffic": {"blue": 100},
    }
    assert list(entity) == sorted(entity)


@pytest.mark.azure(71, 72, 74)
def test_deployment_is_shown_as_az_shows_it() -> None:
    resource: Any = deployment_to_arm(deployment(instance_count=3), location="local")
    resource |= {"id": f"{WORKSPACE}/onlineEndpoints/credit/deployments/blue", "name": "blue"}
    resource["properties"]["provisioningState"] = "Updating"

    probe = {
        "initial_delay": 10,
        "period": 10,
        "timeout": 2,
        "success_threshold": 1,
        "failure_threshold": 30,
    }
    assert deployment_entity(resource) == {
        "app_insights_enabled": False,
        "code_configuration": {"code": CODE, "scoring_script": "score.py"},
        "egress_public_network_access": "enabled",
        "endpoint_name": "credit",
        "environment": ENVIRONMENT,
        "environment_variables": {},
        "id": f"{WORKSPACE}/onlineEndpoints/credit/deployments/blue",
        "instance_count": 3,
        "instance_type": "Standard_DS3_v2",
        "liveness_probe": probe,
        "model": MODEL,
        "name": "blue",
        "properties": {},
        "provisioning_state": "Updating",
        "readiness_probe": probe,
        "request_settings": {
            "max_concurrent_requests_per_instance": 1,
            "max_queue_wait_ms": 500,
            "request_timeout_ms": 5000,
        },
        "resourceGroup": "rg1",
        "scale_settings": {"type": "default"},
        "tags": {},
        "type": "managed",
    }


def test_resource_of_few_words_is_shown_all_the_same() -> None:
    assert endpoint_entity({"name": "credit", "properties": None, "new": 1})["name"] == "credit"
    assert deployment_entity({"name": "blue"})["name"] == "blue"


def test_code_is_found_by_its_digest() -> None:
    assert code_to_arm("https://x/src", "sha256:ab") == {
        "properties": {
            "codeUri": "https://x/src",
            "isAnonymous": True,
            "properties": {"hash_sha256": "ab", "hash_version": "verdazul-tree-1"},
        }
    }


@pytest.mark.parametrize(("name", "anonymous"), [(None, True), ("credit", False)])
def test_model_becomes_a_body(name: str | None, *, anonymous: bool) -> None:
    body = model_to_arm(InlineModel(name=name, path="/tmp/m", tags={"a": "b"}), "azureml://m")

    assert body == {
        "properties": {
            "modelType": "custom_model",
            "modelUri": "azureml://m",
            "tags": {"a": "b"},
            "properties": {},
            "isAnonymous": anonymous,
            "isArchived": False,
        }
    }


ROUTE = {"path": "/", "port": 5001}


@pytest.mark.parametrize(
    "spec",
    [
        {"image": "i", "conda_text": "dependencies: [a]\n", "tags": {"a": "b"}},
        {"build": {"path": "https://x"}, "os_type": "windows", "description": "d"},
        {
            "image": "i",
            "inference_config": {
                "liveness_route": ROUTE,
                "readiness_route": ROUTE,
                "scoring_route": ROUTE,
            },
        },
    ],
)
def test_environment_survives_the_wire(spec: dict[str, Any]) -> None:
    environment = InlineEnvironment.model_validate(spec)
    body = environment_to_arm(environment)

    assert environment_from_arm({**body, "id": "x", "systemData": {}}) == environment


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"imag": "i"}, "unknown property properties.imag; did you mean image?"),
        ({"image": "i", "condaFile": 3.5j}, "properties.condaFile is complex; it must be a text"),
        ({"condaFile": "x"}, "environment has neither image nor build; conda_file needs an image"),
        (
            {"image": "i", "osType": "beos"},
            'properties.osType is "beos"; it must be linux or windows',
        ),
    ],
)
def test_environment_that_cannot_be_read_is_told(
    properties: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError) as caught:
        environment_from_arm({"properties": properties})

    told = [caught.value.problem.message, *(d.message for d in caught.value.problem.details)]
    assert any(each.startswith(message) for each in told)


def test_a_workspace_is_shown_in_azs_words() -> None:
    entity = workspace_entity(
        {
            "id": "/subscriptions/s/resourceGroups/local/providers/x/workspaces/verdazul",
            "name": "verdazul",
            "location": "local",
            "properties": {
                "friendlyName": "My workspace",
                "mlFlowTrackingUri": "https://localhost:8443/mlflow",
                "containerRegistry": "/registries/images",
                "hbiWorkspace": False,
                "description": None,
            },
        }
    )

    assert entity == {
        "container_registry": "/registries/images",
        "display_name": "My workspace",
        "friendly_name": "My workspace",
        "hbi_workspace": False,
        "id": "/subscriptions/s/resourceGroups/local/providers/x/workspaces/verdazul",
        "location": "local",
        "mlflow_tracking_uri": "https://localhost:8443/mlflow",
        "name": "verdazul",
        "resourceGroup": "local",
        "tags": {},
    }


def test_usages_and_sizes_have_the_keys_of_azures_clients() -> None:
    usage = usage_entity(
        {"currentValue": 3, "limit": 100, "name": {"value": "cores", "localizedValue": "Cores"}}
    )
    size = size_entity({"name": "Standard_DS3_v2", "vCPUs": 4, "memoryGB": 14, "premiumIO": False})

    assert usage == {
        "current_value": 3,
        "limit": 100,
        "name": {"value": "cores", "localized_value": "Cores"},
    }
    assert size == {
        "memory_gb": 14,
        "name": "Standard_DS3_v2",
        "premium_io": False,
        "v_cp_us": 4,
    }
