"""A model of many files travels as one archive, and scripts find the files."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.e2e.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.azure(61)]
SCORE = """
import os
from pathlib import Path

def init():
    global found
    folder = Path(os.environ["AZUREML_MODEL_DIR"])
    found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.txt")}

def run(raw_data):
    return found
"""
FILES = {f"parts/{n}.txt": str(n) for n in range(5)}
UNPACK = "properties:\n    azureml.unpack: true"


def archive(system: System, name: str) -> Path:
    path = system.files / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for inner, text in FILES.items():
            tar.add(system.write(f"parts-of-{path.stem}/{inner}", text), inner)
    return path


def answer(system: System, deployment: str) -> object:
    named = {"azureml-model-deployment": deployment}
    with system.client("packed", **named) as client:
        return client.post("score", json={}).json()


def test_a_model_described_in_place_and_a_registered_one_are_unpacked(system: System) -> None:
    system.run("online-endpoint", "create", "-n", "packed")
    archive(system, "blue/model.tar.gz")
    inline = f"model:\n  path: model.tar.gz\n  {UNPACK}"
    blue = system.deployment("packed", "blue", score=SCORE, extra=inline)
    system.run("online-deployment", "create", "-f", str(blue))
    path = archive(system, "green.tar.gz")
    file = system.write("model.yml", f"name: packed\npath: {path}\n{UNPACK.replace('    ', '  ')}")
    system.run("model", "create", "-f", str(file))
    green = system.deployment("packed", "green", score=SCORE, extra="model: azureml:packed:1")
    system.run("online-deployment", "create", "-f", str(green))

    assert answer(system, "blue") == answer(system, "green") == FILES
    shown = system.run("model", "show", "-n", "packed", "-v", "1").data
    assert shown["properties"]["azureml.unpack"].lower() == "true"


def test_an_archive_that_is_none_is_refused_before_anything_starts(system: System) -> None:
    system.run("online-endpoint", "create", "-n", "broken")
    system.write("red/model.tar.gz", "this is text")
    extra = f"model:\n  path: model.tar.gz\n  {UNPACK}"
    red = system.deployment("broken", "red", score=SCORE, extra=extra)

    told = system.run("online-deployment", "create", "-f", str(red), code=1)

    assert "UnusableArchive" in told.err
    assert "tar czf" in told.err
    assert system.run("online-deployment", "list", "-e", "broken").data == []
