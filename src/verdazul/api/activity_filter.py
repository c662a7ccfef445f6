"""The activity log's `$filter`, as Azure's clients write it: clauses joined by `and`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from verdazul.control.activity import State
from verdazul.core.audit import Wanted
from verdazul.model.errors import UserError
from verdazul.model.show import shown

_CLAUSE = re.compile(r"(\w+)\s+(eq|ge|le)\s+'?([^']*)'?", re.IGNORECASE)
_HOLDS = (
    "eventTimestamp ge|le 'TIME', resourceUri|resourceId|resourceGroupName|caller|status|"
    "correlationId eq 'VALUE', joined by `and`"
)


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked for; how it ended is known only with its operation."""

    wanted: Wanted = field(default_factory=Wanted)
    state: State | None = None


def read_filter(text: str, subscription: str) -> Filter:
    """Raise UserError (InvalidFilter) saying what it may hold."""
    found = Filter()
    for part in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE) if text.strip() else []:
        match = _CLAUSE.fullmatch(part.strip())
        clause = f"{match[1]} {match[2]}".lower() if match else ""
        if match is None or clause not in _CLAUSES:
            raise _bad(f"holds {shown(part)}")
        value = match[3]
        if clause == "resourcegroupname eq":
            value = f"/subscriptions/{subscription}/resourceGroups/{value}"
        found = _CLAUSES[clause](found, value)
    return found


def _since(found: Filter, value: str) -> Filter:
    return replace(found, wanted=replace(found.wanted, since=_time(value)))


def _until(found: Filter, value: str) -> Filter:
    return replace(found, wanted=replace(found.wanted, until=_time(value)))


def _resource(found: Filter, value: str) -> Filter:
    return replace(found, wanted=replace(found.wanted, resource=value.rstrip("/")))


def _caller(found: Filter, value: str) -> Filter:
    return replace(found, wanted=replace(found.wanted, caller=value))


def _correlation(found: Filter, value: str) -> Filter:
    return replace(found, wanted=replace(found.wanted, correlation=value))


def _status(found: Filter, value: str) -> Filter:
    for state in State:
        if state.value.lower() == value.lower():
            return replace(found, state=state)
    raise _bad(f"asks for the status {shown(value)}, which is none of {', '.join(State)}")


def _channels(found: Filter, value: str) -> Filter:
    """Azure's clients always ask for "Admin, Operation": all there is."""
    del value
    return found


_CLAUSES: Mapping[str, Callable[[Filter, str], Filter]] = {
    "eventtimestamp ge": _since,
    "eventtimestamp le": _until,
    "resourceuri eq": _resource,
    "resourceid eq": _resource,
    "resourcegroupname eq": _resource,
    "caller eq": _caller,
    "correlationid eq": _correlation,
    "status eq": _status,
    "eventchannels eq": _channels,
}


def _time(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _bad(f"holds {shown(text)}, which is no time as in ISO 8601") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _bad(what: str) -> UserError:
    return UserError(f"$filter {what}; it may hold {_HOLDS}", code="InvalidFilter")
