"""Issuers and their keys: kept fresh, asked in moderation, and never lost once they were good."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.identity.issuer_server import KEY, Provider, provider
from verdazul.compute.fake import ManualClock
from verdazul.core.jwks import key_set
from verdazul.core.trust import Signer
from verdazul.identity.issuers import FileIssuers

pytestmark = pytest.mark.azure(39)

NEW = {**KEY, "kid": "two"}
CONFIGURATION = "/.well-known/openid-configuration"


@pytest.fixture
def entra() -> Iterator[Provider]:
    with provider() as known:
        yield known


class Home:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = ManualClock()
        self.issuers = self.restarted()

    def restarted(self) -> FileIssuers:
        self.issuers = FileIssuers(
            self.path,
            Path("issuers.yml"),
            clock=self.clock,
            refresh_seconds=300,
            timeout_seconds=5,
        )
        return self.issuers

    def declare(self, *issuers: dict[str, Any]) -> None:
        (self.path / "issuers.yml").write_text(json.dumps({"issuers": issuers}))

    def refresh(self) -> tuple[Signer, ...]:
        asyncio.run(self.issuers.refresh())
        return self.issuers.signers()

    def codes(self) -> list[str]:
        return [problem.code for problem in self.issuers.problems()]


def of(entra: Provider, **more: Any) -> dict[str, Any]:
    return {"issuer": entra.url, "audiences": ["a"], **more}


def test_without_a_file_nobody_is_trusted(tmp_path: Path) -> None:
    home = Home(tmp_path)

    assert home.refresh() == ()
    assert home.codes() == []


def test_keys_are_discovered_and_read_again_when_it_is_time(
    tmp_path: Path, entra: Provider
) -> None:
    home = Home(tmp_path)
    home.declare(of(entra, clock_skew_seconds=5, directory="d"))

    first = home.refresh()
    entra.tell(NEW)
    home.clock.advance(299)
    early = home.refresh()
    home.clock.advance(2)
    late = home.refresh()

    assert first == early == (Signer(entra.url, key_set([KEY]), ("a",), 5, "d"),)
    assert late[0].keys == key_set([NEW])
    assert entra.asked == 2 * [CONFIGURATION, "/keys"]


def test_an_issuer_that_is_down_keeps_its_keys_also_over_a_restart(
    tmp_path: Path, entra: Provider
) -> None:
    home = Home(tmp_path)
    home.declare(of(entra))
    good = home.refresh()
    entra.told.clear()
    home.clock.advance(301)

    stale = home.refresh()
    after_restart = home.restarted().signers()

    assert good == stale == after_restart
    assert home.refresh() == good
    assert home.codes() == ["IssuerUnreachable"]
    assert (tmp_path / "issuer-keys.json").stat().st_mode & 0o777 == 0o600


def test_it_is_asked_again_after_growing_pauses_and_then_all_is_well(
    tmp_path: Path, entra: Provider
) -> None:
    home = Home(tmp_path)
    home.declare(of(entra))
    entra.told.clear()
    times = []
    for second in range(400):
        before = len(entra.asked)
        home.refresh()
        times += [second] if len(entra.asked) > before else []
        home.clock.advance(1)
    entra.tell(KEY)
    home.clock.advance(300)

    assert times == [0, 5, 15, 35, 75, 155, 315]
    assert home.refresh() == (Signer(entra.url, key_set([KEY]), ("a",)),)
    assert home.codes() == []


@pytest.mark.parametrize(
    ("path", "told", "code"),
    [
        (CONFIGURATION, 500, "IssuerUnreachable"),
        (CONFIGURATION, 302, "IssuerUnreachable"),
        (CONFIGURATION, b"no json", "IssuerKeysUnusable"),
        (CONFIGURATION, b"[" * 100_000, "IssuerKeysUnusable"),
        (CONFIGURATION, [], "IssuerKeysUnusable"),
        (CONFIGURATION, {"issuer": "https://evil.example"}, "IssuerMismatch"),
        (CONFIGURATION, b'{"issuer": "URL"}', "IssuerKeysUnusable"),
        (CONFIGURATION, b'{"issuer": "URL", "jwks_uri": "http://far.example/"}', None),
        (CONFIGURATION, b'{"issuer": "URL", "jwks_uri": "file:///etc/passwd"}', None),
        ("/keys", {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, "IssuerKeysUnusable"),
        ("/keys", b"x" * 1_100_000, "IssuerKeysUnusable"),
        ("/keys", 404, "IssuerUnreachable"),
    ],
)
def test_what_an_issuer_tells_wrong_is_named_and_trusted_in_nothing(
    tmp_path: Path, entra: Provider, path: str, told: object, code: str | None
) -> None:
    home = Home(tmp_path)
    home.declare(of(entra))
    is_text = isinstance(told, bytes)
    entra.told[path] = told.replace(b"URL", entra.url.encode()) if is_text else told  # type: ignore[attr-defined] # bytes

    assert home.refresh() == ()
    assert home.codes() == [code or "IssuerKeysUnusable"]
    assert entra.url in home.issuers.problems()[0].message


def test_nobody_listening_is_unreachable(tmp_path: Path) -> None:
    with provider() as gone:
        pass
    home = Home(tmp_path)
    home.declare(of(gone))

    assert home.refresh() == ()
    assert home.codes() == ["IssuerUnreachable"]


def test_one_issuer_in_trouble_does_not_concern_the_others(tmp_path: Path, entra: Provider) -> None:
    home = Home(tmp_path)
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [KEY]}))
    mine = {"issuer": "urn:mine", "audiences": ["a"], "jwks_file": "keys.json"}
    home.declare(of(entra), mine, {**mine, "issuer": "urn:lost", "jwks_file": "lost.json"})

    assert {signer.issuer for signer in home.refresh()} == {entra.url, "urn:mine"}
    assert home.codes() == ["FileNotFound"]


def test_a_file_of_keys_is_read_again_each_time(tmp_path: Path) -> None:
    home = Home(tmp_path)
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [KEY]}))
    home.declare({"issuer": "urn:mine", "audiences": ["a"], "jwks_file": "keys.json"})
    before = home.refresh()
    file.write_text(json.dumps({"keys": [NEW]}))

    assert (before[0].keys, home.refresh()[0].keys) == (key_set([KEY]), key_set([NEW]))


def test_a_changed_file_counts_at_once_and_a_mistake_in_it_changes_nothing(
    tmp_path: Path, entra: Provider
) -> None:
    home = Home(tmp_path)
    home.declare(of(entra))
    good = home.refresh()
    (tmp_path / "issuers.yml").write_text("issuers: [{issuer: 7")

    broken = home.refresh()
    codes = home.codes()
    after_restart = home.restarted().signers()
    home.declare(of(entra, audiences=["b"]))
    mended = home.refresh()
    (tmp_path / "issuers.yml").unlink()

    assert good == broken == after_restart
    assert codes == ["InvalidYaml"]
    assert [signer.audiences for signer in mended] == [("b",)]
    assert home.refresh() == ()
    assert home.restarted().signers() == ()


def test_a_ca_file_that_is_none_and_a_damaged_memory_are_survived(
    tmp_path: Path, entra: Provider
) -> None:
    (tmp_path / "issuer-keys.json").write_text("{")
    home = Home(tmp_path)
    home.declare(of(entra, ca_file="issuers.yml"))

    assert home.refresh() == ()
    assert home.codes() == ["IssuersFileInvalid"]


def test_the_control_api_takes_tokens_as_the_file_says(tmp_path: Path, entra: Provider) -> None:
    home = Home(tmp_path)
    told = []
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"control_audiences": ["api://us"]},
        {"control_audiences": []},
    )
    for more in changes:
        home.declare(of(entra, **more))
        home.refresh()
        told.append([one.audiences for one in home.issuers.for_control()])
        assert home.issuers.signers()[0].audiences == ("a",)

    assert told == [[()], [("api://us",)], []]


def test_an_issuer_is_asked_again_at_once_but_seldom(tmp_path: Path, entra: Provider) -> None:
    home = Home(tmp_path)
    home.declare(of(entra))
    home.refresh()
    entra.tell(NEW)

    asked = asyncio.run(home.issuers.ask_again(entra.url))
    known = home.issuers.signers()
    entra.tell(KEY)
    soon = asyncio.run(home.issuers.ask_again(entra.url))
    home.clock.advance(60)
    later = asyncio.run(home.issuers.ask_again(entra.url))
    home.clock.advance(60)
    nothing_new = asyncio.run(home.issuers.ask_again(entra.url))

    assert (asked, soon, later, nothing_new) == (True, False, True, False)
    assert '"two"' in known[0].keys
    assert home.restarted().signers() == home.issuers.signers()
    assert not asyncio.run(home.issuers.ask_again("https://nobody.example"))


def test_many_unknown_keys_at_once_are_one_question(tmp_path: Path, entra: Provider) -> None:
    home = Home(tmp_path)
    home.declare(of(entra))
    home.refresh()
    before = len(entra.asked)
    entra.tell(NEW)

    async def many() -> list[bool]:
        return await asyncio.gather(*(home.issuers.ask_again(entra.url) for _ in range(50)))

    answers = asyncio.run(many())

    assert all(answers)
    assert len(entra.asked) - before == 2  # its configuration, its keys
