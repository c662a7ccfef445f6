"""Who changed what: what one change leaves in the activity log, as pure functions of JSON.

A change is told as its leaves, each with what it was before and what it is after, so that people
read what is different and nothing else. Secrets are told apart, never shown: a stolen log opens
nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from verdazul.core.callers import Caller

Outcome = Literal["Succeeded", "Failed"]
SECRET = "(secret)"  # noqa: S105 - what stands for one
LONGEST_VALUE = 500
MOST_LEAVES = 100
_SECRET_NAME = re.compile(
    r"passw(or)?d|pwd|secret|token|credential|signature|connection_?string|(^|[^a-z])sas([^a-z]|$)"
    r"|(^|[_.-]|api|access|account|private|shared|storage|encryption)keys?$",
    re.IGNORECASE,
)
_SECRET_PART = re.compile(r"([?&;](?:sig|signature|accountkey|password)=)[^&;\s]+", re.IGNORECASE)
_USER_INFO = re.compile(r"(://[^/@:\s]*:)[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class Origin:
    """The request that changes are made for. `action` is Azure's name of what it does.

    `resource` is the ARM id that was asked, `address` the caller's, `at` unix seconds.
    """

    id: str
    at: float
    caller: Caller
    action: str
    resource: str
    method: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of one thing that is not what it was; JSON text, "" where there was or is none."""

    subject: str
    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One row. `correlation` is the operation that brings the change about, else the request's id.

    `problem` is the code of what a Failed one was refused with.
    """

    id: str
    at: float
    caller: str
    name: str
    action: str
    resource: str
    method: str
    address: str
    correlation: str
    outcome: Outcome
    leaves: tuple[Leaf, ...] = ()
    problem: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are asked for; "" and None mean any. `resource` is an id or one above it.

    `before` is the number of the oldest entry that is known already.
    """

    since: float = 0.0
    until: float = float("inf")
    caller: str = ""
    resource: str = ""
    outcome: str = ""
    correlation: str = ""
    before: int | None = None
    most: int = 100


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of the log is kept: so many rows of either kind, for so long.

    Rows of changes and rows of the rest (refusals, keys that were shown) are counted apart:
    whoever asks often cannot push out what was changed.
    """

    rows: int = 20_000
    seconds: float = 90 * 86400.0


def made(origin: Origin, leaves: Iterable[Leaf], *, operation: str = "") -> Entry:
    """The entry of a change that is in force."""
    return _entry(origin, "Succeeded", tuple(leaves), operation or origin.id)


def refused(origin: Origin, code: str, message: str) -> Entry:
    """The entry of an attempt that changed nothing."""
    entry = _entry(origin, "Failed", (), origin.id)
    return replace(entry, problem=code, message=_cut(_without_secrets(message)))


def differences(
    subject: str, before: Mapping[str, object] | None, after: Mapping[str, object] | None
) -> tuple[Leaf, ...]:
    """Every leaf that differs, by path; None is a thing that is not there."""
    old, new = leaves_of(before or {}), leaves_of(after or {})
    paths = [path for path in dict.fromkeys([*old, *new]) if old.get(path) != new.get(path)]
    found = [
        Leaf(subject, path, _told(path, old.get(path)), _told(path, new.get(path)))
        for path in paths[:MOST_LEAVES]
    ]
    if len(paths) > MOST_LEAVES:
        found.append(Leaf(subject, "(more)", "", str(len(paths) - MOST_LEAVES)))
    return tuple(found)


def leaves_of(value: object, path: str = "") -> dict[str, str]:
    """JSON text by path (`traffic.blue`, `tags.a`); lists are leaves.

    An empty object has none, and null is as good as nothing.
    """
    if value is None:
        return {}
    if isinstance(value, Mapping):
        found: dict[str, str] = {}
        for name, inner in value.items():
            found |= leaves_of(inner, f"{path}.{name}" if path else str(name))
        return found
    return {path: json.dumps(value, ensure_ascii=False, sort_keys=True)}


def is_secret(path: str) -> bool:
    """Whether a value of that name is told apart only."""
    return any(_SECRET_NAME.search(name) for name in path.split("."))


def _entry(origin: Origin, outcome: Outcome, leaves: tuple[Leaf, ...], correlation: str) -> Entry:
    return Entry(
        id=origin.id,
        at=origin.at,
        caller=origin.caller.id,
        name=origin.caller.name,
        action=origin.action,
        resource=origin.resource,
        method=origin.method,
        address=origin.address,
        correlation=correlation,
        outcome=outcome,
        leaves=leaves,
    )


def _told(path: str, text: str | None) -> str:
    if text is None:
        return ""
    return json.dumps(SECRET) if is_secret(path) else _cut(_without_secrets(text))


def _without_secrets(text: str) -> str:
    hidden = _SECRET_PART.sub(rf"\g<1>{SECRET}", text)
    return _USER_INFO.sub(rf"\g<1>{SECRET}@", hidden)


def _cut(text: str) -> str:
    left = len(text) - LONGEST_VALUE
    return text if left <= 0 else f"{text[:LONGEST_VALUE]}... ({left} more characters)"
