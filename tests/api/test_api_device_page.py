"""The page on which a person allows a login, as browsers and attackers meet it."""

from __future__ import annotations

import asyncio

import pytest

from tests.api.door import Door, Tell
from tests.api.identity_kit import (
    CLI,
    GUEST,
    PASSWORD,
    allowed,
    begun,
    page,
    person,
    redeemed,
    refusal,
    ticket,
)

ALICE = "alice@example.com"


def test_it_needs_no_script_no_cookie_and_no_other_site(tell: Tell) -> None:
    async def story(door: Door) -> None:
        shown = await door.client.get("/devicelogin", headers=GUEST)

        assert shown.headers["content-type"].startswith("text/html")
        policy = shown.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert shown.headers["x-frame-options"] == "DENY"
        assert shown.headers["cache-control"] == "no-store"
        assert "set-cookie" not in shown.headers
        assert "<script" not in shown.text
        assert '<label for="code">' in shown.text

    tell(story)


def test_the_code_is_read_as_people_type_it(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        code = (await begun(door))["user_code"]
        typed = f" {code[:4].lower()}-{code[4:]} "

        answer = await page(door, {"code": typed})

        assert answer.status_code == 200
        assert "the command line" in answer.text
        assert code in answer.text

    tell(story)


def test_an_unknown_program_is_named_by_its_id(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        client = CLI.replace("0", "1")
        code = (await begun(door, client_id=client))["user_code"]

        assert f"the program {client}" in (await page(door, {"code": code})).text

    tell(story)


@pytest.mark.parametrize("typed", ["", "x", "BBBBBBBBB", "<script>alert(1)</script>", "A" * 9000])
def test_a_code_that_is_not_open_is_told_so_and_not_shown(tell: Tell, typed: str) -> None:
    async def story(door: Door) -> None:
        answer = await page(door, {"code": typed})

        assert answer.status_code == 400
        assert 'role="alert"' in answer.text
        assert "<script" not in answer.text

    tell(story)


def test_two_answers_to_one_login_are_one_and_what_is_no_form_is_told_so(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        code = await begun(door)
        first = await page(door, {"code": code["user_code"]})
        form = {"ticket": ticket(first), "user": ALICE, "password": PASSWORD}
        again = [(await page(door, form)).status_code for _ in range(2)]
        no_form = await page(door, {"code": "a\0b"})

        assert again == [200, 400]
        assert no_form.status_code == 400
        assert "control character" in no_form.text

    tell(story)


def test_more_logins_than_can_be_computed_are_told_to_wait(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        first = await page(door, {"code": (await begun(door))["user_code"]})
        form = {"ticket": ticket(first), "user": "nobody", "password": "wrong"}
        answers = await asyncio.gather(
            *(page(door, form, x_forwarded_for=f"10.0.0.{n}") for n in range(20))
        )

        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {400, 429}
        assert "try again in some seconds" in answers[statuses.index(429)].text

    tell(story)


def test_a_wrong_password_keeps_the_name_and_shows_no_password(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        code = await begun(door)
        wrong = await allowed(door, code, '"><b>x', "my-secret-guess")

        assert wrong.status_code == 400
        assert "&quot;&gt;&lt;b&gt;x" in wrong.text
        assert "my-secret-guess" not in wrong.text
        assert (await allowed(door, code)).status_code == 200

    tell(story)


def test_the_name_is_read_in_any_case(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)

        assert (await allowed(door, await begun(door), " ALICE@Example.com ")).status_code == 200

    tell(story)


def test_a_program_cannot_log_in_as_a_person(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        made = (await door.client.post("/v1.0/servicePrincipals", json={"displayName": "x"})).json()

        answer = await allowed(door, await begun(door), made["appId"], "")

        assert answer.status_code == 400

    tell(story)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_form_of_another_site_is_refused(tell: Tell, site: str) -> None:
    async def story(door: Door) -> None:
        await person(door)
        code = await begun(door)
        first = await page(door, {"code": code["user_code"]})
        form = {"ticket": ticket(first), "user": ALICE, "password": PASSWORD}

        assert (await page(door, form, sec_fetch_site=site)).status_code == 403
        assert refusal(await redeemed(door, code))[1] == "authorization_pending"
        assert (await page(door, form, sec_fetch_site="same-origin")).status_code == 200

    tell(story)


@pytest.mark.parametrize("forged", ["", "x", "v1.AAAA", "a.b"])
def test_the_second_form_needs_the_first(tell: Tell, forged: str) -> None:
    async def story(door: Door) -> None:
        await person(door)
        code = await begun(door)
        sealed = door.bench.world.secrets.seal(f'["token", "{code["user_code"]}", 9e99]')
        for text in (forged, sealed):
            form = {"ticket": text, "user": ALICE, "password": PASSWORD}
            assert (await page(door, form)).status_code == 400
        assert refusal(await redeemed(door, code))[1] == "authorization_pending"

    tell(story)


def test_who_guesses_passwords_waits_and_others_do_not(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        await person(door, "bob")
        code = await begun(door)
        first = await page(door, {"code": code["user_code"]})

        async def guess(password: str, name: str = ALICE, source: str = "10.0.0.1") -> int:
            form = {"ticket": ticket(first), "user": name, "password": password}
            claimed = f"203.0.113.{len(password)}, {source}"
            return (await page(door, form, x_forwarded_for=claimed)).status_code

        guesses = [await guess("wrong" * n) for n in range(1, 8)]
        locked = await guess(PASSWORD)
        others = await guess("wrong", "bob"), await guess("wrong", source="10.0.0.2")
        door.bench.clock.advance(60)

        assert guesses == [400] * 5 + [429] * 2
        assert locked == 429
        assert others == (400, 400)
        assert await guess(PASSWORD) == 200

    tell(story)


def test_who_tries_one_password_with_many_names_waits_too(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        code = await begun(door)
        first = await page(door, {"code": code["user_code"]})

        async def guess(name: str, source: str = "10.0.0.1") -> int:
            form = {"ticket": ticket(first), "user": name, "password": "Winter2024"}
            return (await page(door, form, x_forwarded_for=source)).status_code

        statuses = [await guess(f"user{n}") for n in range(32)]

        assert statuses == [400] * 30 + [429] * 2
        assert await guess(ALICE) == 429
        assert await guess(ALICE, "10.0.0.2") == 400

    tell(story)


def test_who_guesses_codes_waits(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await person(door)
        code = (await begun(door))["user_code"]
        statuses = [(await page(door, {"code": "BBBBBBBBB"})).status_code for _ in range(12)]
        locked = await page(door, {"code": code})
        elsewhere = await page(door, {"code": code}, x_forwarded_for="10.0.0.9")

        assert statuses == [400] * 10 + [429] * 2
        assert locked.status_code == 429
        assert elsewhere.status_code == 200

    tell(story)
