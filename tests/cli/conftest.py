"""A server, a home that points at it, and a way to run the command as a person would."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # the tests share tests.cli.arm_server

from tests.cli.arm_server import TOKEN, Api, running

from verdazul.cli.main import main


@dataclass(frozen=True)
class Ran:
    """What one run of the command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def api() -> Iterator[Api]:
    with running() as api:
        yield api


@pytest.fixture
def home(tmp_path: Path, api: Api, monkeypatch: pytest.MonkeyPatch) -> Path:
    clients = ("VERDAZUL_ADDRESS", "VERDAZUL_TOKEN_FILE", "VERDAZUL_CA", "VERDAZUL_HOME")
    for name in (*clients, "AZURE_DEFAULTS_GROUP", "AZURE_DEFAULTS_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True)
    (home / "run" / "address").write_text(api.address + "\n")
    (home / "token").write_text(TOKEN + "\n")
    return home


@pytest.fixture
def run(home: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> Ran:
        code = main(["--home", str(home), *words])
        captured = capfd.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def deployment_yaml(tmp_path: Path) -> Path:
    """A deployment with a code folder, a model file and a conda file beside it."""
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "score.py").write_text(
        "def init():\n    pass\n\n\ndef run(data):\n    return data\n"
    )
    (folder / "model.txt").write_text("weights")
    (folder / "conda.yml").write_text("dependencies:\n  - python=3.11\n")
    file = folder / "blue.yml"
    file.write_text(
        """name: blue
endpoint_name: credit
model:
  path: model.txt
code_configuration:
  code: src
  scoring_script: score.py
environment:
  conda_file: conda.yml
  image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04
instance_type: Standard_DS3_v2
instance_count: 1
"""
    )
    return file
