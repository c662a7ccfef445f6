"""Laws of what a change leaves in the activity log."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul.core import audit
from verdazul.core.audit import Origin
from verdazul.core.callers import OWNER

names = st.text("abcXYZ_", min_size=1, max_size=6)
values = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.integers())
things = st.recursive(values, lambda inner: st.dictionaries(names, inner, max_size=4), max_leaves=9)
objects = st.dictionaries(names, things, max_size=5)
ORIGIN = Origin("r-1", 1000.0, OWNER, "A/b/write", "/a/b", "PUT", "10.0.0.1")


def _by_path(leaves: tuple[audit.Leaf, ...]) -> dict[str, tuple[str, str]]:
    return {leaf.path: (leaf.before, leaf.after) for leaf in leaves}


@given(objects, objects)
def test_a_difference_turns_what_was_into_what_is(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    known = audit.leaves_of(before)

    for leaf in audit.differences("a/b", before, after):
        if leaf.after:
            known[leaf.path] = leaf.after
        else:
            del known[leaf.path]

    assert known == audit.leaves_of(after)


@given(objects)
def test_what_did_not_change_leaves_nothing(thing: dict[str, Any]) -> None:
    assert audit.differences("a/b", thing, json.loads(json.dumps(thing))) == ()


@given(objects)
def test_a_new_thing_and_one_that_is_gone_are_told_in_full(thing: dict[str, Any]) -> None:
    made = _by_path(audit.differences("a/b", None, thing))
    gone = _by_path(audit.differences("a/b", thing, None))

    assert {path: after for path, (_, after) in made.items()} == audit.leaves_of(thing)
    assert {path: before for path, (before, _) in gone.items()} == audit.leaves_of(thing)


@pytest.mark.parametrize(
    "path",
    [
        *("keys.primary", "properties.password", "clientSecret", "sasToken", "sas", "api_key"),
        *("environment_variables.STORAGE_ACCOUNT_KEY", "environment_variables.DB_PWD"),
        *("accessKey", "key", "connectionString", "credentials.key", "environment_variables.KEY"),
    ],
)
def test_secrets_are_told_apart_by_their_names_and_never_shown(path: str) -> None:
    first: dict[str, Any] = {}
    *above, name = path.split(".")
    inner = first
    for one in above:
        inner = inner.setdefault(one, {})
    inner[name] = "hush-1"
    second = json.loads(json.dumps(first).replace("hush-1", "hush-2"))

    (leaf,) = audit.differences("a/b", first, second)

    assert (leaf.path, leaf.before, leaf.after) == (path, '"(secret)"', '"(secret)"')


@pytest.mark.parametrize(
    "path",
    ["auth_mode", "tags.monkey", "tags.keynote", "instance_count", "traffic.blue", "sassafras"],
)
def test_other_names_are_no_secrets(path: str) -> None:
    assert not audit.is_secret(path)


@pytest.mark.parametrize(
    "text",
    [
        "https://store/blob?sv=1&sig=hush&se=2",
        "https://user:hush@host/path",
        "Endpoint=x;AccountKey=hush;Other=1",
    ],
)
def test_secrets_inside_of_values_are_cut_out(text: str) -> None:
    (leaf,) = audit.differences("a/b", None, {"uri": text})

    assert "hush" not in leaf.after
    assert "(secret)" in leaf.after
    assert "hush" not in audit.refused(ORIGIN, "Code", f"cannot read {text}").message


def test_long_values_and_many_of_them_are_cut() -> None:
    (leaf,) = audit.differences("a/b", None, {"text": "x" * 5000})
    many = audit.differences("a/b", None, {f"n{n}": n for n in range(1000)})

    assert len(leaf.after) < 600
    assert leaf.after.endswith("more characters)")
    assert (len(many), many[-1].path, many[-1].after) == (101, "(more)", "900")


def test_an_entry_is_found_by_its_operation_or_else_by_its_request() -> None:
    leaf = audit.Leaf("a/b", "x", "", "1")

    assert audit.made(ORIGIN, [leaf]).correlation == "r-1"
    assert audit.made(ORIGIN, [leaf], operation="op-1").correlation == "op-1"
    refused = audit.refused(ORIGIN, "Conflict", "held")
    assert (refused.outcome, refused.problem, refused.leaves) == ("Failed", "Conflict", ())
