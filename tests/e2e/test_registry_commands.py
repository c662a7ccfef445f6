"""`verdazul registry`, `share` and `--registry-name` against a real server, and their effect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.system import CONDA, System
from tests.e2e.test_asset_commands import Command, failed, folder, run
from verdazul.cli.az.front import run as az

__all__ = ["folder", "run"]  # fixtures

pytestmark = [pytest.mark.e2e, pytest.mark.azure(56, 113)]
SCORE = """
import os

def init(): ...

def run(raw):
    root = os.environ["AZUREML_MODEL_DIR"]
    return sorted(os.path.join(base, name)[len(root) + 1:]
                  for base, _, names in os.walk(root) for name in names)
"""
IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"


def test_a_model_is_shared_found_downloaded_and_never_replaced(
    run: Command, folder: Path, tmp_path: Path
) -> None:
    made = run("registry", "create", "-n", "team")
    run("model", "create", "-n", "risk", "-v", "4", "-p", str(folder), "--tags", "a=b")
    to = ("--registry-name", "team", "--share-with-name", "best", "--share-with-version", "9")

    shared = run("model", "share", "-n", "risk", "-v", "4", *to)

    assert (made["name"], made["location"]) == ("team", "local")
    assert (shared["name"], shared["version"], shared["tags"]) == ("best", "9", {"a": "b"})
    assert shared["id"] == "azureml://registries/team/models/best/versions/9"
    assert "never changes" in failed(run, "model", "share", "-n", "risk", "-v", "4", *to)
    there = ("-n", "best", "--registry-name", "team")
    assert run("model", "show", *there, "-l", "latest")["version"] == "9"
    run("model", "download", *there, "-v", "9", "-p", str(tmp_path / "got"), "-o", "none")
    got = tmp_path / "got" / "best" / "weights"
    assert (got / "deep" / "b c.bin").read_bytes() == bytes(range(256))
    missing = failed(
        run, "model", "share", "-n", "risk", "-v", "4", "--registry-name", "no", code=3
    )
    assert "team" in missing


def test_every_command_of_assets_works_on_a_registry(run: Command, folder: Path) -> None:
    run("registry", "create", "-n", "shelf")
    there = ("--registry-name", "shelf")
    for _ in range(2):
        run("model", "create", "-n", "m", "-p", str(folder), *there)
    changed = run("model", "update", "-n", "m", "-v", "1", *there, "--set", "tags.c=d")
    run("model", "archive", "-n", "m", "-v", "2", *there)

    def versions(*words: str) -> Any:
        return run("model", "list", "-n", "m", *there, *words, "--query", "[].version")

    assert changed["tags"] == {"c": "d"}
    assert (versions(), versions("--include-archived")) == (["1"], ["2", "1"])
    assert run("model", "show", "-n", "m", "-l", "latest", *there)["version"] == "1"
    run("model", "restore", "-n", "m", *there)
    other = ("model", "create", "-n", "m", "-v", "1", "-p", str(folder / "a.txt"), *there)
    assert "never changes" in failed(run, *other)
    environment = run("environment", "create", "-n", "e", "-i", "some:1", *there)
    data = run("data", "create", "-n", "d", "-p", str(folder), *there)
    assert (environment["version"], data["version"]) == ("1", "1")
    assert run("data", "list", *there, "--query", "[].name") == ["d"]
    assert run("model", "list", "--query", "[?name=='m']") == []  # the workspace has none of it


def test_a_registry_is_described_by_azures_yaml_and_deleted(run: Command, tmp_path: Path) -> None:
    file = tmp_path / "registry.yml"
    file.write_text("name: yours\nlocation: local\ntags: {a: b}\ndescription: d\n")
    assert run("registry", "create", "-f", str(file))["tags"] == {"a": "b"}
    assert run("registry", "show", "-n", "yours")["description"] == "d"
    assert "yours" in run("registry", "list", "--query", "[].name")
    file.write_text("name: yours\nlocation: eastus\n")
    assert "registry.yml:2" in failed(run, "registry", "create", "-f", str(file))

    run("registry", "delete", "-n", "yours", "--yes")

    assert "RegistryNotFound" in failed(run, "registry", "show", "-n", "yours", code=3)
    failed(run, "registry", "delete", "-n", "yours", "--yes", code=3)


def test_packages_are_refused_by_name(run: Command) -> None:
    told = failed(run, "model", "package", "-n", "m", "-v", "1", "-f", "package.yml")
    assert "ModelPackagingNotSupported" in told
    assert "deploy the model itself" in told
    for flag in ("--package-model", "--with-package"):
        words = ("online-deployment", "create", "-f", "x.yml", flag)
        assert "a deployment needs none" in failed(run, *words, code=2)


def test_the_shim_shares_too(
    system: System,
    run: Command,
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VERDAZUL_HOME", str(system.home))
    run("model", "create", "-n", "shim", "-v", "1", "-p", str(folder))
    assert az(["ml", "registry", "create", "-n", "azs", "-o", "none"]) == 0
    words = "ml model share -n shim -v 1 --registry-name azs --share-with-name s"
    capfd.readouterr()

    assert az([*words.split(), "--share-with-version", "2", "--query", "id", "-o", "tsv"]) == 0

    assert capfd.readouterr().out.strip() == "azureml://registries/azs/models/s/versions/2"


@pytest.mark.azure(107)
def test_deployments_take_their_assets_from_a_registry_here_and_locally(
    system: System, run: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    run("registry", "create", "-n", "used")
    there = ("--registry-name", "used")
    run("model", "create", "-n", "m", "-v", "3", "-p", str(folder), *there)
    conda = system.write("reg/conda.yml", CONDA)
    run("environment", "create", "-n", "e", "-v", "1", "-i", IMAGE, "-c", str(conda), *there)
    file = system.deployment("shelved", "blue", score=SCORE)
    head, _, rest = file.read_text().partition("environment:\n")
    rest = rest.partition("environment_variables:")[2]
    named = "azureml://registries/used"
    told = (
        f"model: {named}/models/m/versions/3\nenvironment: {named}/environments/e/labels/latest\n"
    )
    file.write_text(f"{head}{told}environment_variables:{rest}")
    request = system.write("reg/request.json", "{}")
    wanted = ["weights/a.txt", "weights/deep/b c.bin"]

    def answered(*words: str) -> Any:
        call = ("online-endpoint", "invoke", *words, "-n", "shelved", "-r", str(request))
        return json.loads(system.run(*call, "-o", "tsv").out)

    system.run("online-endpoint", "create", "-n", "shelved")
    system.run("online-deployment", "create", "-f", str(file), "--all-traffic")
    assert answered() == wanted
    assert "RegistryInUse" in failed(run, "registry", "delete", "-n", "used", "--yes")
    system.run("online-endpoint", "delete", "-n", "shelved", "--yes")

    host = system.run("env", "--local", "-o", "json").data["DOCKER_HOST"]
    monkeypatch.setenv("DOCKER_HOST", host)
    made = system.run("online-deployment", "create", "--local", "-f", str(file)).data
    assert (made["model"]["name"], made["environment"]["image"]) == ("m", IMAGE)
    assert answered("--local") == wanted
    system.run("online-endpoint", "delete", "--local", "-n", "shelved", "-y")
    run("registry", "delete", "-n", "used", "--yes")
