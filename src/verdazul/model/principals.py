"""How an assignment names an identity: its id, or `//DIRECTORY/ID` in another directory."""

from __future__ import annotations

import re
from typing import Any

from verdazul.model.errors import UserError
from verdazul.model.show import shown

_ID = re.compile(r"[^\s\x00-\x1f\x7f]{1,255}")
_ELSEWHERE = re.compile(r"//[a-z0-9][a-z0-9-]*/.+")
_PLACE = re.compile(r"//[^/]*/")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def read_principal(value: Any) -> str:
    """One spelling of it, GUIDs in lower case.

    Raises UserError (InvalidPrincipalId) when no identity can be called so.
    """
    text = value if isinstance(value, str) else ""
    in_place = not text.startswith("//") or _ELSEWHERE.fullmatch(text)
    if not _ID.fullmatch(text) or not in_place:
        raise UserError(
            f"principalId is {shown(value)}; it must be an identity's id (oid or sub of its "
            "tokens) without spaces, or //DIRECTORY/ID",
            code="InvalidPrincipalId",
        )
    return one_spelling(text)


def one_spelling(id_: str) -> str:
    """A GUID means the same in any case; other ids are of one spelling already."""
    place = _PLACE.match(id_)
    inner = id_[place.end() :] if place else id_
    return f"{place[0] if place else ''}{inner.lower()}" if is_guid(inner.lower()) else id_


def is_guid(text: str) -> bool:
    """Whether it is one, in lower case."""
    return _GUID.fullmatch(text) is not None


def read_definition_id(text: str) -> str:
    """In lower case. Raises UserError (InvalidRoleDefinitionId) when it is no GUID."""
    if not is_guid(text.lower()):
        raise UserError(
            f"{shown(text)} is no GUID; role definitions are named by one",
            code="InvalidRoleDefinitionId",
        )
    return text.lower()


def read_assignment_id(text: str) -> str:
    """In lower case. Raises UserError (InvalidRoleAssignmentId) when it is no GUID."""
    if not is_guid(text.lower()):
        raise UserError(
            f"{shown(text)} is no GUID; role assignments are named by one",
            code="InvalidRoleAssignmentId",
        )
    return text.lower()
