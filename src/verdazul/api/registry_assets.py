"""Models, environments and data of a registry over HTTP: as in a workspace, but for their place.

What is put there is copied to the registry's folder; where its files are is an address below the
server that a client can take apart. `datarefs` opens it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import RETRY_AFTER, Handler, Links, Rule, asset_name, json_body, properties_of
from verdazul.api.assets import (
    ordered,
    pending_upload,
    read_archived,
    read_view,
    refuse_packaging,
    upload_of,
    upload_resource,
)
from verdazul.api.blob import GRANT_SECONDS, signed
from verdazul.api.bodies import (
    DATA_REFERENCE,
    IMPORT,
    TEMPORARY_DATA,
    refuse_no_texts,
    refuse_unknown,
)
from verdazul.api.registries import FRONT, ONE, check_group
from verdazul.api.resources import asset_resource, container_resource
from verdazul.control import permissions, registries
from verdazul.control.assets import adopt_upload, existing_asset
from verdazul.control.datastores import place_of
from verdazul.control.registries import KINDS
from verdazul.control.world import World
from verdazul.core.blobs import Elsewhere, Place
from verdazul.core.grants import Act
from verdazul.core.records import Asset, AssetKey
from verdazul.core.versions import Container
from verdazul.model.actions import ML, READ_SHELF, WRITE_SHELF
from verdazul.model.asset_bodies import version_from_arm
from verdazul.model.asset_yaml import FILES_AT
from verdazul.model.errors import UserError
from verdazul.model.ids import RegistryReference, parse_asset
from verdazul.model.show import shown

Values = Mapping[str, str]
_SLIP = "system_metadata"


@dataclass(frozen=True, slots=True)
class RegistryAssetRoutes:
    """Handlers of the three kinds; they parse, call one use case and render."""

    world: World
    links: Links

    def rules(self) -> list[Rule]:
        """Paths from the root."""
        rules = [
            Rule("POST", f"{ONE}/import", self._checked(self.share), WRITE_SHELF),
            Rule(
                "PUT",
                f"{ONE}/tempdatarefs/{{name}}/versions/{{version}}",
                self._checked(self.start_upload),
                WRITE_SHELF,
            ),
            Rule(
                "POST",
                f"{ONE}/datarefs/{{name}}/versions/{{version}}",
                self._checked(self.open_files),
                READ_SHELF,
            ),
        ]
        for kind in KINDS:
            container = f"{ONE}/{kind}/{{name}}"
            one = f"{container}/versions/{{version}}"
            rules += [
                Rule(
                    "GET", f"{ONE}/{kind}", self._checked(self._lists_containers(kind)), READ_SHELF
                ),
                Rule("GET", container, self._checked(self._gets_container(kind)), READ_SHELF),
                Rule("PUT", container, self._checked(self._puts_container(kind)), WRITE_SHELF),
                Rule("GET", f"{container}/versions", self._checked(self._lists(kind)), READ_SHELF),
                Rule("GET", one, self._checked(self._gets(kind)), READ_SHELF),
                Rule("PUT", one, self._checked(self._puts(kind)), WRITE_SHELF),
            ]
            if kind in FILES_AT:
                rules.append(
                    Rule(
                        "POST",
                        f"{one}/startPendingUpload",
                        self._checked(self.start_pending_upload),
                        WRITE_SHELF,
                    )
                )
        package = f"{ONE}/models/{{name}}/versions/{{version}}/package"
        return [*rules, Rule("POST", package, refuse_packaging, WRITE_SHELF)]

    async def share(self, request: Request, values: Values) -> Response:
        """Copy what a workspace has; clients read an answer without a body as success."""
        asked = await json_body(request)
        refuse_unknown(asked, IMPORT)
        told = properties_of(asked)
        refuse_no_texts(told, IMPORT["properties"]["properties"])
        source = registries.source_of(self.world, str(told.get("sourceAssetId") or ""))
        await self._check_source(request, source)
        reference = _reference(
            values["registry"],
            source.kind,
            str(told.get("destinationName") or source.name),
            str(told.get("destinationVersion") or source.version),
        )
        place = await self._place_of(source)
        await registries.share(self.world, source, reference, place)
        return Response(status_code=200)

    async def start_upload(self, request: Request, values: Values) -> Response:
        """Open an upload for a version that is going to be put."""
        asked = await json_body(request)
        refuse_unknown(asked, TEMPORARY_DATA)
        refuse_no_texts(asked, TEMPORARY_DATA)
        await self.world.registries.get(values["registry"])
        _reference(values["registry"], "models", values["name"], values["version"])
        return upload_resource(self.world, self.links)

    async def start_pending_upload(self, request: Request, values: Values) -> Response:
        """The same, in the words that clients of workspaces have for it."""
        asked = await json_body(request)
        await self.world.registries.get(values["registry"])
        return pending_upload(self.world, self.links, asked)

    async def open_files(self, request: Request, values: Values) -> Response:
        """A signature with which a version's files can be listed and read for a while."""
        asked = await json_body(request)
        refuse_unknown(asked, DATA_REFERENCE)
        refuse_no_texts(asked, DATA_REFERENCE)
        told = asked.get("assetId")
        reference = parse_asset(str(told))
        named = (values["registry"], values["name"], values["version"])
        if (
            not isinstance(reference, RegistryReference)
            or (
                reference.registry,
                reference.name,
                reference.version,
            )
            != named
        ):
            raise UserError(
                f"assetId is {shown(told)}; it must be the id of the version that the path names",
                code="InvalidValue",
            )
        files = await self.world.registries.files(reference)
        below = _path(reference)
        upload = await self.world.uploads.lay_out(
            {f"{below}/{inner}": file for inner, file in files.items()}
        )
        acts = frozenset({Act.READ, Act.LIST})
        query = signed(self.world, upload, acts, seconds=GRANT_SECONDS)
        uri = f"{self.links.address}/uploads/{upload}"
        credential = {"credentialType": "SAS", "sasUri": f"{uri}?{query}"}
        return JSONResponse(
            {"blobReferenceForConsumption": {"blobUri": uri, "credential": credential}}
        )

    def _puts(self, kind: str) -> Handler:
        async def put(request: Request, values: Values) -> Response:
            reference = _reference(values["registry"], kind, values["name"], values["version"])
            properties = version_from_arm(kind, _without_slip(await json_body(request)))
            shown_uri = self._uri_of(reference)
            uri = properties.get(FILES_AT.get(kind, ""))
            if isinstance(uri, str) and f"{uri}/".startswith(f"{shown_uri}/"):
                asset = await registries.describe(self.world, reference, properties)
                return _put(request, self._resource(reference, asset), 200)
            digest = await self._adopted(kind, uri)
            done = await registries.register(self.world, reference, properties, digest)
            status = 201 if done.is_new else 200
            return _put(request, self._resource(reference, done.asset), status)

        return put

    async def _adopted(self, kind: str, uri: object) -> str:
        """The digest of what was uploaded; "" where nothing is."""
        upload = upload_of(self.links, uri)
        if upload:
            return await adopt_upload(self.world, kind, upload)
        elsewhere = isinstance(uri, str) and uri.startswith(("http://", "https://", "azureml://"))
        if kind == "models" or (kind == "data" and not elsewhere):
            raise UserError(
                f"{FILES_AT[kind]} is {shown(uri)}; it must be the address of an upload",
                code="InvalidValue",
                fix="upload the files, or register them in a workspace and share them",
            )
        return ""

    def _gets(self, kind: str) -> Handler:
        async def get(request: Request, values: Values) -> Response:
            del request
            reference = RegistryReference(
                values["registry"], kind, values["name"], values["version"]
            )
            asset = await self.world.registries.version(reference)
            return JSONResponse(self._resource(reference, asset))

        return get

    def _lists(self, kind: str) -> Handler:
        """By name; with `?hash=` over the whole registry, since clients draw new names."""

        async def list_versions(request: Request, values: Values) -> Response:
            registry, tree_hash = values["registry"], request.query_params.get("hash", "")
            view, name = read_view(request), "" if tree_hash else values["name"]
            found = await registries.list_versions(self.world, registry, kind, name, view)
            known = [one for one in found if tree_hash in ("", one.tree_hash)]
            return self.links.page(
                request,
                [self._resource(_of(registry, one), one) for one in ordered(request, known)],
            )

        return list_versions

    def _lists_containers(self, kind: str) -> Handler:
        async def list_containers(request: Request, values: Values) -> Response:
            registry, view = values["registry"], read_view(request)
            found = await registries.list_containers(self.world, registry, kind, view)
            return self.links.page(request, [self._container(registry, kind, one) for one in found])

        return list_containers

    def _gets_container(self, kind: str) -> Handler:
        async def get(request: Request, values: Values) -> Response:
            del request
            registry = values["registry"]
            found = await registries.existing_container(self.world, registry, kind, values["name"])
            return JSONResponse(self._container(registry, kind, found))

        return get

    def _puts_container(self, kind: str) -> Handler:
        async def put(request: Request, values: Values) -> Response:
            registry = values["registry"]
            archived = read_archived(await json_body(request))
            found = await registries.archive_container(
                self.world, registry, kind, values["name"], archived=archived
            )
            status = 201 if request.scope.get(FRONT) else 200
            return JSONResponse(self._container(registry, kind, found), status)

        return put

    def _checked(self, handler: Handler) -> Handler:
        async def checked(request: Request, values: Values) -> Response:
            check_group(self.links.settings, values)
            return await handler(request, values)

        return checked

    async def _check_source(self, request: Request, source: AssetKey) -> None:
        """Who may write to a registry need not be one who may read the workspace."""
        action = f"{ML}/workspaces/{source.kind}/versions/read"
        found = await permissions.of_caller(self.world, request.state.caller, at="")
        if not found.allow(action, ""):
            scope = f"/subscriptions/{self.links.settings.subscription}"
            raise permissions.refused(found, action, scope, "")

    async def _place_of(self, source: AssetKey) -> Place | None:
        if source.kind != "data":
            return None
        body = json.loads((await existing_asset(self.world, source)).body)
        place = await place_of(self.world, str(body.get("dataUri")))
        if isinstance(place, Elsewhere):
            raise UserError(
                f"data/{source.name} version {source.version} lies in datastore "
                f"{place.store.name}; what is in a storage account is not copied into a registry",
                code="NotSupportedYet",
            )
        return place

    def _resource(self, reference: RegistryReference, asset: Asset) -> dict[str, Any]:
        properties = {k: v for k, v in json.loads(asset.body).items() if v is not None}
        uri = FILES_AT.get(reference.kind, "")
        top = properties.get(uri)
        if str(top).startswith("./"):
            properties[uri] = f"{self._uri_of(reference)}/{str(top).removeprefix('./')}"
        if reference.kind == "models":
            properties.setdefault("flavors", {})
        if reference.kind == "environments":
            properties["environmentType"] = "UserCreated"
        return {
            **asset_resource(self.links, asset, properties),
            "id": str(reference),
            "type": f"{ML}/registries/{reference.kind}/versions",
        }

    def _container(self, registry: str, kind: str, found: Container) -> dict[str, Any]:
        return {
            **container_resource(self.links, kind, found),
            "id": f"azureml://registries/{registry}/{kind}/{found.name}",
            "type": f"{ML}/registries/{kind}",
        }

    def _uri_of(self, reference: RegistryReference) -> str:
        return f"{self.links.address}/registries/{_path(reference)}"


def _put(request: Request, resource: dict[str, Any], status: int) -> Response:
    """By Azure's prefix clients know one status of versions only, after which they look again."""
    if request.scope.get(FRONT):
        return JSONResponse(resource, 202, {"Retry-After": RETRY_AFTER})
    return JSONResponse(resource, status)


def _without_slip(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A property of its own that one client sends, always empty, and nobody describes."""
    properties = body.get("properties")
    if not isinstance(properties, Mapping) or properties.get(_SLIP, "") is not None:
        return body
    return {**body, "properties": {k: v for k, v in properties.items() if k != _SLIP}}


def _path(reference: RegistryReference) -> str:
    """Below `/registries`: clients take this, and the file's name, for a path in a container."""
    return "/".join(
        (reference.registry, reference.kind, reference.name, "versions", str(reference.version))
    )


def _of(registry: str, asset: Asset) -> RegistryReference:
    return RegistryReference(registry, asset.key.kind, asset.key.name, asset.key.version)


def _reference(registry: str, kind: str, name: str, version: str) -> RegistryReference:
    """Names that can stand in an id. Raises UserError."""
    return RegistryReference(
        registry,
        kind,
        asset_name(f"{kind} name", name),
        asset_name(f"{kind} version", version),
    )
