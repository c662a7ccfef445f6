"""Endpoints that tokens open, through a real Envoy: who gets in, and what the others are told."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.gateway_upstream import SECONDS, Answer, Upstream, eventually
from tests.gateway.gateway_world import BEARER, KEY, World, deployment, route, run
from tests.gateway.token_kit import AUDIENCE, EcIssuer, RsaIssuer, altered, now
from verdazul.core.jwks import key_set
from verdazul.core.route import Route
from verdazul.core.trust import OWN_ISSUER, Identities, OwnTokens, Signer, Trust, audience_of

pytestmark = pytest.mark.e2e

HERE = audience_of("uid-of-credit")
OURS = EcIssuer(OWN_ISSUER)
ENTRA = RsaIssuer("https://login.example/tenant/v2.0")
PARTNER = EcIssuer("https://id.partner.example")
TRUST = Trust(
    OURS.signer(clock_skew_seconds=1),
    (
        ENTRA.signer(audiences=(AUDIENCE,)),
        PARTNER.signer(audiences=(AUDIENCE, "other"), directory="partner"),
    ),
)
GUID = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
ROLES = Identities(
    ("alice", GUID, "//partner/bob", "//partner/"), ("team", "//partner/crew", f"//partner/{GUID}")
)


def bearer(token: str, scheme: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{scheme} {token}"}


def by_token(blue: Upstream, door: OwnTokens | Identities, endpoint: str = "credit") -> Route:
    opened = route(deployment("blue", blue.address), endpoint=endpoint)
    return replace(opened, key_digests=(), door=door)


async def own_world(world: World, trust: Trust = TRUST) -> Upstream:
    """`credit` wants our own tokens, `score` those of identity providers; both go to blue."""
    blue = await world.upstream("blue")
    await world.plane.trust(trust)
    await world.plane.publish("credit", by_token(blue, OwnTokens(HERE)))
    await world.plane.publish("score", by_token(blue, ROLES, "score"))
    return blue


@pytest.mark.azure(38)
def test_our_own_token_opens_its_endpoint_and_never_reaches_the_model(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await own_world(world)
            token = OURS.token(aud=HERE)

            for scheme in ("Bearer", "bearer", "BEARER"):
                answer = await world.ask("/score", bearer(token, scheme), body=b"{}")
                assert answer.status == 200, answer
            listed = await world.ask("/score", bearer(OURS.token(aud=["other", HERE])))

        assert listed.status == 200
        assert token.split(".")[2] not in str(blue.seen)
        assert not [n for seen in blue.seen for n in seen if "verdazul-t" in n or "auth" in n]

    run(test())


def bad_own_tokens() -> dict[str, tuple[str, str]]:
    later = OURS.token(aud=HERE, nbf=now() + 3600)
    return {
        "expired": (OURS.token(aud=HERE, exp=now() - 5), "has expired"),
        "not yet valid": (later, "not valid yet"),
        "no expiry": (OURS.token(aud=HERE, exp=None), "cannot be verified"),
        "alg none": (OURS.unsigned(aud=HERE), "cannot be verified"),
        "unknown alg": (OURS.token(aud=HERE, header={"alg": "XS1"}), "cannot be verified"),
        "wrong kid": (OURS.token(aud=HERE, header={"kid": "no"}), "cannot be verified"),
        "other key": (EcIssuer(OWN_ISSUER).token(aud=HERE), "cannot be verified"),
        "other issuer": (OURS.token(aud=HERE, iss="x"), "cannot be verified"),
        "identity provider": (ENTRA.token(aud=HERE), "cannot be verified"),
        "altered": (altered(OURS.token(aud=HERE), exp=now() + 9999), "cannot be verified"),
        "other endpoint": (OURS.token(aud=audience_of("uid-2")), "for another endpoint"),
        "no audience": (OURS.token(aud=None), "for another endpoint"),
        "key": (KEY, "cannot be verified"),
        "over-long": ("x" * 16385, "longer than 16384"),
        "garbage": ("a.b.c", "cannot be verified"),
    }


@pytest.mark.azure(38, 40)
def test_every_other_token_is_401_and_says_why(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await own_world(world)

            for name, (token, why) in bad_own_tokens().items():
                answer = await world.ask("/score", bearer(token))
                assert (answer.status, answer.code) == (401, "Unauthorized"), (name, answer)
                assert why in answer.message, (name, answer.message)
                assert "azureml-model-deployment" not in answer.headers

            for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": ""}):
                assert (await world.ask("/score", headers)).status == 401
            query = await world.ask(f"/score?access_token={OURS.token(aud=HERE)}", {})
            forged = await world.ask("/score", {"x-verdazul-token": OURS.token(aud=HERE)})

        assert (query.status, forged.status) == (401, 401)
        assert blue.seen == []

    run(test())


@pytest.mark.azure(40)
def test_two_authorization_headers_are_refused_whatever_they_say(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await own_world(world)
            await world.plane.publish("keys", route(deployment("b", blue.address), endpoint="keys"))
            good = {"credit": OURS.token(aud=HERE), "keys": KEY}

            for endpoint, credential in good.items():
                twice = {**bearer(credential), "authorization": f"Bearer {credential}"}
                answer = await world.ask("/score", twice, endpoint=endpoint)
                assert (answer.status, answer.code) == (401, "Unauthorized")
                assert "more than one" in answer.message

        assert blue.seen == []

    run(test())


@pytest.mark.azure(38)
def test_a_token_that_was_good_ends_when_it_expires(tmp_path: Path) -> None:
    """Verified tokens are remembered; their time is looked at again each time."""

    async def test() -> None:
        async with World.open(tmp_path) as world:
            await own_world(world)
            token = bearer(OURS.token(aud=HERE, exp=now() + 1))

            first = await world.ask("/name", token)
            async with asyncio.timeout(SECONDS):
                while True:
                    last = await world.ask("/name", token)
                    if last.status != 200:
                        break

        assert first.status == 200
        assert (last.status, "expired" in last.message) == (401, True)

    run(test())


def identities() -> dict[str, tuple[str, int, str]]:
    return {
        "sub": (ENTRA.token(), 200, ""),
        "oid before sub": (ENTRA.token(oid="alice", sub="x"), 200, ""),
        "a GUID in any case": (ENTRA.token(oid=GUID.upper()), 200, ""),
        "a group's, too": (PARTNER.token(sub="x", groups=[GUID.upper()]), 200, ""),
        "other ids are of one case": (ENTRA.token(oid="ALICE"), 403, '"ALICE" has no role'),
        "audience in a list": (ENTRA.token(aud=["x", AUDIENCE]), 200, ""),
        "group": (ENTRA.token(sub="carol", groups=["a", "team"]), 200, ""),
        "other directory": (PARTNER.token(sub="bob"), 200, ""),
        "group there": (PARTNER.token(sub="dan", groups=["crew"]), 200, ""),
        "clocks differ": (ENTRA.token(exp=now() - 20), 200, ""),
        "no role": (ENTRA.token(sub="mallory"), 403, '"mallory" has no role'),
        "oid wins": (ENTRA.token(oid="mallory"), 403, '"mallory" has no role'),
        "name of another directory": (PARTNER.token(sub="alice"), 403, "//partner/alice"),
        "pretended directory": (ENTRA.token(sub="//partner/bob"), 403, "neither"),
        "group there only": (ENTRA.token(sub="x", groups=["crew", 7, "//partner/crew"]), 403, ""),
        "group as a user": (ENTRA.token(sub="team"), 403, ""),
        "user as a group": (ENTRA.token(sub="x", groups=["alice"]), 403, ""),
        "nobody": (ENTRA.token(sub=None), 403, "neither oid nor sub"),
        "nobody of partner": (PARTNER.token(sub=""), 403, "neither oid nor sub"),
        "sub is no text": (ENTRA.token(sub=None, oid={"alice": True}), 403, "neither"),
        "groups is no list": (ENTRA.token(sub="x", groups="team"), 403, ""),
        "wrong audience": (ENTRA.token(aud="other"), 401, "another audience"),
        "no audience": (ENTRA.token(aud=None), 401, "another audience"),
        "expired": (ENTRA.token(exp=now() - 3600), 401, "has expired"),
        "not yet": (PARTNER.token(sub="bob", nbf=now() + 3600), 401, "not valid yet"),
        "public key as secret": (ENTRA.signed_with_the_public_key(), 401, "cannot be verified"),
        "other issuer": (EcIssuer("https://evil.example").token(), 401, "cannot be verified"),
        "issuers swapped": (PARTNER.token(iss=ENTRA.url), 401, "cannot be verified"),
        "ours": (OURS.token(), 401, "cannot be verified"),
        "ours for it": (OURS.token(aud=HERE), 401, "cannot be verified"),
        "key": (KEY, 401, "cannot be verified"),
    }


@pytest.mark.azure(39, 40, 41)
def test_identities_pass_by_token_and_role_and_others_learn_which_one_lacks(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await own_world(world)

            for name, (token, status, why) in identities().items():
                before = blue.served
                answer = await world.ask("/score", bearer(token), endpoint="score")
                assert answer.status == status, (name, answer)
                assert blue.served - before == (status == 200), name
                if status != 200:
                    assert answer.code == {401: "Unauthorized", 403: "Forbidden"}[status]
                    assert why in answer.message, (name, answer.message)
                    assert "error=" in answer.headers["www-authenticate"]

    run(test())


@pytest.mark.azure(41)
def test_a_role_given_or_taken_counts_from_the_next_request_on(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await own_world(world)
            token = bearer(ENTRA.token(sub="new"))

            async def told() -> int:
                return (await world.ask("/score", token, endpoint="score")).status

            seen = [await told()]
            for users in (("new",), ()):
                door = replace(ROLES, users=users)
                await world.plane.publish("score", by_token(blue, door, "score"))
                seen.append(await told())

        assert seen == [403, 200, 403]

    run(test())


@pytest.mark.azure(35, 36, 38, 39)
def test_changing_the_mode_is_one_step_under_load(tmp_path: Path) -> None:
    """At each moment one of the three credentials opens it, and no answer is anything else."""
    callers = [
        ("key", BEARER),
        ("aml", bearer(OURS.token(aud=HERE))),
        ("aad", bearer(ENTRA.token())),
    ]

    async def test() -> None:
        # One worker, which has seen the key: the other callers look like guessers to it.
        async with World.open(tmp_path, concurrency=1) as world:
            blue = await own_world(world)
            by_key = route(deployment("blue", blue.address))
            await world.plane.publish("credit", by_key)
            assert (await world.ask("/name")).status == 200
            modes = {
                "key": by_key,
                "aml": by_token(blue, OwnTokens(HERE)),
                "aad": by_token(blue, ROLES),
            }
            told: dict[str, list[int]] = {mode: [] for mode in modes}
            over = False

            async def call(mode: str, credential: dict[str, str]) -> None:
                async with world.connect() as connection:
                    while not over:
                        path = "/api/v1/endpoint/credit/name"
                        answer = await connection.ask(path, credential)
                        told[mode].append(answer.status)

            async with asyncio.TaskGroup() as group:
                for mode, credential in callers:
                    group.create_task(call(mode, credential))
                try:
                    for n in range(12):
                        mode = list(modes)[n % 3]
                        await world.plane.publish("credit", modes[mode])
                        opened = {m: (await world.ask("/name", c)).status for m, c in callers}
                        assert opened.pop(mode) == 200
                        assert set(opened.values()) <= {401, 429}
                finally:
                    over = True

        for mode in modes:
            assert set(told[mode]) <= {200, 401, 429}
            assert 200 in told[mode]

    run(test())


@pytest.mark.azure(38, 39)
def test_a_new_signing_key_is_trusted_beside_the_old_one_without_a_failed_call(
    tmp_path: Path,
) -> None:
    fresh = EcIssuer(OWN_ISSUER, kid="ec-2")
    both = Signer(OWN_ISSUER, key_set([fresh.jwk(), OURS.jwk()]))
    only_new = Signer(OWN_ISSUER, key_set([fresh.jwk()]))

    async def test() -> None:
        async with World.open(tmp_path) as world:
            await own_world(world)
            told: list[int] = []
            token = OURS.token(aud=HERE)
            over = False

            async def call() -> None:
                async with world.connect() as connection:
                    while not over:
                        path = "/api/v1/endpoint/credit/name"
                        told.append((await connection.ask(path, bearer(token))).status)

            async with asyncio.TaskGroup() as group:
                try:
                    for _ in range(3):
                        group.create_task(call())
                    await eventually(lambda: len(told) > 20)
                    await world.plane.trust(replace(TRUST, own=both))
                    token = fresh.token(aud=HERE)
                    await eventually(lambda: len(told) > 100)
                    await world.plane.trust(replace(TRUST, own=only_new))
                    await eventually(lambda: len(told) > 200)
                finally:
                    over = True
            old = await world.ask("/name", bearer(OURS.token(aud=HERE)))

        assert set(told) == {200}
        assert old.status == 401

    run(test())


@pytest.mark.azure(38, 39)
def test_tokens_open_after_envoy_died_though_nobody_tells_it_of_signers_again(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            await own_world(world)
            killed = world.plane.pid
            assert killed
            os.kill(killed, signal.SIGKILL)
            await eventually(lambda: world.plane.pid not in {None, killed})

            own = await world.ask("/name", bearer(OURS.token(aud=HERE)))
            theirs = await world.ask("/name", bearer(ENTRA.token()), endpoint="score")

        assert (own.status, theirs.status) == (200, 200)

    run(test())


@pytest.mark.azure(39)
def test_without_any_issuer_nobody_gets_in_and_the_answer_says_what_to_do(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            await own_world(world, Trust())

            own = await world.ask("/score", bearer(OURS.token(aud=HERE)))
            theirs = await world.ask("/score", bearer(ENTRA.token()), endpoint="score")

        assert (own.status, theirs.status) == (401, 401)
        assert "VERDAZUL_ISSUERS_FILE" in theirs.message

    run(test())


@pytest.mark.azure(40)
def test_wrong_tokens_are_slowed_and_right_ones_pass_meanwhile(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path, concurrency=1) as world:
            await own_world(world)
            path = "/api/v1/endpoint/credit/name"
            wrong, right = bearer(OURS.token()), bearer(OURS.token(aud=HERE))

            async with world.connect() as connection:
                told: list[Answer] = []
                while not told or told[-1].status == 401:
                    told.append(await connection.ask(path, wrong, body=b"{}"))
                good = await connection.ask(path, right, body=b"{}")

        assert (told[-1].status, told[-1].code) == (429, "TooManyRequests")
        assert told[-1].headers["retry-after"] == "1"
        assert good.status == 200

    run(test())


@pytest.mark.azure(40)
def test_refused_callers_have_their_request_id_told_and_no_secret_is_in_any_file(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            await own_world(world)
            token = OURS.token(aud="elsewhere")
            sent: dict[str, Any] = {**bearer(token), "x-ms-client-request-id": "mine"}
            answer = await world.ask("/score", sent)
            texts = [p.read_text() for p in world.home.rglob("*.json")]
            texts += [p.read_text() for p in (world.home / "logs").iterdir()]
            modes = {p.stat().st_mode & 0o777 for p in (world.home / "gateway").rglob("*.json")}

        assert answer.headers["x-ms-client-request-id"] == "mine"
        assert not [text for text in texts if token in text]
        assert modes == {0o600}
        assert json.loads((world.home / "gateway/ecds/ecds.json").read_text())["version_info"]

    run(test())
