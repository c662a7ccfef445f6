"""`verdazul monitor activity-log list`: who changed what, with the flags of `az`."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session
from verdazul.clock import SystemClock
from verdazul.model.errors import UserError

_OFFSET = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,4})m)?", re.IGNORECASE)
_SHOWN_CHANGES = 3
_LONGEST_CELL = 60


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the noun and its commands."""
    monitor = grammar.add_noun(nouns, "monitor", "See what was done here.")
    commands = grammar.add_noun(monitor, "activity-log", "Read who changed what.")
    _declare_list(commands)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show the newest entries that are asked for, newest first."""
    now = datetime.fromtimestamp(SystemClock().now(), UTC)
    query = {"$filter": _filter(session, arguments, now)}
    with session.work() as work:
        found = list(islice(work.workspace.activity().list(**query), arguments.max_events))
    render.show(found, session.how, columns=_columns(session.workspace_id))


def _filter(session: Session, arguments: Arguments, now: datetime) -> str:
    end = arguments.end_time or now
    start = arguments.start_time or end - arguments.offset
    if start > end:
        raise UserError(
            f"--start-time is {start.isoformat()}, after the end, {end.isoformat()}",
            code="InvalidArguments",
            fix="let it begin before it ends",
        )
    clauses = [
        f"eventTimestamp ge '{start.isoformat()}'",
        f"eventTimestamp le '{end.isoformat()}'",
    ]
    for name, value in (
        ("resourceGroupName", arguments.resource_group),
        ("resourceId", _place(session, arguments.resource_id)),
        ("correlationId", arguments.correlation_id),
        ("caller", arguments.caller),
        ("status", arguments.status),
    ):
        if value:
            clauses.append(f"{name} eq '{_quotable(name, value)}'")
    return " and ".join(clauses)


def _place(session: Session, text: str | None) -> str | None:
    """An id; a name alone is an endpoint's."""
    if not text or text.startswith("/"):
        return text
    return f"{session.workspace_id}/onlineEndpoints/{text}"


def _quotable(name: str, value: str) -> str:
    if "'" in value:
        raise UserError(f"{name} is {value!r}; it cannot hold a quote", code="InvalidArguments")
    return str(value)


def _columns(workspace: str) -> tuple[render.Column, ...]:
    return (
        ("Time", lambda event: event["eventTimestamp"][:19] + "Z"),
        ("Caller", lambda event: event["caller"]),
        ("Operation", lambda event: _short_action(event["operationName"]["value"])),
        ("Resource", lambda event: _short_id(event["resourceId"], workspace)),
        ("Status", _status),
        ("Changes", lambda event: _changes(json.loads(event["properties"]["changes"]))),
    )


def _short_action(action: str) -> str:
    return action.partition("/")[2].removeprefix("workspaces/")


def _short_id(resource: str, workspace: str) -> str:
    if resource.lower().startswith(f"{workspace.lower()}/"):
        return resource[len(workspace) + 1 :]
    return resource.rpartition("/providers/")[2].lstrip("/")


def _status(event: Mapping[str, Any]) -> str:
    state, code = event["status"]["value"], event["subStatus"]["value"]
    return f"{state} ({code})" if code else str(state)


def _changes(changes: list[dict[str, str]]) -> str:
    told = [
        f"{one['property']}: {_value(one['before'])} -> {_value(one['after'])}" for one in changes
    ]
    more = [f"{len(told) - _SHOWN_CHANGES} more"] if len(told) > _SHOWN_CHANGES else []
    return "; ".join(told[:_SHOWN_CHANGES] + more)


def _value(text: str) -> str:
    if not text:
        return "none"
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}..."


def _offset(text: str) -> timedelta:
    match = _OFFSET.fullmatch(text)
    days, hours, minutes = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    found = timedelta(days=days, hours=hours, minutes=minutes)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 6h, 7d, 1d12h or 30m")
    return found


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time as in ISO 8601, such as 2026-11-26T08:00:00Z"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _events(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of events (1 or more)")
    return int(text)


def _declare_list(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_resource_command(
        commands,
        "list",
        list_all,
        summary="List who changed what, and who asked for it in vain, newest first. Each change is "
        "shown with what was before and what is after; secrets are never shown.",
        examples=(
            "verdazul monitor activity-log list -o table",
            "verdazul monitor activity-log list --resource-id credit --offset 7d",
            'verdazul monitor activity-log list --status Failed --query "[].subStatus.value"',
        ),
    )
    parser.add_argument(
        "--resource-id", metavar="ID", help="of this resource and below; or an endpoint's name"
    )
    parser.add_argument("--correlation-id", metavar="ID", help="of this operation")
    parser.add_argument("--caller", metavar="WHO", help="by this caller: name or object id")
    parser.add_argument(
        "--status",
        choices=("Started", "Accepted", "Succeeded", "Failed", "Canceled"),
        type=str.capitalize,
        help="that ended so",
    )
    parser.add_argument("--start-time", type=_time, metavar="TIME", help="from then on, in UTC")
    parser.add_argument("--end-time", type=_time, metavar="TIME", help="until then (default: now)")
    parser.add_argument(
        "--offset",
        type=_offset,
        default=timedelta(hours=6),
        metavar="6h|7d",
        help="so long before the end, unless --start-time says (default: 6h)",
    )
    parser.add_argument(
        "--max-events", type=_events, default=50, metavar="N", help="at the most (default: 50)"
    )
