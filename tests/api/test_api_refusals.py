"""What can be made of a refusal, and how who deletes an endpoint is told that it is gone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.door import ADDRESS, Door, Tell, problem
from tests.api.test_api_permissions import CREDIT, ENTRA, Person, is_forbidden, somebody
from verdazul.model.roles import DATA_SCIENTIST, READER


def stranger(door: Door, **claims: Any) -> Person:
    """Somebody of an issuer outside, by claims of their own choice."""
    door.bench.issuers.known = (ENTRA.signer(),)
    usual: dict[str, Any] = {"aud": ADDRESS, "exp": door.bench.clock.now() + 300, "oid": "eve"}
    return Person(door, "eve", ENTRA.token(**(usual | claims)))


@pytest.mark.azure(42)
def test_who_deletes_an_endpoint_is_told_how_it_ended_though_the_role_went_with_it(
    tell: Tell,
) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        bob, eve = await somebody(door, "bob"), await somebody(door, "eve")
        await bob.given(DATA_SCIENTIST, at=CREDIT)
        await eve.given(READER, at=CREDIT, number=2)
        accepted = await bob.ask("DELETE", CREDIT)
        await door.settle()

        for link in ("azure-asyncoperation", "location"):
            assert (await bob.ask("GET", accepted.headers[link])).status_code in {200, 204}
            assert is_forbidden(await eve.ask("GET", accepted.headers[link]))
        assert is_forbidden(await bob.ask("GET", CREDIT))

    tell(story)


@pytest.mark.parametrize("claims", [{"oid": "$(reboot)"}, {"oid": "x", "name": "a\x1b[31m\n'"}])
def test_a_command_that_is_proposed_is_safe_to_paste_whoever_asked(
    tell: Tell, claims: dict[str, str]
) -> None:
    async def story(door: Door) -> None:
        eve = stranger(door, **claims)

        for path in (CREDIT, f"{CREDIT};reboot", f"{CREDIT}%0Areboot%1B%5B31m"):
            _, _, message = problem(await eve.ask("GET", path))
            assert message.isprintable()
            _, command = message.split("verdazul role assignment create")
            assert "$(" not in command.replace("'$(reboot)'", "")
            assert ";" not in command.replace("'credit;reboot'", "").replace("; so would", "")

    tell(story)


def test_a_refusal_is_short_whatever_was_asked(tell: Tell) -> None:
    async def story(door: Door) -> None:
        eve = stranger(door, oid="e" * 5000, name="n" * 5000)

        answer = await eve.ask("GET", CREDIT + "c" * 6000)
        assert answer.status_code == 403
        assert len(answer.content) < 4000

    tell(story)
