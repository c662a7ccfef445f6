"""codes, models and environments over HTTP, and the uploads that their files arrive in.

An upload's URL is signed: it opens one upload for a limited time, and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import Handler, Links, Rule, json_body
from verdazul.api.resources import asset_resource
from verdazul.control import assets
from verdazul.control.world import World
from verdazul.core.records import Asset, AssetKey
from verdazul.model.errors import Forbidden, UserError, VerdazulError

Values = Mapping[str, str]
UPLOAD_SECONDS = 3600.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


@dataclass(frozen=True, slots=True)
class AssetRoutes:
    """Handlers of the three asset kinds; they parse, call one use case and render."""

    world: World
    links: Links

    def rules(self) -> list[Rule]:
        """Paths below the workspace."""
        rules = []
        for kind in ("codes", "models", "environments"):
            rules += [
                Rule("GET", f"{kind}/{{name}}/versions", self._lists(kind)),
                Rule("GET", f"{kind}/{{name}}/versions/{{version}}", self._gets(kind)),
            ]
        for kind in assets.URI:
            one = f"{kind}/{{name}}/versions/{{version}}"
            rules += [
                Rule("PUT", one, self._puts(kind)),
                Rule("POST", f"{one}/startPendingUpload", self.start_upload),
            ]
        one = "environments/{name}/versions/{version}"
        return [*rules, Rule("PUT", one, self.put_environment)]

    def public_rules(self) -> list[Rule]:
        """Paths from the root that carry their own signature instead of a token."""
        return [Rule("PUT", "uploads/{upload}/{path}", self.write)]

    async def start_upload(self, request: Request, values: Values) -> Response:
        """Open an upload; the answer holds the signed URL to send files below."""
        del request, values
        upload = self.world.uploads.begin()
        uri = f"{self.links.address}/uploads/{upload}"
        expires = self.world.clock.now() + UPLOAD_SECONDS
        signature = self.world.secrets.seal(json.dumps([upload, expires]))
        credential = {"credentialType": "SAS", "sasUri": f"{uri}?sig={signature}"}
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

    async def write(self, request: Request, values: Values) -> Response:
        """One file of an upload."""
        self._check_signature(values["upload"], request.query_params.get("sig", ""))
        await self.world.uploads.write(
            values["upload"],
            values["path"],
            request.stream(),
            executable=request.headers.get("x-ms-meta-executable", "").lower() == "true",
        )
        return Response(status_code=201)

    async def put_environment(self, request: Request, values: Values) -> Response:
        """Register an environment version."""
        properties = _properties(await json_body(request))
        key = _key("environments", values)
        asset, created = await assets.register_environment(self.world, key, properties)
        return self._answer(asset, 201 if created else 200)

    def _puts(self, kind: str) -> Handler:
        async def put(request: Request, values: Values) -> Response:
            properties = _properties(await json_body(request))
            key = _key(kind, values)
            upload = self._upload_of(str(properties.get(assets.URI[kind]) or ""), kind)
            extra = _free_properties(properties)
            asset = await assets.register_files(
                self.world,
                key,
                properties,
                upload=upload,
                tree_hash=str(extra.get("hash_sha256") or ""),
            )
            return self._answer(asset, 201)

        return put

    def _gets(self, kind: str) -> Handler:
        async def get(request: Request, values: Values) -> Response:
            del request
            key = AssetKey(kind, values["name"], values["version"])
            return self._answer(await assets.existing_asset(self.world, key), 200)

        return get

    def _lists(self, kind: str) -> Handler:
        """By name; with `?hash=` over the whole workspace, since clients draw new names."""

        async def list_versions(request: Request, values: Values) -> Response:
            tree_hash = request.query_params.get("hash", "")
            name = "" if tree_hash else values["name"]
            known = await self.world.store.assets(kind, name=name, tree_hash=tree_hash)
            return JSONResponse({"value": [self._resource(asset) for asset in known]})

        return list_versions

    def _upload_of(self, uri: str, kind: str) -> str:
        prefix = f"{self.links.address}/uploads/"
        upload = uri.removeprefix(prefix).split("/")[0]
        if not uri.startswith(prefix):
            raise UserError(
                f"{assets.URI[kind]} is {uri!r}; it must be the blobUri of startPendingUpload",
                code="InvalidValue",
            )
        return upload

    def _check_signature(self, upload: str, signature: str) -> None:
        try:
            signed, expires = json.loads(self.world.secrets.open(signature))
        except (VerdazulError, ValueError, TypeError):
            signed, expires = "", 0.0
        if signed != upload or self.world.clock.now() > expires:
            raise Forbidden(
                "the upload's signature is not valid or has expired",
                code="UploadForbidden",
                fix="begin a new upload",
            )

    def _answer(self, asset: Asset, status: int) -> Response:
        return JSONResponse(self._resource(asset), status)

    def _resource(self, asset: Asset) -> dict[str, Any]:
        return asset_resource(self.links, asset, json.loads(asset.body))


def _key(kind: str, values: Values) -> AssetKey:
    """Names and versions stand in ids, so they hold what ids can hold."""
    for what in ("name", "version"):
        if not _NAME.fullmatch(values[what]):
            raise UserError(
                f"{what} {values[what][:80]!r} of {kind} cannot be: letters, digits, `-`, `_`, `.` "
                "are possible, the first a letter or digit, 255 at most",
                code="InvalidName",
            )
    return AssetKey(kind, values["name"], values["version"])


def _free_properties(properties: dict[str, Any]) -> dict[str, Any]:
    free = properties.get("properties")
    if free is not None and not isinstance(free, dict):
        raise UserError(
            f"properties.properties is {free!r}; it must be an object", code="InvalidValue"
        )
    return free or {}


def _properties(body: dict[str, Any]) -> dict[str, Any]:
    properties = body.get("properties")
    if not isinstance(properties, dict):
        raise UserError("properties is missing; it must be an object", code="MissingKey")
    return properties
