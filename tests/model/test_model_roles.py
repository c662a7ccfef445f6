"""Azure's built-in roles: what their patterns permit, and how they are found."""

from __future__ import annotations

import pytest

from verdazul.model.actions import SCORE
from verdazul.model.errors import UserError
from verdazul.model.roles import (
    BUILT_IN,
    CONTRIBUTOR,
    DATA_SCIENTIST,
    OWNER,
    READER,
    find_role,
)

ENDPOINTS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
ASSIGN = "Microsoft.Authorization/roleAssignments/write"


@pytest.mark.azure(41, 43)
@pytest.mark.parametrize(
    "action",
    [
        SCORE,
        *(f"{ENDPOINTS}/{verb}" for verb in ("read", "write", "delete")),
        *(f"{ENDPOINTS}/deployments/{verb}" for verb in ("read", "write", "delete")),
        *(f"{ENDPOINTS}/{verb}/action" for verb in ("listKeys", "regenerateKeys", "token")),
    ],
)
def test_data_scientists_may_do_all_of_an_endpoint_and_readers_only_look(action: str) -> None:
    assert DATA_SCIENTIST.permits(action)
    assert CONTRIBUTOR.permits(action)
    assert OWNER.permits(action.upper())
    assert READER.permits(action) == action.endswith("/read")


def test_only_owners_give_roles_and_data_scientists_leave_the_workspace_alone() -> None:
    workspace = "Microsoft.MachineLearningServices/workspaces"

    assert [role.name for role in BUILT_IN.values() if role.permits(ASSIGN)] == ["Owner"]
    assert not DATA_SCIENTIST.permits(f"{workspace}/delete")
    assert not DATA_SCIENTIST.permits(f"{workspace}/computes/gpu/write")
    assert not DATA_SCIENTIST.permits(f"{workspace}/listKeys/action")
    assert not READER.permits("x/reader")


@pytest.mark.parametrize(
    "text",
    [
        "AzureML Data Scientist",
        "azureml data scientist",
        DATA_SCIENTIST.id.upper(),
        f"/providers/Microsoft.Authorization/roleDefinitions/{DATA_SCIENTIST.id}",
        f"/subscriptions/s/providers/microsoft.authorization/ROLEDEFINITIONS/{DATA_SCIENTIST.id}",
    ],
)
def test_a_role_is_found_by_name_guid_and_id(text: str) -> None:
    assert find_role(text) is DATA_SCIENTIST


def test_an_unknown_role_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UserError, match="AzureML Data Scientist") as refused:
        find_role("Emperor")

    assert refused.value.problem.code == "RoleDefinitionDoesNotExist"
