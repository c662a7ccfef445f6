"""Blobs as values: where one is, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from verdazul.model.datastore import DatastoreSpec

DEFAULT_STORE = "workspaceblobstore"
"""The datastore that a workspace always has."""
DEFAULT_CONTAINER = "azureml-blobstore"
"""The container behind it."""
LOCAL_UPLOADS = "LocalUpload"
"""Below it clients put what they upload for an asset, each tree under a name of its own."""


@dataclass(frozen=True, slots=True)
class Place:
    """A blob, or all blobs below a path."""

    container: str
    path: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A blob, or all blobs below a path, in a storage account that is not ours."""

    store: DatastoreSpec
    path: str


@dataclass(frozen=True, slots=True)
class Blob:
    """`etag` changes with the content; `metadata` is the caller's."""

    path: str
    size: int
    modified_at: float
    etag: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listing:
    """One page: blobs, the folders between them, and where the next page begins ("" at the end)."""

    blobs: tuple[Blob, ...]
    folders: tuple[str, ...]
    next_marker: str


def listing(
    blobs: Iterable[Blob], *, prefix: str, delimiter: str, marker: str, most: int
) -> Listing:
    """A page of `blobs` (sorted by path), as Azure's List Blobs cuts it."""
    found: list[Blob] = []
    folders: list[str] = []
    for blob in blobs:
        if not blob.path.startswith(prefix) or blob.path < marker:
            continue
        folder = _folder(blob.path, prefix, delimiter)
        if folder and folder in folders:
            continue
        if len(found) + len(folders) == most:
            return Listing(tuple(found), tuple(folders), blob.path)
        if folder:
            folders.append(folder)
        else:
            found.append(blob)
    return Listing(tuple(found), tuple(folders), "")


def _folder(path: str, prefix: str, delimiter: str) -> str:
    """`a/b/` for a/b/c below the prefix a/; "" for what lies directly there."""
    inner, cut, _ = path[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
    return prefix + inner + cut if cut else ""
