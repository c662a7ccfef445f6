"""Versions of assets as YAML and back: nothing that ARM says is lost on the way."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from verdazul.model.asset_bodies import version_from_arm
from verdazul.model.asset_yaml import (
    CONDA,
    FILES_AT,
    normalised,
    version_to_arm,
    version_to_yaml,
)
from verdazul.model.errors import UserError
from verdazul.model.load_assets import load_data, load_environment, load_model

LOAD = {"models": load_model, "data": load_data, "environments": load_environment}
IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)
said = st.fixed_dictionaries(
    {},
    optional={
        "description": texts,
        "tags": st.dictionaries(texts.filter(bool), texts, max_size=3),
        "properties": st.dictionaries(texts.filter(bool), texts, max_size=2),
        "isArchived": st.booleans(),
    },
)
OWN: dict[str, dict[str, Any]] = {
    "models": {"modelUri": "x", "modelType": "custom_model", "flavors": {"f": {}}},
    "data": {"dataUri": "x", "dataType": "uri_folder"},
    "environments": {"image": IMAGE, "condaFile": "dependencies:\n- python=3.11\n"},
}


@pytest.mark.parametrize("kind", sorted(OWN))
@given(words=said)
@settings(deadline=None, max_examples=40)
def test_what_is_written_is_read_as_it_was_put(kind: str, words: dict[str, Any]) -> None:
    put = version_from_arm(kind, {"properties": {**OWN[kind], **words}})

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mapping, beside = version_to_yaml(kind, put, "x" if kind in FILES_AT else "")
        (folder / "x").mkdir()
        if text := mapping.pop("conda_text", None):
            (folder / CONDA).write_text(str(text))
            mapping["conda_file"] = CONDA
        (folder / "a.yml").write_text(yaml.safe_dump(mapping, allow_unicode=True))
        spec: Any = LOAD[kind](folder / "a.yml", {"name": "n", "version": "1"})
    found = {**version_to_arm(spec, "x"), **json.loads(json.dumps(beside))}

    assert found == normalised(kind, put) | {"isArchived": bool(put.get("isArchived"))}


def test_what_is_built_from_a_dockerfile_is_no_shelfs() -> None:
    with pytest.raises(UserError, match="cannot lie in a registry"):
        version_to_yaml("environments", {"build": {"contextUri": "x"}})


def test_an_endpoint_is_no_asset() -> None:
    with pytest.raises(TypeError):
        version_to_arm(None)  # type: ignore[arg-type] # what no caller does
