"""ARM bodies: round trips, what is tolerated, and what is refused by its JSON path."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.model.factories import (
    CODE,
    ENVIRONMENT,
    MODEL,
    WORKSPACE,
    deployment,
    deployments,
    endpoint,
    endpoints,
    problems,
)

from verdazul.model.arm import (
    deployment_from_arm,
    deployment_to_arm,
    endpoint_from_arm,
    endpoint_to_arm,
)
from verdazul.model.deployment import DeploymentSpec
from verdazul.model.durations import read_duration, write_duration
from verdazul.model.endpoint import AuthMode, EndpointSpec
from verdazul.model.errors import UserError
from verdazul.model.supported import refuse_unsupported

# What azure-ai-ml 1.35.2 puts for a deployment that uses nearly everything.
SDK_DEPLOYMENT: dict[str, Any] = {
    "location": "local",
    "properties": {
        "codeConfiguration": {"codeId": CODE, "scoringScript": "score.py"},
        "environmentId": ENVIRONMENT,
        "model": MODEL,
        "modelMountPath": "/var/m",
        "scaleSettings": {"scaleType": "Default"},
        "properties": {},
        "description": "first",
        "environmentVariables": {"FOO": "bar"},
        "appInsightsEnabled": False,
        "requestSettings": {
            "maxQueueWait": "PT0.5S",
            "maxConcurrentRequestsPerInstance": 2,
            "requestTimeout": "PT3S",
        },
        "livenessProbe": {
            "failureThreshold": 30,
            "successThreshold": 1,
            "timeout": "PT2S",
            "period": "PT10S",
            "initialDelay": "PT10S",
        },
        "readinessProbe": {"initialDelay": "PT12S"},
        "instanceType": "Standard_DS3_v2",
        "egressPublicNetworkAccess": "disabled",
        "dataCollector": {
            "collections": {
                "model_inputs": {
                    "dataCollectionMode": "enabled",
                    "samplingRate": 0.5,
                    "dataId": f"{WORKSPACE}/data/credit-blue-model_inputs/versions/1",
                }
            },
            "rollingRate": "hour",
            "requestLogging": {"captureHeaders": ["x-foo"]},
        },
        "endpointComputeType": "Managed",
    },
    "tags": {},
    "sku": {"name": "Default", "capacity": 1},
}


def sdk_deployment(place: str = "", value: object = None) -> dict[str, Any]:
    """The body above, with the value at one place changed."""
    body = copy.deepcopy(SDK_DEPLOYMENT)
    if place:
        *way, last = place.split(".")
        spot = body
        for part in way:
            spot = spot.setdefault(part, {})
        spot[last] = value
    return body


@given(endpoints)
def test_endpoint_survives_the_wire(spec: EndpointSpec) -> None:
    body = json.loads(json.dumps(endpoint_to_arm(spec, location="local")))

    assert endpoint_from_arm(spec.name, body) == spec.model_copy(
        update={"location": spec.location or "local"}
    )


@given(deployments)
def test_deployment_survives_the_wire(spec: DeploymentSpec) -> None:
    body = json.loads(json.dumps(deployment_to_arm(spec, location="local")))

    assert deployment_from_arm(spec.endpoint_name, spec.name, body) == spec


@given(endpoints, deployments)
def test_what_is_written_is_canonical(one: EndpointSpec, two: DeploymentSpec) -> None:
    body = endpoint_to_arm(one, location="local")
    other = deployment_to_arm(two, location="local")

    again = endpoint_to_arm(endpoint_from_arm(one.name, body), location="local")
    assert again == body
    read_back = deployment_from_arm(two.endpoint_name, two.name, other)
    assert deployment_to_arm(read_back, location="local") == other


def test_sdk_deployment_is_read() -> None:
    spec = deployment_from_arm("credit", "blue", SDK_DEPLOYMENT)

    assert spec.request_settings.request_timeout_ms == 3000
    assert spec.request_settings.max_queue_wait_ms == 500
    assert (spec.readiness_probe.initial_delay, spec.readiness_probe.period) == (12, 10)
    assert spec.data_collector
    assert spec.data_collector.sampling_rate == 0.5
    assert spec.data_collector.collections["model_inputs"].enabled is True


def test_enums_come_in_any_case_and_leave_in_one() -> None:
    body = {"properties": {"authMode": "amltoken", "publicNetworkAccess": "DISABLED"}}

    spec = endpoint_from_arm("credit", body)
    written = endpoint_to_arm(spec, location="local")["properties"]

    assert spec.auth_mode is AuthMode.AML_TOKEN
    assert isinstance(written, dict)
    assert (written["authMode"], written["publicNetworkAccess"]) == ("AMLToken", "Disabled")


@pytest.mark.parametrize("kind", ["SystemAssigned", "systemAssigned", "None"])
def test_identity_that_every_sdk_sends_counts_as_none(kind: str) -> None:
    body = {"identity": {"type": kind, "principalId": None}, "properties": {"authMode": "Key"}}

    spec = endpoint_from_arm("credit", body)

    assert spec.identity is None
    refuse_unsupported(spec)


def test_explicit_system_identity_is_written_as_sdks_write_it() -> None:
    body = endpoint_to_arm(endpoint(identity={"type": "system_assigned"}), location="local")

    assert body["identity"] == {"type": "SystemAssigned"}


def test_what_servers_write_is_dropped_when_it_comes_back() -> None:
    body = {
        "id": f"{WORKSPACE}/onlineEndpoints/credit",
        "name": "credit",
        "type": "x",
        "kind": "Managed",
        "etag": "1",
        "systemData": {"createdAt": "now"},
        "sku": {"name": "Default", "tier": "Standard"},
        "properties": {
            "provisioningState": "Succeeded",
            "scoringUri": "http://x/score",
            "swaggerUri": "http://x/swagger.json",
            "properties": {"createdBy": "me", "createdAt": "1", "lastModifiedAt": "2", "own": "3"},
        },
    }

    assert endpoint_from_arm("credit", body) == endpoint(properties={"own": "3"})


def test_null_stands_for_absent_where_a_value_is_optional() -> None:
    body = sdk_deployment("properties.livenessProbe", None)
    body["properties"] |= {"dataCollector": None, "description": None, "requestSettings": None}
    body |= {"tags": None, "sku": None}

    spec = deployment_from_arm("credit", "blue", body)

    assert spec.data_collector is None
    assert (spec.instance_count, spec.liveness_probe.period) == (1, 10)


@pytest.mark.parametrize(
    ("sku", "instance_type"),
    [
        ({"name": "Default", "capacity": 1}, "Standard_F4s_v2"),
        ({"name": "standard_f2s_v2", "capacity": 1}, "Standard_F2s_v2"),
        ({"name": None}, "Standard_F4s_v2"),
        (None, "Standard_F4s_v2"),
    ],
)
def test_a_body_without_an_instance_type_gets_azures(sku: object, instance_type: str) -> None:
    kept = {k: v for k, v in SDK_DEPLOYMENT["properties"].items() if k != "instanceType"}
    body = {**SDK_DEPLOYMENT, "properties": kept, "sku": sku}

    spec = deployment_from_arm("credit", "blue", body)

    assert spec.instance_type == instance_type


@pytest.mark.parametrize(
    ("place", "value", "code", "message"),
    [
        (
            "properties.codeConfiguration.codeId",
            None,
            "MissingKey",
            "missing key `properties.codeConfiguration.codeId`",
        ),
        (
            "properties.codeConfiguration.codeId",
            "/etc",
            "InvalidValue",
            'properties.codeConfiguration.codeId is "/etc"; it must be the id of an uploaded asset',
        ),
        (
            "properties.model",
            {"path": "/etc"},
            "InvalidValue",
            "properties.model is a mapping; it must be the id of an uploaded asset",
        ),
        (
            "properties.requestSettings.requestTimeout",
            "5s",
            "InvalidValue",
            (
                'properties.requestSettings.requestTimeout is "5s"; it must be an ISO-8601 '
                "duration of whole milliseconds, such as PT5S"
            ),
        ),
        (
            "properties.livenessProbe.period",
            "PT0.5S",
            "InvalidValue",
            (
                'properties.livenessProbe.period is "PT0.5S"; it must be an ISO-8601 duration of '
                "whole seconds, such as PT5S"
            ),
        ),
        (
            "properties.readinessProbe.initialDelay",
            3,
            "InvalidValue",
            (
                "properties.readinessProbe.initialDelay is 3; it must be an ISO-8601 duration of "
                "whole seconds, such as PT5S"
            ),
        ),
        (
            "sku.capacity",
            "many",
            "InvalidValue",
            'sku.capacity is "many"; it must be a whole number from 1 to 50',
        ),
        (
            "sku.capacity",
            True,
            "InvalidValue",
            "sku.capacity is true; it must be a whole number from 1 to 50",
        ),
        (
            "properties.scaleSettings.scaleType",
            7,
            "InvalidValue",
            "properties.scaleSettings.scaleType is 7; it must be default or target_utilization",
        ),
        (
            "properties.requestSettings",
            "PT5S",
            "InvalidValue",
            'properties.requestSettings is "PT5S"; it must be an object',
        ),
        (
            "properties.environmentVariables",
            {"A": None},
            "InvalidValue",
            "properties.environmentVariables.A has no value; it must be a text",
        ),
        (
            "properties.instancType",
            "x",
            "UnknownKey",
            "unknown property properties.instancType; did you mean instanceType?",
        ),
        (
            "propertys",
            None,
            "UnknownKey",
            "unknown property propertys; did you mean properties?",
        ),
        (
            "properties.livenessProbe.qqq",
            1,
            "UnknownKey",
            (
                "unknown property properties.livenessProbe.qqq; known there: failureThreshold, "
                "initialDelay, period, successThreshold, timeout"
            ),
        ),
    ],
)
def test_wrong_body_is_refused_by_json_path(
    place: str, value: object, code: str, message: str
) -> None:
    with pytest.raises(UserError) as caught:
        deployment_from_arm("credit", "blue", sdk_deployment(place, value))

    assert [(each.code, each.message) for each in problems(caught.value)] == [(code, message)]


@pytest.mark.parametrize("body", [None, [], "x", 3, True])
def test_body_that_is_no_object_is_refused(body: object) -> None:
    with pytest.raises(UserError, match="it must be a JSON object"):
        endpoint_from_arm("credit", body)


@pytest.mark.parametrize(
    "identity",
    [
        "SystemAssigned",
        {},
        {"type": 3},
        {"type": "SystemAssigned,UserAssigned"},
        {"type": "UserAssigned", "userAssignedIdentities": ["x"]},
        {"type": "UserAssigned"},
    ],
)
def test_identity_that_cannot_be_read_is_refused(identity: object) -> None:
    with pytest.raises(UserError, match="identity"):
        endpoint_from_arm("credit", {"identity": identity, "properties": {}})


@pytest.mark.parametrize(
    "collector",
    [
        [],
        {"colections": {}},
        {"collections": []},
        {"collections": [1]},
        {"collections": {"a": {"dataId": {}}}},
        {"collections": {"a": {"mode": "x"}}},
        {"collections": {"a": {"dataCollectionMode": "sometimes"}}},
        {"collections": {"a": {"samplingRate": 0.5}, "b": {"samplingRate": 0.6}}},
        {"collections": {"a": {}}, "rollingRate": "never"},
        {"collections": {"a": {}}, "rollingRate": 3},
        {"collections": {"a": {"samplingRate": 2}}},
        {"collections": {"a": {}}, "requestLogging": []},
        {"collections": {}},
        {"collections": None},
    ],
)
def test_collector_that_cannot_be_read_is_refused(collector: object) -> None:
    with pytest.raises(UserError, match=r"properties\.dataCollector"):
        deployment_from_arm("credit", "blue", sdk_deployment("properties.dataCollector", collector))


def test_collector_of_few_words_gets_the_defaults() -> None:
    body = sdk_deployment("properties.dataCollector", {"collections": {"a": {"clientId": "c"}}})

    found = deployment_from_arm("credit", "blue", body).data_collector

    assert found
    assert (found.sampling_rate, found.rolling_rate.value) == (1.0, "hour")
    assert (found.collections["a"].enabled, found.collections["a"].client_id) == (False, "c")


def test_all_problems_of_a_body_are_told_at_once() -> None:
    body = sdk_deployment("properties.instancType", "x")
    body["sku"]["capacity"] = 0

    with pytest.raises(UserError) as caught:
        deployment_from_arm("credit", "b", body)

    assert [each.code for each in problems(caught.value)] == [
        "UnknownKey",
        "InvalidName",
        "InvalidValue",
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"model": {"path": "/m"}},
        {"environment": {"image": "i"}},
        {"code_configuration": {"code": "/src", "scoring_script": "score.py"}},
        {"data_collector": {"collections": {"a": {"data": {"name": "n"}}}}},
    ],
)
def test_what_is_not_uploaded_has_no_body(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"has to be (uploaded|registered) before"):
        deployment_to_arm(deployment(**fields), location="local")


@pytest.mark.parametrize("drop", ["codeConfiguration", "model"])
def test_deployment_without_code_or_model_is_read(drop: str) -> None:
    body = sdk_deployment()
    del body["properties"][drop]

    spec = deployment_from_arm("credit", "blue", body)

    assert deployment_from_arm("credit", "blue", deployment_to_arm(spec, location="l")) == spec


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def places(body: dict[str, Any], at: str = "") -> list[str]:
    """Every place in a body, dotted."""
    found = []
    for name, value in body.items():
        found.append(at + name)
        if isinstance(value, dict):
            found += places(value, f"{at}{name}.")
    return found


@given(st.sampled_from(places(SDK_DEPLOYMENT)), json_values)
def test_no_value_anywhere_crashes_the_reader(place: str, value: object) -> None:
    try:
        spec = deployment_from_arm("credit", "blue", sdk_deployment(place, value))
    except UserError as error:
        assert problems(error)  # noqa: PT017 - either outcome is right
    else:
        json.dumps(deployment_to_arm(spec, location="local"))


@given(st.integers(0, 10**12))
def test_durations_survive_the_wire(milliseconds: int) -> None:
    assert read_duration(write_duration(milliseconds)) == milliseconds


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("PT5S", 5000),
        ("PT0.5S", 500),
        ("PT1M30S", 90_000),
        ("P1DT1H", 90_000_000),
        ("pt2s", 2000),
        ("PT0,25S", 250),
        ("PT0S", 0),
        ("P", None),
        ("PT", None),
        ("P1DT", None),
        ("P1Y", None),
        ("-PT5S", None),
        ("PT0.0001S", None),
        ("PT5", None),
        ("5", None),
        ("", None),
        ("PT\u0665S", None),
    ],
)
def test_durations_are_read(text: str, milliseconds: int | None) -> None:
    assert read_duration(text) == milliseconds
