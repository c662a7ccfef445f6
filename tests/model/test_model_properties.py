"""`verdazul.*` properties: each is checked, and one that has no effect is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.model.factories import deployment, endpoint, problems

from verdazul.model import properties
from verdazul.model.errors import Problem, UserError
from verdazul.model.load import deployment_from_mapping, endpoint_from_mapping
from verdazul.model.names import endpoint_host


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("verdazul.requests_per_second", "0"),
        ("verdazul.requests_per_second", "1000000"),
        ("verdazul.bandwidth_kib_per_second", "5120"),
        ("verdazul.max_request_bytes", "4294967295"),
        ("verdazul.max_response_bytes", "1"),
        ("verdazul.cors_allow_origins", "*"),
        ("verdazul.cors_allow_origins", "https://a.example:8443 http://localhost:3000"),
        ("Verdazul", "is not our prefix"),
        ("theirs.requests_per_second", "is not ours"),
    ],
)
def test_right_values_pass_at_an_endpoint(name: str, text: str) -> None:
    assert endpoint(properties={name: text}).properties == {name: text}


def _refusal(name: str, text: str) -> Problem:
    with pytest.raises(UserError) as caught:
        endpoint_from_mapping({"name": "credit", "properties": {name: text}})
    (problem,) = problems(caught.value)
    return problem


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("verdazul.requests_per_second", "-1"),
        ("verdazul.requests_per_second", "1000001"),
        ("verdazul.requests_per_second", "1.5"),
        ("verdazul.max_request_bytes", "4294967296"),
        ("verdazul.cors_allow_origins", ""),
        ("verdazul.cors_allow_origins", "example.com"),
        ("verdazul.cors_allow_origins", "https://a.example/path"),
    ],
)
def test_wrong_values_are_refused_with_what_would_be_right(name: str, text: str) -> None:
    problem = _refusal(name, text)

    assert problem.code == "InvalidValue"
    assert f"properties.{name}" in problem.message
    assert "it must be" in problem.message


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("verdazul.max_request_byte", "did you mean verdazul.max_request_bytes?"),
        ("VERDAZUL.requests_per_second", "did you mean verdazul.requests_per_second?"),
        ("verdazul.upstream_protocol", "there are: verdazul.requests_per_second, "),
    ],
)
def test_what_would_have_no_effect_is_refused(name: str, fix: str) -> None:
    problem = _refusal(name, "http2")

    assert problem.code == "UnknownProperty"
    assert fix in problem.fix


def test_a_deployment_has_properties_of_its_own() -> None:
    right = {"verdazul.upstream_protocol": "http2", "verdazul.requests_per_second": "5"}
    wrong = {"verdazul.upstream_protocol": "http3", "verdazul.cors_allow_origins": "*"}

    with pytest.raises(UserError) as caught:
        deployment_from_mapping({**deployment().to_mapping(), "properties": wrong}, base=Path.cwd())

    assert deployment(properties=right).properties == right
    assert [problem.code for problem in problems(caught.value)] == ["InvalidValue"]


@given(st.integers(0, 1_000_000))
def test_a_count_reads_as_it_is_written(number: int) -> None:
    found = {properties.REQUESTS_PER_SECOND: str(number)}

    assert properties.count(found, properties.REQUESTS_PER_SECOND) == number
    assert properties.count({}, properties.REQUESTS_PER_SECOND) is None


def test_an_endpoint_has_a_host_name_where_there_is_a_domain() -> None:
    assert endpoint_host("Credit", "local", "") == ""
    assert endpoint_host("Credit", "local", "ml.test") == "credit.local.inference.ml.test"
