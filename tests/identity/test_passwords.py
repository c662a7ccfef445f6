"""What people choose as passwords is kept so that it can only be compared."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verdazul.identity.fake import FakePasswords
from verdazul.identity.passwords import ScryptPasswords
from verdazul.model.errors import Retryable
from verdazul.ports import Passwords

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize("subject", [ScryptPasswords(cost=2), FakePasswords()])
@given(password=TEXT, other=TEXT)
@settings(max_examples=25)
def test_a_password_matches_its_digest_and_no_other(
    subject: Passwords, password: str, other: str
) -> None:
    async def story() -> None:
        digest = await subject.digest(password)

        assert await subject.matches(password, digest)
        assert await subject.matches(other, digest) == (other == password)
        assert not await subject.matches(password, "")

    asyncio.run(story())


def test_digests_are_salted_and_tell_their_cost() -> None:
    async def story() -> None:
        old, new = ScryptPasswords(cost=2), ScryptPasswords(cost=3)
        first, second = await old.digest("x"), await old.digest("x")

        assert first != second
        assert first.startswith("scrypt$2$8$3$")
        assert await new.matches("x", first)

    asyncio.run(story())


def test_the_cost_that_is_used_is_owasps() -> None:
    digest = asyncio.run(ScryptPasswords().digest("x"))

    assert digest.startswith("scrypt$15$8$3$")


def test_too_many_at_once_are_refused_rather_than_queued() -> None:
    async def story() -> list[object]:
        passwords = ScryptPasswords(cost=2)
        return await asyncio.gather(
            *(passwords.digest("x") for _ in range(20)), return_exceptions=True
        )

    answers = asyncio.run(story())

    assert sum(isinstance(answer, Retryable) for answer in answers) == 4
