"""Registered assets in a local deployment: fetched from the server, as newer SDKs do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.system import CONDA, System

pytestmark = pytest.mark.e2e
SCORE = """
import os

def init(): ...

def run(raw):
    return os.listdir(os.environ["AZUREML_MODEL_DIR"])
"""


@pytest.mark.azure(107)
def test_a_registered_model_and_environment_are_fetched(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    host = system.run("env", "--local", "-o", "json").data["DOCKER_HOST"]
    monkeypatch.setenv("DOCKER_HOST", host)
    model, conda = system.write("a/weights.txt", "w"), system.write("a/conda.yml", CONDA)
    system.run("model", "create", "-n", "fetched", "-v", "3", "-p", str(model))
    image = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
    named = ("-n", "ground", "-v", "1", "--image", image, "--conda-file", str(conda))
    system.run("environment", "create", *named)
    file = system.deployment("credit", "blue", score=SCORE)
    text = file.read_text()
    head, _, rest = text.partition("environment:\n")
    rest = rest.partition("environment_variables:")[2]
    told = "model: azureml:fetched:3\nenvironment: azureml:ground@latest\n"
    file.write_text(f"{head}{told}environment_variables:{rest}")
    request = system.write("a/request.json", "{}")

    made = system.run("online-deployment", "create", "--local", "-f", str(file)).data

    assert (made["model"]["name"], made["environment"]["image"]) == ("fetched", image)
    call = ("online-endpoint", "invoke", "--local", "-n", "credit", "-r", str(request))
    assert json.loads(system.run(*call, "-o", "tsv").out) == ["weights.txt"]
    system.run("online-endpoint", "delete", "--local", "-n", "credit", "-y")
