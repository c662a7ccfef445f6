"""What has no effect yet is refused by name; what breaks Azure's rules is no spec at all."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from tests.model.factories import deployment, endpoint, problems

from verdazul.model.assets import is_unpacked
from verdazul.model.errors import UserError
from verdazul.model.supported import refuse_unsupported, refuse_unsupported_locally


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"identity": {}}, "identity: system_assigned is not supported yet"),
        (
            {
                "identity": {
                    "type": "UserAssigned",
                    "user_assigned_identities": [{"resource_id": "x"}],
                }
            },
            "identity: user_assigned is not supported yet",
        ),
        (
            {"public_network_access": "Disabled"},
            "public_network_access: disabled is not supported yet",
        ),
        (
            {"properties": {"enforce_access_to_default_secret_stores": "Enabled"}},
            "properties.enforce_access_to_default_secret_stores: enabled is not supported yet",
        ),
    ],
)
def test_what_an_endpoint_cannot_have_yet_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        refuse_unsupported(endpoint(**fields))

    assert [(each.code, each.message) for each in problems(caught.value)] == [
        ("NotSupportedYet", message)
    ]
    assert problems(caught.value)[0].fix


INFERENCE = {
    f"{name}_route": {"path": "/", "port": 8080} for name in ("liveness", "readiness", "scoring")
}


@pytest.mark.azure(74)
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {
                "type": "kubernetes",
                "resources": {
                    "requests": {"cpu": "1", "memory": "1Gi"},
                    "limits": {"nvidia.com/gpu": "1"},
                },
            },
            "resources.limits.gpu: 1 is not supported yet",
        ),
        (
            {"type": "kubernetes", "scale_settings": {"type": "target_utilization"}},
            "scale_settings.type: target_utilization is not supported yet",
        ),
        (
            {"private_network_connection": True},
            "private_network_connection: true is not supported yet",
        ),
        ({"app_insights_enabled": True}, "app_insights_enabled: true is not supported yet"),
        (
            {"data_collector": {"collections": {"a": {"enabled": "True"}}}},
            "data_collector: collections is not supported yet",
        ),
        ({"model_mount_path": "/m"}, "model_mount_path: /m is not supported yet"),
        (
            {"scale_settings": {"type": "TargetUtilization"}},
            "scale_settings.type: target_utilization is not supported yet",
        ),
        (
            {"model": {"path": "/m", "type": "mlflow_model"}},
            "model.type: mlflow_model is not supported yet",
        ),
        (
            {"model": {"path": "/m", "type": "triton_model"}},
            "model.type: triton_model is not supported yet",
        ),
        ({"code_configuration": None}, "code_configuration: none is not supported yet"),
        (
            {"environment": {"build": {"path": "."}}},
            "environment.build: . is not supported yet",
        ),
        (
            {"environment": {"image": "i", "inference_config": INFERENCE}},
            "environment.inference_config: routes is not supported yet",
        ),
        (
            {"environment": {"image": "i", "os_type": "Windows"}},
            "environment.os_type: windows is not supported yet",
        ),
        (
            {"environment_variables": {"K": "x ${{ keyvault:https://v/secrets/s }}"}},
            "environment_variables.K: a reference to a secret store is not supported yet",
        ),
    ],
)
def test_what_a_deployment_cannot_have_yet_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        refuse_unsupported(deployment(**fields))

    assert [(each.code, each.message) for each in problems(caught.value)] == [
        ("NotSupportedYet", message)
    ]


def test_defaults_written_out_are_silently_fine() -> None:
    refuse_unsupported(
        endpoint(
            auth_mode="key",
            public_network_access="enabled",
            mirror_traffic={"green": 0},
            properties={"enforce_access_to_default_secret_stores": "disabled"},
        )
    )
    refuse_unsupported(
        deployment(
            type="managed",
            egress_public_network_access="enabled",
            app_insights_enabled="false",
            scale_settings={"type": "default"},
            private_network_connection="no",
            environment={"image": "i", "os_type": "Linux"},
            model={"path": "/m", "type": "custom_model"},
        )
    )


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"image": "i", "build": {"path": "."}},
        {"build": {"path": "."}, "conda_text": "x"},
        {"conda_text": "x"},
        {"image": " "},
    ],
)
def test_environment_stands_on_one_foundation(environment: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        deployment(environment=environment)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "kubernetes", "name": "a" * 32, "endpoint_name": "b" * 32},
        {"type": "kubernetes", "request_settings": {"request_timeout_ms": 300_001}},
        {"code_configuration": {"code": "c", "scoring_script": "/abs.py"}},
        {"code_configuration": {"code": "c", "scoring_script": ""}},
        {"environment_variables": {"": "x"}},
        {"environment_variables": {"A": "x\0"}},
        {"data_collector": {"collections": {"a": {}}, "sampling_rate": True}},
        {"data_collector": {"collections": {"a": {}}, "sampling_rate": float("nan")}},
        {"liveness_probe": {"period": 0}},
        {"app_insights_enabled": 1},
        {"instance_count": 2.0},
        {"instance_type": ["x"]},
        {"request_settings": "none"},
        {"tags": {("a", "b"): "x"}},
    ],
)
def test_specs_that_azure_refuses_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        deployment(**fields)


def test_kubernetes_has_other_limits() -> None:
    spec = deployment(
        type="kubernetes", instance_type=None, request_settings={"request_timeout_ms": 300_000}
    )

    assert spec.instance_type == "defaultinstancetype"


@pytest.mark.azure(5)
@pytest.mark.parametrize(
    ("endpoint", "is_right"), [("b" * 3, True), ("b" * 30, True), ("b" * 31, False)]
)
def test_names_of_kubernetes_have_6_to_62_characters_together(
    endpoint: str,
    is_right: bool,  # noqa: FBT001
) -> None:
    name = "a" * 3 if len(endpoint) == 3 else "a" * 32
    fields = {"type": "kubernetes", "instance_type": None, "endpoint_name": endpoint}
    if is_right:
        assert 6 <= len(deployment(name=name, **fields).name + endpoint) <= 62
        return
    with pytest.raises(ValidationError, match="at most 62"):
        deployment(name=name, **fields)
    with pytest.raises(ValidationError):
        deployment(name="aa", **{**fields, "endpoint_name": "bbb"})


def test_locally_other_keys_have_an_effect_and_the_rest_is_refused() -> None:
    refuse_unsupported_locally(endpoint(identity={}))
    refuse_unsupported_locally(deployment(app_insights_enabled=True))
    with pytest.raises(UserError, match="model_mount_path"):
        refuse_unsupported_locally(deployment(model_mount_path="/m"))


@pytest.mark.parametrize(
    ("told", "expected"), [(None, False), ("False", False), (True, True), ("true", True)]
)
def test_an_archive_says_so(told: object, expected: bool) -> None:  # noqa: FBT001
    assert is_unpacked({"azureml.unpack": told}) == expected


def test_an_archive_says_nothing_else() -> None:
    with pytest.raises(UserError, match="must be true or false"):
        is_unpacked({"azureml.unpack": "maybe"})
