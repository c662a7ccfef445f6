"""The activity log over HTTP: every request that may change something leaves exactly one entry."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.api.door import WORKSPACE, Door, Tell, endpoint_body, problem
from verdazul.api.activity import READS
from verdazul.model.errors import Fatal
from verdazul.settings import Settings

LOG = (
    f"/subscriptions/{Settings().subscription}"
    "/providers/Microsoft.Insights/eventtypes/management/values"
)
CREDIT = f"{WORKSPACE}/onlineEndpoints/credit"
HUSH = "hush-7f1c"


async def ask_log(door: Door, filter_: str = "", **query: str) -> httpx.Response:
    words = {"$filter": filter_, **query}
    told = "&".join(f"{name}={quote(value)}" for name, value in words.items())
    return await door.client.get(f"{LOG}?{told}")


async def log(door: Door, filter_: str = "") -> list[dict[str, Any]]:
    answer = await ask_log(door, filter_)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["value"]
    return found


def changes(event: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {
        one["property"]: (one["before"], one["after"])
        for one in json.loads(event["properties"]["changes"])
    }


def test_a_change_is_told_in_azures_shape_with_before_and_after(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint(description="old")
        await door.client.put(
            f"{CREDIT}?x=1",
            json={"location": "local", "properties": {"authMode": "Key", "description": "new"}},
            headers={"X-Forwarded-For": "6.6.6.6, 10.1.2.3"},
        )
        await door.settle()

        newest, oldest = await log(door)
        assert newest["operationName"]["value"] == (
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write"
        )
        assert newest["resourceId"] == CREDIT
        assert (newest["caller"], newest["status"]["value"]) == ("owner", "Succeeded")
        assert newest["httpRequest"]["clientIpAddress"] == "10.1.2.3"
        assert changes(newest) == {"description": ('"old"', '"new"')}
        assert changes(oldest)["description"] == ("", '"old"')

    tell(story)


def test_the_status_is_that_of_the_operation(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await door.deployment()
        (started,) = await log(door, "status eq 'Started'")
        assert started["resourceId"] == f"{CREDIT}/deployments/blue"
        await door.settle()

        (ended,) = await log(door, f"correlationId eq '{started['correlationId']}'")
        assert ended["status"]["value"] == "Succeeded"
        assert await log(door, "status eq 'Started'") == []

    tell(story)


def test_what_was_refused_says_why_and_changed_nothing(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        refused = await door.ask("PUT", "onlineEndpoints/credit", {"properties": {"authMode": 7}})

        (event,) = await log(door, "status eq 'failed'")
        assert event["subStatus"]["value"] == problem(refused)[1]
        assert (event["level"], changes(event)) == ("Error", {})

    tell(story)


def test_secrets_are_in_no_entry_and_showing_them_is(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        keys = (await door.ask("POST", "onlineEndpoints/credit/listKeys")).json()
        await door.ask(
            "POST",
            "onlineEndpoints/credit/regenerateKeys",
            {"keyType": "Primary", "keyValue": f"{HUSH}-{'x' * 40}"},
        )
        properties = {
            "authType": "ApiKey",
            "category": "ApiKey",
            "target": f"https://me:{HUSH}@host/?sig={HUSH}",
            "credentials": {"key": HUSH},
            "metadata": {"password": HUSH},
        }
        await door.ask("PUT", "connections/db", {"properties": properties})
        await door.ask("POST", "connections/db/listSecrets", {})
        await door.deployment(environmentVariables={"DB_PASSWORD": HUSH, "MODE": "fast"})

        found = await log(door)
        text = json.dumps(found)
        assert HUSH not in text
        assert not any(key in text for key in keys.values())
        shown = [
            event["operationName"]["value"].rpartition("onlineEndpoints/")[2] for event in found
        ]
        assert "listKeys/action" in shown
        regenerated = next(e for e in found if "regenerateKeys" in e["operationName"]["value"])
        assert changes(regenerated) == {"keys.primary": ('"(secret)"', '"(secret)"')}
        assert regenerated["resourceId"] == CREDIT
        blue = changes(next(e for e in found if e["resourceId"].endswith("deployments/blue")))
        assert blue["environment_variables.MODE"] == ("", '"fast"')
        assert blue["environment_variables.DB_PASSWORD"] == ("", '"(secret)"')

    tell(story)


def test_every_route_that_may_change_something_leaves_exactly_one_entry(tell: Tell) -> None:
    names = {"subscription": Settings().subscription, "group": "local", "workspace": "verdazul"}

    async def story(door: Door) -> None:
        guarded = [rule for rule in door.api._rules if rule.method not in READS]
        assert len(guarded) > 30
        for n, rule in enumerate(guarded):
            path = rule.path
            for name in {part[1:-1] for part in path.split("/") if part.startswith("{")}:
                path = path.replace(f"{{{name}}}", names.get(name, f"x{n}"))
            before = len(await door.bench.store.activity(everything()))
            await door.client.request(rule.method, f"/{path}", json={})
            after = len(await door.bench.store.activity(everything()))
            assert after == before + 1, rule

    tell(story)


def everything() -> Any:
    from verdazul.core.audit import Wanted

    return Wanted(most=10_000)


def test_what_is_made_in_a_collection_is_told_there(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.client.post(
            "/v1.0/users",
            json={"userPrincipalName": "bob", "passwordProfile": {"password": HUSH * 2}},
        )

        (event,) = await log(door)
        assert event["resourceId"] == "/v1.0/users"
        assert event["operationName"]["value"] == "Microsoft.Authorization/users/write"

    tell(story)


def test_a_disk_that_is_full_keeps_nobody_from_their_keys(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise Fatal("the database cannot be written", code="StoreUnusable")

    async def story(door: Door) -> None:
        await door.endpoint()
        monkeypatch.setattr(door.bench.store, "commit", full)

        keys = await door.ask("POST", "onlineEndpoints/credit/listKeys")
        wrong = await door.ask("PUT", "onlineEndpoints/credit", {"properties": {"authMode": 7}})
        other = f"{WORKSPACE}/onlineEndpoints/other".encode()
        change, said = await door.raw("PUT", other, json.dumps(endpoint_body()).encode())
        assert (keys.status_code, wrong.status_code) == (200, 400)
        assert (change, b"StoreUnusable" in said) == (500, True)

    tell(story)


def test_reads_and_strangers_leave_nothing(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.ask("GET", "onlineEndpoints")
        await door.ask("PUT", "onlineEndpoints/credit", {}, authorization="Bearer wrong")

        assert await log(door) == []

    tell(story)


def test_the_loop_that_follows_a_change_acts_for_nobody(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await door.ask("DELETE", "onlineEndpoints/credit")
        await door.settle()

        newest, _ = await log(door)
        assert changes(newest)["is_deleting"] == ("false", "true")

    tell(story)


def test_pages_follow_each_other_without_a_gap(tell: Tell) -> None:
    async def story(door: Door) -> None:
        for n in range(230):
            await door.ask("DELETE", f"connections/c{n}")
        ids, link = [], f"{LOG}?api-version=2015-04-01"
        sizes = []
        while link:
            page = (await door.client.get(link)).json()
            ids += [event["resourceId"].rpartition("/c")[2] for event in page["value"]]
            sizes.append(len(page["value"]))
            link = page.get("nextLink", "")

        assert sizes == [100, 100, 30]
        assert ids == [str(n) for n in reversed(range(230))]

    tell(story)


@pytest.mark.parametrize(
    ("filter_", "said"),
    [
        ("eventTimestamp ge 'soon'", "no time"),
        ("eventTimestamp eq '2026-01-01'", "holds"),
        ("colour eq 'red'", "colour"),
        ("status eq 'Maybe'", "none of Started"),
        ("caller = 'x'", "joined by `and`"),
        ("caller eq 'a' or caller eq 'b'", "holds"),
    ],
)
def test_a_filter_that_is_not_understood_is_refused(tell: Tell, filter_: str, said: str) -> None:
    async def story(door: Door) -> None:
        status, code, message = problem(await ask_log(door, filter_))
        assert (status, code) == (400, "InvalidFilter")
        assert said in message

    tell(story)


def test_a_page_that_nobody_gave_is_refused(tell: Tell) -> None:
    async def story(door: Door) -> None:
        assert problem(await ask_log(door, **{"$skiptoken": "-1"}))[1] == "InvalidSkipToken"

    tell(story)


def test_azures_own_filter_is_understood(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await door.endpoint("other")
        asked = (
            "eventTimestamp ge 1970-01-01T00:00:00Z and eventTimestamp le 2100-01-01T00:00:00Z and "
            "eventChannels eq 'Admin, Operation' and "
        )

        assert len(await log(door, f"{asked}resourceId eq '{CREDIT}/'")) == 1
        assert len(await log(door, f"{asked}resourceGroupName eq 'LOCAL'")) == 2
        assert await log(door, f"{asked}resourceGroupName eq 'elsewhere'") == []
        assert len(await log(door, "caller eq 'owner'")) == 2

    tell(story)
