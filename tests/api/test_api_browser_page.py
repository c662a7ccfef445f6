"""Logging in by a browser: the page, the code that it brings a program, and what that is worth."""

from __future__ import annotations

import base64
import hashlib
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from tests.api.door import ADDRESS, Door, Tell
from tests.api.identity_kit import CLI, GUEST, PASSWORD, SCOPE, ask, person, refusal, ticket, token
from verdazul.client.issuer import claims_of

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode()[:43]
BACK = "http://localhost:51234"
ALICE = {"user": "alice@example.com", "password": PASSWORD}


async def show(door: Door, tenant: str = "adfs", **changes: Any) -> httpx.Response:
    asked = {
        "client_id": CLI,
        "response_type": "code",
        "redirect_uri": BACK,
        "scope": f"{SCOPE} offline_access openid",
        "state": "s&<1>",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    query = {name: value for name, value in asked.items() if value is not None}
    return await door.client.get(f"/{tenant}/oauth2/v2.0/authorize", params=query, headers=GUEST)


async def send(door: Door, form: dict[str, str], **headers: str) -> httpx.Response:
    return await door.client.post("/browserlogin", data=form, headers={**GUEST, **headers})


def brought(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 303, answer.text
    place = urlsplit(answer.headers["location"])
    assert f"{place.scheme}://{place.netloc}" == BACK
    return dict(parse_qsl(place.query))


async def code_of(door: Door, **changes: Any) -> str:
    page = await show(door, **changes)
    return brought(await send(door, {"ticket": ticket(page), **ALICE}))["code"]


async def redeem(door: Door, code: str, **changes: Any) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "client_id": CLI,
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }
    return await token(door, **{**form, **changes})


@pytest.mark.azure(39)
def test_a_person_logs_in_and_the_program_gets_tokens_once(tell: Tell) -> None:
    async def story(door: Door) -> None:
        alice = await person(door)
        page = await show(door, nonce="n-1", login_hint="alice@example.com", prompt="login")
        assert "the command line" in page.text
        assert 'value="alice@example.com"' in page.text
        assert f"form-action 'self' {BACK};" in page.headers["content-security-policy"]

        told = brought(await send(door, {"ticket": ticket(page), **ALICE}))
        assert told["state"] == "s&<1>"
        got = await redeem(door, told["code"])
        assert claims_of(got.json()["id_token"]).items() >= {"nonce": "n-1", "oid": alice}.items()
        assert claims_of(got.json()["access_token"])["oid"] == alice
        assert got.json()["refresh_token"]
        assert (await ask(door, got.json()["access_token"])).status_code == 403  # has no role yet
        assert refusal(await redeem(door, told["code"])) == (400, "invalid_grant", 54005)

    tell(story)


def test_a_form_is_sent_on_where_the_program_wants_it_posted(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        page = await show(door, response_mode="form_post")
        answer = await send(door, {"ticket": ticket(page), **ALICE})

        assert (answer.status_code, f'action="{BACK}"' in answer.text) == (200, True)
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', answer.text))
        assert unescape(fields["state"]) == "s&<1>"
        assert (await redeem(door, fields["code"])).status_code == 200
        script = re.findall(r"<script>(.*)</script>", answer.text)[0]
        hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"script-src 'sha256-{hashed}'" in answer.headers["content-security-policy"]

    tell(story)


@pytest.mark.parametrize(
    "address",
    [
        *("", "https://evil.example", "http://evil.example", "http://localhost.evil.example:1"),
        *("http://localhost@evil.example", "http://user@localhost:1", "javascript:alert(1)"),
        *("http://localhost:1/#x", "http://localhost:99999", "//localhost", "http://[::1"),
        *("http://localhost:1/\r\nSet-Cookie: a=b", "https://localhost:1", "http://10.0.0.1:1"),
        "http://localhost:1/" + "a" * 3000,
    ],
)
def test_nothing_is_brought_to_an_address_that_is_not_on_this_machine(
    tell: Tell, address: str
) -> None:
    async def story(door: Door) -> None:
        answer = await show(door, redirect_uri=address)

        assert (answer.status_code, "location" in answer.headers) == (400, False)
        assert "AADSTS50011" in answer.text
        assert "<form" not in answer.text

    tell(story)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:5/a?b=c", "http://[::1]:5", "http://localhost"]
)
def test_any_port_and_path_of_this_machine_is_one_of_a_program(tell: Tell, address: str) -> None:
    async def story(door: Door) -> None:
        await person(door)
        page = await show(door, redirect_uri=address)
        answer = await send(door, {"ticket": ticket(page), **ALICE})

        assert answer.headers["location"].startswith(address)
        told = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
        assert (await redeem(door, told["code"], redirect_uri=address)).status_code == 200
        assert told.get("b", "c") == "c"

    tell(story)


def test_a_program_without_a_name_or_of_another_tenant_gets_a_page_only(tell: Tell) -> None:
    async def story(door: Door) -> None:
        assert "AADSTS700016" in (await show(door, client_id="<script>")).text
        assert "AADSTS90002" in (await show(door, "contoso")).text

    tell(story)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": "https://other.example/.default"}, "invalid_resource"),
        ({"scope": None}, "invalid_request"),
        ({"nonce": "n" * 3000}, "invalid_request"),
    ],
)
def test_a_program_is_told_what_it_asked_wrongly(
    tell: Tell, changes: dict[str, Any], error: str
) -> None:
    async def story(door: Door) -> None:
        told = brought(await show(door, **changes))

        assert (told["error"], told["state"]) == (error, "s&<1>")
        assert "code" not in told

    tell(story)


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": "v"},
        {"redirect_uri": "http://localhost:51235"},
        {"client_id": "11111111-2222-3333-4444-555555555555"},
    ],
)
def test_a_code_is_worth_nothing_to_others_and_is_tried_once(
    tell: Tell, changes: dict[str, str]
) -> None:
    async def story(door: Door) -> None:
        await person(door)
        code = await code_of(door)

        assert refusal(await redeem(door, code, **changes))[:2] == (400, "invalid_grant")
        assert refusal(await redeem(door, code)) == (400, "invalid_grant", 54005)

    tell(story)


def test_a_code_ends_with_its_time_its_person_and_their_password(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        late = await code_of(door)
        door.bench.clock.advance(121)
        assert refusal(await redeem(door, late))[2] == 70008
        old = await code_of(door)
        body = {"passwordProfile": {"password": "another horse"}}
        await door.client.patch("/v1.0/users/alice@example.com", json=body)
        assert refusal(await redeem(door, old))[2] == 50173
        form = {"ticket": ticket(await show(door)), **ALICE, "password": "another horse"}
        last = brought(await send(door, form))["code"]
        await door.client.delete("/v1.0/users/alice@example.com")
        assert refusal(await redeem(door, last))[2] == 50173

    tell(story)


def test_a_denial_is_brought_and_a_ticket_is_for_nothing_else(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        page = await show(door)
        given = ticket(page)

        denied = brought(await send(door, {"ticket": given, "choice": "deny"}))
        assert denied["error"] == "access_denied"
        for bad in ("", "x", given[:-2]):
            assert (await send(door, {"ticket": bad, **ALICE})).status_code == 400
        other = await send(door, {"ticket": given, **ALICE}, **{"Sec-Fetch-Site": "cross-site"})
        assert other.status_code == 403
        assert (await send(door, {"ticket": given, "user": "\x00"})).status_code == 400
        door.bench.clock.advance(901)
        assert (await send(door, {"ticket": given, **ALICE})).status_code == 400

    tell(story)


def test_who_guesses_passwords_waits(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        form = {"ticket": ticket(await show(door)), "user": "alice@example.com", "password": "no"}

        told = [await send(door, form) for _ in range(6)]

        assert [one.status_code for one in told] == [400] * 5 + [429]
        assert "the user name or the password is wrong" in told[0].text
        assert (await send(door, {**form, **ALICE})).status_code == 429

    tell(story)


def test_codes_that_nobody_redeems_do_not_pile_up(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        for _ in range(3):
            await code_of(door)
            door.bench.clock.advance(200)

        assert len(await door.bench.store.items("authorizationCodes")) == 1

    tell(story)


def test_discovery_names_what_there_is(tell: Tell) -> None:
    async def story(door: Door) -> None:
        path = "/adfs/v2.0/.well-known/openid-configuration"
        told = (await door.client.get(path, headers=GUEST)).json()

        assert told["authorization_endpoint"] == f"{ADDRESS}/adfs/oauth2/v2.0/authorize"
        assert told["response_types_supported"] == ["code"]
        assert "authorization_code" in told["grant_types_supported"]

    tell(story)
