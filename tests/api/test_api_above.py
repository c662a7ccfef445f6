"""What is above the workspace, as `az` asks: tenant, subscription, group, roles there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.door import WORKSPACE, Door, Tell, problem
from tests.api.test_api_permissions import give, is_forbidden, somebody
from tests.api.test_api_roles import CALLER, DEFINITIONS, put, refused
from verdazul.model.actions import ML
from verdazul.model.roles import BUILT_IN, CONTRIBUTOR, DATA_SCIENTIST, OWNER, READER, Role
from verdazul.settings import Settings

SUBSCRIPTION = f"/subscriptions/{Settings().subscription}"
GROUP = f"{SUBSCRIPTION}/resourceGroups/local"
CREDIT = f"{WORKSPACE}/onlineEndpoints/credit"
ASSIGNMENTS = "providers/Microsoft.Authorization/roleAssignments"
PLACES = (SUBSCRIPTION, GROUP, WORKSPACE, CREDIT)
GUID = "a0000000-0000-4000-8000-00000000000a"


def test_az_finds_the_tenant_the_subscription_its_region_and_group(tell: Tell) -> None:
    async def story(door: Door) -> None:
        async def get(path: str) -> Any:
            answer = await door.client.get(path)
            assert answer.status_code == 200, answer.text
            return answer.json()

        (tenant,) = (await get("/tenants"))["value"]
        (subscription,) = (await get("/subscriptions"))["value"]
        assert subscription == await get(SUBSCRIPTION.upper())
        assert subscription["tenantId"] == tenant["tenantId"]
        assert (subscription["state"], subscription["displayName"]) == ("Enabled", "Verdazul")
        (region,) = (await get(f"{SUBSCRIPTION}/locations"))["value"]
        (group,) = (await get(f"{SUBSCRIPTION}/resourcegroups"))["value"]
        assert group == await get(f"{SUBSCRIPTION}/resourcegroups/LOCAL")
        assert (group["id"], group["location"]) == (GROUP, region["name"])

    tell(story)


def test_others_are_not_there(tell: Tell) -> None:
    async def story(door: Door) -> None:
        other = SUBSCRIPTION.replace("0", "1")
        await refused(await door.client.get(other), 404, "SubscriptionNotFound")
        await refused(await door.client.get(f"{other}/locations"), 404, "SubscriptionNotFound")
        nope = f"{SUBSCRIPTION}/resourceGroups/nope"
        for below in ("", f"/{ASSIGNMENTS}", f"/{DEFINITIONS}"):
            await refused(await door.client.get(f"{nope}{below}"), 404, "ResourceGroupNotFound")
        assert (await door.client.head(nope)).status_code == 404
        assert (await door.client.head(GROUP)).status_code == 204

    tell(story)


@pytest.mark.azure(42)
def test_whoever_has_any_role_sees_the_subscription_and_others_an_empty_list(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        alice = await somebody(door)
        assert (await alice.ask("GET", "/subscriptions")).json() == {"value": []}
        assert is_forbidden(await alice.ask("GET", SUBSCRIPTION))
        assert (await alice.ask("GET", "/tenants")).status_code == 200

        await alice.given(DATA_SCIENTIST, at=CREDIT)
        assert len((await alice.ask("GET", "/subscriptions")).json()["value"]) == 1
        assert (await alice.ask("GET", SUBSCRIPTION)).status_code == 200
        assert is_forbidden(await alice.ask("GET", GROUP))

    tell(story)


@pytest.mark.azure(42)
@pytest.mark.parametrize("place", [SUBSCRIPTION, GROUP])
def test_a_role_given_above_holds_below_and_is_listed_and_taken_where_it_was_given(
    tell: Tell, place: str
) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        alice = await somebody(door)
        made = await alice.given(READER, at=place)
        url = f"{place}/{ASSIGNMENTS}/{made.json()['name']}"

        assert made.json()["properties"]["scope"] == place
        assert (await alice.ask("GET", CREDIT)).status_code == 200
        assert (await door.client.get(url)).json() == made.json()
        elsewhere = [one for one in PLACES if one != place]
        for other in elsewhere:
            gone = await door.client.delete(f"{other}/{ASSIGNMENTS}/{made.json()['name']}")
            assert gone.status_code == 204
        assert (await door.client.delete(url)).json() == made.json()
        assert is_forbidden(await alice.ask("GET", CREDIT))

    tell(story)


def test_a_list_has_what_is_above_and_on_request_what_is_below(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        for number, place in enumerate(PLACES):
            door.bench.clock.advance(1)
            await give(door, f"p{number}", READER, at=place, number=number)

        async def names(place: str, text: str) -> str:
            answer = await door.client.get(f"{place}/{ASSIGNMENTS}", params={"$filter": text})
            told = [one["properties"]["principalId"] for one in answer.json()["value"]]
            return "".join(told).replace("p", "")

        assert [await names(place, "") for place in PLACES] == ["0123"] * 4
        assert [await names(place, "atScope()") for place in PLACES] == ["0", "01", "012", "0123"]

    tell(story)


def test_the_same_role_at_two_places_is_two_assignments_and_a_guid_is_the_same_in_any_case(
    tell: Tell,
) -> None:
    async def story(door: Door) -> None:
        await give(door, GUID, READER, at=GROUP, number=1)
        await give(door, GUID.upper(), READER, at=SUBSCRIPTION, number=2)

        url = f"{GROUP}/{ASSIGNMENTS}/00000000-0000-4000-8000-000000000003"
        body = {"properties": {"roleDefinitionId": READER.id, "principalId": GUID.upper()}}
        await refused(await door.client.put(url, json=body), 409, "RoleAssignmentExists")
        found = await door.client.get(
            f"{GROUP}/{ASSIGNMENTS}", params={"$filter": f"principalId eq '{GUID.upper()}'"}
        )
        assert [one["properties"]["principalId"] for one in found.json()["value"]] == [GUID, GUID]

    tell(story)


def test_a_role_of_ones_own_is_given_where_it_says_and_below_only(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await put(door, CALLER, at=f"{GROUP}/{DEFINITIONS}", assignableScopes=[GROUP.upper()])
        body = {"properties": {"roleDefinitionId": CALLER.id, "principalId": "p"}}

        above = await door.client.put(f"{SUBSCRIPTION}/{ASSIGNMENTS}/{GUID}", json=body)
        await refused(above, 400, "RoleDefinitionNotAssignable")
        for number, place in enumerate(PLACES[1:]):
            await give(door, "p", CALLER, at=place, number=number)

    tell(story)


@pytest.mark.azure(42)
def test_who_may_read_roles_anywhere_reads_them_there_and_those_of_azure_at_the_root(
    tell: Tell,
) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await put(door, CALLER)
        owner, reader = await somebody(door), await somebody(door, "reader@example.com")
        await owner.given(OWNER, at=CREDIT)
        await reader.given(READER, number=2)
        nobody = await somebody(door, "nobody@example.com")

        async def seen(who: Any, place: str) -> list[str] | None:
            answer = await who.ask("GET", f"{place}/{DEFINITIONS}")
            if is_forbidden(answer):
                return None
            return [one["name"] for one in answer.json()["value"]]

        every = [*BUILT_IN, CALLER.id]
        assert await seen(owner, "") == await seen(reader, "") == list(BUILT_IN)
        assert [await seen(owner, place) for place in PLACES] == [None, None, None, every]
        assert [await seen(reader, place) for place in PLACES] == [every] * 4
        assert [await seen(nobody, place) for place in ("", *PLACES)] == [None] * 5
        root = await owner.ask("GET", f"/{DEFINITIONS}/{CALLER.id}")
        assert problem(root)[1] == "RoleDefinitionDoesNotExist"
        assert is_forbidden(await owner.ask("GET", f"{WORKSPACE}/onlineEndpoints/x/{DEFINITIONS}"))
        missing = await reader.ask("GET", f"{WORKSPACE}/onlineEndpoints/x/{DEFINITIONS}")
        assert missing.status_code == 404

    tell(story)


@pytest.mark.azure(42)
@pytest.mark.parametrize("role", [OWNER, CONTRIBUTOR, READER, DATA_SCIENTIST])
@pytest.mark.parametrize("what", ["usages", "vmSizes", "quotas"])
def test_what_there_is_to_deploy_on_is_for_readers_of_the_subscription(
    tell: Tell, role: Role, what: str
) -> None:
    """As in Azure, AzureML Data Scientist has no action outside of `workspaces`."""

    async def story(door: Door) -> None:
        alice = await somebody(door)
        await alice.given(role)

        answer = await alice.ask("GET", f"{SUBSCRIPTION}/providers/{ML}/locations/local/{what}")

        assert is_forbidden(answer) == (role is DATA_SCIENTIST)

    tell(story)


def test_graph_finds_identities_as_az_asks_for_them(tell: Tell) -> None:
    async def story(door: Door) -> None:
        made = (
            await door.client.post("/v1.0/servicePrincipals", json={"displayName": "ci"})
        ).json()
        alice = await somebody(door)

        async def ids(body: Any) -> Any:
            answer = await door.client.post("/v1.0/directoryObjects/getByIds", json=body)
            if answer.status_code != 200:
                return problem(answer)[:2]
            return {one["id"]: one["@odata.type"] for one in answer.json()["value"]}

        both = {"ids": [alice.id, made["id"].upper(), GUID]}
        program = {made["id"]: "#microsoft.graph.servicePrincipal"}
        assert await ids(both) == {alice.id: "#microsoft.graph.user", **program}
        assert await ids({**both, "types": ["group", "servicePrincipal"]}) == program
        assert await ids({"ids": []}) == await ids({"ids": "x"}) == (400, "InvalidValue")
        assert await ids({**both, "types": 7}) == (400, "InvalidValue")
        named = f"servicePrincipalNames/any(c:c eq '{made['appId']}')"
        found = await door.client.get("/v1.0/servicePrincipals", params={"$filter": named})
        assert [one["id"] for one in found.json()["value"]] == [made["id"]]

    tell(story)


def test_a_template_comes_as_az_sends_it_with_comments_and_a_bare_key(tell: Tell) -> None:
    async def story(door: Door) -> None:
        schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
        text = (
            '{"properties": {"parameters": {}, "mode": "Incremental", template:{ // mine\r\n'
            f'"$schema": "{schema}", /* the\nsame */ "contentVersion": "1.0.0.0",'
            '"resources": []}}}'
        )
        url = f"{GROUP}/providers/Microsoft.Resources/deployments/t"
        json_type = {"Content-Type": "application/json"}

        made = await door.client.put(url, content=text, headers=json_type)
        broken = await door.client.put(url, content=text[:-1], headers=json_type)
        bytes_ = await door.client.put(url, content=b"\xff", headers=json_type)

        assert made.status_code == 201, made.text
        assert problem(broken)[:2] == problem(bytes_)[:2] == (400, "InvalidJson")
        at_group = await door.client.get(f"{GROUP}/deployments/t/operations")
        assert at_group.json() == (await door.client.get(f"{url}/operations")).json()

    tell(story)
