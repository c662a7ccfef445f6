"""The words of the description: what one route is called, takes and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

ASYNC = ("Azure-AsyncOperation", "Location", "Retry-After", "x-ms-async-operation-timeout")
"""Where a client waits."""
JSON = "application/json"
BYTES = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Answer:
    """One status. `schema` names a component; "" is an answer without a body."""

    says: str
    schema: str = ""
    headers: tuple[str, ...] = ()
    media: str = JSON


Answers: TypeAlias = Mapping[int, Answer]


@dataclass(frozen=True, slots=True)
class Operation:
    """`id` is Azure's operationId where Azure has one; `body` names a component.

    `query` and `headers` name parameters, `errors` the statuses of the error envelope besides
    those that every route of its kind has.
    """

    id: str
    tag: str
    says: str
    answers: Answers
    body: str = ""
    media: str = JSON
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    errors: tuple[int, ...] = ()
    security: tuple[str, ...] = field(default=())


def shows(schema: str, *headers: str, says: str = "As it is now.") -> Answers:
    """200 with this."""
    return {200: Answer(says, schema, headers)}


def puts(schema: str, *headers: str) -> Answers:
    """201 for a new one, 200 for one that was there."""
    return {
        200: Answer("It was there; as it is now declared.", schema, headers),
        201: Answer("It is new.", schema, headers),
    }


def lists(schema: str) -> Answers:
    """One page."""
    return shows(f"{schema}List", says="One page.")


def deletes() -> Answers:
    """200, or 204 where nothing was."""
    return {200: Answer("It is gone."), 204: Answer("There was none.")}


def begins(says: str) -> Answers:
    """202 and where to wait."""
    return {202: Answer(says, headers=ASYNC)}
