"""Ours answers as the original does, except where differences.py says otherwise and why."""

from __future__ import annotations

from collections import Counter

import pytest
from serve.tests.differential.accepted import Accepted
from serve.tests.differential.cases import BOOTS, GROUPS
from serve.tests.differential.client import BROKEN
from serve.tests.differential.differences import ACCEPTED, ACCEPTED_BOOTS
from serve.tests.differential.runner import Runner
from serve.tests.differential.table import Boot, Case, Group

_ACCEPTED_BOOTS = {accepted.boot: accepted for accepted in ACCEPTED_BOOTS}
_CASES = [pytest.param(group, case, id=case.name) for group in GROUPS for case in group.cases]


def accepted_of(name: str) -> list[Accepted]:
    return [accepted for accepted in ACCEPTED if accepted.is_of(name)]


@pytest.mark.parametrize(("group", "case"), _CASES)
def test_ours_answers_as_the_original(both: Runner, group: Group, case: Case) -> None:
    answers = both.answers(group)
    original, ours = answers.original[case.name], answers.ours[case.name]
    assert original.fault in {"", BROKEN}

    expected = original
    for accepted in accepted_of(case.name):
        assert ours.lines() != original.lines(), "no difference: take it out of differences.py"
        expected = accepted.ours.expected(original, ours)
    assert ours.lines() == expected.lines()


@pytest.mark.parametrize("boot", BOOTS, ids=lambda boot: boot.name)
def test_ours_ends_as_the_original_when_it_cannot_serve(both: Runner, boot: Boot) -> None:
    ends = both.ends(boot)
    accepted = _ACCEPTED_BOOTS.get(boot.name)

    if accepted:
        assert ends.ours.code != ends.original.code, "no difference: take it out of differences.py"
    expected = accepted.code if accepted else ends.original.code
    assert ends.ours.code == expected, ends.ours.log


def test_ours_keeps_a_connection_that_the_original_closes(both: Runner) -> None:
    answers = both.answers(next(group for group in GROUPS if group.name == "plain"))

    assert answers.original["plain-text"].closes
    assert not answers.ours["plain-text"].closes
    assert answers.ours["plain-close"].closes
    assert answers.ours["plain-http-1.0"].closes


def test_every_case_and_every_group_has_a_name_of_its_own() -> None:
    names = Counter(case.name for group in GROUPS for case in group.cases)
    groups = Counter([group.name for group in GROUPS] + [boot.name for boot in BOOTS])

    assert [name for name, count in (*names.items(), *groups.items()) if count > 1] == []


def test_every_accepted_difference_has_a_reason_and_cases_of_its_own() -> None:
    names = [case.name for group in GROUPS for case in group.cases]

    assert all(entry.reason for entry in ACCEPTED)
    assert all(entry.reason for entry in ACCEPTED_BOOTS)
    assert [entry.case for entry in ACCEPTED if not any(map(entry.is_of, names))] == []
    assert [name for name in names if len(accepted_of(name)) > 1] == []
    assert set(_ACCEPTED_BOOTS) <= {boot.name for boot in BOOTS}
    assert len(_ACCEPTED_BOOTS) == len(ACCEPTED_BOOTS)
