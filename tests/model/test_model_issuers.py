"""The issuers file: what it may say, and what each mistake is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from verdazul.model.errors import UserError
from verdazul.model.issuers import load_issuers
from verdazul.model.principals import read_assignment_id, read_principal

ENTRA = "https://login.microsoftonline.com/tenant/v2.0"


def written(folder: Path, text: str) -> Path:
    path = folder / "issuers.yml"
    path.write_text(text)
    return path


def test_the_shortest_file_is_an_issuer_and_an_audience(tmp_path: Path) -> None:
    path = written(tmp_path, f"issuers:\n- issuer: {ENTRA}\n  audiences: [https://ml.azure.com]\n")

    (found,) = load_issuers(path)

    assert found.discovery_url == f"{ENTRA}/.well-known/openid-configuration"
    assert (found.audiences, found.clock_skew_seconds) == (("https://ml.azure.com",), 60)
    assert (found.directory, found.jwks_file) == ("", None)


def test_everything_can_be_said_and_paths_start_at_the_file(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
issuers:
- issuer: urn:mine
  audiences: [a, b]
  jwks_file: keys.json
  clock_skew_seconds: 5
- issuer: https://sts.example/
  audiences: [a]
  discovery: http://localhost:8080/oidc
  ca_file: certs/ca.pem
  directory: partner
""",
    )

    mine, partner = load_issuers(path)

    assert mine.jwks_file == str(tmp_path / "keys.json")
    assert partner.ca_file == str(tmp_path / "certs/ca.pem")
    assert partner.discovery_url == "http://localhost:8080/oidc"
    assert load_issuers(written(tmp_path, "issuers: []")) == []


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("issuers: [{audiences: [a]}]", "MissingKey", "issuers[0].issuer"),
        (f"issuers:\n- issuer: {ENTRA}\n  audiences: []", "InvalidValue", "audiences"),
        (f"issuers:\n- issuer: {ENTRA}", "MissingKey", "audiences"),
        (f"issuers:\n- issuer: {ENTRA}\n  audience: a", "UnknownKey", "did you mean `audiences`"),
        (f"issuers:\n- issuer: {ENTRA}\n  audiences: a", "InvalidValue", "it must be a list"),
        ("issuers:\n- issuer: urn:x\n  audiences: [a]", "InvalidValue", "cannot be found there"),
        (
            "issuers:\n- issuer: http://far.example\n  audiences: [a]",
            "InvalidValue",
            "cannot be found there",
        ),
        (
            "issuers:\n- issuer: x\n  audiences: [a]\n  discovery: ftp://x",
            "InvalidValue",
            "an https:// address",
        ),
        (
            "issuers:\n- issuer: x\n  audiences: [a]\n  discovery: 'http://[x'",
            "InvalidValue",
            "an https:// address",
        ),
        (
            "issuers:\n- issuer: x\n  audiences: [a]\n  jwks_file: k\n  discovery: https://x",
            "InvalidValue",
            "give one of them",
        ),
        (
            "issuers:\n- issuer: x\n  audiences: [a]\n  jwks_file: k\n  clock_skew_seconds: 0",
            "InvalidValue",
            "from 1 to 600",
        ),
        (
            "issuers:\n- issuer: x\n  audiences: [a]\n  jwks_file: k\n  directory: A/B",
            "InvalidValue",
            "lower-case",
        ),
        (
            "issuers:\n- issuer: x\n  audiences: [a]\n  jwks_file: k\n  directory: home",
            "InvalidValue",
            "another word",
        ),
        (
            2 * "- {issuer: x, audiences: [a], jwks_file: k}\n",
            "InvalidYaml",
            "",
        ),
        (
            "issuers:\n" + 2 * "- {issuer: x, audiences: [a], jwks_file: k}\n",
            "InvalidValue",
            "there twice",
        ),
        ("issuers: []\nissuers: []", "DuplicateKey", "issuers"),
        ("issuers: [", "InvalidYaml", ""),
    ],
)
def test_a_mistake_is_told_with_file_and_line(
    tmp_path: Path, text: str, code: str, said: str
) -> None:
    path = written(tmp_path, text)

    with pytest.raises(UserError) as refused:
        load_issuers(path)

    problems = refused.value.problem.details or [refused.value.problem]
    assert code in {one.code for one in problems}, problems
    assert any(said in f"{one.message} {one.fix}" for one in problems), problems
    assert all(str(path) in one.where for one in problems)


@pytest.mark.parametrize("text", ["alice", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "//a/b", "é|1"])
def test_an_identitys_id_is_taken_as_it_is(text: str) -> None:
    assert read_principal(text) == text


@pytest.mark.parametrize("place", ["", "//partner/"])
def test_a_guid_is_the_same_in_any_case_and_nothing_else_is(place: str) -> None:
    guid = "8E3AF657-A8FF-443C-A75C-2FE8C4BCB635"

    assert read_principal(place + guid) == place + guid.lower()
    assert read_principal(f"{place}a/{guid}") == f"{place}a/{guid}"


@pytest.mark.parametrize("value", ["", "a b", "a\n", "x" * 256, "//", "//a", "//A/b", 7, None])
def test_what_no_identity_can_be_called_is_refused(value: object) -> None:
    with pytest.raises(UserError) as refused:
        read_principal(value)

    assert refused.value.problem.code == "InvalidPrincipalId"


def test_assignments_are_named_by_guids_in_any_case() -> None:
    guid = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"

    assert read_assignment_id(guid.upper()) == guid
    with pytest.raises(UserError, match="no GUID"):
        read_assignment_id("mine")
