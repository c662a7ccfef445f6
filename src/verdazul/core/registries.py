"""Registries as values: shelves of assets that several workspaces read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from verdazul.model.assets import InlineModel


@dataclass(frozen=True, slots=True)
class Registry:
    """One registry. What it holds is asked for separately."""

    name: str
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class RegistryModel:
    """One version of a registry's model: its files are at `path`, with that digest."""

    name: str
    version: str
    spec: InlineModel
    path: str
    digest: str
