"""Logging in and out, against the real issuer: people by a code, programs by a secret."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api.door import TOKEN
from tests.cli.conftest import Ran, Run
from tests.cli.real_server import Real, running

from verdazul.cli.az import front
from verdazul.client import issuer
from verdazul.core.trust import HOME_OWNER

ME = ("ad", "signed-in-user", "show", "--query", "id", "-o", "tsv")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with running(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture
def owner(
    real: Real, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """A command on the machine of the home's owner."""
    for name in ("VERDAZUL_ADDRESS", "VERDAZUL_TOKEN_FILE", "VERDAZUL_CA", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True)
    (home / "run" / "address").write_text(real.address)
    (home / "token").write_text(TOKEN)
    monkeypatch.setenv("VERDAZUL_HOME", str(home))

    def run(*words: str) -> Ran:
        code = front.run(words)
        captured = capfd.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def guest(owner: Run, tmp_path: Path) -> Run:
    """A command of somebody who has not the home's token."""
    (tmp_path / "home" / "token").unlink()
    return owner


def login_file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "login.json"


def program(owner: Run, *words: str, name: str = "ci") -> dict[str, str]:
    made: dict[str, str] = owner("ad", "sp", "create-for-rbac", "-n", name, *words).json
    return made


def as_program(run: Run, made: dict[str, str], *words: str) -> Ran:
    how = ("--service-principal", "-u", made["appId"], "-t", made["tenant"])
    return run("login", *how, "-p", made["password"], *words)


def allow(message: str) -> None:
    """What a person does in a browser."""
    page, code = re.findall(r"open the page (\S+) and enter the code (\S+)", message)[0]
    shown = httpx.post(page, data={"code": code}).text
    ticket = re.findall(r'name="ticket" value="([^"]+)"', shown)[0]
    form = {"ticket": ticket, "user": "alice@example.com", "password": "correct horse"}
    assert "You are logged in" in httpx.post(page, data=form).text


def test_a_program_logs_in_and_out_as_scripts_for_azure_do(
    owner: Run, real: Real, tmp_path: Path
) -> None:
    made = program(owner)
    before = owner(*ME).out.strip()

    entered = as_program(owner, made)
    during = owner(*ME).out.strip()
    account = owner("account", "show").json
    token = owner("account", "get-access-token").json
    left = owner("logout")

    assert sorted(made) == ["appId", "displayName", "password", "tenant"]
    assert entered.json[0]["tenantId"] == "adfs"
    assert "in the list of processes" in entered.err
    assert before == owner(*ME).out.strip() == HOME_OWNER
    shown = real.client.get(f"/v1.0/servicePrincipals/{made['appId']}").json()
    assert during == shown["id"]
    assert account["user"] == {"name": made["appId"], "type": "servicePrincipal"}
    assert issuer.claims_of(token["accessToken"])["appid"] == made["appId"]
    assert "is logged out" in left.err
    assert not login_file(tmp_path).exists()


def test_a_login_is_for_its_owner_and_its_server_only(
    owner: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = program(owner)
    as_program(owner, made)
    file = login_file(tmp_path)
    mode = file.stat().st_mode & 0o777
    with running(tmp_path / "other") as other:
        monkeypatch.setenv("VERDAZUL_ADDRESS", other.address)
        elsewhere = owner(*ME)
        account = owner("account", "show", "--query", "user.name", "-o", "tsv").out
    monkeypatch.delenv("VERDAZUL_ADDRESS")
    file.chmod(0o644)
    seen_by_others = owner(*ME)

    assert mode == 0o600
    assert elsewhere.out.strip() == HOME_OWNER
    assert "is asked by the home's token" in elsewhere.err
    assert account == "owner\n"
    assert seen_by_others.code == 1
    assert "InsecureKeyFile" in seen_by_others.err


@pytest.mark.parametrize("way", ["variable", "stdin"])
def test_the_secret_need_not_stand_on_the_command_line(
    owner: Run, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    made = program(owner)
    if way == "variable":
        monkeypatch.setenv("AZURE_CLIENT_SECRET", made["password"])
    else:
        monkeypatch.setattr(sys, "stdin", io.StringIO(made["password"] + "\n"))

    entered = owner("login", "--service-principal", "-u", made["appId"])

    assert entered.code == 0, entered.err
    assert "processes" not in entered.err
    assert made["password"] not in entered.out + entered.err


def test_a_person_logs_in_by_a_code_and_stays(
    owner: Run, real: Real, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = real.person()
    begin = issuer.begin

    def begun(*given: Any) -> Any:
        code = begin(*given)
        allow(code["message"])
        return code

    monkeypatch.setattr(issuer, "begin", begun)
    entered = owner("login", "--use-device-code")
    me = owner(*ME).out.strip()
    kept = json.loads(login_file(tmp_path).read_text())
    kept["access"][issuer.CONTROL]["expires_at"] = 1.0
    login_file(tmp_path).write_text(json.dumps(kept))
    later = owner("account", "get-access-token", "--resource", "https://ml.azure.com").json
    again = owner(*ME).out.strip()
    real.client.delete("/v1.0/users/alice@example.com")
    ended = owner(*ME)
    refused = owner("ml", "online-endpoint", "list")

    assert entered.code == 0, entered.err
    assert "enter the code" in entered.err
    assert me == again == alice
    assert issuer.claims_of(later["accessToken"])["aud"] == "https://ml.azure.com"
    assert ended.out.strip() == alice  # it is read from the token that is kept
    assert refused.code == 1
    assert "log in again (verdazul login)" in refused.err
    assert (
        json.loads(login_file(tmp_path).read_text())["access"][issuer.CONTROL]["expires_at"] > 1e9
    )


def test_a_server_is_logged_in_to_by_any_of_its_names(
    owner: Run, real: Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = program(owner)
    other = real.address.replace("localhost", "127.0.0.1")
    monkeypatch.setenv("VERDAZUL_ADDRESS", other)

    with real.somebody():
        said: list[str] = []
        monkeypatch.setattr("verdazul.cli.login.render.say", said.append)
        monkeypatch.setattr(issuer, "pause", lambda _: allow(said[0]))
        entered = owner("login", "--use-device-code")
    as_program(owner, made)

    assert entered.code == 0
    assert f"{other}/devicelogin" in said[0]
    token = owner("account", "get-access-token").json["accessToken"]
    assert issuer.claims_of(token)["appid"] == made["appId"]


def test_who_waits_goes_on_until_somebody_allows_it(
    owner: Run, real: Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    said: list[str] = []
    monkeypatch.setattr("verdazul.cli.login.render.say", said.append)

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            allow(said[0])

    monkeypatch.setattr(issuer, "pause", sleep)
    with real.somebody():
        entered = owner("login", "--use-device-code")

    assert entered.code == 0
    assert pauses == [5.0, 10.0, 15.0]  # asked too soon, twice: slow down


def test_without_a_person_nobody_waits_for_one(owner: Run, tmp_path: Path) -> None:
    as_owner = owner("login", "--use-device-code")
    (tmp_path / "home" / "token").unlink()
    as_guest = owner("login", "--use-device-code")

    assert as_owner.code == 0
    assert as_owner.json[0]["user"]["name"] == "owner"
    assert "you go on as its owner" in as_owner.err
    assert as_guest.code == 1
    assert "verdazul ad user create" in as_guest.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-u", "alice", "-p", "x"], "people log in with a browser or by a code"),
        (["--service-principal"], "which service principal?"),
        (["--service-principal", "-u", "nobody", "-p", "x"], "AADSTS700016"),
        (["--service-principal", "-u", "x", "-p", ""], "no client secret was given"),
        (["-t", "contoso"], "the tenant 'contoso' doesn't exist"),
        (["--identity"], "TokenMissing"),
    ],
)
def test_a_login_that_cannot_be_says_why_and_changes_nothing(
    guest: Run, tmp_path: Path, words: list[str], told: str
) -> None:
    ran = guest("login", *words)

    assert (ran.code, ran.out) == (1, "")
    assert told in ran.err
    assert not login_file(tmp_path).exists()


def test_a_wrong_secret_is_refused_and_the_login_before_stays(owner: Run) -> None:
    made = program(owner)
    as_program(owner, made)

    wrong = as_program(owner, {**made, "password": "wrong"})

    assert wrong.code == 1
    assert "AADSTS7000215" in wrong.err
    assert owner(*ME).out.strip() != HOME_OWNER


def test_identity_is_the_owner_again(owner: Run) -> None:
    as_program(owner, program(owner))

    assert owner("login", "--identity").code == 0
    assert owner(*ME).out.strip() == HOME_OWNER
    assert "nobody is logged in" in owner("logout").err


def test_a_deleted_program_is_refused_at_once(owner: Run, real: Real) -> None:
    made = program(owner)
    as_program(owner, made)
    real.client.delete(f"/v1.0/servicePrincipals/{made['appId']}")

    ran = owner("ml", "online-endpoint", "list")

    assert ran.code == 1
    assert "log in again" in ran.err


def test_a_script_makes_finds_and_ends_programs(owner: Run) -> None:
    scope = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local"
    role = ("--role", "AzureML Data Scientist", "--scopes", scope)
    first = program(owner, *role, name="script")
    second = program(owner, *role, name="script")
    found = owner("ad", "sp", "list", "--display-name", "script").json
    shown = owner("ad", "sp", "show", "--id", first["appId"]).json
    given = owner("role", "assignment", "list", "--scope", scope).json
    reset = owner("ad", "sp", "credential", "reset", "--id", first["appId"]).json
    kept = owner("ad", "sp", "credential", "list", "--id", shown["id"]).json
    old = as_program(owner, first)
    new = as_program(owner, {**first, "password": reset["password"]})
    owner("login", "--identity")
    one = ("ad", "sp", "credential", "delete", "--id", shown["id"], "--key-id", kept[0]["keyId"])
    cut = owner(*one)
    gone = owner("ad", "sp", "delete", "--id", first["appId"])
    absent = owner("ad", "sp", "show", "--id", first["appId"])

    assert (first["appId"], len(found)) == (second["appId"], 1)
    assert first["password"] != second["password"]
    assert "not shown again" in owner("ad", "sp", "create-for-rbac", "-n", "x").err
    assert [one["principalId"] for one in given] == [shown["id"]]
    assert given[0]["principalType"] == "ServicePrincipal"
    assert len(kept) == 1
    assert (old.code, new.code, cut.code, gone.code, absent.code) == (1, 0, 0, 0, 3)
    assert owner("role", "assignment", "list", "--all").json == []


@pytest.mark.parametrize("words", [("--role", "Reader"), ("--scopes", "/subscriptions/x")])
def test_a_role_needs_a_place_and_a_place_a_role(owner: Run, words: tuple[str, ...]) -> None:
    ran = owner("ad", "sp", "create-for-rbac", "-n", "half", *words)

    assert ran.code == 1
    assert "go together" in ran.err
    assert owner("ad", "sp", "list", "--display-name", "half").json == []


@pytest.mark.parametrize("years", ["0", "-1", "1e9", "999999999999", "x"])
def test_a_secret_lasts_some_years(owner: Run, years: str) -> None:
    ran = owner("ad", "sp", "create-for-rbac", "-n", "half", f"--years={years}")

    assert ran.code == 2
    assert "number of years" in ran.err


def test_people_are_made_changed_listed_and_deleted(
    owner: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("correct horse\n"))
    name = ("--display-name", "Bob", "--user-principal-name", "bob@example.com")
    made = owner("ad", "user", "create", *name)
    listed = owner("ad", "user", "list", "--upn", "BOB@example.com").json
    monkeypatch.setenv("VERDAZUL_NEW_PASSWORD", "battery staple")
    changed = owner("ad", "user", "update", "--id", "bob@example.com")
    shown = owner("ad", "user", "show", "--id", made.json["id"]).json
    gone = owner("ad", "user", "delete", "--id", "bob@example.com")

    assert (changed.code, gone.code) == (0, 0)
    assert listed == [made.json] == [shown]
    assert "assword" not in made.out


def test_roles_are_given_by_the_names_that_people_know(owner: Run, real: Real) -> None:
    made, alice = program(owner, name="named"), real.person()
    role = ("role", "assignment", "create", "--role", "Reader", "--assignee")

    person = owner(*role, "Alice@example.com").json
    machine = owner(*role, made["appId"]).json
    stranger = owner(*role, "11111111-2222-3333-4444-555555555555").json

    assert (person["principalId"], person["principalType"]) == (alice, "User")
    assert machine["principalType"] == "ServicePrincipal"
    assert stranger["principalId"] == "11111111-2222-3333-4444-555555555555"
