"""Who may call an endpoint, by the roles that were given."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.records import role_assignment, role_assignments

from verdazul.core.access import PrincipalType, RoleAssignment, may_score, permitted
from verdazul.core.trust import HOME_OWNER, Identities
from verdazul.model.actions import SCORE
from verdazul.model.roles import BUILT_IN, DATA_SCIENTIST, OWNER, READER, Role

pytestmark = pytest.mark.azure(41)
assignments = st.lists(role_assignments, max_size=6)


@given(assignments, st.sampled_from(["credit", "other"]))
def test_who_may_call_is_who_has_a_role_there_that_permits_it(
    given_roles: list[RoleAssignment], endpoint: str
) -> None:
    found = may_score(given_roles, endpoint, BUILT_IN)

    for one in given_roles:
        here = one.endpoint.lower() in {"", endpoint}
        scores = one.role in BUILT_IN and BUILT_IN[one.role].permits(SCORE)
        names = found.groups if one.principal_type is PrincipalType.GROUP else found.users
        assert not (here and scores) or one.principal in names
    principals = {one.principal for one in given_roles}
    assert set(found.users) | set(found.groups) <= principals | {HOME_OWNER}
    assert HOME_OWNER in found.users


@given(assignments)
def test_a_role_more_takes_nothing_away_and_order_does_not_count(
    given_roles: list[RoleAssignment],
) -> None:
    before = may_score(given_roles[1:], "credit", BUILT_IN)
    after = may_score(given_roles, "credit", BUILT_IN)

    assert set(before.users) <= set(after.users)
    assert set(before.groups) <= set(after.groups)
    assert may_score(given_roles[::-1], "credit", BUILT_IN) == after


def test_the_workspace_covers_all_endpoints_and_an_endpoint_only_itself() -> None:
    wide = role_assignment(endpoint="", principal="wide")
    here = role_assignment(endpoint="CREDIT", principal="here")
    group = role_assignment(principal="team", principal_type=PrincipalType.GROUP)
    reader = role_assignment(principal="reader", role=READER.id)
    gone = role_assignment(principal="gone", role="a-role-that-was-deleted")
    given_roles = [wide, here, group, reader, gone]

    assert may_score(given_roles, "credit", BUILT_IN) == Identities(
        (HOME_OWNER, "here", "wide"), ("team",)
    )
    assert may_score(given_roles, "other", BUILT_IN) == Identities((HOME_OWNER, "wide"), ())
    assert [*permitted(given_roles, "x/read", "credit", {READER.id: READER})] == [reader]


def test_two_assignments_are_the_same_by_what_they_give_and_not_by_their_ids() -> None:
    one = role_assignment(endpoint="credit")

    assert one.grants_the_same(role_assignment("other-id", endpoint="Credit"))
    for changes in (
        {"endpoint": ""},
        {"role": READER.id},
        {"principal": "bob"},
        {"principal_type": PrincipalType.GROUP},
    ):
        assert not one.grants_the_same(replace(one, **changes))


def test_owners_may_call_as_their_pattern_says() -> None:
    assert OWNER.permits(SCORE)
    assert DATA_SCIENTIST.permits(SCORE)
    assert Role("id", "Mine", (SCORE.upper(),)).permits(SCORE)
