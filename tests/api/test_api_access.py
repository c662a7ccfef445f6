"""Tokens and role assignments over HTTP, as Azure's SDKs and command talk to them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.door import TOKEN, WORKSPACE, Door, Tell, claims_of, problem
from verdazul.control.trust import renew_trust
from verdazul.model.roles import DATA_SCIENTIST, OWNER

GUID = "11111111-2222-3333-4444-55555555555A"
OTHER = "11111111-2222-3333-4444-555555555550"
ROLES = "providers/Microsoft.Authorization/roleAssignments"
AT_ENDPOINT = f"onlineEndpoints/credit/{ROLES}"
DEFINITION = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.Authorization"
    f"/roleDefinitions/{DATA_SCIENTIST.id}"
)


def body(**changes: Any) -> dict[str, Any]:
    default = {"roleDefinitionId": DEFINITION, "principalId": "alice"}
    return {"properties": default | changes}


@pytest.mark.azure(14, 38)
def test_a_token_has_azures_four_fields(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint(authMode="AMLToken")
        await renew_trust(door.bench.world)

        answer = await door.ask("POST", "onlineEndpoints/CREDIT/token")

        now = int(door.bench.clock.now())
        told = answer.json()
        claims = claims_of(told.pop("accessToken"))
        assert told == {
            "expiryTimeUtc": now + 28800,
            "refreshAfterTimeUtc": now + 14400,
            "tokenType": "Bearer",
        }
        assert claims["exp"] == now + 28800

    tell(story)


@pytest.mark.azure(37, 38, 39)
def test_each_mode_shows_its_own_credential_only(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await renew_trust(door.bench.world)
        told = {}
        for mode in ("Key", "AMLToken", "AADToken"):
            await door.endpoint(authMode=mode)
            answers = [
                await door.ask("POST", f"onlineEndpoints/credit/{action}")
                for action in ("listKeys", "token", "regenerateKeys")
            ]
            told[mode] = [a.status_code for a in answers]
            await door.settle()
            for answer in answers:
                if answer.status_code == 400:
                    assert problem(answer)[2].startswith("Endpoint 'credit' ")

        assert told == {
            "Key": [200, 400, 202],
            "AMLToken": [400, 200, 400],
            "AADToken": [400, 400, 400],
        }

    tell(story)


@pytest.mark.azure(41)
def test_a_role_is_given_shown_listed_and_taken(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint(authMode="AADToken")

        made = await door.ask("PUT", f"{AT_ENDPOINT}/{GUID}", body())
        again = await door.ask("PUT", f"{AT_ENDPOINT}/{GUID.lower()}", made.json())
        shown = await door.ask("GET", f"{AT_ENDPOINT}/{GUID}")
        listed = await door.ask("GET", AT_ENDPOINT)
        taken = await door.ask("DELETE", f"{AT_ENDPOINT}/{GUID}")
        gone = await door.ask("DELETE", f"{AT_ENDPOINT}/{GUID}")

        resource = made.json()
        assert (made.status_code, again.status_code) == (201, 200)
        assert resource["id"] == f"{WORKSPACE}/{AT_ENDPOINT}/{GUID.lower()}"
        assert resource["type"] == "Microsoft.Authorization/roleAssignments"
        told = resource["properties"]
        assert told["roleDefinitionId"] == DEFINITION
        assert told["scope"] == f"{WORKSPACE}/onlineEndpoints/credit"
        assert (told["principalId"], told["principalType"]) == ("alice", "User")
        assert again.json() == shown.json() == taken.json() == resource
        assert listed.json() == {"value": [resource]}
        assert gone.status_code == 204
        assert problem(await door.ask("GET", f"{AT_ENDPOINT}/{GUID}"))[:2] == (
            404,
            "RoleAssignmentNotFound",
        )

    tell(story)


def test_lists_are_filtered_by_place_and_principal(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        role = f"/providers/Microsoft.Authorization/roleDefinitions/{OWNER.id}"
        await door.ask("PUT", f"{ROLES}/{GUID}", body(roleDefinitionId=role))
        door.bench.clock.advance(1)
        group = body(principalId="team", principalType="group")
        await door.ask("PUT", f"{AT_ENDPOINT}/{OTHER}", group)

        async def names(path: str, filtered: str = "") -> list[str]:
            answer = await door.client.get(f"{WORKSPACE}/{path}", params={"$filter": filtered})
            assert answer.status_code == 200, answer.text
            return [one["properties"]["principalId"] for one in answer.json()["value"]]

        assert await names(ROLES) == ["alice", "team"]
        assert await names(ROLES, "atScope()") == ["alice"]
        assert await names(AT_ENDPOINT, "atScope()") == ["alice", "team"]
        assert await names(ROLES, "principalId eq 'team'") == ["team"]
        assert await names(ROLES, "atScope() and assignedTo('team')") == []
        bad = await door.client.get(f"{WORKSPACE}/{ROLES}", params={"$filter": "name eq 'x'"})
        assert problem(bad)[:2] == (400, "InvalidFilter")

    tell(story)


@pytest.mark.parametrize(
    ("name", "sent", "status", "code"),
    [
        ("mine", body(), 400, "InvalidRoleAssignmentId"),
        (GUID, {}, 400, "InvalidRoleAssignment"),
        (GUID, {"properties": []}, 400, "InvalidRoleAssignment"),
        (GUID, body(roleDefinitionId="Emperor"), 400, "RoleDefinitionDoesNotExist"),
        (GUID, body(roleDefinitionId=7), 400, "RoleDefinitionDoesNotExist"),
        (GUID, body(principalId=""), 400, "InvalidPrincipalId"),
        (GUID, body(principalId=None), 400, "InvalidPrincipalId"),
        (GUID, body(principalType="Robot"), 400, "InvalidRoleAssignment"),
        (GUID, body(condition="@Resource..."), 400, "NotSupportedYet"),
    ],
)
def test_what_is_no_role_assignment_is_refused_by_name(
    tell: Tell, name: str, sent: dict[str, Any], status: int, code: str
) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()

        answer = await door.ask("PUT", f"{AT_ENDPOINT}/{name}", sent)

        assert problem(answer)[:2] == (status, code)
        assert await door.bench.store.role_assignments() == ()

    tell(story)


@pytest.mark.azure(39)
def test_the_homes_owner_is_given_a_token_for_the_data_plane(tell: Tell) -> None:
    """As `ManagedIdentityCredential` asks for it, when an endpoint is aad_token."""

    async def story(door: Door) -> None:
        async def ask(resource: str, header: str = TOKEN) -> httpx.Response:
            asked = {"resource": resource, "api-version": "2019-08-01"}
            headers = {"X-IDENTITY-HEADER": header}
            return await door.client.get("/msi/token", params=asked, headers=headers)

        told = (await ask("https://ml.azure.com")).json()
        stranger = await ask("https://ml.azure.com", "a-guess")
        elsewhere = await ask("https://vault.example")

        claims = claims_of(told["access_token"])
        assert (claims["aud"], claims["oid"]) == ("https://ml.azure.com", "owner")
        assert told["expires_on"] == str(claims["exp"])
        assert stranger.status_code == 401
        assert problem(elsewhere)[:2] == (400, "InvalidResource")

    tell(story)
