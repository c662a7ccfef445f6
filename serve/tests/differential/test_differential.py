"""Ours answers as the original does, except where differences.py says otherwise and why."""

from __future__ import annotations

from collections import Counter

import pytest

from serve.tests.differential.cases import BOOTS, GROUPS
from serve.tests.differential.differences import ACCEPTED, ACCEPTED_BOOTS
from serve.tests.differential.runner import Runner
from serve.tests.differential.table import Boot, Case, Group

_ACCEPTED = {accepted.case: accepted for accepted in ACCEPTED}
_ACCEPTED_BOOTS = {accepted.boot: accepted for accepted in ACCEPTED_BOOTS}
_CASES = [
    pytest.param(group, case, id=case.name) for group in GROUPS for case in group.cases
]


@pytest.mark.parametrize(("group", "case"), _CASES)
def test_ours_answers_as_the_original(both: Runner, group: Group, case: Case) -> None:
    answers = both.answers(group)
    original, ours = answers.original[case.name], answers.ours[case.name]

    accepted = _ACCEPTED.get(case.name)
    if accepted:
        assert ours.lines() != original.lines(), "no difference: take it out of differences.py"
    expected = accepted.expected(original) if accepted else original
    assert ours.lines() == expected.lines()


@pytest.mark.parametrize("boot", BOOTS, ids=lambda boot: boot.name)
def test_ours_ends_as_the_original_when_it_cannot_serve(both: Runner, boot: Boot) -> None:
    ends = both.ends(boot)
    accepted = _ACCEPTED_BOOTS.get(boot.name)

    if accepted:
        assert ends.ours.code != ends.original.code, "no difference: take it out of differences.py"
    expected = accepted.code if accepted else ends.original.code
    assert ends.ours.code == expected, ends.ours.log


def test_every_case_has_a_name_of_its_own() -> None:
    names = Counter(case.name for group in GROUPS for case in group.cases)
    groups = Counter(thing.name for thing in (*GROUPS, *BOOTS))

    assert [name for name, count in (names | groups).items() if count > 1] == []


def test_every_accepted_difference_is_of_a_case_and_gives_its_reason() -> None:
    names = {case.name for group in GROUPS for case in group.cases}

    assert set(_ACCEPTED) <= names
    assert set(_ACCEPTED_BOOTS) <= {boot.name for boot in BOOTS}
    assert len(_ACCEPTED) == len(ACCEPTED)
    assert all(accepted.reason for accepted in (*ACCEPTED, *ACCEPTED_BOOTS))
