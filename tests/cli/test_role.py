"""`verdazul role assignment`, with the flags of az."""

from __future__ import annotations

import pytest
from tests.cli.arm_server import PREFIX, Api
from tests.cli.conftest import Ran, Run

pytestmark = pytest.mark.azure(41)
GUID = "11111111-2222-3333-4444-555555555555"
CREDIT = f"{PREFIX}/onlineEndpoints/credit"
SCORER = ("--role", "AzureML Data Scientist")


def assign(run: Run, *words: str, assignee: str = "alice") -> Ran:
    return run("role", "assignment", "create", "--assignee", assignee, *words)


def principals(ran: Ran) -> list[str]:
    return [given["principalId"] for given in ran.json]


def test_create_gives_a_role_and_prints_it_flat_as_az_does(api: Api, run: Run) -> None:
    told = assign(run, *SCORER, "-e", "credit", "--name", GUID).json

    (seen,) = api.requests("PUT", "roleAssignments")
    assert seen.path == f"{CREDIT}/providers/Microsoft.Authorization/roleAssignments/{GUID}"
    assert seen.json["properties"]["principalType"] == "User"
    assert seen.json["properties"]["roleDefinitionId"].startswith("/subscriptions/0000")
    assert (told["name"], told["scope"], told["principalId"]) == (GUID, CREDIT, "alice")
    assert told["roleDefinitionName"] == "AzureML Data Scientist"


def test_a_place_is_a_scope_an_endpoint_or_else_the_workspace(api: Api, run: Run) -> None:
    made = [
        assign(run, *SCORER),
        assign(run, *SCORER, "--scope", PREFIX.upper()),
        assign(run, *SCORER, "--scope", CREDIT),
        assign(run, *SCORER, "-e", "credit"),
    ]

    assert [one.json["scope"] for one in made] == [PREFIX, PREFIX, CREDIT, CREDIT]
    assert len(api.roles) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*SCORER, "--scope", f"{PREFIX}/models/m/versions/1"), "InvalidScope"),
        ((*SCORER, "--scope", "/subscriptions/x"), "InvalidId"),
        ((*SCORER, "--scope", CREDIT.replace("verdazul", "other")), "WrongWorkspace"),
        ((*SCORER, "--scope", CREDIT, "-e", "credit"), "not both"),
        (("--role", "Emperor"), "RoleDefinitionDoesNotExist"),
        ((*SCORER, "--assignee-object-id", "bob"), "two identities"),
    ],
)
def test_what_cannot_be_given_is_refused_before_anything_is_sent(
    api: Api, run: Run, words: tuple[str, ...], said: str
) -> None:
    ran = assign(run, *words)

    assert ran.code == 1
    assert said in ran.err
    assert api.requests("PUT") == []


def test_somebody_must_be_named(run: Run) -> None:
    ran = run("role", "assignment", "create", *SCORER)

    assert (ran.code, "--assignee" in ran.err) == (1, True)


def test_list_shows_a_place_and_on_request_what_is_above_and_below(run: Run) -> None:
    assign(run, *SCORER, assignee="wide")
    assign(run, *SCORER, "-e", "credit", assignee="here")
    assign(run, "--role", "Reader", "-e", "credit", assignee="reader")

    def listed(*words: str) -> list[str]:
        return sorted(principals(run("role", "assignment", "list", *words)))

    assert listed() == ["wide"]
    assert listed("--all") == ["here", "reader", "wide"]
    assert listed("-e", "credit") == ["here", "reader"]
    assert listed("-e", "credit", "--include-inherited") == ["here", "reader", "wide"]
    assert listed("-e", "credit", "--role", "reader") == ["reader"]
    assert listed("--all", "--assignee", "here") == ["here"]
    table = run("role", "assignment", "list", "--all", "-o", "table").out
    assert "AzureML Data Scientist" in table


def test_delete_takes_what_was_given_at_that_place_only(api: Api, run: Run) -> None:
    assign(run, *SCORER, assignee="alice")
    assign(run, *SCORER, "-e", "credit", assignee="alice")
    assign(run, *SCORER, "-e", "credit", assignee="bob")

    first = run("role", "assignment", "delete", "--assignee", "alice", "-e", "credit")
    again = run("role", "assignment", "delete", "--assignee", "alice", "-e", "credit")

    left = sorted(one["properties"]["principalId"] for one in api.roles.values())
    assert left == ["alice", "bob"]
    assert "1 role assignment is deleted" in first.err
    assert (again.code, "nothing was deleted" in again.err) == (0, True)


def test_delete_by_ids_and_never_of_everything(api: Api, run: Run) -> None:
    made = [assign(run, *SCORER).json, assign(run, *SCORER, "-e", "credit").json]

    refused = run("role", "assignment", "delete")
    done = run("role", "assignment", "delete", "--ids", *(one["id"] for one in made))

    assert (refused.code, "--assignee" in refused.err) == (1, True)
    assert "2 role assignments are deleted" in done.err
    assert api.roles == {}
