"""The home's own people and programs: made, shown without secrets, deleted with all they had."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.door import Door, Tell, problem
from tests.api.identity_kit import (
    PASSWORD,
    logged_in,
    person,
    program,
    program_token,
    refusal,
    token,
)
from verdazul.core.trust import HOME_OWNER
from verdazul.model.roles import DATA_SCIENTIST

ASSIGNMENT = "providers/Microsoft.Authorization/roleAssignments/11111111-2222-3333-4444-55555555555"
USERS, PROGRAMS = "/v1.0/users", "/v1.0/servicePrincipals"


def test_a_person_is_shown_by_id_and_name_and_never_with_the_password(tell: Tell) -> None:
    async def story(door: Door) -> None:
        alice = await person(door)
        by_id = await door.client.get(f"{USERS}/{alice}")
        by_name = await door.client.get(f"{USERS}/Alice@example.com")
        listed = await door.client.get(USERS)

        assert by_id.json() == by_name.json() == listed.json()["value"][0]
        assert by_id.json()["userPrincipalName"] == "alice@example.com"
        assert "assword" not in by_id.text
        (item,) = await door.bench.store.items("identities")
        assert PASSWORD not in repr(item)
        assert "scrypt" in door.bench.world.secrets.open(item.sealed)
        assert PASSWORD not in door.bench.world.secrets.open(item.sealed)

    tell(story)


def test_a_program_has_secrets_that_are_told_once(tell: Tell) -> None:
    async def story(door: Door) -> None:
        made = await program(door)
        shown = await door.client.get(f"{PROGRAMS}/{made.app_id}")
        listed = await door.client.get(f"{PROGRAMS}?$filter=displayName eq 'ci'")
        other = await door.client.get(f"{PROGRAMS}?$filter=displayName eq 'x'")

        assert shown.json() == listed.json()["value"][0]
        assert other.json() == {"value": []}
        (secret,) = shown.json()["passwordCredentials"]
        assert secret["hint"] == made.secret[:3]
        assert made.secret not in shown.text
        (item,) = await door.bench.store.items("identities")
        assert made.secret not in door.bench.world.secrets.open(item.sealed)

    tell(story)


def test_a_secret_ends_by_time_and_by_its_id_and_others_stay(tell: Tell) -> None:
    async def story(door: Door) -> None:
        made = await program(door)
        path = f"{PROGRAMS}/{made.id}"
        end = datetime.fromtimestamp(door.bench.clock.now() + 7200, UTC)
        credential = {"displayName": "short", "endDateTime": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
        short = await door.client.post(
            f"{path}/addPassword", json={"passwordCredential": credential}
        )
        secret = short.json()["secretText"]
        works = await program_token(door, made, client_secret=secret)
        door.bench.clock.advance(7200)
        ended = await program_token(door, made, client_secret=secret)
        first = (await door.client.get(path)).json()["passwordCredentials"][0]
        before = await program_token(door, made)
        removed = await door.client.post(f"{path}/removePassword", json={"keyId": first["keyId"]})
        after = await program_token(door, made)
        again = await door.client.post(f"{path}/removePassword", json={"keyId": first["keyId"]})

        assert short.json()["displayName"] == "short"
        assert (works.status_code, before.status_code, removed.status_code) == (200, 200, 204)
        assert refusal(ended) == refusal(after) == (401, "invalid_client", 7000215)
        assert problem(again)[:2] == (404, "Request_ResourceNotFound")

    tell(story)


def test_who_is_deleted_loses_the_roles_and_the_name_is_free(tell: Tell) -> None:
    async def story(door: Door) -> None:
        made, alice = await program(door), await person(door)
        for number, id_ in enumerate((made.id, alice, "somebody-else")):
            body = {"properties": {"roleDefinitionId": DATA_SCIENTIST.id, "principalId": id_}}
            await door.ask("PUT", f"{ASSIGNMENT}{number}", body)

        gone = [
            await door.client.delete(f"{PROGRAMS}/{made.app_id}"),
            await door.client.delete(f"{USERS}/ALICE@example.com"),
        ]
        left = await door.bench.store.role_assignments()

        assert [answer.status_code for answer in gone] == [204, 204]
        assert [one.principal for one in left] == ["somebody-else"]
        assert refusal(await program_token(door, made))[1] == "unauthorized_client"
        assert problem(await door.client.get(f"{USERS}/{alice}"))[0] == 404
        assert await person(door) != alice
        assert await door.bench.store.items("identityNames")

    tell(story)


def test_one_is_not_taken_for_the_other(tell: Tell) -> None:
    async def story(door: Door) -> None:
        made, alice = await program(door), await person(door)

        assert problem(await door.client.get(f"{USERS}/{made.id}"))[0] == 404
        assert problem(await door.client.delete(f"{PROGRAMS}/{alice}"))[0] == 404
        assert problem(await door.client.post(f"{PROGRAMS}/{alice}/addPassword"))[0] == 404

    tell(story)


@pytest.mark.parametrize(
    ("name", "password", "code"),
    [
        ("", PASSWORD, "InvalidValue"),
        (7, PASSWORD, "InvalidValue"),
        ("a b", PASSWORD, "InvalidUserPrincipalName"),
        (HOME_OWNER, PASSWORD, "InvalidUserPrincipalName"),
        ("al\u0131ce", PASSWORD, "InvalidUserPrincipalName"),
        ("bob", "", "InvalidValue"),
        ("bob", 12345678, "InvalidValue"),
        ("bob", "short", "PasswordNotComplex"),
        ("bob", "x" * 257, "PasswordNotComplex"),
        ("robert.the.first@example.com", "Robert.The.First", "PasswordNotComplex"),
        ("ALICE@example.com", PASSWORD, "ObjectConflict"),
    ],
)
def test_a_person_that_cannot_be_is_refused(
    tell: Tell, name: object, password: object, code: str
) -> None:
    async def story(door: Door) -> None:
        await person(door)
        body = {"userPrincipalName": name, "passwordProfile": {"password": password}}
        answer = await door.client.post(USERS, json=body)

        assert problem(answer)[1] == code
        assert str(password) not in answer.text or not password

    tell(story)


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", USERS, {}, "InvalidValue"),
        ("POST", USERS, {"userPrincipalName": None, "passwordProfile": None}, "InvalidValue"),
        ("POST", PROGRAMS, {"displayName": " "}, "InvalidDisplayName"),
        ("POST", PROGRAMS, {"displayName": "x" * 257}, "InvalidDisplayName"),
        ("POST", PROGRAMS, {"displayName": "a\0b"}, "InvalidDisplayName"),
        ("POST", PROGRAMS, {"displayName": None}, "InvalidValue"),
        ("GET", f"{USERS}?$filter=startswith(x)", None, "InvalidFilter"),
        ("PATCH", f"{USERS}/alice@example.com", {"displayName": "x"}, "UnknownKey"),
        ("POST", USERS, {"userPrincipalName": "bob", "accountEnabled": []}, "NotSupportedYet"),
        ("POST", USERS, {"nickname": "bob"}, "UnknownKey"),
        ("POST", f"{PROGRAMS}/nobody/addPassword", {}, "Request_ResourceNotFound"),
    ],
)
def test_a_body_that_cannot_be_is_refused(
    tell: Tell, method: str, path: str, body: Any, code: str
) -> None:
    async def story(door: Door) -> None:
        await person(door)

        assert problem(await door.client.request(method, path, json=body))[1] == code

    tell(story)


@pytest.mark.parametrize("end", ["soon", "1960-01-01", "9999-01-01", 5])
def test_a_secret_that_would_never_or_always_work_is_refused(tell: Tell, end: object) -> None:
    async def story(door: Door) -> None:
        made = await program(door)
        body = {"passwordCredential": {"endDateTime": end}}
        answer = await door.client.post(f"{PROGRAMS}/{made.id}/addPassword", json=body)

        assert problem(answer)[1] == "InvalidValue"

    tell(story)


def test_a_secret_never_looks_like_a_flag(tell: Tell) -> None:
    """`login -p -x...` would be two flags."""

    async def story(door: Door) -> None:
        keys = iter(["-secret", "_secret", "secret"])
        door.bench.world.ids.new_key = lambda: next(keys)  # type: ignore[method-assign] # chosen here

        assert (await program(door)).secret == "secret"

    tell(story)


def test_secrets_of_one_program_are_bounded(tell: Tell) -> None:
    async def story(door: Door) -> None:
        made = await program(door)
        path = f"{PROGRAMS}/{made.id}/addPassword"
        answers = [await door.client.post(path, json={}) for _ in range(20)]

        assert {answer.status_code for answer in answers[:19]} == {200}
        assert problem(answers[19])[:2] == (400, "TooManyCredentials")

    tell(story)


def test_what_was_said_survives_a_new_control_plane(tell: Tell) -> None:
    """Nothing but the store, the keys and the seal is needed: no memory of ours."""

    async def story(door: Door) -> None:
        await person(door)
        told = await logged_in(door)
        world = door.bench.world
        world.guesses.polls.clear()
        form = {"grant_type": "refresh_token", "scope": "https://localhost:8443/.default"}
        client = {"client_id": "04b07795-8ddb-461a-bbee-02f9e1bf7b46"}

        answer = await token(door, **form, **client, refresh_token=told["refresh_token"])

        assert answer.status_code == 200

    tell(story)
