"""Registries as folders: what `azureml://registries/...` names, without a service to ask.

    <registries>/azureml-meta/models/llama/3/model.yml            Azure's YAML; `path` starts here
    <registries>/azureml-meta/environments/torch/12/environment.yml

The folders say registry, name and version; the YAML is the one that `az ml model create` takes.
Whoever fills them (a share, a checkout, `cp`) needs nothing of ours.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

from verdazul.model.assets import InlineEnvironment, InlineModel, is_address
from verdazul.model.errors import NotFound, UserError
from verdazul.model.ids import RegistryReference
from verdazul.model.load_assets import load_environment, load_model
from verdazul.model.nearest import nearest
from verdazul.model.show import shown
from verdazul.ports import RegistryModel
from verdazul.tree import files_digest, tree_files

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_LATEST = "latest"


class FolderRegistries:
    """One folder with a folder for each registry; it need not be there."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def model(self, reference: RegistryReference) -> RegistryModel:
        return await asyncio.to_thread(self._model, reference)

    async def environment(self, reference: RegistryReference) -> InlineEnvironment:
        return await asyncio.to_thread(self._environment, reference)

    async def copy(self, model: RegistryModel, into: str) -> None:
        await asyncio.to_thread(_copy, Path(model.path), Path(into))

    def _model(self, reference: RegistryReference) -> RegistryModel:
        folder = self._version(reference)
        spec: InlineModel = load_model(folder / "model.yml", _named(reference, folder))
        if is_address(spec.path):
            raise UserError(
                f"path is {shown(spec.path)}; the files of a registry's model lie beside its YAML",
                code="InvalidRegistry",
                where=str(folder / "model.yml"),
            )
        path = Path(spec.path)
        digest = f"sha256:{files_digest(_files(path))}"
        return RegistryModel(reference.name, folder.name, spec, str(path), digest)

    def _environment(self, reference: RegistryReference) -> InlineEnvironment:
        folder = self._version(reference)
        return load_environment(folder / "environment.yml", _named(reference, folder))

    def _version(self, reference: RegistryReference) -> Path:
        """The folder of what is meant. Raises NotFound naming what there is instead."""
        registry = self._below(self._root, reference.registry, "registry", "RegistryNotFound")
        kind = registry / reference.kind
        name = self._below(kind, reference.name, f"{reference.kind} of it", "AssetNotFound")
        if reference.version is None:
            return self._labelled(name, reference)
        what = f"version of {reference.kind}/{reference.name}"
        return self._below(name, reference.version, what, "AssetVersionNotFound")

    def _labelled(self, name: Path, reference: RegistryReference) -> Path:
        if reference.label != _LATEST:
            raise NotFound(
                f"{reference} is not here; the one label of a registry is {_LATEST}",
                code="AssetVersionNotFound",
            )
        versions = sorted(_names(name), key=_order)
        if not versions:
            raise NotFound(f"{reference} has no version in {name}", code="AssetVersionNotFound")
        return name / versions[-1]

    def _below(self, folder: Path, name: str, what: str, code: str) -> Path:
        found = _names(folder)
        if _NAME.fullmatch(name) and name in found:
            return folder / name
        close = nearest(name, found)
        there = f"there are {', '.join(found[:10])}" if found else "there are none"
        raise NotFound(
            f"{what} {shown(name)} is not in {folder}; {there}",
            code=code,
            fix=f"did you mean {close}?"
            if close
            else "put it there as a folder with Azure's YAML (docs/operations.md), or register "
            "it in the workspace",
        )


def _named(reference: RegistryReference, folder: Path) -> dict[str, object]:
    return {"name": reference.name, "version": folder.name}


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if path.is_dir())
    except OSError:
        return []


def _order(version: str) -> tuple[int, int, str]:
    """Numbers by their value, above every other text."""
    return (1, int(version), "") if version.isdecimal() else (0, 0, version)


def _files(path: Path) -> list[tuple[str, Path]]:
    """Under its own name, as scripts expect to find it."""
    if path.is_file():
        return [(path.name, path)]
    return [(f"{path.name}/{inner}", file) for inner, file in tree_files(path)]


def _copy(path: Path, into: Path) -> None:
    if path.is_file():
        shutil.copyfile(path, into / path.name)
    else:
        shutil.copytree(path, into / path.name, symlinks=True)
