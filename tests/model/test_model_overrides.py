"""--set, --add and --remove, as az's generic update arguments work."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul.model.errors import UserError
from verdazul.model.overrides import Overrides

TREE: dict[str, Any] = {
    "name": "blue",
    "tags": {"a": "1"},
    "items": [{"k": "v"}, "x"],
    "none": None,
}


def applied(**flags: Any) -> dict[str, Any]:
    tree = copy.deepcopy(TREE)
    Overrides(**flags).apply(tree)
    return tree


@pytest.mark.azure(62)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name=green", {"name": "green"}),
        ("name=", {"name": ""}),
        ("name=a=b", {"name": "a=b"}),
        ("tags.b=1.10", {"tags": {"a": "1", "b": "1.10"}}),
        ("tags.b=true", {"tags": {"a": "1", "b": "true"}}),
        ('tags."x.y"=1', {"tags": {"a": "1", "x.y": "1"}}),
        ('tags={"c": 2}', {"tags": {"c": 2}}),
        ("new.deep.key=1", {"new": {"deep": {"key": "1"}}}),
        ("none.key=1", {"none": {"key": "1"}}),
        ("items[0].k=w", {"items": [{"k": "w"}, "x"]}),
        ("items[1]=y", {"items": [{"k": "v"}, "y"]}),
        ("items[2]=z", {"items": [{"k": "v"}, "x", "z"]}),
        ("items=[1, 2]", {"items": [1, 2]}),
        ("name=null", {"name": None}),
        ('name="true"', {"name": "true"}),
    ],
)
def test_set_changes_the_value(text: str, expected: dict[str, Any]) -> None:
    assert applied(sets=[text]) == {**TREE, **expected}


@pytest.mark.parametrize("value", ["null", "[1]", '{"a": 1}', '"x"', "{"])
def test_force_string_keeps_the_text(value: str) -> None:
    assert applied(sets=[f"name={value}"], force_string=True)["name"] == value


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["items", "k=v", "k2=v2"], [{"k": "v"}, "x", {"k": "v", "k2": "v2"}]),
        (["items", "plain"], [{"k": "v"}, "x", "plain"]),
        (["items", '{"a": 1}', "b=2"], [{"k": "v"}, "x", {"a": 1}, {"b": "2"}]),
        (["items", "/subscriptions/x?y=z"], [{"k": "v"}, "x", "/subscriptions/x?y=z"]),
    ],
)
def test_add_appends_to_a_list(words: list[str], expected: list[Any]) -> None:
    assert applied(adds=[words])["items"] == expected


def test_add_makes_the_list_when_there_is_none() -> None:
    assert applied(adds=[["identity.ids", "x"]])["identity"] == {"ids": ["x"]}


def test_remove_takes_items_and_keys_away() -> None:
    assert applied(removes=[["items", "0"]])["items"] == ["x"]
    assert applied(removes=[["tags.a"]])["tags"] == {}
    assert "name" not in applied(removes=["name"])


def test_flags_are_applied_in_order() -> None:
    tree = applied(
        sets=["items=[]"], adds=[["items", "a"], ["items", "b"]], removes=[["items", "0"]]
    )

    assert tree["items"] == ["b"]


@pytest.mark.parametrize(
    ("flags", "where", "message", "fix"),
    [
        ({"sets": ["name"]}, "--set name", "\"name\" has no '='", "write it like --set a.b=value"),
        ({"sets": ["=x"]}, "--set =x", '"" is not a key', 'keys look like a.b[0]."c.d"'),
        (
            {"sets": ["a..b=x"]},
            "--set a..b=x",
            '"a..b" is not a key',
            'keys look like a.b[0]."c.d"',
        ),
        ({"sets": [".a=x"]}, "--set .a=x", '".a" is not a key', 'keys look like a.b[0]."c.d"'),
        ({"sets": ["[0]=x"]}, "--set [0]=x", '"[0]" is not a key', 'keys look like a.b[0]."c.d"'),
        (
            {"sets": ["a[x]=x"]},
            "--set a[x]=x",
            '"a[x]" is not a key',
            'keys look like a.b[0]."c.d"',
        ),
        (
            {"sets": ["tags={a"]},
            "--set tags={a",
            (
                'the value "{a" begins like JSON and is not: Expecting property name enclosed in '
                "double quotes: line 1 column 2 (char 1)"
            ),
            "quote it for the shell, or give --force-string to take it as a text",
        ),
        (
            {"sets": ["items[5]=x"]},
            "--set items[5]=x",
            "items is a list of 2; it has no item [5]",
            "",
        ),
        ({"sets": ["name.x=y"]}, "--set name.x=y", 'name is "blue"; it has no x', ""),
        ({"sets": ["name.x.y=z"]}, "--set name.x.y=z", 'name is "blue"; it has no x', ""),
        ({"sets": ["new[0]=z"]}, "--set new[0]=z", "new is a mapping; it has no [0]", ""),
        (
            {"adds": [["items"]]},
            "--add items",
            "nothing to add",
            "write it like --add list key=value",
        ),
        ({"adds": [[]]}, "--add ", "nothing to add", "write it like --add list key=value"),
        (
            {"adds": [["tags", "b=1"]]},
            "--add tags b=1",
            "tags is a mapping, not a list",
            "--set tags.name=value",
        ),
        ({"adds": [["name", "b"]]}, "--add name b", 'name is "blue", not a list', ""),
        ({"removes": [["tag"]]}, "--remove tag", "the top level has no tag", "did you mean tags?"),
        ({"removes": [["tags.zzz"]]}, "--remove tags.zzz", "tags has no zzz", "known there: a"),
        (
            {"removes": [["q.z"]]},
            "--remove q.z",
            "the top level has no q",
            "known there: name, tags, items, none",
        ),
        (
            {"removes": [["items", "9"]]},
            "--remove items 9",
            "items is a list of 2; it has no item [9]",
            "",
        ),
        (
            {"removes": [["items", "x"]]},
            "--remove items x",
            "the index must be one whole number",
            "--remove list 0",
        ),
        ({"removes": [[]]}, "--remove ", '"" is not a key', 'keys look like a.b[0]."c.d"'),
    ],
)
def test_wrong_flag_is_told_by_its_text(
    flags: dict[str, Any], where: str, message: str, fix: str
) -> None:
    with pytest.raises(UserError) as caught:
        applied(**flags)

    problem = caught.value.problem
    assert (problem.where, problem.message, problem.fix) == (where, message, fix)


def test_nothing_known_is_told_too() -> None:
    with pytest.raises(UserError) as caught:
        Overrides(removes=[["a"]]).apply({})

    assert caught.value.problem.fix == "nothing is there"


argument = st.text(alphabet='ab.[]0"={}', max_size=12)


@given(st.lists(argument), st.lists(st.lists(argument)), st.lists(st.lists(argument)))
def test_no_flag_crashes(sets: list[str], adds: list[list[str]], removes: list[list[str]]) -> None:
    try:
        Overrides(sets=sets, adds=adds, removes=removes).apply(copy.deepcopy(TREE))
    except UserError as error:
        flags = ("--set ", "--add ", "--remove ")
        assert error.problem.where.startswith(flags)  # noqa: PT017 - either outcome is right
