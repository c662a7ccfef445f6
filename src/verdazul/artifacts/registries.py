"""Registries as folders: what `azureml://registries/...` names, without a service to ask.

    <registries>/azureml-meta/models/llama/3/model.yml            Azure's YAML; `path` starts here
    <registries>/azureml-meta/environments/torch/12/environment.yml
    <registries>/azureml-meta/data/requests/1/data.yml
    <registries>/azureml-meta/registry.yml                       description and tags, if any

The folders say registry, name and version; the YAML is the one that `az ml model create` takes.
Whoever fills them (a share, a checkout, `cp`) needs nothing of ours. What we write arrives whole:
it is made in a folder beside its place and renamed.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from verdazul.artifacts import registry_shelf as shelf
from verdazul.artifacts import registry_version as versions
from verdazul.artifacts.registry_shelf import Shelf
from verdazul.clock import SystemClock
from verdazul.core.records import Asset
from verdazul.core.registries import Registry, RegistryModel
from verdazul.model.assets import InlineEnvironment
from verdazul.model.errors import NotFound
from verdazul.model.ids import RegistryReference
from verdazul.model.nearest import nearest
from verdazul.model.show import shown
from verdazul.ports import Clock

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_LATEST = "latest"


class FolderRegistries:
    """One folder with a folder for each registry; it need not be there."""

    def __init__(self, root: Path, *, clock: Clock | None = None) -> None:
        self._root = root
        self._shelf = Shelf(root, clock or SystemClock())

    async def list(self) -> tuple[Registry, ...]:
        return await asyncio.to_thread(
            lambda: tuple(shelf.registry_of(self._root / name) for name in _names(self._root))
        )

    async def get(self, name: str) -> Registry:
        return await asyncio.to_thread(lambda: shelf.registry_of(self._registry(name)))

    async def put(self, registry: Registry) -> bool:
        return await asyncio.to_thread(self._shelf.put, registry)

    async def delete(self, name: str) -> None:
        await asyncio.to_thread(lambda: self._shelf.remove(self._registry(name)))

    async def versions(self, registry: str, kind: str, name: str = "") -> tuple[Asset, ...]:
        return await asyncio.to_thread(self._versions, registry, kind, name)

    async def version(self, reference: RegistryReference) -> Asset:
        return await asyncio.to_thread(
            lambda: versions.asset_of(self._version(reference), reference.kind, reference.name)
        )

    async def files(self, reference: RegistryReference) -> dict[str, str]:
        return await asyncio.to_thread(
            lambda: {inner: str(file) for inner, file in self._files(reference)}
        )

    async def digest(self, reference: RegistryReference) -> str:
        return await asyncio.to_thread(lambda: versions.digest_of_files(self._files(reference)))

    async def add(
        self, reference: RegistryReference, properties: Mapping[str, Any], folder: str = ""
    ) -> None:
        await asyncio.to_thread(
            lambda: self._shelf.add(
                self._registry(reference.registry), reference, properties, folder
            )
        )

    async def describe(self, reference: RegistryReference, said: Mapping[str, Any]) -> None:
        await asyncio.to_thread(lambda: self._shelf.describe(self._version(reference), said))

    async def model(self, reference: RegistryReference) -> RegistryModel:
        return await asyncio.to_thread(self._model, reference)

    async def environment(self, reference: RegistryReference) -> InlineEnvironment:
        return await asyncio.to_thread(
            lambda: versions.environment_of(self._version(reference), reference.name)
        )

    async def copy(self, model: RegistryModel, into: str) -> None:
        await asyncio.to_thread(_copy, Path(model.path), Path(into))

    def _model(self, reference: RegistryReference) -> RegistryModel:
        folder = self._version(reference)
        spec = versions.model_of(folder, reference.name)
        digest = versions.digest_of_files(versions.files_at(Path(spec.path)))
        return RegistryModel(reference.name, folder.name, spec, spec.path, digest)

    def _files(self, reference: RegistryReference) -> Sequence[tuple[str, Path]]:
        return versions.files_of(self._version(reference), reference.kind, reference.name)

    def _versions(self, registry: str, kind: str, name: str) -> tuple[Asset, ...]:
        above = self._registry(registry) / kind
        return tuple(
            versions.asset_of(above / one / version, kind, one)
            for one in _names(above)
            if not name or one == name
            for version in sorted(_names(above / one), key=_order, reverse=True)
            if versions.is_version(above / one / version, kind)
        )

    def _registry(self, name: str) -> Path:
        return self._below(self._root, name, "registry", "RegistryNotFound")

    def _version(self, reference: RegistryReference) -> Path:
        """The folder of what is meant. Raises NotFound naming what there is instead."""
        kind = self._registry(reference.registry) / reference.kind
        name = self._below(kind, reference.name, reference.kind.removesuffix("s"), "AssetNotFound")
        if reference.version is None:
            return self._labelled(name, reference)
        what = f"version of {reference.name}"
        return self._below(name, reference.version, what, "AssetVersionNotFound")

    def _labelled(self, name: Path, reference: RegistryReference) -> Path:
        if reference.label != _LATEST:
            raise NotFound(
                f"{reference} is not here; the one label of a registry is {_LATEST}",
                code="AssetVersionNotFound",
            )
        found = (name / version for version in sorted(_names(name), key=_order, reverse=True))
        there = (one for one in found if versions.is_version(one, reference.kind))
        newest = next((one for one in there if not versions.is_archived(one)), None)
        if newest is None:
            raise NotFound(
                f"{reference} has no version in {name} that is not archived",
                code="AssetVersionNotFound",
            )
        return newest

    def _below(self, folder: Path, name: str, what: str, code: str) -> Path:
        found = _names(folder)
        if name in found:
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


def _names(folder: Path) -> list[str]:
    """What can be named in a reference: names that begin with a dot are ours."""
    with contextlib.suppress(OSError):
        return sorted(
            path.name for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()
        )
    return []


def _order(version: str) -> tuple[int, int, str]:
    """Numbers by their value, above every other text."""
    return (1, int(version), "") if version.isdecimal() else (0, 0, version)


def _copy(path: Path, into: Path) -> None:
    if path.is_file():
        shutil.copyfile(path, into / path.name)
    else:
        shutil.copytree(
            path, into / path.name, symlinks=True, ignore=shutil.ignore_patterns(versions.BESIDE)
        )
