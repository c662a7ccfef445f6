"""Models and environments of registries: `azureml://registries/...` from a folder."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.door import IMAGE, Door, Tell, problem
from verdazul.core.records import DeploymentRecord

pytestmark = pytest.mark.azure(56)

SHARED = "azureml://registries/shared"
MODEL = "path: files\ntype: custom_model\n"


def write(door: Door, path: str, text: str = "x") -> Path:
    target = door.bench.settings.home / "registries" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    return target


def model(door: Door, version: str, *, yaml: str = MODEL, name: str = "credit") -> None:
    write(door, f"shared/models/{name}/{version}/model.yml", yaml)
    write(door, f"shared/models/{name}/{version}/files/weights.txt", version)


async def declared(door: Door, **properties: Any) -> DeploymentRecord:
    answer = await door.deployment(**properties)
    assert answer.status_code in {200, 201}, answer.text
    state = await door.bench.store.deployment("credit", "blue")
    assert state
    return state.record


async def refused(door: Door, **properties: Any) -> tuple[int, str, str]:
    answer: httpx.Response = await door.deployment(**properties)
    assert await door.bench.store.deployment("credit", "blue") is None
    return problem(answer)


def found(door: Door, record: DeploymentRecord) -> dict[str, str]:
    assert record.bundle.model
    folder = Path(door.bench.world.artifacts.path(record.bundle.model.digest))
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("end", ["versions/9", "labels/latest"])
def test_a_model_is_taken_from_its_folder_under_its_own_name(tell: Tell, end: str) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        for version in ("9", "10", "beta"):
            model(door, version)
        record = await declared(door, model=f"{SHARED}/models/credit/{end}")

        version = "9" if end.startswith("versions") else "10"
        assert found(door, record) == {"files/weights.txt": version}
        assert record.bundle.model
        assert (record.bundle.model.name, record.bundle.model.version) == ("credit", version)

    tell(story)


def test_what_serves_stays_when_the_registry_changes_or_goes(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        model(door, "1")
        record = await declared(door, model=f"{SHARED}/models/credit/versions/1")
        write(door, "shared/models/credit/1/files/weights.txt", "other")

        assert found(door, record) == {"files/weights.txt": "1"}

    tell(story)


def test_an_archive_of_a_registry_is_unpacked_too(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        yaml = "path: m.tar.gz\nproperties:\n  azureml.unpack: true\n"
        inner = write(door, "shared/models/credit/1/inner.txt", "in")
        write(door, "shared/models/credit/1/model.yml", yaml)
        with tarfile.open(inner.with_name("m.tar.gz"), "w:gz") as tar:
            tar.add(inner, "inner.txt")
        record = await declared(door, model=f"{SHARED}/models/credit/versions/1")

        assert found(door, record) == {"inner.txt": "in"}

    tell(story)


def test_an_environment_is_read_from_its_folder_and_curated_ones_stay_known(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        folder = "shared/environments/torch/2"
        write(door, f"{folder}/environment.yml", f"image: {IMAGE}\nconda_file: conda.yml\n")
        write(door, f"{folder}/conda.yml", "dependencies: [python=3.11, pip]\n")
        record = await declared(door, environmentId=f"{SHARED}/environments/torch/versions/2")
        assert record.bundle.recipe.image == IMAGE
        assert "python=3.11" in record.bundle.recipe.conda

        await door.settle()
        curated = "azureml://registries/azureml/environments/sklearn-1.5/labels/latest"
        record = await declared(door, environmentId=curated)
        assert record.bundle.recipe.image == curated

    tell(story)


@pytest.mark.parametrize(
    ("reference", "code", "said"),
    [
        ("azureml://registries/other/models/credit/versions/1", "RegistryNotFound", "shared"),
        (f"{SHARED}/models/credti/versions/1", "AssetNotFound", "did you mean credit?"),
        (f"{SHARED}/models/credit/versions/7", "AssetVersionNotFound", "there are 1, 2"),
        (f"{SHARED}/models/credit/labels/newest", "AssetVersionNotFound", "the one label"),
        (f"{SHARED}/models/../versions/1", "AssetNotFound", "is not in"),
        (f"{SHARED}/models/credit/versions/..", "AssetVersionNotFound", "is not in"),
        (f"{SHARED}/models/unheard-of/labels/latest", "AssetNotFound", "docs/operations.md"),
        (f"{SHARED}/models/away/versions/1", "InvalidRegistry", "model.yml"),
        (f"{SHARED}/models/gone/versions/1", "PathNotFound", "model.yml:1"),
        (f"{SHARED}/models/flow/versions/1", "NotSupportedYet", "mlflow_model"),
    ],
)
def test_what_is_not_there_or_cannot_be_read_says_what_is(
    tell: Tell, reference: str, code: str, said: str
) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        model(door, "1")
        model(door, "2")
        model(door, "1", name="away", yaml="path: azureml://datastores/d/paths/p\n")
        model(door, "1", name="gone", yaml="path: nowhere\n")
        model(door, "1", name="flow", yaml="path: files\ntype: mlflow_model\n")

        _, told, message = await refused(door, model=reference)
        assert told == code
        assert said in message

    tell(story)


def test_an_unknown_environment_of_a_registry_is_not_found(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        unknown = "azureml://registries/azureml/environments/none/versions/1"

        assert (await refused(door, environmentId=unknown))[1] == "RegistryNotFound"

    tell(story)
