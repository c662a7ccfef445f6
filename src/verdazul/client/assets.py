"""Getting what a deployment is made from to the server: code, model, environment.

Content decides: the digest of a folder is asked for first, and what the server has is not sent
again. Each function returns the ARM id that a deployment then names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from verdazul.client.connection import Connection
from verdazul.client.tree import upload_files
from verdazul.client.uploads import Files, Place, looks, refuse_changed, unreadable, upload
from verdazul.client.workspace import Assets, Resource, Workspace
from verdazul.model.asset_bodies import (
    HASH_VERSION,
    code_to_arm,
    environment_to_arm,
    model_to_arm,
)
from verdazul.model.assets import InlineEnvironment, InlineModel, is_unpacked
from verdazul.model.errors import Conflict, NotFound, VerdazulError
from verdazul.tree import files_digest

ANONYMOUS = "CliV2AnonymousEnvironment"
NAME_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Telling:
    """Where to say what happens: once for each step, and while bytes move."""

    happened: Callable[[str], None]
    moving: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Parcel:
    """Files to be registered as one version. `name` and `version` are "" when nobody chose."""

    kind: str  # the ARM collection: codes, models
    what: str  # for people: the code folder src
    files: Files
    digest: str
    name: str = ""
    version: str = ""
    before: tuple[tuple[str, int, int], ...] = ()
    is_unpacked: bool = False


def pack_code(folder: Path) -> Parcel:
    """Look through a code folder: its files go to the top."""
    return _packed("codes", f"code folder {folder.name}", upload_files(folder))


def pack_model(path: Path, *, name: str = "", version: str = "") -> Parcel:
    """Take a model's file, or its folder under its own name, as scripts expect to find it."""
    return _packed("models", f"model {path.name}", _files(path), name=name, version=version)


def pack_data(path: Path) -> Parcel:
    """Take a file, or a folder under its own name."""
    return _packed("data", f"data {path.name}", _files(path))


def register_code(workspace: Workspace, parcel: Parcel, *, telling: Telling) -> str:
    """Return the id of this code on the server; upload it when it is not there."""

    def body(uri: str) -> dict[str, Any]:
        return code_to_arm(uri, parcel.digest)

    return _registered(workspace, parcel, body, telling)


def register_model(workspace: Assets, model: InlineModel, *, telling: Telling) -> str:
    """Return the id of this model on the server; upload it when it is not there."""
    parcel = replace(
        pack_model(Path(model.path), name=model.name or "", version=model.version or ""),
        is_unpacked=is_unpacked(model.properties),
    )

    def body(uri: str) -> dict[str, Any]:
        arm: dict[str, Any] = model_to_arm(model, uri)
        found_by = {"hash_sha256": parcel.digest, "hash_version": HASH_VERSION}
        arm["properties"].setdefault("properties", {}).update(found_by)
        return arm

    return _registered(workspace, parcel, body, telling)


def upload_parcel(asset: Resource, parcel: Parcel, *, telling: Telling) -> str:
    """Send files for a version that is going to be registered; returns where they are."""
    place = _place(asset)
    send_parcel(asset.connection, place, parcel, telling=telling)
    return place.uri


def register_environment(workspace: Workspace, environment: InlineEnvironment) -> str:
    """Return the id of this environment; an unnamed one is named by its content."""
    body = environment_to_arm(environment)
    content = json.dumps(body, sort_keys=True, separators=(",", ":"))
    version = environment.version or hashlib.sha256(content.encode()).hexdigest()[:NAME_LENGTH]
    name = environment.name or ANONYMOUS
    return str(workspace.asset("environments", name, version).put(body).body["id"])


def send_parcel(connection: Connection, place: Place, parcel: Parcel, *, telling: Telling) -> None:
    """Send all files. Raises UserError when one changed meanwhile."""
    total = sum(size for _, size, _ in parcel.before)
    count = len(parcel.files)
    telling.happened(
        f"{parcel.what}: uploading {count} file{'s' * (count != 1)}, {size_text(total)}"
    )

    def moving(sent: int, of: int) -> None:
        telling.moving(f"{parcel.what}: {size_text(sent)} of {size_text(of)}")

    try:
        upload(connection, place, parcel.files, on_bytes=moving)
    except VerdazulError:
        refuse_changed(parcel.before, parcel.files)  # says more than a broken connection
        raise
    refuse_changed(parcel.before, parcel.files)


def _files(path: Path) -> Files:
    if not path.is_dir():
        return [(path.name, path)]
    return [(f"{path.name}/{inner}", file) for inner, file in upload_files(path)]


def _registered(
    workspace: Assets, parcel: Parcel, body: Callable[[str], dict[str, Any]], telling: Telling
) -> str:
    suffix = "-unpacked" if parcel.is_unpacked else ""  # not the same as the archive itself
    name = parcel.name or parcel.digest[:NAME_LENGTH] + suffix
    known = _known(workspace.asset_versions(parcel.kind, name), parcel)
    if known:
        telling.happened(f"{parcel.what}: the server has it already")
        return known
    asset = workspace.asset(parcel.kind, name, _free_version(workspace, parcel, name))
    return str(asset.put(body(upload_parcel(asset, parcel, telling=telling))).body["id"])


def _packed(kind: str, what: str, files: Files, *, name: str = "", version: str = "") -> Parcel:
    before = looks(files)
    try:
        digest = files_digest(files).removeprefix("sha256:")
    except OSError as error:
        raise unreadable(error.filename, error) from None
    return Parcel(kind, what, files, digest, name, version, before)


def _known(versions: Resource, parcel: Parcel) -> str:
    for found in versions.list(hash=parcel.digest, hashVersion=HASH_VERSION):
        name, version = _name_and_version(found)
        if is_unpacked(found["properties"].get("properties") or {}) != parcel.is_unpacked:
            continue
        if parcel.name.lower() in {"", name.lower()} and parcel.version in {"", version}:
            return str(found["id"])
    return ""


def _free_version(workspace: Assets, parcel: Parcel, name: str) -> str:
    if not parcel.name:
        return "1"
    if parcel.version:
        _refuse_taken(workspace.asset(parcel.kind, name, parcel.version), parcel)
        return parcel.version
    taken = (_name_and_version(found)[1] for found in _listed(workspace, parcel.kind, name))
    return str(1 + max((int(version) for version in taken if version.isdecimal()), default=0))


def _listed(workspace: Assets, kind: str, name: str) -> list[dict[str, Any]]:
    try:
        return list(workspace.asset_versions(kind, name).list(listViewType="All"))
    except NotFound:
        return []


def _refuse_taken(asset: Resource, parcel: Parcel) -> None:
    if asset.find():
        raise Conflict(
            f"version {parcel.version} of model {parcel.name!r} exists with other content; "
            "a version never changes",
            code="AssetExists",
            fix="give it another `version`, or leave it out for the next free one",
        )


def _name_and_version(found: Mapping[str, Any]) -> tuple[str, str]:
    path, _, version = str(found["id"]).rpartition("/versions/")
    return path.rpartition("/")[2], version


def _place(asset: Resource) -> Place:
    answer = asset.act("startPendingUpload", {"pendingUploadType": "TemporaryBlobReference"})
    reference = answer.body["blobReferenceForConsumption"]
    signature = str(reference["credential"]["sasUri"]).partition("?")[2]
    return Place(str(reference["blobUri"]).rstrip("/"), signature)


def size_text(count: float) -> str:
    """Write a number of bytes for people."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:  # noqa: PLR2004 - what kilo means
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
