"""The law of limits: the deployment's word, else its endpoint's, else the server's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.records import deployment, endpoint

from verdazul.core.limits import DeploymentLimits, Limits, deployment_limits, limits_of

NAMES = ("requests_per_second", "bandwidth_kib_per_second", "max_request_bytes")
maybe = st.none() | st.integers(0, 10_000)


def _said(**values: int | None) -> dict[str, str]:
    return {f"verdazul.{name}": str(value) for name, value in values.items() if value is not None}


@pytest.mark.azure(84, 85)
@given(
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 10_000)),
    st.builds(Limits, *(4 * [st.integers(0, 10_000)])),
)
def test_what_an_endpoint_says_counts_and_the_server_says_the_rest(
    said: dict[str, int], defaults: Limits
) -> None:
    found = limits_of(endpoint(properties=_said(**said)), defaults)

    for name in (*NAMES, "max_response_bytes"):
        assert getattr(found, name) == said.get(name, getattr(defaults, name))


@given(maybe, maybe, maybe)
def test_a_deployment_has_no_rate_of_its_own_unless_it_says_so_and_its_owners_sizes(
    rate: int | None, request: int | None, response: int | None
) -> None:
    said = _said(requests_per_second=rate, max_request_bytes=request, max_response_bytes=response)

    found = deployment_limits(deployment(properties=said), Limits(1, 2, 3, 4))

    assert found == DeploymentLimits(
        0 if rate is None else rate,
        3 if request is None else request,
        4 if response is None else response,
    )
