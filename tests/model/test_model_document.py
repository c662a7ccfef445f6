"""YAML texts: what they become, line by line, and how broken ones are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul.model.document import read_document
from verdazul.model.errors import UserError


def test_scalars_stay_as_they_are_written() -> None:
    text = "a: 1.10\nb: on\nc: 007\nd: 1:30\ne: 2024-01-01\nf: '5'\ng: ~\nh:\ni: =\non: yes\n"

    tree = read_document(text, "f.yml").tree

    assert tree == {
        "a": "1.10",
        "b": "on",
        "c": "007",
        "d": "1:30",
        "e": "2024-01-01",
        "f": "5",
        "g": None,
        "h": None,
        "i": "=",
        "on": "yes",
    }


def test_every_key_and_item_has_its_line() -> None:
    document = read_document("a:\n  b: 1\n  c:\n    - x\n    - y: 2\n", "f.yml")

    assert document.lines == {
        (): 1,
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "c"): 3,
        ("a", "c", 0): 4,
        ("a", "c", 1): 5,
        ("a", "c", 1, "y"): 5,
    }


def test_aliases_and_merge_keys_work() -> None:
    text = """\
liveness_probe: &probe
  period: 5
  timeout: 3
readiness_probe:
  <<: *probe
  timeout: 9
other: *probe
again:
  <<: {<<: *probe, timeout: 9}
  own: 3
both:
  <<: [*probe, {timeout: 1, extra: 2}]
"""

    tree = read_document(text, "f.yml").tree

    assert tree["readiness_probe"] == {"timeout": "9", "period": "5"}
    assert tree["other"] == {"period": "5", "timeout": "3"}
    assert tree["again"] == {"period": "5", "timeout": "9", "own": "3"}
    assert tree["both"] == {"period": "5", "timeout": "3", "extra": "2"}


def test_byte_order_and_document_marks_are_no_obstacle() -> None:
    assert read_document("%YAML 1.1\n---\na: 1\n...\n", "f.yml").tree == {"a": "1"}


def test_duplicate_key_is_told_with_both_lines() -> None:
    found = read_document("name: a\nx: 1\nname: b\n", "f.yml").problems

    assert [(each.code, each.where, each.message) for each in found] == [
        ("DuplicateKey", "f.yml:3", "the key `name` is there twice, first in line 1")
    ]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


CHAIN = f"a: &a {'[' * 60}{']' * 60}\nb: {'[' * 60}*a{']' * 60}\n"


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("", "f.yml", "the file is empty"),
        ("# only a comment\n", "f.yml", "the file is empty"),
        ("---\n", "f.yml", "the file is empty"),
        (
            "- a\n- b\n",
            "f.yml:1",
            "the file holds a list; it must be a mapping such as `name: credit`",
        ),
        (
            "\nhello\n",
            "f.yml:2",
            'the file holds the text "hello"; it must be a mapping such as `name: credit`',
        ),
        (
            "name: a\nb:\n\tc: 1\n",
            "f.yml:3",
            "a tab at column 1: YAML forbids tabs for indentation",
        ),
        (
            "name: a\n---\nname: b\n",
            "f.yml:3",
            "a second document begins here; a file describes one thing",
        ),
        (
            "a: b: c\n",
            "f.yml:1",
            "not valid YAML at column 5: mapping values are not allowed here",
        ),
        (
            "a: [1, 2\nb: 3\n",
            "f.yml:2",
            (
                "not valid YAML at column 2: expected ',' or ']', but got ':' "
                "(while parsing a flow sequence)"
            ),
        ),
        (
            "a: *nothing\n",
            "f.yml:1",
            "not valid YAML at column 4: found undefined alias 'nothing'",
        ),
        (
            "a: &a\n  b: *a\n",
            "f.yml:2",
            "an alias stands inside of what it stands for",
        ),
        (BOMB, "f.yml:1", "the file has more than 20000 values"),
        ("a: !!binary aGk=\n", "f.yml:1", 'the tag "tag:yaml.org,2002:binary" is not supported'),
        (
            "a: !!python/object:os.system {}\n",
            "f.yml:1",
            'the tag "tag:yaml.org,2002:python/object:os.system" is not supported',
        ),
        ("a: !!set {x}\n", "f.yml:1", 'the tag "tag:yaml.org,2002:set" is not supported'),
        ("? [a]\n: 1\n", "f.yml:1", "a list stands where a key should be"),
        ("? {a: 1}\n: 1\n", "f.yml:1", "a mapping stands where a key should be"),
        ("a:\n  <<: 3\n", "f.yml:2", "`<<` takes a mapping, or a list of mappings"),
        ("a: 1\nb: \x01\n", "f.yml:2", "not a YAML text: it holds the character 0x1"),
        ("a: " + "[" * 500, "f.yml:1", "not valid YAML at column 103: nested too deeply"),
        (CHAIN, "f.yml:1", "nested too deeply"),
        ("a: &a\n  <<: *a\n", "f.yml:1", "nested too deeply"),
    ],
)
def test_broken_text_is_told_with_its_line(text: str, where: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_document(text, "f.yml")

    problem = caught.value.problem
    assert (problem.code, problem.message) == ("InvalidYaml", message)
    assert problem.where == where


def test_recursive_alias_is_told_at_the_place_it_stands_for() -> None:
    with pytest.raises(UserError, match="an alias stands inside of what it stands for"):
        read_document("a: &a [*a]\n", "f.yml")


@given(st.text(alphabet=st.sampled_from("ab:- \n\t#&*!{}[]'\"|>?%@`<,1~"), max_size=40))
def test_no_text_crashes_the_reader(text: str) -> None:
    try:
        document = read_document(text, "f.yml")
    except UserError as error:
        assert error.problem.code == "InvalidYaml"  # noqa: PT017 - either outcome is right
    else:
        assert () in document.lines
