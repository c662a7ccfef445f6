"""Which tokens open the control API: ours, and those of issuers that are trusted for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.api.door import ADDRESS, Door, Tell
from tests.api.identity_kit import (
    PASSWORD,
    logged_in,
    person,
    program,
    program_token,
)
from tests.gateway.token_kit import EcIssuer
from verdazul.control.callers import caller_of
from verdazul.core.callers import Caller
from verdazul.core.tenant import issuer_of
from verdazul.core.trust import HOME_OWNER
from verdazul.model.errors import Problem

MANAGEMENT = "https://management.azure.com"
ENTRA = EcIssuer("https://entra")


async def caller(door: Door, token: str, *audiences: str) -> Caller:
    found = await caller_of(door.bench.world, token, audiences)
    assert isinstance(found, Caller), found
    return found


async def why_not(door: Door, token: str, *audiences: str) -> str:
    found = await caller_of(door.bench.world, token, audiences)
    assert isinstance(found, Problem), found
    return found.code


def entra(door: Door, **changes: Any) -> str:
    """A token of the trusted issuer, by the clock of the test."""
    claims = {"aud": ADDRESS, "exp": door.bench.clock.now() + 300, **changes}
    return ENTRA.token(**claims)


@pytest.mark.parametrize("resource", [ADDRESS, f"{ADDRESS}/", MANAGEMENT])
def test_a_token_of_the_home_names_its_holder_for_an_hour(tell: Tell, resource: str) -> None:
    async def story(door: Door) -> None:
        made, alice = await program(door), await person(door)
        answer = await program_token(door, made, scope=f"{resource}/.default")
        token = answer.json()["access_token"]
        login = (await logged_in(door))["access_token"]

        assert await caller(door, token) == Caller(made.id, "ci")
        assert await caller(door, login) == Caller(alice, "alice@example.com")
        door.bench.clock.advance(3602)
        assert await why_not(door, token) == "ExpiredAuthenticationToken"

    tell(story)


@pytest.mark.parametrize("audience", ["https://ml.azure.com", "https://storage.azure.com"])
def test_a_token_opens_only_what_it_was_made_for(tell: Tell, audience: str) -> None:
    async def story(door: Door) -> None:
        made = await program(door)
        answer = await program_token(door, made, scope=f"{audience}/.default")
        token = answer.json()["access_token"]
        identity = (await person(door), await logged_in(door))[1]["id_token"]

        assert await why_not(door, token) == "InvalidAuthenticationTokenAudience"
        assert (await caller(door, token, audience)).id == made.id
        assert await why_not(door, identity) == "InvalidAuthenticationTokenAudience"

    tell(story)


def test_who_was_deleted_is_refused_at_once(tell: Tell) -> None:
    async def story(door: Door) -> None:
        made = await program(door)
        await person(door)
        tokens = [
            (await program_token(door, made)).json()["access_token"],
            (await logged_in(door))["access_token"],
        ]
        await door.client.delete(f"/v1.0/servicePrincipals/{made.id}")
        await door.client.delete("/v1.0/users/alice@example.com")
        await person(door)

        assert [await why_not(door, one) for one in tokens] == ["InvalidAuthenticationToken"] * 2

    tell(story)


def test_a_new_password_ends_what_the_old_one_began(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        before = (await logged_in(door))["access_token"]
        change = {"passwordProfile": {"password": f"new {PASSWORD}"}}
        await door.client.patch("/v1.0/users/alice@example.com", json=change)

        assert await why_not(door, before) == "InvalidAuthenticationToken"

    tell(story)


def test_keys_are_replaced_and_no_token_ends_by_that(tell: Tell) -> None:
    async def story(door: Door) -> None:
        made, day = await program(door), 86400.0
        keys = door.bench.world.signer.public_keys()
        door.bench.clock.advance(30 * day - 1)
        token = (await program_token(door, made)).json()["access_token"]
        door.bench.clock.advance(3599)
        assert door.bench.world.signer.public_keys() != keys

        assert (await caller(door, token)).id == made.id

    tell(story)


def test_an_external_issuer_names_callers_too(tell: Tell) -> None:
    async def story(door: Door) -> None:
        door.bench.issuers.known = (ENTRA.signer(),)

        told = await caller(door, entra(door, oid="o", name="Ann", groups=["g"], aud=MANAGEMENT))
        assert told == Caller("o", "Ann", ("g",))
        door.bench.issuers.known = (ENTRA.signer(directory="partner"),)
        assert (await caller(door, entra(door))).id == "//partner/alice"
        door.bench.issuers.known = (ENTRA.signer(audiences=("api://us",)),)
        assert (await caller(door, entra(door, aud="api://us"))).id == "alice"
        assert await why_not(door, entra(door)) == "InvalidAuthenticationTokenAudience"

    tell(story)


def test_an_external_token_is_judged_with_the_issuers_skew(tell: Tell) -> None:
    async def story(door: Door) -> None:
        door.bench.issuers.known = (ENTRA.signer(clock_skew_seconds=30),)
        now = door.bench.clock.now()

        assert await caller(door, entra(door, exp=now - 29, nbf=now + 30))
        assert await why_not(door, entra(door, exp=now - 30)) == "ExpiredAuthenticationToken"
        assert await why_not(door, entra(door, nbf=now + 31)) == "InvalidAuthenticationToken"
        assert await why_not(door, entra(door, exp=None)) == "InvalidAuthenticationToken"

    tell(story)


def test_an_external_issuer_cannot_speak_for_the_home(tell: Tell) -> None:
    """Neither as its issuer, nor by the ids of its identities, nor as its owner."""

    async def story(door: Door) -> None:
        made = await program(door)
        alike = replace(ENTRA, url=issuer_of(ADDRESS))
        door.bench.issuers.known = (ENTRA.signer(), alike.signer())
        forged = alike.token(aud=ADDRESS, oid=made.id, exp=door.bench.clock.now() + 300)

        for token in (entra(door, oid=made.id), entra(door, oid=HOME_OWNER), forged):
            assert await why_not(door, token) == "InvalidAuthenticationToken"
        assert (await caller(door, entra(door, oid="another"))).id == "another"

    tell(story)


def test_an_unknown_key_makes_its_issuer_be_asked_again(tell: Tell) -> None:
    async def story(door: Door) -> None:
        issuers, newer = door.bench.issuers, EcIssuer(ENTRA.url, kid="newer")
        issuers.known, issuers.news = (ENTRA.signer(),), (newer.signer(),)
        claims: dict[str, Any] = {"aud": ADDRESS, "exp": door.bench.clock.now() + 300}

        assert await caller(door, newer.token(**claims))
        assert await why_not(door, EcIssuer(ENTRA.url, kid="x").token(**claims))
        assert issuers.asked == [ENTRA.url, ENTRA.url]

    tell(story)


@pytest.mark.parametrize(
    "token", ["a.b.c", "..", "v1.x.y", "\u00e9.\u00e9.\u00e9", "x" * 60_000 + ".."]
)
def test_what_only_looks_like_a_token_is_401(tell: Tell, token: str) -> None:
    async def story(door: Door) -> None:
        headers = {"Authorization": f"Bearer {token}".encode()}
        answer = await door.client.get("/verdazul/v1/status", headers=headers)  # type: ignore[arg-type] # bytes pass

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "InvalidAuthenticationToken"

    tell(story)
