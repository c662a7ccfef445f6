"""The port of registries; as those of ports.py, in a module of its own.

A registry is shared: other homes may read and fill it at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from verdazul.core.records import Asset
from verdazul.core.registries import Registry, RegistryModel
from verdazul.model.assets import InlineEnvironment
from verdazul.model.ids import RegistryReference


class Registries(Protocol):
    """What `azureml://registries/...` names.

    Raises NotFound (RegistryNotFound, AssetNotFound, AssetVersionNotFound) with what there is
    instead, UserError for what cannot be read or written.
    """

    async def list(self) -> tuple[Registry, ...]:
        """By name."""

    async def get(self, name: str) -> Registry: ...

    async def put(self, registry: Registry) -> bool:
        """Make it, or say something else about it; True when it is new."""

    async def delete(self, name: str) -> None:
        """With all that it holds; entirely or not at all, for who looks."""

    async def versions(self, registry: str, kind: str, name: str = "") -> tuple[Asset, ...]:
        """By name, the highest version first; none of a name that nothing has.

        A body says where files are by the name of what lies at the top: `./weights`.
        """

    async def version(self, reference: RegistryReference) -> Asset: ...

    async def files(self, reference: RegistryReference) -> dict[str, str]:
        """Its files on this machine, by their path below the version."""

    async def digest(self, reference: RegistryReference) -> str:
        """Of its files as an artifact; "" when it has none."""

    async def add(
        self, reference: RegistryReference, properties: Mapping[str, Any], folder: str = ""
    ) -> None:
        """A version with these ARM properties and the folder's content, whole or not at all.

        Raises Conflict (AssetVersionExists).
        """

    async def describe(self, reference: RegistryReference, said: Mapping[str, Any]) -> None:
        """Say something else about a version; its content stays."""

    async def model(self, reference: RegistryReference) -> RegistryModel: ...

    async def environment(self, reference: RegistryReference) -> InlineEnvironment: ...

    async def copy(self, model: RegistryModel, into: str) -> None:
        """Its files, under their own name, into a folder that is there."""
