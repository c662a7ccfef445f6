"""`role assignment` by somebody who owns one endpoint and sees nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.door import TOKEN, WORKSPACE, endpoint_body
from tests.cli.conftest import Ran, Run
from tests.cli.real_server import Real, running

from verdazul.cli.az import front
from verdazul.model.actions import SCORE

pytestmark = pytest.mark.azure(42)
ASSIGN = ("role", "assignment", "create")
HERE = ("-e", "credit")
SUBSCRIPTION = WORKSPACE.partition("/resourceGroups/")[0]
GUID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with running(tmp_path_factory.mktemp("server")) as found:
        found.client.put(f"{WORKSPACE}/onlineEndpoints/credit", json=endpoint_body())
        yield found


@pytest.fixture
def owner(
    real: Real, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """The shim, on the machine of the home's owner."""
    for name in ("VERDAZUL_ADDRESS", "VERDAZUL_TOKEN_FILE", "VERDAZUL_CA", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home" / "run").mkdir(parents=True)
    (tmp_path / "home" / "run" / "address").write_text(real.address)
    (tmp_path / "home" / "token").write_text(TOKEN)
    monkeypatch.setenv("VERDAZUL_HOME", str(tmp_path / "home"))

    def run(*words: str) -> Ran:
        code = front.run(words)
        captured = capfd.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def delegate(real: Real, owner: Run) -> Iterator[Run]:
    """The same, by a program that owns one endpoint."""
    made = owner("ad", "sp", "create-for-rbac", "-n", "delegate").json
    owner(*ASSIGN, "--assignee", made["appId"], "--role", "Owner", *HERE)
    owner("login", "--service-principal", "-u", made["appId"], "-p", made["password"])
    yield owner
    real.client.delete(f"/v1.0/servicePrincipals/{made['appId']}")


def holders(ran: Ran) -> set[tuple[str, str]]:
    return {(one["principalId"], one["roleDefinitionName"]) for one in ran.json}


def role_of_ones_own(real: Real, id_: str) -> None:
    definition = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{id_}"
    permissions = [{"actions": [SCORE]}]
    properties = {"roleName": "Endpoint Caller", "permissions": permissions}
    body = {"properties": properties | {"assignableScopes": [SUBSCRIPTION]}}
    assert real.client.put(definition, json=body).status_code == 201


def test_the_owner_of_one_endpoint_gives_and_takes_roles_there(delegate: Run, real: Real) -> None:
    with real.somebody() as alice:
        given = delegate(*ASSIGN, "--assignee", alice.upper(), "--role", "Reader", *HERE)
        listed = delegate("role", "assignment", "list", "--assignee", alice, *HERE)
        elsewhere = delegate(*ASSIGN, "--assignee", alice, "--role", "Reader")
        delegate("role", "assignment", "delete", "--assignee", alice, *HERE)
        after = delegate("role", "assignment", "list", "--assignee", alice, *HERE)

    assert given.code == 0, given.err
    assert holders(listed) == {(alice, "Reader")}
    assert "AuthorizationFailed" in elsewhere.err
    assert after.json == []


def test_a_name_that_may_not_be_looked_up_is_never_taken_for_an_id(
    delegate: Run, real: Real
) -> None:
    with real.somebody():
        ran = delegate(*ASSIGN, "--assignee", "alice@example.com", "--role", "Reader", *HERE)

    assert ran.code == 1
    assert "you have no role to see people and programs" in ran.err
    assert "--assignee-object-id" in ran.err


def test_a_role_of_ones_own_is_seen_and_given_where_roles_may_be_given(
    delegate: Run, real: Real
) -> None:
    role_of_ones_own(real, GUID)
    at = ("--scope", f"{WORKSPACE}/onlineEndpoints/credit")

    with real.somebody() as alice:
        seen = delegate("role", "definition", "list", "--custom-role-only", *at)
        shown = delegate("role", "definition", "show", "--name", "Endpoint Caller", *at)
        elsewhere = delegate("role", "definition", "list")
        by_name = delegate(*ASSIGN, "--assignee", alice, "--role", "Endpoint Caller", *HERE)
        by_id = delegate(*ASSIGN, "--assignee", alice, "--role", GUID, *HERE)
        listed = delegate("role", "assignment", "list", "--assignee", alice, *HERE)
        unknown = delegate(*ASSIGN, "--assignee", alice, "--role", GUID.replace("1", "9"), *HERE)

    assert [one["name"] for one in seen.json] == [shown.json["name"]] == [GUID]
    assert "roleDefinitions/read" in elsewhere.err
    assert by_name.code == 0, by_name.err
    assert "RoleAssignmentExists" in by_id.err
    assert holders(listed) == {(alice, "Endpoint Caller")}
    assert "RoleDefinitionDoesNotExist" in unknown.err


def test_roles_are_found_and_taken_by_the_name_they_were_given_to(owner: Run, real: Real) -> None:
    with real.somebody() as alice:
        owner(*ASSIGN, "--assignee", "alice@example.com", "--role", "Reader", *HERE)
        listed = owner("role", "assignment", "list", "--assignee", "alice@example.com", *HERE)
        taken = owner("role", "assignment", "delete", "--assignee", "alice@example.com", *HERE)
        after = owner("role", "assignment", "list", "--assignee", alice, *HERE)

    assert holders(listed) == {(alice, "Reader")}
    assert "1 role assignment is deleted" in taken.err
    assert after.json == []
