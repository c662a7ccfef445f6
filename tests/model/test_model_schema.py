"""The description of a body is the table and the type that read it: neither says more or less."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from jsonschema_rs import Draft202012Validator
from tests.model.factories import deployments, endpoints

from verdazul.model.arm import DEPLOYMENT, ENDPOINT, deployment_to_arm, endpoint_to_arm
from verdazul.model.asset_bodies import VERSIONS, version_from_arm
from verdazul.model.deployment import DeploymentSpec
from verdazul.model.durations import PATTERN
from verdazul.model.endpoint import EndpointSpec
from verdazul.model.errors import UserError
from verdazul.model.schema import nullable, request_schema, written_schema

ENDPOINTS = Draft202012Validator(request_schema(EndpointSpec, ENDPOINT))
DEPLOYMENTS = Draft202012Validator(request_schema(DeploymentSpec, DEPLOYMENT))


@given(endpoints)
def test_every_endpoint_is_written_as_a_body_that_fits(spec: EndpointSpec) -> None:
    assert not list(ENDPOINTS.iter_errors(endpoint_to_arm(spec, location="local")))


@given(deployments)
def test_every_deployment_is_written_as_a_body_that_fits(spec: DeploymentSpec) -> None:
    assert not list(DEPLOYMENTS.iter_errors(deployment_to_arm(spec, location="local")))


def at(schema: dict[str, Any], path: str) -> dict[str, Any]:
    for part in path.split("."):
        schema = schema["properties"][part]
    return schema


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("sku.capacity", {"type": "integer", "minimum": 1, "maximum": 50, "default": 1}),
        ("properties.requestSettings.requestTimeout", {"default": "PT5S", "pattern": PATTERN}),
        ("properties.endpointComputeType", {"enum": ["Managed", "Kubernetes"]}),
        ("properties.codeConfiguration", {"required": ["codeId", "scoringScript"]}),
        ("properties.livenessProbe.period", {"type": "string", "default": "PT10S"}),
    ],
)
def test_a_property_says_its_bounds_words_and_default(path: str, said: dict[str, Any]) -> None:
    found = at(written_schema(DeploymentSpec, DEPLOYMENT), path)

    assert {name: found.get(name) for name in said} == said


def test_in_a_request_null_stands_for_what_may_be_absent() -> None:
    schema = request_schema(DeploymentSpec, DEPLOYMENT)

    assert at(schema, "properties.endpointComputeType")["enum"][-1] is None
    assert at(schema, "properties.livenessProbe")["type"] == ["object", "null"]
    assert at(schema, "properties.codeConfiguration.codeId")["type"] == "string"
    assert at(schema, "properties.provisioningState")["readOnly"] is True
    assert schema["type"] == "object"


def test_null_is_added_once() -> None:
    once = nullable({"type": "string", "enum": ["a"]})

    assert nullable(once) == once == {"type": ["string", "null"], "enum": ["a", None]}
    assert nullable({"anyOf": []}) == {"anyOf": [{"anyOf": []}, {"type": "null"}]}
    assert nullable({}) == {}


# -- versions of assets, which are read by the same kind of table

GOOD = {
    "codes": {"codeUri": "azureml://x"},
    "models": {"modelUri": "azureml://x", "modelType": "custom_model"},
    "environments": {"image": "i", "osType": "Linux"},
    "data": {"dataUri": "azureml://x", "dataType": "uri_file"},
}


@pytest.mark.parametrize("kind", VERSIONS)
def test_a_version_is_kept_as_it_was_put(kind: str) -> None:
    said = {"description": "d", "tags": {"a": "b"}, "isArchived": True, "isAnonymous": False}

    assert version_from_arm(kind, {"properties": {**GOOD[kind], **said}}) == {**GOOD[kind], **said}


@pytest.mark.parametrize("kind", VERSIONS)
def test_words_of_a_version_are_kept_in_one_spelling(kind: str) -> None:
    said: dict[str, Any] = {"tags": {"a": 1, "b": True}, "properties": {"hash_version": 202208}}
    said |= {"provisioningState": "Succeeded"} | ({"stage": None} if kind == "models" else {})

    kept = version_from_arm(kind, {"properties": {**GOOD[kind], **said}})

    assert kept == {
        **GOOD[kind],
        "tags": {"a": "1", "b": "true"},
        "properties": {"hash_version": "202208"},
    }


@pytest.mark.parametrize("kind", VERSIONS)
@pytest.mark.parametrize(
    ("wrong", "code", "path"),
    [
        ({"tags": 5}, "InvalidValue", "properties.tags"),
        ({"tags": {"a": []}}, "InvalidValue", "properties.tags.a"),
        ({"description": {}}, "InvalidValue", "properties.description"),
        ({"isArchived": "maybe"}, "InvalidValue", "properties.isArchived"),
        ({"isAnonymous": 1}, "InvalidValue", "properties.isAnonymous"),
        ({"properties": []}, "InvalidValue", "properties.properties"),
        ({"descripton": "d"}, "UnknownKey", "properties.descripton"),
        ({"autoDeleteSetting": {}}, "NotSupportedYet", "properties.autoDeleteSetting"),
    ],
)
def test_what_no_version_holds_is_refused_by_its_path(
    kind: str, wrong: dict[str, Any], code: str, path: str
) -> None:
    with pytest.raises(UserError, match=path) as refused:
        version_from_arm(kind, {"properties": {**GOOD[kind], **wrong}})

    assert refused.value.problem.code == code


@pytest.mark.parametrize("kind", VERSIONS)
@pytest.mark.parametrize("body", [{}, {"properties": None}, {"properties": []}])
def test_a_version_is_described_in_properties(kind: str, body: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="properties is missing"):
        version_from_arm(kind, body)


@pytest.mark.parametrize("kind", list(VERSIONS))
def test_what_is_not_there_yet_may_be_null_and_nothing_else(kind: str) -> None:
    told = {"properties": {**GOOD[kind], "intellectualProperty": None}}
    assert version_from_arm(kind, told) == GOOD[kind]
    with pytest.raises(UserError, match="intellectualProperty is not supported yet"):
        version_from_arm(kind, {"properties": {**GOOD[kind], "intellectualProperty": {}}})
