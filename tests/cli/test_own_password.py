"""`ad signed-in-user change-password`: whoever is logged in, with the password in use."""

from __future__ import annotations

import pytest
from tests.api.identity_kit import PASSWORD
from tests.cli.conftest import Run
from tests.cli.real_server import Real
from tests.cli.test_login import allow, owner, program, real

from verdazul.client import issuer

__all__ = ["owner", "real"]
CHANGE = ("ad", "signed-in-user", "change-password")


def test_a_person_changes_the_password_and_logs_in_again(
    owner: Run, real: Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with real.somebody():
        with monkeypatch.context() as patched:
            patched.setattr("verdazul.cli.login.render.say", said.append)
            patched.setattr(issuer, "pause", lambda _: allow(said[0]))
            owner("login", "--use-device-code")
        monkeypatch.setenv("VERDAZUL_NEW_PASSWORD", "another horse")
        monkeypatch.setenv("VERDAZUL_PASSWORD", "a guess")
        wrong = owner(*CHANGE)
        monkeypatch.setenv("VERDAZUL_PASSWORD", PASSWORD)
        changed = owner(*CHANGE)
        again = owner(*CHANGE)

    assert (wrong.code, "the password is wrong" in wrong.err) == (1, True), wrong.err
    assert (changed.code, changed.out) == (0, ""), changed.err
    assert "log in again" in changed.err
    assert "no person is logged in" in again.err
    assert PASSWORD not in wrong.err + changed.err + again.err


def test_programs_and_the_owner_have_none(owner: Run) -> None:
    made = program(owner)
    owner("login", "--service-principal", "-u", made["appId"], "-p", made["password"])

    refused = owner(*CHANGE)

    assert (refused.code, "only people have passwords" in refused.err) == (1, True)
