"""Who may do what: role assignments, and the pure functions that read them.

An assignment gives a principal a role at one endpoint, at the workspace, or at what is above it in
Azure. A home is one workspace, so what holds there or above holds at all its endpoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from verdazul.core.callers import Caller
from verdazul.core.trust import HOME_OWNER, Identities
from verdazul.model.actions import SCORE
from verdazul.model.names import same_name
from verdazul.model.roles import Role


class PrincipalType(StrEnum):
    """Azure's words; only groups are looked up elsewhere in a token."""

    USER = "User"
    GROUP = "Group"
    SERVICE_PRINCIPAL = "ServicePrincipal"


class Level(StrEnum):
    """What a role is given at when it is not an endpoint; the widest first."""

    SUBSCRIPTION = "subscription"
    GROUP = "group"
    WORKSPACE = "workspace"


_DEPTHS = {level: depth for depth, level in enumerate(Level)}


@dataclass(frozen=True, slots=True)
class Place:
    """An endpoint, or ("") the workspace or what is above it."""

    endpoint: str = ""
    level: Level = Level.WORKSPACE

    def covers(self, other: Place) -> bool:
        """Whether the other one is it or below it."""
        if self.endpoint:
            return same_name(self.endpoint, other.endpoint)
        return bool(other.endpoint) or _DEPTHS[self.level] <= _DEPTHS[other.level]

    def is_same(self, other: Place) -> bool:
        """Whether both are one place."""
        return self.covers(other) and other.covers(self)


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """`id` is a GUID; `endpoint` "" means the whole workspace; `role` is a role's GUID."""

    id: str
    endpoint: str
    role: str
    principal: str
    principal_type: PrincipalType
    created_at: float
    level: Level = Level.WORKSPACE

    @property
    def place(self) -> Place:
        """Where it holds."""
        return Place(self.endpoint, self.level)

    def grants_the_same(self, other: RoleAssignment) -> bool:
        """Whether the other one gives the same role to the same principal at the same place."""
        mine = (self.role, self.principal, self.principal_type)
        theirs = (other.role, other.principal, other.principal_type)
        return mine == theirs and self.place.is_same(other.place)


ONLY_OWNER = Identities((HOME_OWNER,), ())


def may_score(
    assignments: Iterable[RoleAssignment], endpoint: str, roles: Mapping[str, Role]
) -> Identities:
    """Who may call this endpoint: the home's owner, and who was given a role that permits it."""
    allowed = tuple(permitted(assignments, SCORE, endpoint, roles))
    groups = {a.principal for a in allowed if a.principal_type is PrincipalType.GROUP}
    users = {a.principal for a in allowed if a.principal_type is not PrincipalType.GROUP}
    users.add(HOME_OWNER)
    return Identities(tuple(sorted(users)), tuple(sorted(groups)))


@dataclass(frozen=True, slots=True)
class Permissions:
    """What one caller may do: `assignments` are those it has, itself or by a group of its."""

    caller: Caller
    assignments: tuple[RoleAssignment, ...]
    roles: Mapping[str, Role]

    def allow(self, action: str, endpoint: str = "") -> bool:
        """Whether it may do `action` there; "" is the workspace, and all endpoints."""
        if self.caller.is_owner:
            return True
        return any(True for _ in permitted(self.assignments, action, endpoint, self.roles))

    def allow_somewhere(self, action: str) -> bool:
        """Whether it may do `action` at the workspace or at any endpoint."""
        seen = self.endpoints(action)
        return seen is None or bool(seen)

    @property
    def are_any(self) -> bool:
        """Whether it has any role at all."""
        return self.caller.is_owner or bool(self.assignments)

    def endpoints(self, action: str) -> frozenset[str] | None:
        """The only endpoints, in lower case, for which it may; None: there is no limit."""
        if self.allow(action):
            return None
        places = {one.endpoint for one in self.assignments if one.endpoint}
        return frozenset(place.lower() for place in places if self.allow(action, place))


def permissions_of(
    caller: Caller, assignments: Iterable[RoleAssignment], roles: Mapping[str, Role]
) -> Permissions:
    """Groups are those that the caller's token names."""
    mine = tuple(one for one in assignments if _is_given_to(one, caller))
    return Permissions(caller, mine, roles)


def _is_given_to(assignment: RoleAssignment, caller: Caller) -> bool:
    if assignment.principal_type is PrincipalType.GROUP:
        return assignment.principal in caller.groups
    return assignment.principal == caller.id


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
