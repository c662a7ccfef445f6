"""The home's own people and programs over HTTP, in the shape of Microsoft Graph.

A service principal here is Graph's application and service principal in one. No answer but
addPassword's holds a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api import bodies
from verdazul.api.arm import Rule, json_body
from verdazul.api.forms import source_of
from verdazul.api.resources import iso
from verdazul.control import directory, logins
from verdazul.control.world import World
from verdazul.core.identities import ClientSecret, Identity, ServicePrincipal, User
from verdazul.model.actions import AUTHORIZATION, CHANGE_OWN_PASSWORD, SEE_ONESELF
from verdazul.model.errors import UserError
from verdazul.model.schema import Schema
from verdazul.model.show import shown

Values = Mapping[str, str]
_USERS, _PRINCIPALS = "v1.0/users", "v1.0/servicePrincipals"
_OBJECTS = "v1.0/directoryObjects"
_ME = "v1.0/me"
_ON_USERS, _ON_PRINCIPALS = f"{AUTHORIZATION}/users", f"{AUTHORIZATION}/servicePrincipals"
_FILTER = re.compile(r"(displayName|appId|userPrincipalName) eq '([^']*)'")
_BY_ANY_NAME = re.compile(r"servicePrincipalNames/any\((\w+):\1 eq '([^']*)'\)")
_MOST_IDS = 1000
_GRAPH = "#microsoft.graph."
_GRAPHS = ("user", "serviceprincipal")
_MOST_SECONDS = 100 * 366 * 86400.0


@dataclass(frozen=True, slots=True)
class DirectoryRoutes:
    """Handlers of two resources; paths from the root."""

    world: World

    def rules(self) -> list[Rule]:
        """All of them need a caller who may give roles."""
        one, other = f"{_USERS}/{{id}}", f"{_PRINCIPALS}/{{id}}"
        gone = f"{_ON_PRINCIPALS}/delete"
        return [
            Rule("GET", _USERS, self.list_users, f"{_ON_USERS}/read"),
            Rule("POST", _USERS, self.create_user, f"{_ON_USERS}/write"),
            Rule("GET", one, self.get_user, f"{_ON_USERS}/read"),
            Rule("PATCH", one, self.change_user, f"{_ON_USERS}/write"),
            Rule("DELETE", one, self.delete_user, f"{_ON_USERS}/delete"),
            Rule("GET", _ME, self.get_me, SEE_ONESELF),
            Rule("POST", f"{_ME}/changePassword", self.change_own_password, CHANGE_OWN_PASSWORD),
            Rule("POST", f"{_OBJECTS}/getByIds", self.by_ids, f"{_ON_USERS}/read"),
            Rule("GET", _PRINCIPALS, self.list_principals, f"{_ON_PRINCIPALS}/read"),
            Rule("POST", _PRINCIPALS, self.create_principal, f"{_ON_PRINCIPALS}/write"),
            Rule("GET", other, self.get_principal, f"{_ON_PRINCIPALS}/read"),
            Rule("DELETE", other, self.delete_principal, gone),
            Rule("POST", f"{other}/addPassword", self.add_password, f"{_ON_PRINCIPALS}/write"),
            Rule(
                "POST", f"{other}/removePassword", self.remove_password, f"{_ON_PRINCIPALS}/delete"
            ),
        ]

    async def list_users(self, request: Request, values: Values) -> Response:
        """All people, or those of a `$filter`."""
        del values
        return JSONResponse(await self._listed(request, User, user_body))

    async def create_user(self, request: Request, values: Values) -> Response:
        """Make one, with a password."""
        del values
        body = await _read(request, bodies.USER)
        name, password = _text(body, "userPrincipalName"), _password(body)
        shown_as = _text(body, "displayName", needed=False)
        made = await directory.create_user(self.world, name, shown_as, password)
        return JSONResponse(user_body(made), 201)

    async def get_user(self, request: Request, values: Values) -> Response:
        """By id or user name."""
        del request
        return JSONResponse(user_body(await directory.existing(self.world, User, values["id"])))

    async def change_user(self, request: Request, values: Values) -> Response:
        """Give a new password."""
        password = _password(await _read(request, bodies.USER_PATCH))
        await directory.set_password(self.world, values["id"], password)
        return Response(status_code=204)

    async def delete_user(self, request: Request, values: Values) -> Response:
        """By id or user name; the roles go too."""
        del request
        await directory.delete_identity(self.world, User, values["id"])
        return Response(status_code=204)

    async def get_me(self, request: Request, values: Values) -> Response:
        """The person who asks."""
        del values
        found = await directory.existing(self.world, User, request.state.caller.id)
        return JSONResponse(user_body(found))

    async def change_own_password(self, request: Request, values: Values) -> Response:
        """A person's own; the one in use has to be told."""
        del values
        body = await _read(request, bodies.CHANGE_PASSWORD)
        current, new = (
            _text(body, name, secret=True) for name in ("currentPassword", "newPassword")
        )
        await logins.change_own_password(
            self.world, request.state.caller.id, current, new, source=source_of(request)
        )
        return Response(status_code=204)

    async def by_ids(self, request: Request, values: Values) -> Response:
        """Those of these ids, people and programs; ids of nobody are passed over."""
        del values
        body = await _read(request, bodies.GET_BY_IDS)
        ids, types = body.get("ids"), body.get("types")
        if not isinstance(ids, list) or not 0 < len(ids) <= _MOST_IDS:
            raise UserError(
                f"ids is {shown(ids)}; it must be a list of 1 to {_MOST_IDS} ids",
                code="InvalidValue",
            )
        if not isinstance(types, list | None):
            raise UserError(f"types is {shown(types)}; it must be a list", code="InvalidValue")
        wanted = {str(one).lower() for one in ids}
        kinds = {str(one).lower() for one in types} if types else set(_GRAPHS)
        every = [_typed(one) for one in await directory.list_identities(self.world)]
        found = [one for one in every if one["id"] in wanted and _kind(one) in kinds]
        return JSONResponse({"value": found})

    async def list_principals(self, request: Request, values: Values) -> Response:
        """All programs, or those of a `$filter`."""
        del values
        return JSONResponse(await self._listed(request, ServicePrincipal, principal_body))

    async def create_principal(self, request: Request, values: Values) -> Response:
        """Make one; it cannot log in before it has a secret."""
        del values
        name = _text(await _read(request, bodies.SERVICE_PRINCIPAL), "displayName")
        made = await directory.create_service_principal(self.world, name)
        return JSONResponse(principal_body(made), 201)

    async def get_principal(self, request: Request, values: Values) -> Response:
        """By id or application id."""
        del request
        found = await directory.existing(self.world, ServicePrincipal, values["id"])
        return JSONResponse(principal_body(found))

    async def delete_principal(self, request: Request, values: Values) -> Response:
        """By id or application id; the roles go too, and its tokens are refused at once."""
        del request
        await directory.delete_identity(self.world, ServicePrincipal, values["id"])
        return Response(status_code=204)

    async def add_password(self, request: Request, values: Values) -> Response:
        """A new secret, shown this once."""
        told = (await _read(request, bodies.ADD_PASSWORD)).get("passwordCredential")
        wanted = _mapping(told)
        name = _text(wanted, "displayName", needed=False) or "secret"
        seconds = self._life(wanted.get("endDateTime"))
        made = await directory.add_secret(self.world, values["id"], name, seconds=seconds)
        return JSONResponse({**_secret_body(made.secret), "secretText": made.text})

    async def remove_password(self, request: Request, values: Values) -> Response:
        """Make a secret worthless, by its `keyId`."""
        key = _text(await _read(request, bodies.REMOVE_PASSWORD), "keyId")
        await directory.remove_secret(self.world, values["id"], key)
        return Response(status_code=204)

    async def _listed(
        self, request: Request, kind: type[Identity], body: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        every = await directory.list_identities(self.world)
        bodies = [body(one) for one in every if isinstance(one, kind)]
        told = request.query_params.get("$filter", "")
        by_any = _BY_ANY_NAME.fullmatch(told)
        told = f"appId eq '{by_any[2]}'" if by_any else told
        match = _FILTER.fullmatch(told) if told else None
        if told and not match:
            raise UserError(
                f"$filter is {shown(told)}; it must be like displayName eq 'NAME'",
                code="InvalidFilter",
            )
        chosen = [one for one in bodies if not match or one.get(match[1]) == match[2]]
        return {"value": chosen}

    def _life(self, until: object) -> float:
        """Seconds from now until then."""
        if until is None:
            return directory.SECRET_SECONDS
        try:
            end = datetime.fromisoformat(str(until))
        except ValueError:
            end = datetime.fromtimestamp(0, UTC)
        end = end if end.tzinfo else end.replace(tzinfo=UTC)
        seconds = end.timestamp() - self.world.clock.now()
        if not 0 < seconds <= _MOST_SECONDS:
            raise UserError(
                f"endDateTime is {shown(until)}; it must be a time to come, like 2030-01-31",
                code="InvalidValue",
            )
        return seconds


def _typed(one: Identity) -> dict[str, Any]:
    """With its type, as Graph tells what may be of several."""
    if isinstance(one, User):
        return {"@odata.type": f"{_GRAPH}user", **user_body(one)}
    return {"@odata.type": f"{_GRAPH}servicePrincipal", **principal_body(one)}


def _kind(typed: Mapping[str, Any]) -> str:
    return str(typed["@odata.type"]).removeprefix(_GRAPH).lower()


def user_body(user: User) -> dict[str, Any]:
    """What may be shown of a person."""
    return {
        "id": user.id,
        "userPrincipalName": user.name,
        "displayName": user.display_name,
        "accountEnabled": True,
        "createdDateTime": iso(user.created_at),
    }


def principal_body(principal: ServicePrincipal) -> dict[str, Any]:
    """What may be shown of a program."""
    return {
        "id": principal.id,
        "appId": principal.app_id,
        "displayName": principal.display_name,
        "servicePrincipalType": "Application",
        "accountEnabled": True,
        "createdDateTime": iso(principal.created_at),
        "passwordCredentials": [_secret_body(one) for one in principal.secrets],
    }


def _secret_body(secret: ClientSecret) -> dict[str, Any]:
    return {
        "keyId": secret.id,
        "displayName": secret.name,
        "hint": secret.hint,
        "startDateTime": iso(secret.created_at),
        "endDateTime": iso(secret.expires_at),
    }


async def _read(request: Request, schema: Schema) -> dict[str, Any]:
    body = await json_body(request)
    bodies.refuse_unknown(body, schema)
    for name in ("passwordProfile", "passwordCredential"):
        if not isinstance(body.get(name), Mapping | None):
            raise UserError(
                f"{name} is {type(body[name]).__name__}; it must be an object", code="InvalidValue"
            )
    for name, only in (("accountEnabled", True), ("forceChangePasswordNextSignIn", False)):
        told = {**body, **_mapping(body.get("passwordProfile"))}.get(name)
        if told is not None and told is not only:
            raise UserError(
                f"{name} is {shown(told)}; it can only be {shown(only)}", code="NotSupportedYet"
            )
    return body


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _password(body: Mapping[str, Any]) -> str:
    profile = _mapping(body.get("passwordProfile"))
    return _text(profile, "password", secret=True)


def _text(body: Mapping[str, Any], name: str, *, needed: bool = True, secret: bool = False) -> str:
    value = body.get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or (needed and not value):
        told = type(value).__name__ if secret else shown(value)
        raise UserError(f"{name} is {told}; it must be a text", code="InvalidValue")
    return value
