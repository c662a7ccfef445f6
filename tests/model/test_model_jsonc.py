"""JSON with comments and bare keys: what is plain stays as it is, what is not becomes plain."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul.model.jsonc import plain_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(VALUES)
def test_plain_json_stays_what_it_is(value: object) -> None:
    assert json.loads(plain_json(json.dumps(value))) == value


@given(VALUES, st.text(alphabet="ab \"'\\:{}"))
def test_comments_and_bare_keys_are_taken_anywhere(value: object, said: str) -> None:
    inner = json.dumps(value)

    told = f"{{/* {said} */ template : /**/ {inner} // {said}\n, _b: 1}}"

    assert json.loads(plain_json(told)) == {"template": value, "_b": 1}


@pytest.mark.parametrize("text", ["true", "null", '{"a": true}', '["//", "/* x */", "a: 1"]'])
def test_words_and_what_stands_in_texts_are_left_alone(text: str) -> None:
    assert plain_json(text) == text


@pytest.mark.parametrize("piece", ['\\"', "/*", "//", '"', "a ", "a", " ", "\\", "/"])
@pytest.mark.parametrize("first", ["", '"', "/*"])
def test_what_never_ends_costs_one_pass(first: str, piece: str) -> None:
    text = first + piece * 1_000_000  # what is square would take hours

    assert len(plain_json(text)) <= len(text)
