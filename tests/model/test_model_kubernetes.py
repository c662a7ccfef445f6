"""Kubernetes deployments: quantities, what an instance is granted, and what such kinds refuse."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.model.factories import WORKSPACE, deployment, endpoint

from verdazul.model.errors import UserError
from verdazul.model.kubernetes import Amounts, Grant, granted
from verdazul.model.quantities import cores, read_cpu, read_memory, size_in_bytes

GIB = 2**30


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1.0),
        ("0.5", 0.5),
        (".5", 0.5),
        ("100m", 0.1),
        ("2e0", 2.0),
        ("+1.", 1.0),
        ("0.0001", 0.001),
        ("1k", 1000.0),
    ],
)
def test_cores_are_read_as_kubernetes_reads_them(text: str, expected: float) -> None:
    assert cores(read_cpu(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1Gi", GIB),
        ("1500Mi", 1500 * 2**20),
        ("0.1Gi", 107_374_183),
        ("1G", 10**9),
        ("1e9", 10**9),
        ("1E", 10**18),
        ("1000000", 10**6),
        ("1000000000m", 10**6),
        ("128974848", 128_974_848),
    ],
)
def test_memory_is_read_as_kubernetes_reads_it(text: str, expected: int) -> None:
    assert size_in_bytes(read_memory(text)) == expected


@given(st.integers(1, 2**40), st.sampled_from(["", "Ki", "Mi"]))
def test_memory_grows_with_its_number(number: int, suffix: str) -> None:
    assert size_in_bytes(f"{number}{suffix}") < size_in_bytes(f"{number + 1}{suffix}")


def test_what_is_no_quantity_has_no_amount() -> None:
    with pytest.raises(ValueError, match="no quantity"):
        cores("a lot")


@pytest.mark.azure(170)
@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"requests": {"cpu": "0", "memory": "1Gi"}}, "above 0"),
        ({"requests": {"cpu": "-1", "memory": "1Gi"}}, "above 0"),
        ({"requests": {"cpu": "one", "memory": "1Gi"}}, "above 0"),
        ({"requests": {"cpu": "1", "memory": "999999"}}, "at least 1 MB"),
        ({"requests": {"cpu": "1", "memory": "200m"}}, "at least 1 MB"),
        ({"requests": {"cpu": "1", "memory": "1GB"}}, "at least 1 MB"),
        ({"requests": {"cpu": "1", "memory": "9E99"}}, "at least 1 MB"),
        ({"requests": {"cpu": "1", "memory": "99e99"}}, "at least 1 MB"),
        ({"requests": {"cpu": "1"}}, "memory"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "requests"),
        ({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"gpu": "half"}}, "whole number"),
        (
            {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "999m"}},
            'is "1", more than its limit, which is "999m"',
        ),
        (
            {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1G"}},
            'is "1Gi", more than its limit, which is "1G"',
        ),
    ],
)
def test_resources_that_make_no_sense_are_refused(resources: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        deployment(type="kubernetes", instance_type=None, resources=resources)


@pytest.mark.azure(170)
def test_without_a_word_an_instance_gets_what_the_default_type_has() -> None:
    grant = granted(deployment(type="kubernetes", instance_type=None))

    assert grant == Grant(requests=Amounts("100m", "2Gi"), limits=Amounts("2", "2Gi"))
    assert (grant.requests.cores, grant.limits.memory_bytes) == (0.1, 2 * GIB)


@pytest.mark.azure(170)
def test_resources_are_granted_and_what_they_leave_out_is_the_types() -> None:
    resources = {"requests": {"cpu": "0.1", "memory": "0.1Gi"}, "limits": {"cpu": "0.2"}}

    grant = granted(deployment(type="kubernetes", instance_type=None, resources=resources))

    assert grant == Grant(requests=Amounts("0.1", "0.1Gi"), limits=Amounts("0.2", "2Gi"))


def test_a_size_is_granted_whole_and_in_any_case() -> None:
    grant = granted(deployment(type="kubernetes", instance_type="standard_ds3_v2"))

    assert grant == Grant(requests=Amounts("4", "14Gi"), limits=Amounts("4", "14Gi"))


@pytest.mark.azure(170)
@pytest.mark.parametrize(
    ("resources", "said"),
    [
        (
            {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "3"}},
            'resources.limits.cpu is "3"; instance type defaultinstancetype allows at most "2"',
        ),
        (
            {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "4Gi"}},
            'resources.limits.memory is "4Gi"; instance type defaultinstancetype allows',
        ),
        (
            {"requests": {"cpu": "1", "memory": "3Gi"}},
            'resources.requests.memory is "3Gi"; instance type defaultinstancetype allows',
        ),
    ],
)
def test_more_than_the_type_allows_is_a_bad_argument(resources: dict[str, Any], said: str) -> None:
    spec = deployment(type="kubernetes", instance_type=None, resources=resources)

    with pytest.raises(UserError) as caught:
        granted(spec)

    assert caught.value.problem.code == "BadArgument"
    assert said in caught.value.problem.message


def test_a_type_that_is_not_known_is_named_with_those_that_are() -> None:
    with pytest.raises(UserError, match='"cpu-huge" is not known') as caught:
        granted(deployment(type="kubernetes", instance_type="cpu-huge"))

    assert "defaultinstancetype" in caught.value.problem.fix


def test_resources_belong_to_kubernetes() -> None:
    with pytest.raises(ValidationError, match="belongs to `type: kubernetes`"):
        deployment(resources={"requests": {"cpu": "1", "memory": "1Gi"}})


def test_egress_is_closed_for_managed_deployments_only() -> None:
    with pytest.raises(ValidationError, match="is for managed deployments only"):
        deployment(type="kubernetes", instance_type=None, egress_public_network_access="disabled")


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "azureml://registries/azureml/models/m/versions/1"},
        {"environment": "azureml://registries/azureml/environments/e/versions/1"},
        {
            "code_configuration": {
                "code": "azureml://registries/azureml/codes/c/versions/1",
                "scoring_script": "score.py",
            }
        },
    ],
)
def test_assets_of_registries_are_for_managed_deployments(fields: dict[str, Any]) -> None:
    assert deployment(**fields)
    with pytest.raises(ValidationError, match="is of a registry"):
        deployment(type="kubernetes", instance_type=None, **fields)


@pytest.mark.parametrize(
    "compute",
    [
        "azureml:inference-compute",
        "inference-compute",
        "AzureML:inference-compute",
        f"{WORKSPACE}/computes/inference-compute",
        f"azureml:{WORKSPACE}/computes/inference-compute",
        f"{WORKSPACE}/computes/azureml:inference-compute",
    ],
)
def test_a_compute_is_known_by_its_name_however_it_is_written(compute: str) -> None:
    assert endpoint(compute=compute).compute == "azureml:inference-compute"


@pytest.mark.parametrize(
    "compute",
    [
        "",
        "azureml:",
        "azureml:a b",
        "a/b",
        "azureml:-x",
        "azureml:\u212a8s",
        f"{WORKSPACE}/models/m",
        5.5,
    ],
)
def test_a_compute_that_is_none_is_refused(compute: object) -> None:
    with pytest.raises(ValidationError, match="attached compute"):
        endpoint(compute=compute)


@pytest.mark.azure(33)
def test_mirroring_and_tokens_of_entra_are_for_managed_endpoints() -> None:
    with pytest.raises(ValidationError, match="mirror_traffic is for managed endpoints only"):
        endpoint(compute="azureml:k", mirror_traffic={"green": 10})
    with pytest.raises(ValidationError, match="aad_token, which is for managed endpoints only"):
        endpoint(compute="azureml:k", auth_mode="aad_token")
