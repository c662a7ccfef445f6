"""Models, environments and data from files and flags; mistakes told with line or flag."""

from __future__ import annotations

from pathlib import Path

import pytest

from verdazul.model.asset_bodies import data_to_arm
from verdazul.model.assets import InlineData
from verdazul.model.entity import asset_entity
from verdazul.model.errors import UserError
from verdazul.model.load_assets import load_data, load_environment, load_model


def written(folder: Path, text: str) -> Path:
    file = folder / "asset.yml"
    file.write_text(text)
    return file


def test_paths_start_at_the_file_and_flags_win(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    file = written(tmp_path, "$schema: https://x.test/m\nname: a\nversion: 1.10\npath: m\n")

    model = load_model(file, {"name": "b", "type": None}, sets=["tags.x=1"])

    assert (model.name, model.version, model.path) == ("b", "1.10", str(tmp_path / "m"))
    assert model.tags == {"x": "1"}


@pytest.mark.parametrize("path", ["https://x.test/f", "azureml://datastores/d/paths/p"])
def test_an_address_stays_as_it_is(path: str) -> None:
    data = load_data(None, {"name": "rows", "path": path, "type": "uri_file"})

    assert (data.path, data.type) == (path, "uri_file")


@pytest.mark.parametrize(
    ("text", "told", "where"),
    [
        ("name: a\npath: nowhere\n", "there is no", ":2"),
        ("name: a\npath: .\nsort: b\n", "unknown key `sort`", ":3"),
        ("name: a\npath: .\ntype: onnx\n", "onnx", ":3"),
        ("path: .\n", "no name was given", ""),
        ("name: a\n", "path", ""),
    ],
)
def test_mistakes_are_told_with_their_line(
    tmp_path: Path, text: str, told: str, where: str
) -> None:
    file = written(tmp_path, text)

    with pytest.raises(UserError) as caught:
        load_model(file, {})

    assert told in str(caught.value)
    assert f"{file}{where}" in str(caught.value)


def test_a_flag_is_named_as_the_place(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--type onnx"):
        load_model(None, {"name": "a", "path": str(tmp_path), "type": "onnx"})


def test_an_environment_takes_the_text_of_its_conda_file(tmp_path: Path) -> None:
    (tmp_path / "conda.yml").write_text("dependencies:\n- python=3.11\n")
    file = written(tmp_path, "name: e\nimage: some:1\nconda_file: conda.yml\n")

    assert load_environment(file, {}).conda_text == "dependencies:\n- python=3.11\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: e\nbuild:\n  path: .\n", "build is not supported yet"),
        ("name: e\nimage: a:1\nconda_text: x\n", "unknown key `conda_text`"),
        ("name: e\nimage: a:1\nconda_file: nowhere.yml\n", "there is no"),
    ],
)
def test_an_environment_that_cannot_be_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        load_environment(written(tmp_path, text), {})


def test_data_is_put_under_its_uri() -> None:
    body = data_to_arm(InlineData(name="rows", path="/local"), "azureml://datastores/d/paths/p")

    assert body == {
        "properties": {
            "dataType": "uri_folder",
            "dataUri": "azureml://datastores/d/paths/p",
            "tags": {},
            "properties": {},
            "isAnonymous": False,
            "isArchived": False,
        }
    }


def test_an_asset_is_shown_in_azs_words() -> None:
    id_ = "/subscriptions/s/resourceGroups/local/providers/x/workspaces/w/models/credit"
    version = asset_entity(
        {
            "id": f"{id_}/versions/3",
            "name": "3",
            "properties": {"modelUri": "azureml://x", "modelType": "custom_model", "tags": None},
            "systemData": {"createdAt": "today"},
        }
    )
    container = asset_entity({"id": id_, "name": "credit", "properties": {"latestVersion": "3"}})

    assert version == {
        "creation_context": {"created_at": "today"},
        "id": f"{id_}/versions/3",
        "name": "credit",
        "path": "azureml://x",
        "properties": {},
        "resourceGroup": "local",
        "tags": {},
        "type": "custom_model",
        "version": "3",
    }
    assert (container["latest_version"], "version" in container) == ("3", False)
