"""Who may do what: role assignments, and the pure functions that read them.

An assignment gives a principal a role, at the workspace or at one endpoint of it; what holds at the
workspace holds at all its endpoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from verdazul.core.trust import HOME_OWNER, Identities
from verdazul.model.names import same_name
from verdazul.model.roles import SCORE, Role


class PrincipalType(StrEnum):
    """Azure's words; only groups are looked up elsewhere in a token."""

    USER = "User"
    GROUP = "Group"
    SERVICE_PRINCIPAL = "ServicePrincipal"


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """`id` is a GUID; `endpoint` "" means the whole workspace; `role` is a role's GUID."""

    id: str
    endpoint: str
    role: str
    principal: str
    principal_type: PrincipalType
    created_at: float

    def grants_the_same(self, other: RoleAssignment) -> bool:
        """Whether the other one gives the same role to the same principal at the same place."""
        mine = (self.role, self.principal, self.principal_type)
        theirs = (other.role, other.principal, other.principal_type)
        return mine == theirs and same_name(self.endpoint, other.endpoint)


def may_score(
    assignments: Iterable[RoleAssignment], endpoint: str, roles: Mapping[str, Role]
) -> Identities:
    """Who may call this endpoint: the home's owner, and who was given a role that permits it."""
    allowed = tuple(permitted(assignments, SCORE, endpoint, roles))
    groups = {a.principal for a in allowed if a.principal_type is PrincipalType.GROUP}
    users = {a.principal for a in allowed if a.principal_type is not PrincipalType.GROUP}
    users.add(HOME_OWNER)
    return Identities(tuple(sorted(users)), tuple(sorted(groups)))


def permitted(
    assignments: Iterable[RoleAssignment], action: str, endpoint: str, roles: Mapping[str, Role]
) -> Iterable[RoleAssignment]:
    """The assignments that permit `action` at this endpoint."""
    return (
        assignment
        for assignment in assignments
        if (not assignment.endpoint or same_name(assignment.endpoint, endpoint))
        and assignment.role in roles
        and roles[assignment.role].permits(action)
    )
