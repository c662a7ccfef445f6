"""Versions of assets: which content never changes, which of them a reader sees, what comes next."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from verdazul.core.records import Asset

T = TypeVar("T")

CONTENT: Mapping[str, tuple[str, ...]] = {
    "codes": (),
    "models": ("modelType", "modelUri", "flavors"),
    "environments": ("image", "condaFile", "build", "inferenceConfig", "osType"),
    "data": ("dataType", "dataUri"),
}
"""What of a body is content, beside the files themselves; all the rest can be said anew."""

_FILES_AT = frozenset({"modelUri"})  # where files lie says nothing once their digest is known


class View(StrEnum):
    """Azure's `listViewType`."""

    ACTIVE = "ActiveOnly"
    ARCHIVED = "ArchivedOnly"
    ALL = "All"


@dataclass(frozen=True, slots=True)
class Container:
    """All versions of one name, newest first. There is at least one."""

    versions: tuple[Asset, ...]

    @property
    def name(self) -> str:
        """As it was registered."""
        return self.versions[0].key.name

    @property
    def is_archived(self) -> bool:
        """Archived is a container whose every version is."""
        return all(is_archived(version) for version in self.versions)

    @property
    def latest(self) -> str:
        """The newest version that is not archived, else the newest."""
        active = (version for version in self.versions if not is_archived(version))
        return next(active, self.versions[0]).key.version

    @property
    def next(self) -> str:
        """The version that a client takes when nobody chose one."""
        return next_version(version.key.version for version in self.versions)


def next_version(taken: Iterable[str]) -> str:
    """One more than the highest whole number among them."""
    numbers = (int(version) for version in taken if version.isascii() and version.isdigit())
    return str(1 + max(numbers, default=0))


def same_content(known: Asset, put: Asset) -> bool:
    """Whether both say the same of what never changes."""
    one, other = _said(known), _said(put)
    names = (n for n in CONTENT[known.key.kind] if not (known.digest and n in _FILES_AT))
    return known.digest == put.digest and all(
        (one.get(name) or None) == (other.get(name) or None) for name in names
    )


def is_archived(asset: Asset) -> bool:
    """Whether it is left out where nobody asks for it."""
    return bool(_said(asset).get("isArchived"))


def visible(assets: Iterable[Asset], view: View) -> tuple[Asset, ...]:
    """Those that a list of that kind shows, in their order."""
    if view is View.ALL:
        return tuple(assets)
    return tuple(asset for asset in assets if is_archived(asset) == (view is View.ARCHIVED))


def containers(assets: Iterable[Asset]) -> tuple[Container, ...]:
    """Assets (newest first) gathered by name; by name."""
    found: dict[str, list[Asset]] = {}
    for asset in assets:
        found.setdefault(asset.key.name, []).append(asset)
    return tuple(Container(tuple(found[name])) for name in sorted(found))


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for; `top` None: as much as a page holds."""

    skip: int = 0
    top: int | None = None

    def cut(
        self, things: Sequence[T], *, most: int, begin: int = 0
    ) -> tuple[Sequence[T], int | None]:
        """The part, and where the next page begins. Who says how many gets no next page.

        `things` are those from number `begin` on, as far as `needed` at least.
        """
        end = self.skip + self._size(most)
        is_whole = self.top is not None and self.top <= most
        is_last = is_whole or end >= begin + len(things)
        return things[self.skip - begin : end - begin], None if is_last else end

    def needed(self, most: int) -> int:
        """How many from `skip` on tell all that there is to say: one more than are shown."""
        return self._size(most) + 1

    def _size(self, most: int) -> int:
        return most if self.top is None else min(self.top, most)


def _said(asset: Asset) -> Mapping[str, object]:
    body = json.loads(asset.body)
    return body if isinstance(body, dict) else {}
