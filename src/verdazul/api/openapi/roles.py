"""Roles and who has them: what `/openapi.json` says of it."""

from __future__ import annotations

from verdazul.api.openapi.operation import Answer, Operation, lists, puts, shows


def role_assignments(place: str, scope: str) -> dict[str, Operation]:
    """Who has which role at one place; `scope` leads there."""
    tag, path = "Role assignments", f"{scope}providers/Microsoft.Authorization/roleAssignments"
    return {
        f"GET {path}": Operation(
            f"RoleAssignments_ListFor{place}",
            tag,
            "List who has which role here, above and below",
            lists("RoleAssignment"),
            query=("$filter",),
        ),
        f"GET {path}/{{assignment}}": Operation(
            f"RoleAssignments_GetFor{place}", tag, "Show an assignment", shows("RoleAssignment")
        ),
        f"PUT {path}/{{assignment}}": Operation(
            f"RoleAssignments_CreateFor{place}",
            tag,
            "Give a role",
            puts("RoleAssignment"),
            body="RoleAssignmentBody",
        ),
        f"DELETE {path}/{{assignment}}": Operation(
            f"RoleAssignments_DeleteFor{place}",
            tag,
            "Take a role away",
            {**shows("RoleAssignment", says="It is taken."), 204: Answer("There was none.")},
        ),
    }


def shown_role_definitions(place: str, scope: str) -> dict[str, Operation]:
    """Which roles there are, where none are made."""
    tag, path = "Role definitions", f"{scope}providers/Microsoft.Authorization/roleDefinitions"
    return {
        f"GET {path}": Operation(
            f"RoleDefinitions_ListAt{place}",
            tag,
            "List the roles that can be given",
            lists("RoleDefinition"),
            query=("$filter",),
        ),
        f"GET {path}/{{definition}}": Operation(
            f"RoleDefinitions_GetAt{place}", tag, "Show a role", shows("RoleDefinition")
        ),
    }


def role_definitions(place: str, scope: str) -> dict[str, Operation]:
    """Which roles there are, and how they are made."""
    tag, path = "Role definitions", f"{scope}providers/Microsoft.Authorization/roleDefinitions"
    return {
        **shown_role_definitions(place, scope),
        f"PUT {path}/{{definition}}": Operation(
            f"RoleDefinitions_CreateOrUpdateAt{place}",
            tag,
            "Make a role, or change one that was made here",
            {201: Answer("As it is now declared.", "RoleDefinition")},
            body="RoleDefinitionBody",
        ),
        f"DELETE {path}/{{definition}}": Operation(
            f"RoleDefinitions_DeleteAt{place}",
            tag,
            "Delete a role that nobody has",
            {**shows("RoleDefinition", says="It is gone."), 204: Answer("There was none.")},
        ),
    }
