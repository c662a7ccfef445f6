"""Custom roles: what they may say, and how their patterns permit."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul.model.actions import ACTIONS, SCORE
from verdazul.model.errors import UserError
from verdazul.model.role_definitions import read_role, without_effect
from verdazul.model.roles import Role, permits_any

ID = "11111111-2222-3333-4444-555555555555"
PLACES = ("/subscriptions/s", "/subscriptions/s/resourcegroups/g")
ML = "Microsoft.MachineLearningServices/workspaces"
patterns = st.lists(st.sampled_from(["*", "a", "b", "/", "ab", "B"]), max_size=8).map("".join)


def read(*actions: Any, not_actions: Any = None, **changes: Any) -> Role:
    permissions = {"actions": list(actions), "notActions": not_actions}
    default = {"roleName": "Mine", "assignableScopes": [PLACES[0]], "permissions": [permissions]}
    return read_role(ID, default | changes, places=PLACES)


@given(patterns, st.text("abAB/", max_size=12))
def test_a_star_stands_for_any_part_and_case_does_not_count(pattern: str, action: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), action, re.IGNORECASE)

    assert Role("i", "n", (pattern,)).permits(action) == bool(expected)


def test_many_stars_cost_no_more_than_few() -> None:
    pattern, action = "*a" * 120 + "b", "a" * 250

    assert not Role("i", "n", (pattern,)).permits(action)


@given(
    st.lists(st.sampled_from(ACTIONS), max_size=4),
    st.lists(st.sampled_from(ACTIONS), max_size=4),
)
def test_what_a_role_leaves_out_it_does_not_permit(some: list[str], out: list[str]) -> None:
    role = Role("i", "n", tuple(some), tuple(out))

    assert {one for one in ACTIONS if role.permits(one)} == set(some) - set(out)


def test_a_role_says_what_it_permits_and_where() -> None:
    role = read(f"{ML}/onlineEndpoints/*", not_actions=[SCORE], description="all but calls")

    assert (role.id, role.name, role.description) == (ID, "Mine", "all but calls")
    assert role.scopes == ("/subscriptions/s",)
    assert role.permits(f"{ML}/onlineEndpoints/write")
    assert not role.permits(SCORE)
    assert not role.is_built_in


@pytest.mark.parametrize(
    "action",
    [
        "*",
        "*/read",
        SCORE,
        SCORE.upper(),
        "Microsoft.MachineLearningServices/*/read",
        f"{ML}/*",
        f"{ML}/computes/*/write",
        f"{ML}/environments/build/action",
        f"{ML}/listKeys/action",
        "Microsoft.Resources/deployments/write",
        "Microsoft.Authorization/*/read",
        "Microsoft.Authorization/roleAssignments/*",
        "Microsoft.Authorization/policyAssignments/read",
    ],
)
def test_actions_of_azure_are_taken_whether_or_not_they_are_here(action: str) -> None:
    assert read(action).actions == (action,)


@pytest.mark.parametrize(
    ("action", "meant"),
    [
        (f"{ML}/onlineEndpoints/scores/action", "onlineEndpoints/score/action"),
        (f"{ML}/onlineEndpoint/write", "onlineEndpoints/write"),
        (f"{ML}/onlineEndpoints/deployment/delete", "deployments/delete"),
        (f"{ML}/onlineEndpoints/*/scoring", ""),
        ("Microsoft.Authorization/roleAssignment/write", "roleAssignments/write"),
        ("Microsoft.Authorization/lock/*", ""),
        ("read it", ""),
        ("", ""),
        (7, ""),
        ("a" * 257, ""),
        ("a//b", ""),
    ],
)
def test_an_action_that_nobody_can_do_is_refused_with_what_was_meant(
    action: Any, meant: str
) -> None:
    for said in ({"actions": [action]}, {"actions": ["*"], "notActions": [action]}):
        with pytest.raises(UserError, match="permissions") as caught:
            read(permissions=[said])
        assert caught.value.problem.code == "InvalidActionOrNotAction"
        assert meant in str(caught.value.problem.fix)


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"roleName": ""}, "roleName"),
        ({"roleName": None}, "roleName"),
        ({"roleName": ["x"]}, "roleName"),
        ({"roleName": "a\nb"}, "roleName"),
        ({"roleName": "/x"}, "roleName"),
        ({"roleName": " Owner"}, "roleName"),
        ({"roleName": "Owner\u200b"}, "roleName"),
        ({"roleName": "Own\xa0er"}, "roleName"),
        ({"roleName": "x" * 513}, "roleName"),
        ({"roleName": ID.upper()}, "roleName"),
        ({"description": 7}, "description"),
        ({"permissions": None}, "permissions"),
        ({"permissions": []}, "permissions"),
        ({"permissions": [{}, {}]}, "permissions"),
        ({"permissions": [{}]}, "actions"),
        ({"permissions": [{"actions": "*"}]}, "actions"),
        ({"permissions": [{"actions": ["*"] * 501}]}, "actions"),
        ({"assignableScopes": None}, "assignableScopes"),
        ({"assignableScopes": []}, "assignableScopes"),
        ({"assignableScopes": ["/"]}, "assignableScopes"),
        ({"assignableScopes": ["/subscriptions/other"]}, "assignableScopes"),
        ({"assignableScopes": [7]}, "assignableScopes"),
        ({"assignableScopes": [PLACES[0]] * 3}, "assignableScopes"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], at: str) -> None:
    with pytest.raises(UserError, match=at) as caught:
        read("*", **changes)

    assert caught.value.problem.code == "InvalidRoleDefinition"


@pytest.mark.parametrize("key", ["dataActions", "notDataActions", "condition"])
def test_rights_to_data_are_refused_by_name(key: str) -> None:
    with pytest.raises(UserError, match=key) as caught:
        read(permissions=[{"actions": ["*"], key: ["x/read"]}])

    assert caught.value.problem.code == "NotSupportedYet"


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(UserError, match="properties is"):
        read_role(ID, None, places=PLACES)


def test_what_permits_nothing_here_can_be_told() -> None:
    role = read(SCORE, f"{ML}/computes/*/write", "Microsoft.Storage/*")

    assert without_effect(role) == [f"{ML}/computes/*/write", "Microsoft.Storage/*"]
    assert permits_any("*", ACTIONS)
