"""People change their own password: they prove the old one, and all that it began ends."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.door import Door, Tell, problem
from tests.api.identity_kit import CLI, PASSWORD, SCOPE, ask, logged_in, person, token

NEW = "another horse"


async def change(door: Door, access: str, old: Any = PASSWORD, new: Any = NEW) -> httpx.Response:
    return await door.client.post(
        "/v1.0/me/changePassword",
        json={"currentPassword": old, "newPassword": new},
        headers={"Authorization": f"Bearer {access}"},
    )


@pytest.mark.azure(39)
def test_a_new_password_ends_every_login_of_the_old_one(tell: Tell) -> None:
    async def story(door: Door) -> None:
        id_ = await person(door)
        here, there = await logged_in(door), await logged_in(door)
        me = await ask(door, here["access_token"], "/v1.0/me")
        assert (me.status_code, me.json()["id"]) == (200, id_)

        assert (await change(door, here["access_token"])).status_code == 204

        for login in (here, there):
            form = {"grant_type": "refresh_token", "client_id": CLI, "scope": SCOPE}
            ended = await token(door, **form, refresh_token=login["refresh_token"])
            assert ended.json()["error"] == "invalid_grant"
            assert (await ask(door, login["access_token"], "/v1.0/me")).status_code == 401

    tell(story)


def test_who_does_not_know_the_old_one_changes_nothing_and_waits(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        access = (await logged_in(door))["access_token"]

        told = [await change(door, access, "a guess") for _ in range(6)]
        assert [one.status_code for one in told] == [400] * 5 + [429]
        assert problem(told[0])[1] == "AADSTS50126"
        assert (await change(door, access)).status_code == 429
        door.bench.clock.advance(61)
        assert (await change(door, access)).status_code == 204

    tell(story)


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ("short", "PasswordNotComplex"),
        (PASSWORD, "PasswordNotComplex"),
        ("alice@example.com", "PasswordNotComplex"),
        (None, "InvalidValue"),
        (7, "InvalidValue"),
    ],
)
def test_a_password_that_cannot_be_is_refused(tell: Tell, new: Any, code: str) -> None:
    async def story(door: Door) -> None:
        await person(door)
        access = (await logged_in(door))["access_token"]

        assert problem(await change(door, access, new=new))[:2] == (400, code)
        assert (await ask(door, access, "/v1.0/me")).status_code == 200

    tell(story)


def test_the_owner_of_the_home_is_no_person_of_it(tell: Tell) -> None:
    async def story(door: Door) -> None:
        body = {"currentPassword": PASSWORD, "newPassword": NEW}
        for answer in (
            await door.client.get("/v1.0/me"),
            await door.client.post("/v1.0/me/changePassword", json=body),
        ):
            assert problem(answer)[:2] == (404, "Request_ResourceNotFound")

    tell(story)
