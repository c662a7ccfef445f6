"""Who may do what on the control API: every action of every route, by roles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.api.door import ADDRESS, WORKSPACE, Door, Tell, endpoint_body, problem
from tests.api.identity_kit import PASSWORD, logged_in, person, program, program_token
from tests.gateway.token_kit import EcIssuer
from verdazul.model.actions import (
    ACTIONS,
    CHANGE_OWN_PASSWORD,
    SCORE,
    SEE_ONESELF,
    SEE_SUBSCRIPTION,
    SEE_TENANT,
    action_of,
)
from verdazul.model.roles import (
    BUILT_IN,
    CONTRIBUTOR,
    DATA_SCIENTIST,
    OWNER,
    READER,
    REGISTRY_USER,
    SECRETS_READER,
    Role,
)
from verdazul.settings import Settings

ML = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
CREDIT = f"{WORKSPACE}/onlineEndpoints/credit"
ENTRA = EcIssuer("https://entra")
# Azure's documentation names these for endpoints; each with a request that needs it.
REQUESTS: dict[str, tuple[str, str, Any]] = {
    f"{ML}/read": ("GET", "", None),
    f"{ML}/write": ("PUT", "", endpoint_body()),
    f"{ML}/listKeys/action": ("POST", "/listKeys", None),
    f"{ML}/regenerateKeys/action": ("POST", "/regenerateKeys", {"keyType": "Primary"}),
    f"{ML}/token/action": ("POST", "/token", None),
    f"{ML}/deployments/read": ("GET", "/deployments", None),
    f"{ML}/deployments/write": ("PUT", "/deployments/blue", {"properties": {}}),
    f"{ML}/deployments/delete": ("DELETE", "/deployments/green", None),
    f"{ML}/delete": ("DELETE", "", None),
}
ROLES = (OWNER, CONTRIBUTOR, READER, DATA_SCIENTIST, SECRETS_READER, REGISTRY_USER, None)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a token."""

    door: Door
    id: str
    token: str

    async def ask(self, method: str, url: str, body: Any = None) -> httpx.Response:
        named = {"Authorization": f"Bearer {self.token}"}
        return await self.door.client.request(method, url, json=body, headers=named)

    async def given(self, role: Role, *, at: str = WORKSPACE, number: int = 1) -> httpx.Response:
        return await give(self.door, self.id, role, at=at, number=number)


async def give(
    door: Door,
    principal: str,
    role: Role,
    *,
    at: str = WORKSPACE,
    number: int = 1,
    kind: str = "User",
) -> httpx.Response:
    guid = f"00000000-0000-4000-8000-{number:012}"
    url = f"{at}/providers/Microsoft.Authorization/roleAssignments/{guid}"
    definition = f"/providers/Microsoft.Authorization/roleDefinitions/{role.id}"
    properties = {"roleDefinitionId": definition, "principalId": principal, "principalType": kind}
    answer = await door.client.put(url, json={"properties": properties})
    assert answer.status_code == 201, answer.text
    return answer


async def somebody(door: Door, name: str = "alice@example.com") -> Person:
    id_ = await person(door, name)
    return Person(door, id_, (await logged_in(door, name))["access_token"])


def is_forbidden(answer: httpx.Response) -> bool:
    if answer.request.method == "HEAD":  # has no body to tell more
        return answer.status_code == 403
    return answer.status_code == 403 and problem(answer)[1] == "AuthorizationFailed"


def test_every_route_has_an_action_that_roles_can_name_and_no_action_is_made_up(tell: Tell) -> None:
    async def story(door: Door) -> None:
        assert {rule.action for rule in door.api._rules} | {SCORE} == set(ACTIONS)
        assert len(set(ACTIONS)) == len(ACTIONS)

    tell(story)


@pytest.mark.azure(42)
@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name if role else "nobody")
@pytest.mark.parametrize("place", [WORKSPACE, CREDIT], ids=["workspace", "endpoint"])
def test_each_action_is_permitted_by_who_has_a_role_with_it_and_by_nobody_else(
    tell: Tell, role: Role | None, place: str
) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        alice = await somebody(door)
        if role:
            await alice.given(role, at=place)

        for action, (method, path, body) in REQUESTS.items():
            answer = await alice.ask(method, f"{CREDIT}{path}", body)
            assert is_forbidden(answer) != (role is not None and role.permits(action)), action
            assert answer.status_code != 401

    tell(story)


@pytest.mark.azure(42)
@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name if role else "nobody")
def test_every_route_of_the_api_asks_for_its_action(tell: Tell, role: Role | None) -> None:
    names = {"subscription": Settings().subscription, "group": "local", "workspace": "verdazul"}

    async def story(door: Door) -> None:
        alice = await somebody(door)
        if role:
            await alice.given(role)
        for rule in door.api._rules:
            if "{operation}" in rule.path:
                continue
            path = rule.path
            for name in {part[1:-1] for part in path.split("/") if part.startswith("{")}:
                path = path.replace(f"{{{name}}}", names.get(name, "none"))
            answer = await alice.ask(rule.method, f"/{path}", {} if rule.method != "GET" else None)
            may = role is not None and role.permits(rule.action)
            if rule.action == SEE_SUBSCRIPTION:  # whoever has any role; the list is for everybody
                may = role is not None or rule.path == "subscriptions"
            may |= rule.action in {SEE_TENANT, SEE_ONESELF, CHANGE_OWN_PASSWORD}
            assert is_forbidden(answer) != may, (rule.method, rule.path, answer.text)
            if rule.path.endswith("roleAssignments/{assignment}") and rule.method == "DELETE":
                assert not may or answer.status_code in {204, 400}

    tell(story)


def test_a_refusal_says_who_may_not_do_what_and_which_role_would_do(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        alice = await somebody(door)

        _, code, message = problem(await alice.ask("PUT", CREDIT, endpoint_body()))
        assert code == "AuthorizationFailed"
        assert message.startswith(
            f"The client 'alice@example.com' with object id '{alice.id}' does not have "
            f"authorization to perform action '{ML}/write' over scope '{CREDIT}'"
        )
        assert f'--assignee {alice.id} --role "AzureML Data Scientist" -e credit' in message
        assert "Reader" not in message

    tell(story)


def test_a_refusal_does_not_tell_whether_something_is_there(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        alice = await somebody(door)

        there = await alice.ask("GET", CREDIT)
        missing = await alice.ask("GET", f"{WORKSPACE}/onlineEndpoints/other")
        elsewhere = await alice.ask(
            "GET", WORKSPACE.replace("verdazul", "w2") + "/onlineEndpoints/o"
        )
        assert {answer.status_code for answer in (there, missing, elsewhere)} == {403}

    tell(story)


def test_a_list_shows_the_endpoints_that_one_may_see(tell: Tell) -> None:
    async def story(door: Door) -> None:
        for name in ("credit", "fraud", "other"):
            await door.endpoint(name)
        alice = await somebody(door)
        url = f"{WORKSPACE}/onlineEndpoints"
        assert is_forbidden(await alice.ask("GET", url))
        await alice.given(READER, at=f"{url}/Fraud", number=1)
        await alice.given(SECRETS_READER, at=f"{url}/other", number=2)

        async def seen() -> list[str]:
            return [one["name"] for one in (await alice.ask("GET", url)).json()["value"]]

        assert await seen() == ["fraud"]
        await alice.given(READER, number=3)
        assert await seen() == ["credit", "fraud", "other"]

    tell(story)


def test_an_operation_is_told_to_whoever_may_see_its_endpoint(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        bob, eve = await somebody(door, "bob"), await somebody(door, "eve")
        await bob.given(DATA_SCIENTIST, at=CREDIT)
        accepted = await bob.ask("DELETE", CREDIT)
        operation = accepted.headers["azure-asyncoperation"]

        assert (await bob.ask("GET", operation)).status_code == 200
        assert is_forbidden(await eve.ask("GET", operation))

    tell(story)


def test_a_right_at_one_endpoint_is_none_at_another_or_above(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await door.endpoint("fraud")
        alice = await somebody(door)
        await alice.given(OWNER, at=CREDIT)

        assert (await alice.ask("POST", f"{CREDIT}/listKeys")).status_code == 200
        assert is_forbidden(await alice.ask("POST", f"{WORKSPACE}/onlineEndpoints/fraud/listKeys"))
        assert is_forbidden(await alice.ask("GET", f"{WORKSPACE}/models"))
        guid = "00000000-0000-4000-8000-000000000009"
        definition = f"/providers/Microsoft.Authorization/roleDefinitions/{OWNER.id}"
        body = {"properties": {"roleDefinitionId": definition, "principalId": alice.id}}
        above = f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments/{guid}"
        assert is_forbidden(await alice.ask("PUT", above, body))

    tell(story)


def test_a_contributor_cannot_make_itself_more(tell: Tell) -> None:
    async def story(door: Door) -> None:
        alice, boss = await somebody(door), await somebody(door, "boss")
        await alice.given(CONTRIBUTOR)
        await boss.given(OWNER, number=2)
        password = {"passwordProfile": {"password": PASSWORD}}
        assignments = f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments"

        for method, url, body in (
            ("PATCH", f"/v1.0/users/{boss.id}", password),
            ("POST", "/v1.0/users", {"userPrincipalName": "me2", **password}),
            ("POST", "/v1.0/servicePrincipals", {"displayName": "robot"}),
            ("DELETE", f"/v1.0/users/{boss.id}", None),
            ("DELETE", f"{assignments}/00000000-0000-4000-8000-000000000002", None),
        ):
            assert is_forbidden(await alice.ask(method, url, body)), url
        assert (
            await boss.ask("POST", "/v1.0/users", {"userPrincipalName": "me2", **password})
        ).status_code == 201

    tell(story)


def test_a_right_ends_at_once_when_its_role_is_taken(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        alice = await somebody(door)
        given = await alice.given(READER)
        assert (await alice.ask("GET", CREDIT)).status_code == 200
        await door.client.delete(given.json()["id"])

        assert is_forbidden(await alice.ask("GET", CREDIT))

    tell(story)


def test_programs_and_members_of_groups_have_roles_too(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        robot = await program(door)
        token = (await program_token(door, robot)).json()["access_token"]
        await give(door, robot.id, READER, kind="ServicePrincipal")
        assert (await Person(door, robot.id, token).ask("GET", CREDIT)).status_code == 200

        door.bench.issuers.known = (ENTRA.signer(),)
        claims: dict[str, Any] = {"aud": ADDRESS, "exp": door.bench.clock.now() + 300, "oid": "bob"}
        bob = Person(door, "bob", ENTRA.token(**claims, groups=["risk"]))
        assert is_forbidden(await bob.ask("POST", f"{CREDIT}/listKeys"))
        await give(door, "risk", DATA_SCIENTIST, kind="Group", number=2)
        assert (await bob.ask("POST", f"{CREDIT}/listKeys")).status_code == 200
        await give(door, "bob", OWNER, kind="Group", number=3)  # a group's, and not his
        lock = f"{CREDIT}/providers/Microsoft.Authorization/locks/l"
        assert is_forbidden(await bob.ask("PUT", lock, {"properties": {"level": "ReadOnly"}}))

    tell(story)


def test_a_datastore_opens_to_who_may_have_its_secrets(tell: Tell) -> None:
    async def story(door: Door) -> None:
        robot = await program(door)
        scope = "https://storage.azure.com/.default"
        token = (await program_token(door, robot, scope=scope)).json()["access_token"]
        named = {"Authorization": f"Bearer {token}", "x-ms-blob-type": "BlockBlob"}
        url = "/store.blob.x/workspaceblobstore/a.txt"
        stores = (await door.ask("GET", "datastores")).json()["value"]
        url = f"/store.blob.x/{stores[0]['properties']['containerName']}/a.txt"

        refused = await door.client.put(url, content=b"x", headers=named)
        await give(door, robot.id, READER, kind="ServicePrincipal")
        reader = await door.client.put(url, content=b"x", headers=named)
        await give(door, robot.id, DATA_SCIENTIST, kind="ServicePrincipal", number=2)
        allowed = await door.client.put(url, content=b"x", headers=named)
        assert refused.status_code == reader.status_code == 403
        assert allowed.status_code == 201

    tell(story)


def test_refused_changes_are_written_down_with_who_tried(tell: Tell) -> None:
    async def story(door: Door) -> None:
        alice = await somebody(door)
        await alice.ask("PUT", CREDIT, endpoint_body())

        insights = "providers/Microsoft.Insights/eventtypes/management/values"
        log = f"/subscriptions/{Settings().subscription}/{insights}"
        (event,) = (await door.client.get(log, params={"$filter": "status eq 'Failed'"})).json()[
            "value"
        ]
        assert event["caller"] == "alice@example.com"
        assert event["subStatus"]["value"] == "AuthorizationFailed"
        assert event["operationName"]["value"] == f"{ML}/write"

    tell(story)


@pytest.mark.parametrize("role", BUILT_IN.values(), ids=lambda role: role.name)
def test_who_cannot_give_roles_has_none_that_leads_there(role: Role) -> None:
    gives = role.permits(action_of("PUT", "providers/Microsoft.Authorization/roleAssignments/{a}"))
    leads = any(
        role.permits(f"Microsoft.Authorization/{what}/{verb}")
        for what in ("users", "servicePrincipals", "roleAssignments")
        for verb in ("write", "delete")
    )

    assert leads == gives == (role is OWNER)


def test_azures_address_is_still_opened_by_the_homes_token(tell: Tell) -> None:
    async def story(door: Door) -> None:
        assert (await door.client.get(f"{ADDRESS}/verdazul/v1/status")).status_code == 200

    tell(story)
