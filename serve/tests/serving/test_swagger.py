"""/swagger.json: own files, documents made from the schema, and who asks for which version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from verdazul_serve import swagger
from verdazul_serve.failure import BootFailure
from verdazul_serve.settings import Settings

from .loading import loaded, logged

pytestmark = pytest.mark.azure(100)

ALL = ["2", "3", "3.1"]
UNKNOWN = {"type": "object", "example": {}}
PLAIN = "def init(): pass\ndef run(data): return data\n"
SCHEMA = """
from inference_schema.schema_decorators import input_schema, output_schema
from inference_schema.parameter_types.standard_py_parameter_type import (
    StandardPythonParameterType as Type,
)
def init(): pass
"""
DECORATED = SCHEMA + '@input_schema("num", Type(1))\ndef run(num, more=2): return num\n'
MIXED = SCHEMA + '@input_schema("num", Type([Type(1), Type("a")]))\ndef run(num): return num\n'


def run(data: str) -> str:
    return data


def made(folder: Path, **environ: str) -> dict[str, Any]:
    settings = Settings.read({"AML_APP_ROOT": str(folder), **environ}, cwd=str(folder))
    found = swagger.documents(run, settings)
    return {version: json.loads(document) for version, document in found.items()}


def test_an_undecorated_run_is_described_as_an_object_of_any_kind(tmp_path: Path) -> None:
    documents = made(tmp_path)

    assert list(documents) == ALL
    assert documents["2"]["swagger"] == "2.0"
    assert documents["2"]["definitions"]["ServiceInput"] == UNKNOWN
    assert documents["3"]["openapi"] == "3.0.3"
    assert documents["3"]["components"]["schemas"]["ServiceOutput"] == UNKNOWN
    assert documents["3.1"] == {**documents["3"], "openapi": "3.1.0"}


def test_every_reference_within_a_document_leads_somewhere(tmp_path: Path) -> None:
    for document in made(tmp_path).values():
        for reference in references(document):
            found = document
            for name in reference.removeprefix("#/").split("/"):
                found = found[name]
            assert found


def references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [each for item in value for each in references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if "$ref" in value else []
    return own + references(list(value.values()))


@pytest.mark.parametrize("prefix", ["api/v1", "/api/v1/"])
def test_the_service_is_named_and_its_paths_prefixed(tmp_path: Path, prefix: str) -> None:
    names = {"SERVICE_NAME": 'a "b"', "SERVICE_VERSION": "7", "SERVICE_PATH_PREFIX": prefix}
    documents = made(tmp_path, **names)

    for document in documents.values():
        assert (document["info"]["title"], document["info"]["version"]) == ('a "b"', "7")
        assert document["info"]["description"].endswith(' service a "b"')
        assert list(document["paths"]) == ["/api/v1/", "/api/v1/score", "/api/v1/swagger.json"]


def test_a_schema_is_part_of_the_document(tmp_path: Path) -> None:
    with loaded(tmp_path, DECORATED) as script:
        document = json.loads(script.swagger["3"])

    assert document["components"]["schemas"]["ServiceInput"] == {
        "type": "object",
        "properties": {"num": {"type": "integer", "format": "int64"}, "more": {}},
        "example": {"num": 1, "more": ""},
    }
    assert document["components"]["schemas"]["ServiceOutput"] == {"type": "object"}


def test_versions_that_cannot_say_the_schema_are_left_out(tmp_path: Path) -> None:
    with logged("azmlinfsrv.swagger") as lines, loaded(tmp_path, MIXED) as script:
        documents = script.swagger

    assert list(documents) == ["3", "3.1"]
    assert lines == ["Swaggers are prepared for versions [3, 3.1] and skipped for versions [2]."]
    told_so = swagger.lookup(documents, "2")
    assert json.loads(told_so.body)["message"] == (
        "Swagger version [2] is not supported for the scoring script."
        " Supported swagger versions: [3, 3.1]."
    )
    assert swagger.lookup(documents, None) == told_so


def test_a_schema_of_no_common_version_leaves_none(tmp_path: Path) -> None:
    text = (
        MIXED
        + """
from inference_schema import schema_util
schema_util.__versions__["entry_module.run"]["input_schema"]["versions"] = ["9"]
"""
    )
    with logged("azmlinfsrv.swagger") as lines, loaded(tmp_path, text) as script:
        assert script.swagger == {}

    assert lines == ["No swagger is prepared."]


def test_an_example_that_json_cannot_say_leaves_its_document_out(tmp_path: Path) -> None:
    text = (
        DECORATED
        + """
from inference_schema import schema_util
schema_util.__functions_schema__["entry_module.run"]["input_schema"]["example"] = {1, 2}
"""
    )
    with loaded(tmp_path, text) as script:
        assert script.swagger == {}


def test_files_of_the_user_win_each_for_its_version(tmp_path: Path) -> None:
    write(tmp_path, {"swagger.json": "{}", "swagger2.json": '{"own": 2}'})
    write(tmp_path, {"swagger3.1.json": '{"own":   "\u00fc"}'})
    with logged("azmlinfsrv.swagger") as lines:
        documents = made(tmp_path)

    assert (documents["2"], documents["3.1"]) == ({"own": 2}, {"own": "\u00fc"})
    assert documents["3"]["openapi"] == "3.0.3"
    assert f"Loaded user's swagger file for version [2] from {tmp_path}/swagger2.json" in lines
    assert lines[-1] == "Swaggers are prepared for the following versions: [2, 3, 3.1]."


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def test_the_first_file_for_version_2_wins(tmp_path: Path) -> None:
    write(tmp_path, {"swagger.json": '{"own": 1}', "swagger2.json": '{"own": 2}'})

    assert made(tmp_path)["2"] == {"own": 1}


def test_a_file_that_init_writes_is_found(tmp_path: Path) -> None:
    text = """
import os
def init():
    with open(os.path.join(os.environ["TOLD"], "swagger.json"), "w") as file:
        file.write('{"own": 1}')
def run(data): return data
"""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOLD", str(tmp_path))
        with loaded(tmp_path, text) as script:
            assert script.swagger["2"] == b'{"own": 1}'


def test_a_file_that_is_no_json_fails_the_boot(tmp_path: Path) -> None:
    write(tmp_path, {"swagger3.json": "{"})

    with pytest.raises(BootFailure) as caught:
        made(tmp_path)

    problem = caught.value.problem
    assert (problem.code, problem.where) == ("ConfigurationError", "swagger3.json")
    assert problem.message.startswith(f"{tmp_path}/swagger3.json cannot be read as JSON: Expecting")


DOCUMENTS = {"2": b"two", "3": b"three", "3.1": b"three one"}


@pytest.mark.parametrize(
    ("version", "body"),
    [
        (None, b"two"),
        ("2", b"two"),
        ("2.0", b"two"),
        ("3", b"three"),
        ("3.0", b"three"),
        ("3.1", b"three one"),
    ],
)
def test_a_version_and_its_alias_find_the_same_document(version: str | None, body: bytes) -> None:
    answer = swagger.lookup(DOCUMENTS, version)

    assert (answer.status, answer.body) == (200, body)
    assert answer.headers == (
        ("content-type", "application/json"),
        ("x-ms-run-function-failed", "False"),
    )


@pytest.mark.parametrize("version", ["9", "", "1.2", "3.1.0"])
def test_an_unknown_version_is_not_found(version: str) -> None:
    answer = swagger.lookup(DOCUMENTS, version)

    message = f"Swagger version [{version}] is not valid. Supported versions: [2, 3, 3.1]."
    assert (answer.status, json.loads(answer.body)["message"]) == (404, message)


@pytest.mark.parametrize(
    ("target", "version"),
    [
        ("/swagger.json", None),
        ("/swagger.json?version=3", "3"),
        ("/swagger.json?a=1&version=3.1&version=2", "3.1"),
        ("/swagger.json?version=", ""),
    ],
)
def test_the_first_version_in_the_query_is_asked_for(target: str, version: str | None) -> None:
    assert swagger.requested_version(target) == version
