"""What the tests of the issuer do again and again: make somebody, log in, ask."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import httpx

from tests.api.door import ADDRESS, WORKSPACE, Door

CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
SCOPE = f"{ADDRESS}/.default"
PASSWORD = "correct horse"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
GUEST = {"Authorization": ""}


@dataclass(frozen=True, slots=True)
class Program:
    """A service principal with one secret."""

    id: str
    app_id: str
    secret: str


async def program(door: Door, name: str = "ci") -> Program:
    made = (await door.client.post("/v1.0/servicePrincipals", json={"displayName": name})).json()
    path = f"/v1.0/servicePrincipals/{made['id']}/addPassword"
    secret = (await door.client.post(path, json={})).json()["secretText"]
    return Program(made["id"], made["appId"], secret)


async def person(door: Door, name: str = "alice@example.com", password: str = PASSWORD) -> str:
    """Returns the id."""
    body = {"userPrincipalName": name, "passwordProfile": {"password": password}}
    return str((await door.client.post("/v1.0/users", json=body)).json()["id"])


async def token(door: Door, tenant: str = "adfs", **form: Any) -> httpx.Response:
    """Ask the token endpoint; None leaves a field out."""
    fields = {name: value for name, value in form.items() if value is not None}
    return await door.client.post(f"/{tenant}/oauth2/v2.0/token", data=fields, headers=GUEST)


async def program_token(door: Door, made: Program, **changes: Any) -> httpx.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": made.app_id,
        "client_secret": made.secret,
        "scope": SCOPE,
    }
    return await token(door, **{**form, **changes})


async def begun(door: Door, **changes: Any) -> dict[str, Any]:
    """A program begins a login by a code."""
    form = {"client_id": CLI, "scope": f"{SCOPE} offline_access openid", **changes}
    answer = await door.client.post("/adfs/oauth2/v2.0/devicecode", data=form, headers=GUEST)
    told: dict[str, Any] = answer.json()
    return told


async def redeemed(door: Door, code: dict[str, Any], **changes: Any) -> httpx.Response:
    """And asks whether somebody has allowed it."""
    form = {"grant_type": DEVICE, "client_id": CLI, "device_code": code["device_code"]}
    return await token(door, **{**form, **changes})


async def page(door: Door, form: dict[str, str], **headers: str) -> httpx.Response:
    """A person sends a form of the page."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await door.client.post("/devicelogin", data=form, headers={**GUEST, **named})


def ticket(answer: httpx.Response) -> str:
    found = re.search(r'name="ticket" value="([^"]+)"', answer.text)
    assert found, answer.text
    return found[1]


async def allowed(
    door: Door, code: dict[str, Any], name: str = "alice@example.com", password: str = PASSWORD
) -> httpx.Response:
    """A person goes through both forms."""
    first = await page(door, {"code": code["user_code"]})
    return await page(door, {"ticket": ticket(first), "user": name, "password": password})


async def logged_in(door: Door, name: str = "alice@example.com") -> dict[str, Any]:
    """The answer of the token endpoint at the end of a login."""
    code = await begun(door)
    await allowed(door, code, name)
    told: dict[str, Any] = (await redeemed(door, code)).json()
    return told


async def ask(door: Door, credential: str, url: str = WORKSPACE) -> httpx.Response:
    return await door.client.get(url, headers={"Authorization": f"Bearer {credential}"})


def refusal(answer: httpx.Response) -> tuple[int, str, int]:
    """Status, OAuth's word and Entra's number."""
    body = answer.json()
    (number,) = body["error_codes"]
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, body["error"], number
