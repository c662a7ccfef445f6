"""Roles of one's own over HTTP, and what they let people do."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.api.door import WORKSPACE, Door, Tell, endpoint_body, problem
from tests.api.test_api_permissions import CREDIT, ML, Person, give, is_forbidden, somebody
from verdazul.control.roles import callers_of
from verdazul.core.trust import HOME_OWNER
from verdazul.model.actions import SCORE
from verdazul.model.roles import BUILT_IN, CONTRIBUTOR, DATA_SCIENTIST, OWNER, READER, Role
from verdazul.settings import Settings

SUBSCRIPTION = f"/subscriptions/{Settings().subscription}"
DEFINITIONS = "providers/Microsoft.Authorization/roleDefinitions"
ALL = f"{SUBSCRIPTION}/{DEFINITIONS}"
CALLER = Role("11111111-2222-3333-4444-555555555555", "Endpoint Caller", (SCORE,))


def body(role: Role, **changes: Any) -> dict[str, Any]:
    permissions = [{"actions": role.actions, "notActions": role.not_actions}]
    default = {
        "roleName": role.name,
        "assignableScopes": [SUBSCRIPTION],
        "permissions": permissions,
    }
    return {"properties": default | changes}


async def put(door: Door, role: Role, *, at: str = ALL, **changes: Any) -> httpx.Response:
    return await door.client.put(f"{at}/{role.id}", json=body(role, **changes))


async def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, problem(answer)[1]) == (status, code), answer.text


def test_a_role_is_made_shown_changed_and_deleted_in_azures_shape(tell: Tell) -> None:
    async def story(door: Door) -> None:
        made = await put(door, CALLER, description="calls")
        assert made.status_code == 201
        assert made.json() == {
            "id": f"{ALL}/{CALLER.id}",
            "name": CALLER.id,
            "type": "Microsoft.Authorization/roleDefinitions",
            "properties": {
                "roleName": "Endpoint Caller",
                "type": "CustomRole",
                "description": "calls",
                "assignableScopes": [SUBSCRIPTION],
                "permissions": [
                    {"actions": [SCORE], "notActions": [], "dataActions": [], "notDataActions": []}
                ],
            },
        }
        url = f"{ALL}/{CALLER.id}"
        again = await door.client.put(url.upper(), json=made.json())
        assert (again.status_code, again.json()) == (201, made.json())
        assert (await door.client.get(url)).json() == made.json()
        below = await door.client.get(f"{WORKSPACE}/{DEFINITIONS}/{CALLER.id}")
        assert below.json() == made.json()

        assert (await door.client.delete(url)).json() == made.json()
        assert (await door.client.delete(url)).status_code == 204
        await refused(await door.client.get(url), 404, "RoleDefinitionDoesNotExist")

    tell(story)


def test_the_list_has_built_in_roles_and_ones_own_and_can_be_cut(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await put(door, CALLER)

        async def listed(text: str = "", at: str = ALL) -> list[str]:
            answer = await door.client.get(at, params={"$filter": text})
            return [one["properties"]["roleName"] for one in answer.json()["value"]]

        every = [*(role.name for role in BUILT_IN.values()), CALLER.name]
        assert await listed() == await listed("atScopeAndBelow()") == every
        assert await listed(at=f"{WORKSPACE}/{DEFINITIONS}") == every
        assert await listed("type eq 'CustomRole'") == [CALLER.name]
        assert await listed("roleName eq 'reader' and type eq 'BuiltInRole'") == ["Reader"]
        assert await listed("roleName eq 'reader' and type eq 'CustomRole'") == []
        await refused(
            await door.client.get(ALL, params={"$filter": "x eq 1"}), 400, "InvalidFilter"
        )

    tell(story)


def test_what_cannot_be_is_refused_by_name(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await put(door, CALLER)
        other = Role("11111111-2222-3333-4444-555555555556", "endpoint CALLER", ("*",))

        await refused(await put(door, other), 409, "RoleDefinitionWithSameNameExists")
        same = Role(other.id, "reader", ("*",))
        await refused(await put(door, same), 409, "RoleDefinitionWithSameNameExists")
        await refused(await put(door, READER), 403, "RoleDefinitionIsBuiltIn")
        await refused(await door.client.delete(f"{ALL}/{OWNER.id}"), 403, "RoleDefinitionIsBuiltIn")
        await refused(
            await door.client.put(f"{ALL}/mine", json=body(CALLER)), 400, "InvalidRoleDefinitionId"
        )
        elsewhere = ALL.replace(Settings().subscription, OWNER.id)
        await refused(await put(door, CALLER, at=elsewhere), 404, "SubscriptionNotFound")
        await refused(await put(door, CALLER, colour="red"), 400, "UnknownKey")
        await refused(await put(door, CALLER, permissions=7), 400, "InvalidRoleDefinition")
        misspelt = [{"actions": [f"{ML}/scores/action"]}]
        answer = await put(door, CALLER, permissions=misspelt)
        await refused(answer, 400, "InvalidActionOrNotAction")
        assert SCORE in answer.text

    tell(story)


@pytest.mark.azure(42)
def test_a_role_of_ones_own_permits_what_it_says_and_changes_at_once(tell: Tell) -> None:
    keys = Role(CALLER.id, "Keys", (f"{ML}/*/action",), (f"{ML}/regenerateKeys/action",))

    async def story(door: Door) -> None:
        await door.endpoint()
        alice = await somebody(door)
        await put(door, keys)
        await alice.given(keys, at=CREDIT)

        assert (await alice.ask("POST", f"{CREDIT}/listKeys")).status_code == 200
        assert is_forbidden(await alice.ask("POST", f"{CREDIT}/regenerateKeys"))
        assert is_forbidden(await alice.ask("GET", CREDIT))
        await put(door, Role(keys.id, "Keys", (f"{ML}/read",)))
        assert is_forbidden(await alice.ask("POST", f"{CREDIT}/listKeys"))
        assert (await alice.ask("GET", CREDIT)).status_code == 200

    tell(story)


def test_roles_add_up_and_leave_out_for_themselves_only(tell: Tell) -> None:
    but = Role(CALLER.id, "All but keys", (f"{ML}/*",), (f"{ML}/listKeys/action",))

    async def story(door: Door) -> None:
        await door.endpoint()
        alice = await somebody(door)
        await put(door, but)
        await alice.given(but)
        assert is_forbidden(await alice.ask("POST", f"{CREDIT}/listKeys"))

        await alice.given(DATA_SCIENTIST, number=2)
        assert (await alice.ask("POST", f"{CREDIT}/listKeys")).status_code == 200

    tell(story)


def test_a_role_is_given_by_name_and_cannot_be_deleted_while_somebody_has_it(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await put(door, CALLER)
        guid = "00000000-0000-4000-8000-000000000001"
        url = f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments/{guid}"
        properties = {"roleDefinitionId": "endpoint caller", "principalId": "alice"}
        given = await door.client.put(url, json={"properties": properties})
        assert given.json()["properties"]["roleDefinitionId"] == f"{ALL}/{CALLER.id}"

        held = await door.client.delete(f"{ALL}/{CALLER.id}")
        await refused(held, 409, "RoleDefinitionHasAssignments")
        await door.client.delete(url)
        assert (await door.client.delete(f"{ALL}/{CALLER.id}")).status_code == 200
        gone = await door.client.put(url, json={"properties": properties})
        await refused(gone, 400, "RoleDefinitionDoesNotExist")

    tell(story)


@pytest.mark.azure(41)
def test_a_role_of_ones_own_lets_people_call_an_endpoint_of_aad_token(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint(authMode="AADToken")
        await put(door, CALLER)
        await give(door, "//entra/alice", CALLER, at=CREDIT)
        await give(door, "risk", CALLER, number=2, kind="Group")
        await door.settle()

        def door_of() -> Any:
            route = door.bench.gateway.published("credit")
            return route.door if route else None

        assert door_of() == await callers_of(door.bench.world, "credit")
        assert set(door_of().users) == {HOME_OWNER, "//entra/alice"}
        assert door_of().groups == ("risk",)
        await put(door, Role(CALLER.id, CALLER.name, (f"{ML}/read",)))
        await door.settle()
        assert (door_of().users, door_of().groups) == ((HOME_OWNER,), ())

    tell(story)


def test_only_who_may_give_roles_may_make_them(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        alice, boss = await somebody(door), await somebody(door, "boss")
        await alice.given(CONTRIBUTOR)
        await alice.given(OWNER, at=CREDIT, number=2)
        await boss.given(OWNER, number=3)

        for at in (ALL, f"{WORKSPACE}/{DEFINITIONS}"):
            assert is_forbidden(await alice.ask("PUT", f"{at}/{CALLER.id}", body(CALLER)))
            assert is_forbidden(await alice.ask("DELETE", f"{at}/{CALLER.id}"))
            assert (await alice.ask("GET", at)).status_code == 200
        assert (await boss.ask("PUT", f"{ALL}/{CALLER.id}", body(CALLER))).status_code == 201

    tell(story)


def test_a_role_that_changes_is_in_the_activity_log_with_before_and_after(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await put(door, CALLER)
        await put(door, Role(CALLER.id, CALLER.name, (f"{ML}/read",)))

        log = f"{SUBSCRIPTION}/providers/Microsoft.Insights/eventtypes/management/values"
        newest = (await door.client.get(log)).json()["value"][0]
        assert newest["operationName"]["value"] == "Microsoft.Authorization/roleDefinitions/write"
        assert SCORE in json.dumps(newest)
        assert f"{ML}/read" in json.dumps(newest)

    tell(story)


@pytest.mark.azure(43)
def test_a_data_scientist_can_do_the_whole_flow(tell: Tell) -> None:
    async def story(door: Door) -> None:
        ann = await somebody(door, "ann")
        await ann.given(DATA_SCIENTIST)
        door.client.headers["Authorization"] = f"Bearer {ann.token}"
        blue = f"{CREDIT}/deployments/blue"

        assert (await door.client.get(WORKSPACE)).status_code == 200
        assert (await door.endpoint()).status_code == 201
        assert (await door.deployment()).status_code == 201
        await door.settle()
        traffic = endpoint_body(traffic={"blue": 100})
        assert (await door.client.put(CREDIT, json=traffic)).status_code == 200
        await door.settle()
        for url in (f"{WORKSPACE}/onlineEndpoints", CREDIT, blue, f"{blue}/skus"):
            assert (await door.client.get(url)).status_code == 200, url
        for url in (f"{CREDIT}/listKeys", f"{blue}/getLogs"):
            assert (await door.client.post(url, json={})).status_code == 200, url
        new = await door.client.post(f"{CREDIT}/regenerateKeys", json={"keyType": "Primary"})
        assert new.status_code == 202
        await door.settle()
        assert (await door.client.get(new.headers["location"])).status_code == 204
        assert (await door.client.delete(CREDIT)).status_code == 202

        assert is_forbidden(await door.client.put(f"{ALL}/{CALLER.id}", json=body(CALLER)))

    tell(story)


def test_nobody_learns_whether_a_role_is_there_without_the_right(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await put(door, CALLER)
        alice: Person = await somebody(door)

        there = await alice.ask("GET", f"{ALL}/{CALLER.id}")
        missing = await alice.ask("GET", f"{ALL}/x")
        assert is_forbidden(there)
        assert is_forbidden(missing)
        assert CALLER.name not in there.text

    tell(story)
