"""The home as an OpenID issuer: what Azure's libraries ask it, and what hostile callers do."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import httpx
import jwt
import pytest

from tests.api.door import ADDRESS, Door, Tell, claims_of
from tests.api.identity_kit import (
    CLI,
    GUEST,
    PASSWORD,
    SCOPE,
    allowed,
    begun,
    logged_in,
    page,
    person,
    program,
    program_token,
    redeemed,
    refusal,
    ticket,
    token,
)
from verdazul.control import logins

TENANT_ID = "00000000-0000-0000-0000-000000000000"
PENDING = (400, "authorization_pending", 70016)


@pytest.mark.parametrize(
    "path",
    [
        "adfs/.well-known/openid-configuration",
        "adfs/v2.0/.well-known/openid-configuration",
        f"{TENANT_ID}/v2.0/.well-known/openid-configuration",
        "organizations/v2.0/.well-known/openid-configuration",
    ],
)
def test_it_is_found_where_azures_libraries_look(tell: Tell, path: str) -> None:
    async def story(door: Door) -> None:
        told = (await door.client.get(f"/{path}", headers=GUEST)).json()
        keys = (await door.client.get(told["jwks_uri"], headers=GUEST)).json()["keys"]
        made = (await program_token(door, await program(door))).json()["access_token"]

        key = jwt.PyJWK(next(k for k in keys if k["kid"] == jwt.get_unverified_header(made)["kid"]))
        claims = jwt.decode(made, key, audience=ADDRESS, options={"verify_exp": False})
        assert claims["iss"] == told["issuer"]
        assert not any("d" in k for k in keys)  # no private part
        tenant = path.split("/", maxsplit=1)[0]
        assert told["token_endpoint"] == f"{ADDRESS}/{tenant}/oauth2/v2.0/token"

    tell(story)


def test_it_says_that_its_address_is_an_authority(tell: Tell) -> None:
    async def story(door: Door) -> None:
        told = (await door.client.get("/common/discovery/instance", headers=GUEST)).json()

        assert told["tenant_discovery_endpoint"].startswith(f"{ADDRESS}/{TENANT_ID}/v2.0/")
        assert told["metadata"][0]["aliases"] == ["localhost:8443"]

    tell(story)


def test_another_tenant_is_refused_by_name(tell: Tell) -> None:
    async def story(door: Door) -> None:
        paths = ("v2.0/.well-known/openid-configuration", "discovery/v2.0/keys")
        for path in paths:
            answer = await door.client.get(f"/contoso/{path}", headers=GUEST)
            assert refusal(answer) == (400, "invalid_request", 90002)
        assert refusal(await token(door, "contoso"))[2] == 90002

    tell(story)


def test_a_program_gets_a_token_for_an_hour(tell: Tell) -> None:
    async def story(door: Door) -> None:
        made = await program(door)
        answer = await program_token(door, made)

        told, now = answer.json(), int(door.bench.clock.now())
        claims = claims_of(told["access_token"])
        assert (told["token_type"], told["expires_in"]) == ("Bearer", 3600)
        assert "refresh_token" not in told
        assert answer.headers["cache-control"] == "no-store"
        assert claims.items() >= {
            "aud": ADDRESS, "appid": made.app_id, "oid": made.id, "sub": made.id, "idtyp": "app",
            "tid": TENANT_ID, "iat": now, "nbf": now, "exp": now + 3600,
        }.items()  # fmt: skip

    tell(story)


def test_the_older_request_and_the_header_for_the_secret_work_too(tell: Tell) -> None:
    async def story(door: Door) -> None:
        made = await program(door)
        form = {"grant_type": "client_credentials", "resource": f"{ADDRESS}/"}
        pair = base64.b64encode(f"{made.app_id}:{made.secret}".encode()).decode()
        answer = await door.client.post(
            "/adfs/oauth2/token", data=form, headers={"Authorization": f"Basic {pair}"}
        )

        assert claims_of(answer.json()["access_token"])["oid"] == made.id

    tell(story)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"client_secret": "wrong"}, (401, "invalid_client", 7000215)),
        ({"client_secret": None}, (401, "invalid_client", 7000215)),
        ({"client_secret": "\u00e9" * 1000}, (401, "invalid_client", 7000215)),
        ({"client_id": TENANT_ID}, (400, "unauthorized_client", 700016)),
        ({"client_id": None}, (400, "invalid_request", 900144)),
        ({"client_id": "a\0b"}, (400, "invalid_request", 900144)),
        ({"client_id": ["a", "b"]}, (400, "invalid_request", 900144)),
        ({"scope": None}, (400, "invalid_request", 900144)),
        ({"scope": "https://graph.microsoft.com/.default"}, (400, "invalid_resource", 500011)),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", 70003)),
        ({"grant_type": None}, (400, "unsupported_grant_type", 70003)),
        ({"pad": "x" * 40_000}, (400, "invalid_request", 900144)),
    ],
)
def test_a_request_that_proves_nothing_gets_nothing(
    tell: Tell, changes: dict[str, Any], expected: tuple[int, str, int]
) -> None:
    async def story(door: Door) -> None:
        made = await program(door)
        answer = await program_token(door, made, **changes)

        assert refusal(answer) == expected
        assert made.secret not in answer.text

    tell(story)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"a=%ff", "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % n for n in range(100)), "application/x-www-form-urlencoded"),
        (b"grant_type", "application/x-www-form-urlencoded"),
        (b'{"grant_type": "client_credentials"}', "application/json"),
        (b"", "multipart/form-data; boundary=x"),
        (b"", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_that_is_no_form_is_told_so(tell: Tell, body: bytes, kind: str) -> None:
    async def story(door: Door) -> None:
        for path in ("token", "devicecode"):
            answer = await door.client.post(
                f"/adfs/oauth2/v2.0/{path}",
                content=body,
                headers={**GUEST, "Content-Type": kind},
            )
            assert refusal(answer)[0] == 400

    tell(story)


@pytest.mark.parametrize("header", ["Basic !", "Basic Zm9v", f"Basic {'A' * 9000}"])
def test_a_header_that_is_no_pair_is_refused(tell: Tell, header: str) -> None:
    async def story(door: Door) -> None:
        form = {"grant_type": "client_credentials", "scope": SCOPE}
        answer = await door.client.post(
            "/adfs/oauth2/v2.0/token", data=form, headers={"Authorization": header}
        )

        assert refusal(answer)[0] == 400

    tell(story)


def test_a_person_logs_in_by_a_code_and_the_login_lasts(tell: Tell) -> None:
    async def story(door: Door) -> None:
        alice = await person(door)
        code = await begun(door)
        waiting = await redeemed(door, code)
        done = await allowed(door, code)
        told = (await redeemed(door, code)).json()
        door.bench.clock.advance(5000)
        form = {"grant_type": "refresh_token", "client_id": CLI, "scope": SCOPE}
        again = (await token(door, **form, refresh_token=told["refresh_token"])).json()
        data = (
            await token(
                door,
                **{**form, "scope": "https://ml.azure.com/.default"},
                refresh_token=again["refresh_token"],
            )
        ).json()

        assert code["verification_uri"] == f"{ADDRESS}/devicelogin"
        assert code["user_code"] in code["message"]
        assert refusal(waiting) == PENDING
        assert "You are logged in as" in done.text
        claims = claims_of(told["access_token"])
        assert (claims["oid"], claims["upn"], claims["idtyp"]) == (
            alice, "alice@example.com", "user",
        )  # fmt: skip
        assert claims_of(told["id_token"])["aud"] == CLI
        assert claims_of(again["access_token"])["exp"] == int(door.bench.clock.now()) + 3600
        assert claims_of(data["access_token"])["aud"] == "https://ml.azure.com"

    tell(story)


def test_a_code_is_good_once(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        code = await begun(door)
        await allowed(door, code)
        first, second = await redeemed(door, code), await redeemed(door, code)
        late = await page(door, {"code": code["user_code"]})

        assert first.status_code == 200
        assert refusal(second) == (400, "bad_verification_code", 70000)
        assert late.status_code == 400

    tell(story)


def test_a_code_that_is_asked_for_by_many_at_once_is_given_to_one(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        code = await begun(door)
        await allowed(door, code)

        answers = await asyncio.gather(*(redeemed(door, code) for _ in range(5)))

        assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]

    tell(story)


def test_who_is_deleted_after_allowing_a_login_is_not_logged_in(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        await person(door, "bob")
        code = await begun(door)
        await allowed(door, code)
        await door.client.delete("/v1.0/users/alice@example.com")

        assert refusal(await redeemed(door, code)) == (400, "authorization_declined", 70018)

    tell(story)


def test_a_code_ends_after_a_quarter_of_an_hour(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        code, other = await begun(door), await begun(door)
        first = await page(door, {"code": other["user_code"]})
        door.bench.clock.advance(901)
        too_late = {"ticket": ticket(first), "user": "alice@example.com", "password": PASSWORD}

        assert refusal(await redeemed(door, code)) == (400, "expired_token", 70020)
        assert (await page(door, {"code": code["user_code"]})).status_code == 400
        assert (await page(door, too_late)).status_code == 400

    tell(story)


def test_who_asks_too_often_is_slowed_and_who_denies_is_heard(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        code = await begun(door)
        answers = [refusal(await redeemed(door, code))[1] for _ in range(2)]
        door.bench.clock.advance(5)
        answers.append(refusal(await redeemed(door, code))[1])
        first = await page(door, {"code": code["user_code"]})
        denied = await page(door, {"ticket": ticket(first), "choice": "deny"})

        assert answers == ["authorization_pending", "slow_down", "authorization_pending"]
        assert "was denied" in denied.text
        assert refusal(await redeemed(door, code)) == (400, "authorization_declined", 70018)

    tell(story)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"device_code": ""}, "bad_verification_code"),
        ({"device_code": "x"}, "bad_verification_code"),
        ({"device_code": "BBBBBBBBB.guess"}, "bad_verification_code"),
        ({"client_id": TENANT_ID}, "invalid_grant"),
    ],
)
def test_a_guessed_code_is_worth_nothing(tell: Tell, changes: dict[str, Any], error: str) -> None:
    async def story(door: Door) -> None:
        await person(door)
        code = await begun(door)
        await allowed(door, code)
        user_code_only = await redeemed(door, {"device_code": code["user_code"] + ".guess"})

        assert refusal(await redeemed(door, code, **changes))[1] == error
        assert refusal(user_code_only)[1] == "bad_verification_code"

    tell(story)


@pytest.mark.parametrize("client", ["", "https://management.azure.com", "x" * 36, ADDRESS])
def test_a_program_without_a_secret_is_named_by_a_guid(tell: Tell, client: str) -> None:
    """Else the id_token for it could be taken for an access token."""

    async def story(door: Door) -> None:
        assert (await begun(door, client_id=client))["error"] == "unauthorized_client"

    tell(story)


def test_where_nobody_could_log_in_no_login_begins(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await program(door)
        nobody = await begun(door)
        await person(door)

        assert (nobody["error"], nobody["error_codes"]) == ("access_denied", [50034])
        assert "user_code" in await begun(door)

    tell(story)


def test_open_codes_are_bounded_and_the_oldest_goes(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "_MOST_OPEN", 10)

    async def story(door: Door) -> None:
        await person(door)
        store = door.bench.store
        codes = []
        for _ in range(13):
            codes.append(await begun(door))
            door.bench.clock.advance(0.1)
        kept = await store.items("deviceCodes")
        door.bench.clock.advance(1000)
        await begun(door)

        assert len(kept) == 10
        assert refusal(await redeemed(door, codes[2]))[1] == "bad_verification_code"
        assert len(await store.items("deviceCodes")) == 1

    tell(story)


def test_who_begins_many_logins_pushes_out_only_the_own_ones(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "_MOST_OF_ONE", 3)

    async def story(door: Door) -> None:
        await person(door)
        own = await begun(door)
        world = door.bench.world
        others = []
        for _ in range(5):
            door.bench.clock.advance(1)
            others.append(await logins.begin(world, CLI, SCOPE, source="10.0.0.9"))
        kept = {item.name for item in await door.bench.store.items("deviceCodes")}

        assert kept == {own["user_code"], *(one.code.text for one in others[2:])}

    tell(story)


def test_a_refresh_token_ends_with_its_person_password_program_and_time(tell: Tell) -> None:
    async def story(door: Door) -> None:
        async def again(told: dict[str, Any], **changes: Any) -> httpx.Response:
            form = {"grant_type": "refresh_token", "client_id": CLI, "scope": SCOPE}
            return await token(door, **{**form, "refresh_token": told["refresh_token"], **changes})

        await person(door)
        await person(door, "bob")
        alice, bob = await logged_in(door), await logged_in(door, "bob")
        stolen = await again(alice, client_id=TENANT_ID)
        access = await again(alice, refresh_token=alice["access_token"])
        sealed = await again(alice, refresh_token=door.bench.world.secrets.seal('["refresh"]'))
        password = {"passwordProfile": {"password": "another horse"}}
        await door.client.patch("/v1.0/users/alice@example.com", json=password)
        await door.client.delete("/v1.0/users/bob")
        await person(door, "bob")
        await person(door, "carol")
        carol = await logged_in(door, "carol")
        door.bench.clock.advance(30 * 86400)

        for answer in (stolen, access, sealed, await again(alice), await again(bob)):
            assert refusal(answer)[:2] == (400, "invalid_grant")
        assert "expired" in (await again(carol)).json()["error_description"]

    tell(story)
