"""`role definition` against the real API, with the flags and files of az."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.api.door import TOKEN, WORKSPACE
from tests.cli.conftest import Ran, Run
from tests.cli.real_server import Real, running

from verdazul.cli.az import front
from verdazul.model.actions import SCORE

SUBSCRIPTION = WORKSPACE.partition("/resourceGroups/")[0]
AZURES = {
    "Name": "Endpoint Caller",
    "IsCustom": True,
    "Description": "Calls endpoints.",
    "Actions": [SCORE],
    "NotActions": [],
    "DataActions": [],
    "NotDataActions": [],
    "AssignableScopes": [SUBSCRIPTION],
}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with running(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture
def az(
    real: Real, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """The shim, on the machine of the home's owner; all roles go at the end."""
    for name in ("VERDAZUL_ADDRESS", "VERDAZUL_TOKEN_FILE", "VERDAZUL_CA"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home" / "run").mkdir(parents=True)
    (tmp_path / "home" / "run" / "address").write_text(real.address)
    (tmp_path / "home" / "token").write_text(TOKEN)
    monkeypatch.setenv("VERDAZUL_HOME", str(tmp_path / "home"))

    def run(*words: str) -> Ran:
        code = front.run(words)
        captured = capfd.readouterr()
        return Ran(code, captured.out, captured.err)

    yield run
    for kind in ("roleAssignments", "roleDefinitions"):
        every = real.client.get(f"{WORKSPACE}/providers/Microsoft.Authorization/{kind}").json()
        for one in every["value"]:
            real.client.delete(one["id"])


def made(az: Run, **changes: Any) -> Ran:
    text = json.dumps(AZURES | changes)
    return az("role", "definition", "create", "--role-definition", text)


def listed(az: Run, *words: str) -> list[str]:
    return [one["roleName"] for one in az("role", "definition", "list", *words).json]


def test_a_role_written_for_azure_is_made_and_printed_flat(az: Run, tmp_path: Path) -> None:
    file = tmp_path / "role.json"
    file.write_text(json.dumps(AZURES), encoding="utf-8-sig")

    told = az("role", "definition", "create", "--role-definition", f"@{file}").json

    assert (told["roleName"], told["roleType"]) == ("Endpoint Caller", "CustomRole")
    assert told["type"] == "Microsoft.Authorization/roleDefinitions"
    assert told["id"] == f"{SUBSCRIPTION}/providers/{told['type']}/{told['name']}"
    assert told["permissions"][0]["actions"] == [SCORE]
    assert told["assignableScopes"] == [SUBSCRIPTION]
    shown = az("role", "definition", "show", "-n", "endpoint caller").json
    assert shown == told


def test_lists_can_be_cut(az: Run) -> None:
    made(az)

    assert listed(az, "--custom-role-only") == ["Endpoint Caller"]
    assert listed(az, "--custom-role-only", "true") == ["Endpoint Caller"]
    assert listed(az, "-n", "reader") == ["Reader"]
    assert listed(az, "-n", "Emperor", "--scope", SUBSCRIPTION) == []
    assert {"Owner", "Endpoint Caller"} < set(listed(az))
    assert "CustomRole" in az("role", "definition", "list", "-o", "table").out


def test_what_list_prints_can_be_changed_and_given_to_update(az: Run) -> None:
    made(az)
    (told,) = az("role", "definition", "list", "-n", "Endpoint Caller").json
    told["permissions"][0]["actions"] = ["*/read"]
    told["roleName"] = "Looker"

    changed = az("role", "definition", "update", "--role-definition", json.dumps(told)).json
    assert (changed["name"], changed["roleName"]) == (told["name"], "Looker")
    assert listed(az, "--custom-role-only") == ["Looker"]
    again = json.dumps(AZURES | {"Name": "Looker"})
    by_name = az("role", "definition", "update", "--role-definition", again).json
    assert by_name["permissions"][0]["actions"] == [SCORE]


def test_a_role_of_ones_own_is_given_shown_and_taken_by_its_name(az: Run) -> None:
    made(az)
    who = ("--assignee", "//entra/alice", "--scope", WORKSPACE)

    given = az("role", "assignment", "create", "--role", "Endpoint Caller", *who).json
    assert given["roleDefinitionName"] == "Endpoint Caller"
    seen = az("role", "assignment", "list", "--role", "endpoint caller").json
    assert [one["principalId"] for one in seen] == ["//entra/alice"]
    held = az("role", "definition", "delete", "-n", "Endpoint Caller")
    assert (held.code, "RoleDefinitionHasAssignments" in held.err) == (1, True)
    assert az("role", "assignment", "delete", "--role", "Endpoint Caller", *who).code == 0
    assert az("role", "definition", "delete", "--name", "Endpoint Caller").code == 0
    assert listed(az, "--custom-role-only") == []


def test_a_program_is_made_with_a_role_of_ones_own(az: Run) -> None:
    made(az)

    words = ("--role", "Endpoint Caller", "--scopes", WORKSPACE)
    program = az("ad", "sp", "create-for-rbac", "-n", "robot", *words)

    assert program.code == 0
    (given,) = az("role", "assignment", "list", "--all").json
    assert given["roleDefinitionName"] == "Endpoint Caller"


def test_actions_that_permit_nothing_here_are_taken_and_said(az: Run) -> None:
    computes = "Microsoft.MachineLearningServices/workspaces/computes/*/write"

    ran = made(az, Actions=[SCORE, computes])

    assert ran.code == 0
    assert f"permit nothing that is here: {computes}" in ran.err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Actions": [SCORE.replace("score", "scores")]}, SCORE),
        ({"DataActions": ["x/read"]}, "dataActions"),
        ({"AssignableScopes": ["/"]}, "assignableScopes"),
        ({"Action": [SCORE]}, "did you mean actions?"),
        ({"actions": [SCORE]}, "is there twice"),
        ({"permissions": []}, "say it once"),
        ({"Name": ""}, "Name"),
        ({"Name": 7}, "Name"),
        ({"Name": "Reader"}, "RoleDefinitionWithSameNameExists"),
    ],
)
def test_what_is_wrong_is_named(az: Run, changes: dict[str, Any], said: str) -> None:
    ran = made(az, **changes)

    assert ran.code == 1
    assert said in ran.err
    assert listed(az, "--custom-role-only") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("no-such-file.json", "no-such-file.json"),
        ("{}", "Name"),
    ],
)
def test_what_cannot_be_read_is_said(az: Run, text: str, said: str) -> None:
    ran = az("role", "definition", "create", "--role-definition", text)

    assert (ran.code, said in ran.err) == (1, True)


def test_a_file_with_broken_json_is_named_with_its_line(az: Run, tmp_path: Path) -> None:
    file = tmp_path / "role.json"
    file.write_text('{"Name": "x",\n "Actions": [}')
    (tmp_path / "list.json").write_text("[]")

    broken = az("role", "definition", "create", "--role-definition", str(file))
    wrong = az("role", "definition", "create", "--role-definition", str(tmp_path / "list.json"))

    assert f"{file}:2 is not JSON" in broken.err
    assert "must be an object" in wrong.err


def test_built_in_roles_are_nobodys_to_change(az: Run) -> None:
    gone = az("role", "definition", "delete", "-n", "Reader")
    only = az("role", "definition", "delete", "-n", "Reader", "--custom-role-only")
    text = json.dumps(AZURES | {"Name": "Reader"})
    changed = az("role", "definition", "update", "--role-definition", text)
    missing = az("role", "definition", "delete", "-n", "Emperor")

    assert "RoleDefinitionIsBuiltIn" in gone.err
    assert (only.code, missing.code) == (3, 3)
    assert "RoleDefinitionIsBuiltIn" in changed.err
