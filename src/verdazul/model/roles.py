"""Azure's built-in roles that matter to endpoints, and how a role's patterns permit an action.

*/read      permits Microsoft.MachineLearningServices/workspaces/onlineEndpoints/read
not_actions takes away again, in the same role only
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from verdazul.model.actions import ML
from verdazul.model.errors import UserError
from verdazul.model.show import shown

_ML = f"{ML}/workspaces"
_ID = re.compile(
    r"(?:/subscriptions/[^/]+)?/providers/Microsoft\.Authorization/roleDefinitions/(?P<id>[^/]+)/?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Role:
    """A role definition; `id` is a GUID, the same in every Azure subscription for built-in ones.

    `scopes` is where it can be given: all of them are above the one workspace, or it.
    """

    id: str
    name: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()
    description: str = ""
    scopes: tuple[str, ...] = ("/",)

    @property
    def is_built_in(self) -> bool:
        """Whether it is Azure's, and nobody's to change."""
        return self.id in BUILT_IN

    def permits(self, action: str) -> bool:
        """Whether who has this role may do `action`."""
        return _any(self.actions, action) and not _any(self.not_actions, action)


OWNER = Role("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner", ("*",))
CONTRIBUTOR = Role(
    "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Contributor",
    ("*",),
    (
        "Microsoft.Authorization/*/Delete",
        "Microsoft.Authorization/*/Write",
        "Microsoft.Authorization/elevateAccess/Action",
    ),
)
READER = Role("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", ("*/read",))
DATA_SCIENTIST = Role(
    "f6c7c914-8db3-469d-8ca1-694a8f32e121",
    "AzureML Data Scientist",
    (f"{_ML}/read", f"{_ML}/*/read", f"{_ML}/*/action", f"{_ML}/*/delete", f"{_ML}/*/write"),
    (
        f"{_ML}/delete",
        f"{_ML}/write",
        f"{_ML}/computes/*/write",
        f"{_ML}/computes/*/delete",
        f"{_ML}/computes/listKeys/action",
        f"{_ML}/listKeys/action",
    ),
)
SECRETS_READER = Role(
    "ea01e6af-a1c1-4350-9563-ad00f8c72ec5",
    "Azure Machine Learning Workspace Connection Secrets Reader",
    (f"{_ML}/connections/listsecrets/action", f"{_ML}/metadata/secrets/read"),
)
REGISTRY_USER = Role(
    "1823dd4f-9b8c-4ab6-ab4e-7397a3684615",
    "AzureML Registry User",
    (f"{ML}/registries/read", f"{ML}/registries/assets/*"),
)
BUILT_IN: Mapping[str, Role] = {
    role.id: role
    for role in (OWNER, CONTRIBUTOR, READER, DATA_SCIENTIST, SECRETS_READER, REGISTRY_USER)
}


def find_role(text: str, roles: Mapping[str, Role] = BUILT_IN) -> Role:
    """The role of that name, GUID or ARM id. Raises UserError (RoleDefinitionDoesNotExist)."""
    found = role_named(text, roles)
    if found:
        return found
    names = ", ".join(f'"{role.name}"' for role in roles.values())
    raise UserError(
        f"there is no role {shown(text)}; it must be one of {names}, or the id of one",
        code="RoleDefinitionDoesNotExist",
    )


def role_named(text: str, roles: Mapping[str, Role]) -> Role | None:
    """The role of that name, GUID or ARM id."""
    match = _ID.fullmatch(text)
    wanted = (match["id"] if match else text).lower()
    return next((role for role in roles.values() if wanted in {role.id, role.name.lower()}), None)


def permits_any(pattern: str, actions: Iterable[str]) -> bool:
    """Whether a pattern of a role permits one of these."""
    return any(_matches(pattern, action) for action in actions)


def _any(patterns: tuple[str, ...], action: str) -> bool:
    return any(_matches(pattern, action) for pattern in patterns)


def _matches(pattern: str, action: str) -> bool:
    """In one pass, whatever the pattern: a regular expression with many stars can take forever."""
    first, *rest = pattern.lower().split("*")
    text = action.lower()
    if not rest:
        return text == first
    if not text.startswith(first):
        return False
    *middle, last = rest
    at = len(first)
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return text.endswith(last) and len(text) - len(last) >= at
