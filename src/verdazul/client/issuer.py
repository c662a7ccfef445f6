"""Getting tokens from a server's issuer: for a secret, by a device code, from an earlier login."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from verdazul.client.connection import Connection, excerpt
from verdazul.client.login import CLIENT_ID, PROGRAM, Access, Login
from verdazul.model.errors import Fatal, Retryable, UserError

CONTROL = "https://management.azure.com"
"""For whom tokens are that open the control API, whatever address it has."""
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_EARLY_SECONDS = 300.0
"""So long before its end an access token is replaced."""
_WAIT = frozenset({"authorization_pending", "slow_down"})
_SERVER_ERROR = 500
_NO_USERS = 50034


class NoUsers(UserError):
    """The home knows nobody who could log in. Its owner makes somebody, or goes on as the owner."""

    default_code = "NoUsers"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the issuer gave."""

    access: Access
    refresh_token: str
    id_token: str


def as_program(connection: Connection, tenant: str, client_id: str, secret: str) -> Login:
    """Log in a service principal. Raises UserError (LoginFailed)."""
    login = Login(connection.address, tenant, PROGRAM, client_id, client_id, secret)
    return renewed(connection, login, CONTROL)


def begin(connection: Connection, tenant: str) -> Mapping[str, Any]:
    """Begin a login that a person allows; its `message` says what they have to do.

    The page is told at the address by which we know the server: it may have others.
    """
    form = {"client_id": CLIENT_ID, "scope": f"{CONTROL}/.default offline_access openid profile"}
    code = _asked(connection, f"/{tenant}/oauth2/v2.0/devicecode", form)
    page = connection.address + urlsplit(str(code["verification_uri"])).path
    told = f"To sign in, use a web browser to open the page {page} and enter the code "
    return {**code, "message": f"{told}{code['user_code']} to authenticate."}


def wait(connection: Connection, tenant: str, code: Mapping[str, Any]) -> Tokens:
    """Ask until somebody has allowed it, or not. Raises UserError (LoginFailed)."""
    form = {
        "grant_type": _DEVICE_GRANT,
        "client_id": CLIENT_ID,
        "device_code": str(code["device_code"]),
    }
    seconds = float(code.get("interval", 5))
    while True:
        told = _answer(connection, f"/{tenant}/oauth2/v2.0/token", form)
        if told.get("error") not in _WAIT:
            return _tokens(told)
        seconds += 5 if told["error"] == "slow_down" else 0
        pause(seconds)


def tokens_for(connection: Connection, tenant: str, form: Mapping[str, str]) -> Tokens:
    """What the token endpoint gives for a form. Raises UserError (LoginFailed)."""
    return _tokens(_asked(connection, f"/{tenant}/oauth2/v2.0/token", form))


def pause(seconds: float) -> None:
    """Between two questions."""
    time.sleep(seconds)


def access(connection: Connection, login: Login, resource: str) -> tuple[Login, Access]:
    """A token for that resource; the login is another one when it had to be got anew."""
    known = login.access.get(resource)
    if known and time.time() < known.expires_at - _EARLY_SECONDS:  # noqa: TID251 - no clock here
        return login, known
    newer = renewed(connection, login, resource)
    return newer, newer.access[resource]


def renewed(connection: Connection, login: Login, resource: str) -> Login:
    """The login with a fresh token for that resource."""
    scope = f"{resource}/.default"
    if login.kind == PROGRAM:
        form = {"grant_type": "client_credentials", "client_secret": login.secret}
    else:
        form = {"grant_type": "refresh_token", "refresh_token": login.secret}
        scope += " offline_access openid profile"
    form |= {"client_id": login.client_id, "scope": scope}
    told = _tokens(_asked(connection, f"/{login.tenant}/oauth2/v2.0/token", form))
    return login.with_access(resource, told.access, told.refresh_token)


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, for showing; {} for one that is sealed. Nothing is verified."""
    try:
        part = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, IndexError):
        return {}
    return found if isinstance(found, dict) else {}


def _tokens(told: Mapping[str, Any]) -> Tokens:
    if "error" in told:
        raise _refused(told)
    try:
        ends = Access(str(told["access_token"]), float(told["expires_on"]))
    except (KeyError, ValueError, TypeError):
        raise Fatal("the issuer answered without a token", code="UnexpectedAnswer") from None
    return Tokens(ends, str(told.get("refresh_token", "")), str(told.get("id_token", "")))


def _asked(connection: Connection, path: str, form: Mapping[str, str]) -> Mapping[str, Any]:
    told = _answer(connection, path, form)
    if "error" in told:
        raise _refused(told)
    return told


def _answer(connection: Connection, path: str, form: Mapping[str, str]) -> Mapping[str, Any]:
    response = connection.send("POST", connection.address + path, form=form)
    try:
        told = response.json()
    except ValueError:
        told = None
    if not isinstance(told, Mapping):
        raise Fatal(
            f"{path} answered {response.status_code}: {excerpt(response.text)}",
            code="UnexpectedAnswer",
            fix="check that the address is Verdazul's, not another server's",
        )
    if response.status_code >= _SERVER_ERROR:
        raise Retryable(str(told.get("error_description", "")), code="NoAnswer")
    return told


def _refused(told: Mapping[str, Any]) -> UserError:
    if _NO_USERS in (told.get("error_codes") or ()):
        return NoUsers(
            "there is no user in this home who could log in",
            fix="its owner makes one: verdazul ad user create",
        )
    return UserError(
        f"the login was refused: {told.get('error_description') or told['error']}",
        code="LoginFailed",
        fix="log in again: verdazul login",
    )
