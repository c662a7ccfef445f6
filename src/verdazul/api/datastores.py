"""Datastores over HTTP: the workspace's own, `workspaceblobstore`, and those that people made.

The own one's secret is never a key: only a signature that opens its container for a limited time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import (
    PAGE_SIZE,
    Links,
    Rule,
    count,
    json_body,
    precondition,
    workspace_path,
)
from verdazul.api.blob import GRANT_SECONDS, signed
from verdazul.api.bodies import LIST_SECRETS, MOST_HOURS, refuse_unknown
from verdazul.api.discovery import STORAGE_SUFFIX, account_name
from verdazul.api.resources import TYPE, system_data
from verdazul.control import datastores
from verdazul.control.datastores import Datastore, is_own
from verdazul.control.world import World
from verdazul.core.blobs import DEFAULT_CONTAINER, DEFAULT_STORE
from verdazul.core.grants import Act
from verdazul.model.datastore import CredentialsType, without_our_defaults
from verdazul.model.datastore_bodies import datastore_from_arm, datastore_to_arm, secrets_to_arm
from verdazul.model.errors import UserError
from verdazul.model.show import shown

Values = Mapping[str, str]
_ONE = "datastores/{name}"
_ORDERS: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "createdtime": lambda one: str(one["systemData"]["createdAt"]),
    "modifiedtime": lambda one: str(one["systemData"]["lastModifiedAt"]),
    "name": lambda one: str(one["name"]).lower(),
}
_TRUTHS = {"": None, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class DatastoreRoutes:
    """Handlers of one resource; they parse and render."""

    world: World
    links: Links

    def rules(self) -> list[Rule]:
        """Paths below the workspace."""
        return [
            Rule("GET", "datastores", self.list),
            Rule("GET", _ONE, self.get),
            Rule("PUT", _ONE, self.put),
            Rule("DELETE", _ONE, self.delete),
            Rule("POST", f"{_ONE}/listSecrets", self.list_secrets),
        ]

    async def list(self, request: Request, values: Values) -> Response:
        """By name, the workspace's own first, unless `orderBy` says otherwise; `count` to a page.

        `isDefault`, `names` and `searchText` choose.
        """
        del values
        asked = request.query_params
        is_default = _truth("isDefault", asked.get("isDefault", ""))
        names = [name for text in asked.getlist("names") for name in text.lower().split(",")]
        text = asked.get("searchText", "").lower()
        every = [self._own()] if is_default is not False else []
        if not is_default:
            every += [self._resource(one) for one in await datastores.list_datastores(self.world)]
        chosen = [
            one
            for one in every
            if text in one["name"].lower() and (not names or one["name"].lower() in names)
        ]
        size = count("count", asked.get("count")) or PAGE_SIZE
        return self.links.page(request, _ordered(chosen, asked), most=min(size, PAGE_SIZE))

    async def get(self, request: Request, values: Values) -> Response:
        """GET of one."""
        del request
        if is_own(values["name"]):
            return JSONResponse(self._own())
        one = await datastores.get_datastore(self.world, values["name"])
        return JSONResponse(self._resource(one), headers={"ETag": f'"{one.tag}"'})

    async def put(self, request: Request, values: Values) -> Response:
        """Keep it; without `skipValidation=true` only when its credentials open it now."""
        spec = datastore_from_arm(values["name"], await json_body(request))
        skips = _truth("skipValidation", request.query_params.get("skipValidation", ""))
        done = await datastores.put_datastore(
            self.world,
            without_our_defaults(spec, suffix=STORAGE_SUFFIX, address=self.links.address),
            precondition=precondition(request),
            is_tried=not skips,
        )
        return JSONResponse(
            self._resource(done.datastore),
            201 if done.is_new else 200,
            {"ETag": f'"{done.datastore.tag}"'},
        )

    async def delete(self, request: Request, values: Values) -> Response:
        """Forget it; what is in the account stays."""
        was_there = await datastores.delete_datastore(
            self.world, values["name"], precondition=precondition(request)
        )
        return Response(status_code=200 if was_there else 204)

    async def list_secrets(self, request: Request, values: Values) -> Response:
        """What opens it; of an account's key only a signature, when one that expires is asked."""
        asked = await json_body(request)
        refuse_unknown(asked, LIST_SECRETS)
        _check_truth("expirableSecret", asked.get("expirableSecret"))
        hours = asked.get("expireAfterHours")
        seconds = GRANT_SECONDS if hours is None else _hours(hours) * 3600.0
        if is_own(values["name"]):
            query = signed(self.world, DEFAULT_CONTAINER, frozenset(Act), seconds=seconds)
            return _signature(query)
        spec = await datastores.secrets_of(self.world, values["name"])
        if asked.get("expirableSecret") and spec.credentials.type is CredentialsType.ACCOUNT_KEY:
            return _signature(self.world.accounts.signature(spec, seconds=seconds))
        return JSONResponse(secrets_to_arm(spec))

    def _resource(self, one: Datastore) -> dict[str, Any]:
        said = datastore_to_arm(one.spec)["properties"]
        always = {"isDefault": False, "serviceDataAccessAuthIdentity": "None"}
        return self._shown(one.spec.name, {**said, **always}, one.created_at, one.modified_at)

    def _own(self) -> dict[str, Any]:
        said = {
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
        }
        return self._shown(DEFAULT_STORE, said, 0.0, 0.0)

    def _shown(
        self, name: str, properties: dict[str, Any], created_at: float, modified_at: float
    ) -> dict[str, Any]:
        return {
            "id": f"{workspace_path(self.links.settings)}/datastores/{name}",
            "name": name,
            "type": f"{TYPE}/datastores",
            "properties": properties,
            "systemData": system_data(created_at, modified_at),
        }


def _ordered(things: list[dict[str, Any]], asked: Mapping[str, str]) -> list[dict[str, Any]]:
    order, ascending = asked.get("orderBy", ""), _truth("orderByAsc", asked.get("orderByAsc", ""))
    if not order:
        return things
    if order.lower() not in _ORDERS:
        raise UserError(
            f"orderBy is {shown(order)}; it must be one of {', '.join(_ORDERS)}",
            code="InvalidQueryParameter",
        )
    return sorted(things, key=_ORDERS[order.lower()], reverse=not ascending)


def _signature(query: str) -> Response:
    return JSONResponse({"secretsType": "Sas", "sasToken": query})


def _truth(name: str, text: str) -> bool | None:
    if text.lower() not in _TRUTHS:
        raise UserError(
            f"{name} is {shown(text)}; it must be true or false", code="InvalidQueryParameter"
        )
    return _TRUTHS[text.lower()]


def _check_truth(name: str, value: object) -> None:
    if value is not None and not isinstance(value, bool):
        raise UserError(f"{name} is {shown(value)}; it must be true or false", code="InvalidValue")


def _hours(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_HOURS:
        raise UserError(
            f"expireAfterHours is {shown(value)}; it must be a whole number from 1 to {MOST_HOURS}",
            code="InvalidValue",
        )
    return value
