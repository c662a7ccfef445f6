"""The place where files of models and data lie on the server: put there, listed, fetched.

It speaks the blob protocol, as Azure's own clients do, and is opened by a signature that the server
gives for a while.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from verdazul.client.assets import Parcel, Telling, send_parcel
from verdazul.client.connection import Connection
from verdazul.client.server import Server
from verdazul.client.uploads import Place
from verdazul.client.workspace import Assets, Registry, Resource, Workspace
from verdazul.model.datastore import CredentialsType
from verdazul.model.datastore_bodies import datastore_from_arm
from verdazul.model.errors import Fatal, NotFound, UserError

DEFAULT = "workspaceblobstore"
_UPLOADS = "LocalUpload"
_PATH = re.compile(r"azureml://(?:.*/)?datastores/(?P<store>[^/]+)/paths/(?P<path>.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Store:
    """One datastore, open. `place.uri` is its container's address."""

    connection: Connection
    name: str
    place: Place

    def put(self, parcel: Parcel, *, telling: Telling) -> str:
        """Send files below a folder that their content names; returns where they are."""
        folder = f"{_UPLOADS}/{parcel.digest[:32]}"
        below = Place(f"{self.place.uri}/{folder}", self.place.signature)
        send_parcel(self.connection, below, parcel, telling=telling)
        top = parcel.files[0][0].partition("/")[0]
        return f"azureml://datastores/{self.name}/paths/{folder}/{top}"

    def paths(self, prefix: str) -> Iterator[str]:
        """Yield the paths of all that lies at or below `prefix`."""
        marker = ""
        while True:
            page = self._page(prefix, marker)
            yield from (str(name.text) for name in page.iterfind("Blobs/Blob/Name"))
            marker = page.findtext("NextMarker") or ""
            if not marker:
                return

    def fetch(self, path: str, file: Path, *, on_bytes: Callable[[int], None]) -> None:
        """Save one file."""
        url = f"{self.place.uri}/{quote(path)}?{self.place.signature}"
        self.connection.save(url, file, on_bytes=on_bytes)

    def _page(self, prefix: str, marker: str) -> ET.Element:
        asked = f"restype=container&comp=list&prefix={quote(prefix)}&marker={quote(marker)}"
        url = f"{self.place.uri}?{asked}&{self.place.signature}"
        response = self.connection.send("GET", url)
        if response.is_error:
            raise Fatal(
                f"datastore {self.name} answered {response.status_code} to a list of {prefix}",
                code="DatastoreFailed",
            )
        return ET.fromstring(response.content)  # noqa: S314 - our own server's words


def open_store(workspace: Workspace, name: str = DEFAULT) -> Store:
    """Open a datastore for a while. Raises NotFound."""
    resource = workspace.datastore(name)
    body = resource.get().body
    said: Mapping[str, Any] = body["properties"]
    if not said.get("isDefault"):
        return _elsewhere(resource, name, body)
    secret = resource.act("listSecrets", {"expirableSecret": True, "expireAfterHours": 1}).body
    account = f"{said['accountName']}.blob.{said['endpoint']}".rstrip("/")
    uri = f"{said['protocol']}://{account}/{said['containerName']}"
    return Store(workspace.connection, name, Place(uri, str(secret["sasToken"])))


def _elsewhere(resource: Resource, name: str, body: Mapping[str, Any]) -> Store:
    """One in another account: it is asked itself, and is not shown what opens our server."""
    spec = datastore_from_arm(name, body)
    if spec.credentials.type not in {CredentialsType.ACCOUNT_KEY, CredentialsType.SAS}:
        raise UserError(
            f"datastore {name} gives no signature: its credentials are of type "
            f"{spec.credentials.type.value}",
            code="NotSupportedYet",
            fix="read its files with Azure's own tools (az storage blob download-batch)",
        )
    asked = {"expirableSecret": True, "expireAfterHours": 1}
    signature = str(resource.act("listSecrets", asked).body["sasToken"]).removeprefix("?")
    place = Place(f"{spec.url}/{spec.container}", signature)
    return Store(Connection(Server(spec.url, token="")), name, place)


def download(workspace: Workspace, uri: str, folder: Path, *, telling: Telling) -> int:
    """Save the file or folder at `azureml://.../datastores/...` into `folder`; returns how many.

    Raises NotFound when nothing is there.
    """
    match = _PATH.fullmatch(uri)
    if not match:
        raise NotFound(f"{uri} is not in a datastore of this workspace; it cannot be downloaded")
    return _save(open_store(workspace, match["store"]), match["path"].strip("/"), folder, telling)


def download_model(
    place: Assets, body: Mapping[str, Any], folder: Path, *, telling: Telling
) -> int:
    """Save the files of a version of a model into `folder`; returns how many.

    Raises NotFound when nothing is there.
    """
    if isinstance(place, Registry):
        return _download_shared(place, body, folder, telling)
    assert isinstance(place, Workspace)  # noqa: S101 - there is no third kind
    return download(place, str(body["properties"]["modelUri"]), folder, telling=telling)


def _download_shared(
    registry: Registry, body: Mapping[str, Any], folder: Path, telling: Telling
) -> int:
    name, version = str(body["id"]).split("/")[-3], str(body["name"])
    uri, _, signature = registry.open_files("models", name, version).partition("?")
    _, _, path = str(body["properties"]["modelUri"]).partition("/registries/")
    store = Store(registry.connection, registry.prefix, Place(uri, signature))
    return _save(store, path, folder, telling)


def _save(store: Store, path: str, folder: Path, telling: Telling) -> int:
    found = [each for each in store.paths(path) if f"{each}/".startswith(f"{path}/")]
    if not found:
        raise NotFound(f"there is nothing at {path} of {store.name}")
    above = len(path.rpartition("/")[0])
    for each in found:
        telling.moving(f"downloading {each.rpartition('/')[2]}")
        file = _inside(folder, each[above:].lstrip("/"))
        file.parent.mkdir(parents=True, exist_ok=True)
        store.fetch(each, file, on_bytes=lambda _count: None)
    return len(found)


def _inside(folder: Path, relative: str) -> Path:
    """Where a file goes; no name from the server leads out of the folder."""
    file = (folder / relative).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise Fatal(f"the server names a file outside of {folder}: {relative!r}", code="BadName")
    return file
