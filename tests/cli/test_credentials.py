"""get-credentials and invoke by auth_mode: where each credential comes from, and where it goes."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from tests.cli.arm_server import KEYS, MADE, TOKEN, Api
from tests.cli.conftest import Run


def jwt(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{body}.signature"


def create(run: Run, mode: str) -> None:
    assert run("online-endpoint", "create", "-n", "credit", "--auth-mode", mode).code == 0


@pytest.mark.azure(35, 38)
@pytest.mark.parametrize(("mode", "told"), [("key", KEYS), ("aml_token", MADE)])
def test_each_mode_prints_azures_fields(
    run: Run, mode: str, told: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERDAZUL_ACCESS_TOKEN", "not-for-this-endpoint")
    create(run, mode)

    assert run("online-endpoint", "get-credentials", "-n", "credit").json == told


@pytest.mark.azure(39)
def test_a_token_of_an_issuer_is_taken_from_the_variable_and_asked_of_nobody(
    api: Api, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = jwt({"exp": 1234})
    monkeypatch.setenv("VERDAZUL_ACCESS_TOKEN", f" {token}\n")
    create(run, "aad_token")

    ran = run("online-endpoint", "get-credentials", "-n", "credit")

    assert ran.json == {"accessToken": token, "expiryTimeUtc": 1234}
    assert api.requests("POST") == []


@pytest.mark.azure(39)
def test_without_it_the_homes_owner_is_who_calls(
    api: Api, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VERDAZUL_ACCESS_TOKEN", raising=False)
    create(run, "aad_token")

    ran = run("online-endpoint", "get-credentials", "-n", "credit")

    assert ran.json == {"accessToken": "owner-token-ff66", "expiryTimeUtc": 300}
    (asked,) = api.requests("GET", "/msi/token")
    assert asked.query["resource"] == ["https://ml.azure.com"]
    assert asked.headers["x-identity-header"] == TOKEN


@pytest.mark.parametrize("text", ["a-key", "a.b.c", jwt([]), jwt({}), jwt({"exp": "soon"})])
def test_what_is_no_token_is_refused_and_not_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("VERDAZUL_ACCESS_TOKEN", text)
    create(run, "aad_token")

    ran = run("online-endpoint", "get-credentials", "-n", "credit")

    assert (ran.code, ran.out) == (1, "")
    assert "InvalidToken" in ran.err
    assert text not in ran.err


@pytest.mark.azure(38, 39)
@pytest.mark.parametrize("mode", ["aml_token", "aad_token"])
def test_invoke_sends_the_token_to_the_endpoint_only(
    api: Api, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    theirs = jwt({"exp": 1234})
    token = {"aml_token": MADE["accessToken"], "aad_token": theirs}[mode]
    api.opens = {token}
    monkeypatch.setenv("VERDAZUL_ACCESS_TOKEN", theirs)
    create(run, mode)
    api.resources[api.path("onlineEndpoints", "credit", "deployments", "blue")] = {"name": "blue"}
    request = tmp_path / "request.json"
    request.write_text("{}")

    ran = run("--debug", "online-endpoint", "invoke", "-n", "credit", "-r", str(request))

    assert ran.code == 0, ran.err
    carried = [seen.path for seen in api.seen if token in seen.headers.get("authorization", "")]
    assert carried == ["/score/credit"]
    assert token not in ran.err
