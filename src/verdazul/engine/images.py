"""Images of the local engine: an environment under a name.

An image's id is the digest of what it is made from. A tag leads to one image; one that has lost its
last tag is removed unless a container was made from it. The environments themselves lie in the
cache that deployments use, which is told not to clear away what images here stand on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from verdazul.compute.folder import read_json, write_json
from verdazul.core.environment import Built, Recipe
from verdazul.engine.folders import Places
from verdazul.environments.folders import Folders
from verdazul.model.errors import NotFound

HOLDER = "engine"
"""Under which name the cache of environments knows who holds some."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One built image."""

    id: str  # without "sha256:"
    tags: tuple[str, ...]
    recipe: Recipe
    steps: tuple[str, ...]
    python: str
    serve_path: str
    notes: tuple[str, ...]
    created: float


def digest(recipe: Recipe, steps: Iterable[str]) -> str:
    """The id of what these make."""
    text = json.dumps([recipe.image, recipe.conda, list(steps)])
    return hashlib.sha256(text.encode()).hexdigest()


def full_tag(name: str) -> str:
    """`name:tag`; the tag is `latest` unless it is given."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


class Images:
    """All of one home."""

    def __init__(self, places: Places) -> None:
        self._places = places

    def all(self) -> list[StoredImage]:
        """Those that can be read, the newest first."""
        found = [_parse(read_json(path)) for path in self._places.images.glob("*.json")]
        return sorted((image for image in found if image), key=lambda i: i.created, reverse=True)

    def find(self, name: str) -> StoredImage:
        """By tag, by id, or by the beginning of an id. Raises NotFound as Docker words it."""
        tag, start = full_tag(name), name.removeprefix("sha256:")
        for image in self.all():
            if tag in image.tags or (len(start) >= 12 and image.id.startswith(start)):  # noqa: PLR2004 - as short as Docker shows ids
                return image
        raise NotFound(f"No such image: {name}", code="NoSuchImage")

    def keep(self, image: StoredImage, *, used: frozenset[str]) -> None:
        """Store it; its tags leave the image that had them. `used`: ids of containers' images."""
        for other in self.all():
            if other.id != image.id and set(other.tags) & set(image.tags):
                self._write(
                    replace(other, tags=tuple(t for t in other.tags if t not in image.tags))
                )
        same = next((other for other in self.all() if other.id == image.id), None)
        tags = {*image.tags, *(same.tags if same else ())}
        self._write(replace(image, tags=tuple(sorted(tags))))
        self.prune(used=used)

    def prune(self, *, used: frozenset[str]) -> None:
        """Remove images that nobody names, and tell the cache which environments are needed."""
        for image in self.all():
            if not image.tags and image.id not in used:
                self._file(image.id).unlink(missing_ok=True)
        self.hold()

    def untag(self, name: str, *, used: frozenset[str]) -> None:
        """Take a tag away. Raises NotFound."""
        image, tag = self.find(name), full_tag(name)
        left = tuple(t for t in image.tags if t != tag) if tag in image.tags else ()
        self._write(replace(image, tags=left))
        self.prune(used=used)

    def hold(self) -> None:
        """Tell the cache which environments must stay."""
        folders = Folders(self._places.home)
        folders.make()
        images = self.all()
        needed = {Path(image.python).parents[2].name for image in images}
        folders.hold(HOLDER, needed | {Path(image.serve_path).name for image in images})

    def _file(self, id_: str) -> Path:
        return self._places.images / f"{id_}.json"

    def _write(self, image: StoredImage) -> None:
        write_json(self._file(image.id), asdict(image))


def built_image(
    built: Built, recipe: Recipe, *, steps: tuple[str, ...], tag: str, at: float
) -> StoredImage:
    """What a finished build is kept as."""
    return StoredImage(
        id=digest(recipe, steps),
        tags=(full_tag(tag),),
        recipe=recipe,
        steps=steps,
        python=built.python,
        serve_path=built.serve_path,
        notes=(*_ground(recipe, built.notes), *built.notes),
        created=at,
    )


def _ground(recipe: Recipe, notes: tuple[str, ...]) -> tuple[str, ...]:
    if any("is not run here" in note for note in notes):
        return ()
    return (f"image {recipe.image!r} is not run here: its system packages are not there",)


def _parse(content: Mapping[str, Any] | None) -> StoredImage | None:
    if content is None:
        return None
    try:
        return StoredImage(
            **{
                **content,
                "recipe": Recipe(**content["recipe"]),
                **{key: tuple(content[key]) for key in ("tags", "steps", "notes")},
            }
        )
    except (TypeError, KeyError):
        return None
