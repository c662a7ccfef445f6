"""Datastores over HTTP. There is one, `workspaceblobstore`: where clients put the files of assets.

Its secret is never a key: only a signature that opens its container for a limited time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import Links, Rule, json_body, workspace_path
from verdazul.api.blob import GRANT_SECONDS, signed
from verdazul.api.bodies import LIST_SECRETS, MOST_HOURS, refuse_unknown
from verdazul.api.discovery import STORAGE_SUFFIX, account_name
from verdazul.api.resources import TYPE, system_data
from verdazul.control.assets import DATASTORE, refuse_other_workspace
from verdazul.control.world import World
from verdazul.core.blobs import DEFAULT_CONTAINER, Place
from verdazul.core.grants import Act
from verdazul.model.errors import NotFound, UserError
from verdazul.model.locations import parse_datastore_path
from verdazul.model.names import same_name
from verdazul.model.show import shown

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DatastoreRoutes:
    """Handlers of one resource; they parse and render."""

    world: World
    links: Links

    def rules(self) -> list[Rule]:
        """Paths below the workspace."""
        return [
            Rule("GET", "datastores", self.list),
            Rule("GET", "datastores/{name}", self.get),
            Rule("POST", "datastores/{name}/listSecrets", self.list_secrets),
        ]

    async def list(self, request: Request, values: Values) -> Response:
        """GET of the collection."""
        del values
        wanted = request.query_params.get("isDefault", "").lower() != "false"
        return self.links.page(request, [self._resource()] if wanted else [])

    async def get(self, request: Request, values: Values) -> Response:
        """GET of one."""
        del request
        _existing(values["name"])
        return JSONResponse(self._resource())

    async def list_secrets(self, request: Request, values: Values) -> Response:
        """A signature that opens its container for a while."""
        _existing(values["name"])
        asked = await json_body(request)
        refuse_unknown(asked, LIST_SECRETS)
        _check_truth("expirableSecret", asked.get("expirableSecret"))
        hours = asked.get("expireAfterHours")
        seconds = GRANT_SECONDS if hours is None else _hours(hours) * 3600.0
        query = signed(self.world, DEFAULT_CONTAINER, frozenset(Act), seconds=seconds)
        return JSONResponse({"secretsType": "Sas", "sasToken": query})

    def _resource(self) -> dict[str, Any]:
        return {
            "id": f"{workspace_path(self.links.settings)}/datastores/{DATASTORE}",
            "name": DATASTORE,
            "type": f"{TYPE}/datastores",
            "properties": {
                "datastoreType": "AzureBlob",
                "accountName": account_name(self.links),
                "containerName": DEFAULT_CONTAINER,
                "endpoint": STORAGE_SUFFIX,
                "protocol": "https",
                "isDefault": True,
                "credentials": {"credentialsType": "Sas"},
                "serviceDataAccessAuthIdentity": "None",
                "tags": {},
                "properties": {},
            },
            "systemData": system_data(0.0, 0.0),
        }


def place_of(world: World, uri: str) -> Place | None:
    """Where `azureml://.../datastores/<name>/paths/<path>` lies; None for any other address.

    Raises NotFound for a datastore that is not here.
    """
    found = parse_datastore_path(uri)
    if found is None:
        return None
    if found.workspace:
        refuse_other_workspace(world, found.workspace)
    _existing(found.datastore)
    return Place(DEFAULT_CONTAINER, found.path)


def _existing(name: str) -> None:
    if not same_name(name, DATASTORE):
        raise NotFound(f'datastore "{name[:80]}" does not exist', fix=f"there is one: {DATASTORE}")


def _check_truth(name: str, value: object) -> None:
    """Every secret here expires; clients that do not ask for that get one all the same."""
    if value is not None and not isinstance(value, bool):
        raise UserError(f"{name} is {shown(value)}; it must be true or false", code="InvalidValue")


def _hours(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_HOURS:
        raise UserError(
            f"expireAfterHours is {shown(value)}; it must be a whole number from 1 to {MOST_HOURS}",
            code="InvalidValue",
        )
    return value
