"""Envoy passes on what a script fails at. Ours fail closed: broken here on purpose, one by one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.gateway_upstream import SECONDS, Answer
from tests.gateway.gateway_world import KEY, World, deployment, route, run
from tests.gateway.token_kit import AUDIENCE, EcIssuer
from verdazul.core.trust import Door, Identities, OwnTokens, Trust, audience_of

pytestmark = [pytest.mark.e2e, pytest.mark.azure(40)]

ISSUER = EcIssuer("https://id.example")
OURS = EcIssuer("urn:verdazul:tokens")
TRUST = Trust(OURS.signer(clock_skew_seconds=1), (ISSUER.signer(audiences=(AUDIENCE,)),))
DOORS: dict[str, Door | None] = {
    "aml_token": OwnTokens(audience_of("uid")),
    "aad_token": Identities(("alice",), ()),
    "key": None,
}


def credential_for(mode: str) -> str:
    """A fresh one: tokens do not last as long as all tests together."""
    match mode:
        case "aml_token":
            return OURS.token(aud=audience_of("uid"))
        case "aad_token":
            return ISSUER.token(aud=AUDIENCE, oid="alice")
        case _:
            return KEY


@pytest.mark.parametrize(
    ("mode", "script", "name"),
    [
        ("key", "filter.lua", "envoy.filters.http.lua"),
        ("aml_token", "filter.lua", "envoy.filters.http.lua"),
        ("aml_token", "token.lua", "verdazul.tokens"),
        ("aad_token", "token.lua", "verdazul.tokens"),
    ],
)
def test_a_request_is_refused(tmp_path: Path, mode: str, script: str, name: str) -> None:
    door, credential = DOORS[mode], credential_for(mode)

    async def test() -> None:
        async with World.open(tmp_path, expect_log=f"{script}:") as world:
            blue = await world.upstream("blue")
            await world.plane.trust(TRUST)
            opened = route(deployment("blue", blue.address))
            await world.plane.publish("credit", replace(opened, door=door))
            headers = {"Authorization": f"Bearer {credential}"}
            before = await world.ask("/name", headers)
            told_badly(world, name, {"filter_context": {}})

            answer = await until_other(world, "/name", headers, 200)

        assert before.status == 200
        assert (answer.status, answer.code) == (500, "InternalServerError")
        assert credential not in answer.message

    run(test())


@pytest.mark.azure(102)
def test_a_models_error_is_no_good_answer(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path, expect_log="answers.lua:") as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            told_badly(world, "verdazul.answers", {"max_response_bytes": "many"})

            headers = {"Authorization": f"Bearer {KEY}"}
            answer = await until_other(world, "/status/201", headers, 424)

        assert answer.status == 500

    run(test())


async def until_other(world: World, path: str, headers: dict[str, str], status: int) -> Answer:
    """The first answer that is not as before."""
    async with asyncio.timeout(SECONDS):
        while (answer := await world.ask(path, headers)).status == status:
            pass
    return answer


def told_badly(world: World, name: str, what: dict[str, Any]) -> None:
    """Change what routes tell the script of this name, behind the gateway's back."""
    routes = world.home / "gateway" / "rds" / "rds.json"
    content = json.loads(routes.read_text())
    places = list(_called(name, content))
    assert places
    for place in places:
        place.update(what)
    fresh = world.home / "gateway" / "new" / "broken.json"
    fresh.write_text(json.dumps({**content, "version_info": "broken"}))
    fresh.replace(routes)


def _called(name: str, content: object) -> Iterator[dict[str, Any]]:
    if isinstance(content, dict):
        if isinstance(content.get(name), dict):
            yield content[name]
        for value in content.values():
            yield from _called(name, value)
    elif isinstance(content, list):
        for value in content:
            yield from _called(name, value)
