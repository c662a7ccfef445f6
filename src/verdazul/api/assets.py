"""codes, models, environments and data over HTTP: containers, versions, labels, uploads.

One shape serves all kinds; what differs is a row of `_KINDS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlparse

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import Handler, Links, Rule, asset_name, json_body, properties_of
from verdazul.api.blob import GRANT_SECONDS, signed
from verdazul.api.bodies import CONTAINER, PENDING_UPLOAD, refuse_unknown
from verdazul.api.discovery import ACCOUNT, BLOBS
from verdazul.api.resources import asset_resource, container_resource
from verdazul.control import assets
from verdazul.control.assets import Registered
from verdazul.control.datastores import place_of
from verdazul.control.world import World
from verdazul.core.blobs import Elsewhere, Place
from verdazul.core.grants import Act
from verdazul.core.records import Asset, AssetKey
from verdazul.core.versions import View
from verdazul.model.actions import PACKAGE_MODEL
from verdazul.model.asset_bodies import version_from_arm
from verdazul.model.errors import NotFound, UserError
from verdazul.model.packages import no_packages
from verdazul.model.show import shown

Values = Mapping[str, str]
_NOT_YET = ("tags", "properties", "stage", "description", "feed", "offset", "version")
_AZURES_OWN = "core.windows.net"
"""Scripts put it behind the account's name without asking the cloud for its own."""
_OF_VERSIONS: Mapping[str, object] = {"description": "", "tags": {}, "properties": {}}
_ORDERS = {"createdtime desc": False, "createdtime asc": True, "createdtime": True}


@dataclass(frozen=True, slots=True)
class _Kind:
    """`uri`: where a body says its files are; `shown`: what answers hold beside what was put."""

    name: str
    uri: str = ""
    shown: Callable[[], dict[str, Any]] = dict


_KINDS = (
    _Kind("codes", "codeUri"),
    # Clients take a model's flavors apart without looking whether there are any.
    _Kind("models", "modelUri", lambda: {"flavors": {}}),
    _Kind("environments", shown=lambda: {"environmentType": "UserCreated"}),
    _Kind("data"),
)


@dataclass(frozen=True, slots=True)
class AssetRoutes:
    """Handlers of the four asset kinds; they parse, call one use case and render."""

    world: World
    links: Links

    def rules(self) -> list[Rule]:
        """Paths below the workspace."""
        return [rule for kind in _KINDS for rule in self._rules_of(kind)]

    def _rules_of(self, kind: _Kind) -> list[Rule]:
        container = f"{kind.name}/{{name}}"
        one = f"{container}/versions/{{version}}"
        rules = [
            Rule("GET", kind.name, self._lists_containers(kind)),
            Rule("GET", container, self._gets_container(kind)),
            Rule("PUT", container, self._puts_container(kind)),
            Rule("GET", f"{container}/versions", self._lists(kind)),
            Rule("GET", one, self._gets(kind)),
            Rule("PUT", one, self._puts(kind)),
            Rule("DELETE", one, self._deletes(kind)),
        ]
        if kind.uri or kind.name == "data":
            rules.append(Rule("POST", f"{one}/startPendingUpload", self.start_upload))
        if kind.name == "models":
            rules.append(Rule("POST", f"{one}/package", refuse_packaging, PACKAGE_MODEL))
        return rules

    async def start_upload(self, request: Request, values: Values) -> Response:
        """Open an upload; the answer holds the signed URL to send files below."""
        del values
        return pending_upload(self.world, self.links, await json_body(request))

    def _puts(self, kind: _Kind) -> Handler:
        async def put(request: Request, values: Values) -> Response:
            key = _key(kind.name, values)
            properties = version_from_arm(kind.name, await json_body(request))
            done = await self._register(kind, key, properties)
            return self._answer(kind, done.asset, 201 if done.is_new else 200)

        return put

    async def _register(self, kind: _Kind, key: AssetKey, properties: dict[str, Any]) -> Registered:
        if not kind.uri:
            return await assets.register_described(self.world, key, properties)
        uri = properties.get(kind.uri)
        upload = upload_of(self.links, uri)
        if upload:
            tree_hash = (properties.get("properties") or {}).get("hash_sha256", "")
            return await assets.register_upload(
                self.world, key, properties, upload=upload, tree_hash=tree_hash
            )
        place = await self._place_of(uri)
        if place:
            return await assets.register_stored(self.world, key, properties, place)
        raise UserError(
            f"{kind.uri} is {shown(uri)}; it must be the blobUri of startPendingUpload or a path "
            "in a datastore of this workspace",
            code="InvalidValue",
            fix="upload the files first; addresses elsewhere are not fetched",
        )

    async def _place_of(self, uri: object) -> Place | Elsewhere | None:
        if not isinstance(uri, str):
            return None
        for account in (BLOBS, f"{ACCOUNT}.blob.{_AZURES_OWN}"):
            if uri.startswith(f"{self.links.address}/{account}/"):
                path = urlparse(uri).path.removeprefix(f"/{account}/")
                container, _, path = path.partition("/")
                return Place(container, path)
        return await place_of(self.world, uri)

    def _gets(self, kind: _Kind) -> Handler:
        async def get(request: Request, values: Values) -> Response:
            del request
            key = AssetKey(kind.name, values["name"], values["version"])
            return self._answer(kind, await assets.existing_asset(self.world, key), 200)

        return get

    def _deletes(self, kind: _Kind) -> Handler:
        async def delete(request: Request, values: Values) -> Response:
            del request
            key = AssetKey(kind.name, values["name"], values["version"])
            was_there = await assets.delete_asset(self.world, key)
            return Response(status_code=200 if was_there else 204)

        return delete

    def _lists(self, kind: _Kind) -> Handler:
        """By name; with `?hash=` over the whole workspace, since clients draw new names."""

        async def list_versions(request: Request, values: Values) -> Response:
            tree_hash = request.query_params.get("hash", "")
            if tree_hash:
                known = await self.world.store.assets(kind.name, tree_hash=tree_hash)
            else:
                view = read_view(request)
                known = await self._versions(kind, values["name"], view)
            return self.links.page(
                request, [self._resource(kind, a) for a in ordered(request, known)]
            )

        return list_versions

    async def _versions(self, kind: _Kind, name: str, view: View) -> tuple[Asset, ...]:
        """None of a name that nothing has: clients ask before they register the first."""
        try:
            return await assets.list_versions(self.world, kind.name, name, view)
        except NotFound:
            return ()

    def _lists_containers(self, kind: _Kind) -> Handler:
        async def list_containers(request: Request, values: Values) -> Response:
            del values
            view = read_view(request)
            found = await assets.list_containers(self.world, kind.name, view)
            return self.links.page(
                request, [container_resource(self.links, kind.name, one) for one in found]
            )

        return list_containers

    def _gets_container(self, kind: _Kind) -> Handler:
        async def get(request: Request, values: Values) -> Response:
            del request
            found = await assets.existing_container(self.world, kind.name, values["name"])
            return JSONResponse(container_resource(self.links, kind.name, found))

        return get

    def _puts_container(self, kind: _Kind) -> Handler:
        """Archive or restore all versions; a container has no words of its own."""

        async def put(request: Request, values: Values) -> Response:
            archived = read_archived(await json_body(request))
            found = await assets.archive_container(
                self.world, kind.name, values["name"], archived=archived
            )
            return JSONResponse(container_resource(self.links, kind.name, found))

        return put

    def _answer(self, kind: _Kind, asset: Asset, status: int) -> Response:
        return JSONResponse(self._resource(kind, asset), status)

    def _resource(self, kind: _Kind, asset: Asset) -> dict[str, Any]:
        said = {key: value for key, value in json.loads(asset.body).items() if value is not None}
        return asset_resource(self.links, asset, {**kind.shown(), **said})


def _key(kind: str, values: Values) -> AssetKey:
    name = asset_name(f"{kind} name", values["name"])
    return AssetKey(kind, name, asset_name(f"{kind} version", values["version"]))


async def refuse_packaging(request: Request, values: Values) -> Response:
    """Say what to do instead: a deployment is made from the model, code and environment as such."""
    del request
    raise no_packages(values["name"], values["version"])


def upload_of(links: Links, uri: object) -> str:
    """The upload that an address leads to; "" for any other."""
    prefix = f"{links.address}/uploads/"
    is_ours = isinstance(uri, str) and uri.startswith(prefix)
    return str(uri).removeprefix(prefix).partition("?")[0].strip("/") or "none" if is_ours else ""


def pending_upload(world: World, links: Links, asked: Mapping[str, Any]) -> Response:
    """Open an upload, as Azure's startPendingUpload is asked to."""
    refuse_unknown(asked, PENDING_UPLOAD)
    kind = asked.get("pendingUploadType")
    if kind not in (None, "TemporaryBlobReference"):
        raise UserError(
            f"pendingUploadType is {shown(kind)}; it must be TemporaryBlobReference",
            code="InvalidValue",
        )
    if not isinstance(asked.get("pendingUploadId"), str | None):
        raise UserError("pendingUploadId must be a text", code="InvalidValue")
    return upload_resource(world, links)


def upload_resource(world: World, links: Links) -> Response:
    """A new upload, with the signed address to send files below."""
    upload = world.uploads.begin()
    uri = f"{links.address}/uploads/{upload}"
    query = signed(world, upload, frozenset(Act), seconds=GRANT_SECONDS)
    credential = {"credentialType": "SAS", "sasUri": f"{uri}?{query}"}
    return JSONResponse(
        {
            "pendingUploadId": upload,
            "pendingUploadType": "TemporaryBlobReference",
            "blobReferenceForConsumption": {
                "blobUri": uri,
                "storageAccountArmId": "",
                "credential": credential,
            },
        }
    )


def read_archived(body: Mapping[str, Any]) -> bool:
    """What the body of a container says: archive or restore; it has no words of its own."""
    refuse_unknown(body, CONTAINER)
    properties = properties_of(body)
    for name, nothing in _OF_VERSIONS.items():
        if properties.get(name) not in (None, nothing):
            raise UserError(
                f"properties.{name} of a container is not supported yet",
                code="NotSupportedYet",
                fix="say it of a version",
            )
    archived = properties.get("isArchived")
    if not isinstance(archived, bool | None):
        raise UserError(
            f"properties.isArchived is {shown(archived)}; it must be true or false",
            code="InvalidValue",
        )
    return bool(archived)


def read_view(request: Request) -> View:
    """Which of them a list is to show."""
    for name in _NOT_YET:
        if request.query_params.get(name):
            raise UserError(
                f"{name} in the query of a list is not supported yet",
                code="NotSupportedYet",
                fix="ask for the whole list",
            )
    text = request.query_params.get("listViewType") or View.ACTIVE.value
    word = text.removeprefix("ListViewType.").replace("_", "")  # how some clients spell it
    for view in View:
        if view.value.lower() == word.lower():
            return view
    raise UserError(
        f"listViewType is {shown(text)}; it must be one of {', '.join(View)}",
        code="InvalidQueryParameter",
    )


def ordered(request: Request, known: Sequence[Asset]) -> Sequence[Asset]:
    """Newest first unless `$orderBy` says otherwise."""
    text = request.query_params.get("$orderBy") or "createdtime desc"
    oldest_first = _ORDERS.get(" ".join(text.lower().split()))
    if oldest_first is None:
        raise UserError(
            f"$orderBy is {shown(text)}; it must be `createdtime desc` or `createdtime asc`",
            code="InvalidQueryParameter",
        )
    return known[::-1] if oldest_first else known
