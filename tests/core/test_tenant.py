"""Which tenant and which resource is meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul.core.tenant import (
    STORAGE_AUDIENCE,
    audience_of_resource,
    audience_of_scope,
    check_tenant,
    control_audiences,
)
from verdazul.core.trust import DATA_AUDIENCE
from verdazul.model.oauth import TokenRefused

ADDRESS = "https://localhost:8443"
KNOWN = (*control_audiences(ADDRESS), STORAGE_AUDIENCE, DATA_AUDIENCE)


@given(
    st.sampled_from(KNOWN),
    st.sampled_from(["", "/", "//"]),
    st.sampled_from(["/.default", "/user_impersonation"]),
    st.lists(st.sampled_from(["openid", "profile", "email", "offline_access"])),
)
def test_a_known_resource_is_found_however_it_is_written(
    audience: str, slashes: str, permission: str, more: list[str]
) -> None:
    scope = " ".join([*more, audience.upper() + slashes + permission, *more])

    assert audience_of_scope(scope.replace("DEFAULT", "default"), ADDRESS) == audience


@given(st.text())
def test_nothing_else_ever_becomes_an_audience(text: str) -> None:
    try:
        found = audience_of_scope(text, ADDRESS)
    except TokenRefused:
        return
    assert found in KNOWN


@pytest.mark.parametrize(
    ("scope", "error"),
    [
        ("", "invalid_request"),
        ("openid profile", "invalid_request"),
        (f"{ADDRESS}/.default {DATA_AUDIENCE}/.default", "invalid_scope"),
        ("https://graph.microsoft.com/.default", "invalid_resource"),
        (f"{ADDRESS}.evil.example/.default", "invalid_resource"),
        ("User.Read", "invalid_scope"),
        (f"{ADDRESS}/.default" + " openid" * 300, "invalid_scope"),
    ],
)
def test_why_a_scope_is_refused(scope: str, error: str) -> None:
    with pytest.raises(TokenRefused) as refused:
        audience_of_scope(scope, ADDRESS)

    assert refused.value.error == error
    assert refused.value.problem.code.startswith("AADSTS")


def test_a_resource_is_known_with_a_slash_too() -> None:
    assert audience_of_resource(f"{ADDRESS}/", ADDRESS) == ADDRESS


@pytest.mark.parametrize("name", ["adfs", "ADFS", "common", "organizations"])
def test_the_tenant_has_the_names_that_clients_use(name: str) -> None:
    check_tenant(name)


def test_another_tenant_is_refused_by_name() -> None:
    with pytest.raises(TokenRefused, match='"contoso" not found'):
        check_tenant("contoso")
