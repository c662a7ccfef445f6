"""`verdazul monitor activity-log list`, with the flags of az."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.cli.arm_server import PREFIX, Api, Reply
from tests.cli.conftest import Ran, Run

LOG = "/providers/Microsoft.Insights/eventtypes/management/values"
CREDIT = f"{PREFIX}/onlineEndpoints/credit"


def event(n: int = 1, *, code: str = "", changes: int = 1) -> dict[str, Any]:
    leaf = {"resource": "onlineEndpoints/credit", "before": "", "after": '"x"'}
    return {
        "eventTimestamp": f"2026-11-26T08:00:0{n}.123456+00:00",
        "caller": "alice",
        "operationName": {
            "value": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write"
        },
        "resourceId": CREDIT,
        "status": {"value": "Failed" if code else "Succeeded"},
        "subStatus": {"value": code},
        "properties": {
            "changes": json.dumps([{**leaf, "property": f"p{m}"} for m in range(changes)])
        },
    }


def listed(api: Api, run: Run, *words: str, events: tuple[dict[str, Any], ...] = ()) -> Ran:
    api.answer_next("GET", LOG, Reply(200, {"value": list(events)}))
    return run("monitor", "activity-log", "list", *words)


def filter_of(api: Api) -> str:
    (seen,) = api.requests("GET", LOG)
    return seen.query["$filter"][0]


def window(api: Api) -> timedelta:
    start, end = re.findall(r"eventTimestamp [gl]e '([^']+)'", filter_of(api))
    return datetime.fromisoformat(end) - datetime.fromisoformat(start)


def test_the_table_tells_who_did_what_where_and_what_is_different(api: Api, run: Run) -> None:
    ran = listed(api, run, "-o", "table", events=(event(2, changes=5), event(1, code="Conflict")))

    title, _, first, second = ran.out.splitlines()
    assert title.split() == ["Time", "Caller", "Operation", "Resource", "Status", "Changes"]
    assert first.startswith("2026-11-26T08:00:02Z  alice   onlineEndpoints/write  onlineEndpoints/")
    assert first.endswith('p0: none -> "x"; p1: none -> "x"; p2: none -> "x"; 2 more')
    assert "Failed (Conflict)" in second


def test_without_a_window_it_is_the_last_six_hours(api: Api, run: Run) -> None:
    listed(api, run)

    assert window(api) == timedelta(hours=6)


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("30m", timedelta(minutes=30)),
        ("7d", timedelta(days=7)),
        ("1d12h", timedelta(days=1, hours=12)),
    ],
)
def test_an_offset_reaches_back_from_the_end(
    api: Api, run: Run, offset: str, expected: timedelta
) -> None:
    listed(api, run, "--offset", offset, "--end-time", "2026-11-26T08:00:00")

    assert window(api) == expected
    assert "le '2026-11-26T08:00:00+00:00'" in filter_of(api)


def test_filters_are_azures_and_a_name_alone_is_an_endpoint(api: Api, run: Run) -> None:
    listed(
        api,
        run,
        *("--resource-id", "credit", "--caller", "alice", "--status", "failed"),
        *("--correlation-id", "op-1", "-g", "local"),
    )

    asked = filter_of(api)
    assert f"resourceId eq '{CREDIT}'" in asked
    assert "caller eq 'alice' and status eq 'Failed'" in asked
    assert "correlationId eq 'op-1'" in asked
    assert "resourceGroupName eq 'local'" in asked


def test_no_more_events_than_are_wanted(api: Api, run: Run) -> None:
    ran = listed(api, run, "--max-events", "2", events=tuple(event(n) for n in range(5)))

    assert len(ran.json) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--offset", "0h"), "is not like 6h"),
        (("--offset", "soon"), "is not like 6h"),
        (("--start-time", "soon"), "no time"),
        (("--max-events", "0"), "number of events"),
        (("--status", "maybe"), "there is no"),
        (("--caller", "o'hara"), "cannot hold a quote"),
        (("--start-time", "2026-02-01", "--end-time", "2026-01-01"), "after the end"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_sent(
    api: Api, run: Run, words: tuple[str, ...], said: str
) -> None:
    ran = run("monitor", "activity-log", "list", *words)

    assert ran.code != 0
    assert said in ran.err
    assert api.seen == []
