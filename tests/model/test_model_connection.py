"""Connections: from YAML to the wire, and from the wire to people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul.model.connection import (
    _CREDENTIALS,
    ConnectionSpec,
    ConnectionType,
    connection_entity,
    connection_to_arm,
    load_connection,
)
from verdazul.model.errors import UserError


@given(
    st.sampled_from(list(ConnectionType)),
    st.sampled_from(list(_CREDENTIALS)),
    st.dictionaries(st.text("abc", min_size=1), st.text("xyz")),
)
def test_what_is_put_is_what_is_shown(kind: str, auth: Any, metadata: dict[str, str]) -> None:
    keys: dict[str, Any] = {key: f"secret {key}" for key in _CREDENTIALS[auth][1]}
    if "keys" in keys:
        keys = {"keys": {"one": "secret"}}
    said = {"type": auth.value, **keys}
    spec = ConnectionSpec.model_validate(
        {"name": "c", "type": kind, "credentials": said, "metadata": metadata}
    )

    shown = connection_entity({"id": "i", "name": "c", **connection_to_arm(spec)})

    assert shown == {
        "credentials": said,
        "id": "i",
        "is_shared": True,
        "metadata": metadata,
        "name": "c",
        "target": "_",
        "type": kind,
    }


def test_what_we_have_no_word_for_is_shown_as_it_is() -> None:
    shown = connection_entity(
        {
            "name": "c",
            "properties": {"authType": "AAD", "category": "Serp", "credentials": {"a": "b"}},
        }
    )

    assert (shown["type"], shown["credentials"]) == ("Serp", {"type": "AAD", "a": "b"})


@pytest.mark.parametrize(
    ("text", "told", "line"),
    [
        ("name: c\ntype: custon\n", "custom", 2),
        ("name: c\ntype: git\ncredentials: {type: pat}\n", "of type pat hold pat", 3),
        ("name: c\ntype: git\ncredentials: {type: none, key: k}\n", "hold no other key", 3),
        ("name: c\ntype: git\nurl: x\n", "unknown key `url`", 3),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, text: str, told: str, line: int) -> None:
    file = tmp_path / "c.yml"
    file.write_text(text)

    with pytest.raises(UserError) as caught:
        load_connection(file)

    assert told in str(caught.value)
    assert f"c.yml:{line}" in str(caught.value)


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "c.yml"
    file.write_text("name: c\ntype: custom\ncredentials: {type: api_key, key: a}\n")

    spec = load_connection(file, name="d", sets=["credentials.key=b"])

    assert (spec.name, spec.credentials.key) == ("d", "b")
