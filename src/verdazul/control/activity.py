"""Use cases of the activity log: what was asked, by whom, and what came of it.

The store writes down what a request changes, with the change (store/audit.py). Here is the rest:
attempts that changed nothing, and reading it all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from enum import StrEnum

from verdazul.control.world import World
from verdazul.core import audit
from verdazul.core.audit import Entry, Origin, Wanted
from verdazul.core.callers import Caller
from verdazul.core.changes import AddEntry
from verdazul.core.records import OperationState
from verdazul.model.errors import Problem

_CHUNK = 200


class State(StrEnum):
    """Azure's words. Accepted: it was declared, and how its operation ended is known no more."""

    STARTED = "Started"
    ACCEPTED = "Accepted"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


_OF_OPERATION = {
    OperationState.IN_PROGRESS: State.STARTED,
    OperationState.SUCCEEDED: State.SUCCEEDED,
    OperationState.FAILED: State.FAILED,
    OperationState.CANCELED: State.CANCELED,
}


@dataclass(frozen=True, slots=True)
class Told:
    """An entry with its number, how it ended, and why when it did not end well."""

    number: int
    entry: Entry
    state: State
    problem: Problem | None = None


async def note_refusal(world: World, origin: Origin, problem: Problem) -> None:
    """Write down that it was asked for in vain."""
    entry = audit.refused(origin, problem.code, problem.message)
    await world.store.commit(AddEntry(entry))


async def note_act(world: World, origin: Origin) -> None:
    """Write down what was done without changing what is declared, such as showing keys."""
    await world.store.commit(AddEntry(audit.made(origin, ())))


async def read(world: World, wanted: Wanted, *, state: State | None = None) -> tuple[Told, ...]:
    """The newest `wanted.most` entries, newest first."""
    found: list[Told] = []
    async for told in _all(world, replace(wanted, most=_CHUNK)):
        if state in {None, told.state}:
            found.append(told)
        if len(found) == wanted.most:
            break
    return tuple(found)


async def has_begun(world: World, caller: Caller, operation: str) -> bool:
    """Whether an operation is one that this caller asked for."""
    found = await world.store.activity(Wanted(correlation=operation))
    return any(entry.caller == caller.id for _, entry in found)


async def _all(world: World, wanted: Wanted) -> AsyncIterator[Told]:
    before = wanted.before
    while True:
        chunk = await world.store.activity(replace(wanted, before=before))
        for number, entry in chunk:
            yield await _told(world, number, entry)
        if len(chunk) < wanted.most:
            return
        before = chunk[-1][0]


async def _told(world: World, number: int, entry: Entry) -> Told:
    if entry.outcome == "Failed":
        return Told(number, entry, State.FAILED, Problem(entry.problem, entry.message))
    if entry.correlation == entry.id:
        return Told(number, entry, State.SUCCEEDED)
    operation = await world.store.operation(entry.correlation)
    if operation is None:
        return Told(number, entry, State.ACCEPTED)
    return Told(number, entry, _OF_OPERATION[operation.state], operation.problem)
