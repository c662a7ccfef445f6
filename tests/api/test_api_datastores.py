"""Datastores of storage accounts: kept, changed, opened, read from, and forgotten."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.api.door import WORKSPACE, Door, Tell, problem
from tests.artifacts.storage_account import CONTAINER, KEY, NAME, Account, serving
from verdazul.artifacts.arrivals import Arrivals
from verdazul.model.datastore_bodies import datastore_to_arm

WEIGHTS = "datastores/weights"
SKIP = {"skipValidation": "true"}
MODEL = "models/credit/versions/1"
URI = "azureml://datastores/weights/paths/m/credit"
LONG = f"azureml:/{WORKSPACE}/datastores/weights/paths/m/credit"


@pytest.fixture
def account() -> Iterator[Account]:
    with serving(
        Account(blobs={"m/credit/model.pkl": b"weights", "src/score.py": b"def run"})
    ) as a:
        yield a


async def keep(door: Door, body: Any, query: Any = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{WORKSPACE}/{WEIGHTS}"
    return await door.client.put(url, json=body, params=query or SKIP, headers=named)


def body_of(account: Account, **said: Any) -> dict[str, Any]:
    return datastore_to_arm(account.store(**said))


def test_what_is_kept_is_shown_without_its_secret(tell: Tell, account: Account) -> None:
    async def story(door: Door) -> None:
        made = await keep(door, body_of(account, description="d", tags={"a": "b"}))
        again = await keep(door, body_of(account))
        shown = await door.ask("GET", WEIGHTS)
        listed = (await door.ask("GET", "datastores")).json()["value"]

        assert (made.status_code, again.status_code) == (201, 200)
        said = shown.json()["properties"]
        assert (said["accountName"], said["containerName"]) == (NAME, CONTAINER)
        assert said["credentials"] == {"credentialsType": "AccountKey"}
        assert said["isDefault"] is False
        assert KEY not in made.text + again.text + shown.text + str(listed)
        assert [one["name"] for one in listed] == ["workspaceblobstore", "weights"]
        assert made.headers["etag"] != again.headers["etag"] == shown.headers["etag"]
        log = await door.bench.store.items("datastores")
        assert KEY not in str(log)

    tell(story)


def test_lists_choose_by_name_and_default(tell: Tell, account: Account) -> None:
    async def names(door: Door, **query: str) -> list[str]:
        found = await door.client.get(f"{WORKSPACE}/datastores", params=query)
        return [one["name"] for one in found.json()["value"]]

    async def story(door: Door) -> None:
        await keep(door, body_of(account))

        assert await names(door, isDefault="true") == ["workspaceblobstore"]
        assert await names(door, isDefault="false") == ["weights"]
        assert await names(door, names="Weights,other") == ["weights"]
        assert await names(door, searchText="blob") == ["workspaceblobstore"]
        for query in ({"isDefault": "maybe"}, {"count": "x"}, {"orderBy": "size"}):
            wrong = await door.client.get(f"{WORKSPACE}/datastores", params=query)
            assert problem(wrong)[:2] == (400, "InvalidQueryParameter")

    tell(story)


def test_lists_come_in_the_order_and_the_pages_that_are_asked_for(
    tell: Tell, account: Account
) -> None:
    async def story(door: Door) -> None:
        await keep(door, body_of(account))
        both = ["weights", "workspaceblobstore"]

        async def listed(**query: str) -> list[list[str]]:
            pages, address = [], f"{WORKSPACE}/datastores?{urlencode(query)}"
            while address:
                found = (await door.client.get(address)).json()
                pages.append([one["name"] for one in found["value"]])
                address = found.get("nextLink", "")
            return pages

        assert await listed(orderBy="name", orderByAsc="true") == [both]
        assert await listed(orderBy="name") == [both[::-1]]
        assert await listed(orderBy="createdtime", count="0") == [both]
        assert await listed(orderBy="modifiedtime", orderByAsc="true", count="1") == [
            ["workspaceblobstore"],
            ["weights"],
        ]

    tell(story)


def test_only_list_secrets_shows_what_opens_it(tell: Tell, account: Account) -> None:
    async def story(door: Door) -> None:
        await keep(door, body_of(account))
        asked = {"expirableSecret": True, "expireAfterHours": 1}

        key = await door.ask("POST", f"{WEIGHTS}/listSecrets", {})
        signature = await door.ask("POST", f"{WEIGHTS}/listSecrets", asked)

        assert key.json() == {"secretsType": "AccountKey", "key": KEY}
        assert signature.json()["secretsType"] == "Sas"
        assert KEY not in signature.text
        assert "sp=racwl" in signature.json()["sasToken"]
        await keep(door, body_of(account, credentials={"type": "none"}))
        none = await door.ask("POST", f"{WEIGHTS}/listSecrets", asked)
        assert problem(none)[:2] == (400, "NoCredentials")

    tell(story)


def test_a_secret_that_is_left_out_stays_where_it_may(tell: Tell, account: Account) -> None:
    async def story(door: Door) -> None:
        principal = {"type": "service_principal", "tenant_id": "t", "client_id": "c"}
        await keep(door, body_of(account, credentials={**principal, "client_secret": "hush"}))

        bare = await keep(door, body_of(account, credentials=principal, tags={"a": "b"}))
        elsewhere = {**principal, "authority_url": "https://evil.example"}
        sent = await keep(door, body_of(account, credentials=elsewhere))

        secret = await door.ask("POST", f"{WEIGHTS}/listSecrets", {})
        assert bare.status_code == 200
        assert problem(sent)[:2] == (400, "MissingKey")
        assert secret.json() == {"secretsType": "ServicePrincipal", "clientSecret": "hush"}

    tell(story)


@pytest.mark.parametrize(
    "said", [{"container_name": "other"}, {"account_name": "another"}, {"protocol": "https"}]
)
def test_what_it_names_never_changes(tell: Tell, account: Account, said: dict[str, str]) -> None:
    async def story(door: Door) -> None:
        await keep(door, body_of(account))

        status, code, message = problem(await keep(door, body_of(account, **said)))

        assert (status, code) == (400, "ImmutableProperty")
        assert next(iter(said)) in message

    tell(story)


def test_a_change_of_what_somebody_else_changed_is_refused(tell: Tell, account: Account) -> None:
    async def story(door: Door) -> None:
        old = (await keep(door, body_of(account))).headers["etag"]
        new = (await keep(door, body_of(account, tags={"a": "b"}))).headers["etag"]

        late = await keep(door, body_of(account), if_match=old)
        gone = await door.ask("DELETE", WEIGHTS, if_match=old)
        good = await keep(door, body_of(account), if_match=new)
        twice = await keep(door, body_of(account), if_none_match="*")

        assert (late.status_code, gone.status_code, good.status_code) == (412, 412, 200)
        assert problem(twice)[:2] == (409, "ResourceExists")

    tell(story)


def test_it_is_tried_unless_the_caller_says_otherwise(tell: Tell, account: Account) -> None:
    async def story(door: Door) -> None:
        wrong = {"type": "account_key", "account_key": base64.b64encode(b"no").decode()}

        refused = await keep(door, body_of(account, credentials=wrong), {"skipValidation": "false"})
        absent = await door.ask("GET", WEIGHTS)
        good = await keep(door, body_of(account), {"skipValidation": "false"})

        assert problem(refused)[:2] == (403, "DatastoreForbidden")
        assert (absent.status_code, good.status_code) == (404, 201)

    tell(story)


def test_the_workspaces_own_stays_as_it_is(tell: Tell, account: Account) -> None:
    async def story(door: Door) -> None:
        own = "datastores/WorkspaceBlobStore"

        changed = await door.ask("PUT", own, body_of(account))
        deleted = await door.ask("DELETE", own)

        assert problem(changed)[:2] == problem(deleted)[:2] == (409, "DatastoreIsDefault")

    tell(story)


@pytest.mark.parametrize("uri", [URI, LONG])
def test_a_models_files_are_fetched_when_it_is_registered(
    tell: Tell, account: Account, uri: str
) -> None:
    async def story(door: Door) -> None:
        Arrivals(door.bench.settings.home).start()
        await keep(door, body_of(account))
        body = {"properties": {"modelUri": uri}}

        made = await door.ask("PUT", MODEL, body)
        account.blobs.clear()
        again = await door.ask("PUT", MODEL, body)

        assert (made.status_code, again.status_code) == (201, 200)
        assert made.json()["properties"]["modelUri"] == uri
        (asset,) = await door.bench.store.assets("models")
        folder = Path(door.bench.world.artifacts.path(asset.digest))
        assert (folder / "credit/model.pkl").read_bytes() == b"weights"

    tell(story)


def test_code_comes_from_there_too_and_what_fails_is_said(tell: Tell, account: Account) -> None:
    async def story(door: Door) -> None:
        Arrivals(door.bench.settings.home).start()
        await keep(door, body_of(account))
        at = "azureml://datastores/weights/paths/"

        code = await door.ask("PUT", "codes/c/versions/1", {"properties": {"codeUri": f"{at}src"}})
        none = await door.ask("PUT", MODEL, {"properties": {"modelUri": f"{at}nothing"}})
        whole = await door.ask("PUT", MODEL, {"properties": {"modelUri": at}})

        assert code.status_code == 201
        assert problem(none)[:2] == (404, "BlobNotFound")
        assert problem(whole)[:2] == (400, "InvalidPath")
        assert list((door.bench.settings.home / "arriving").iterdir()) == []

    tell(story)


def test_it_stays_while_a_deployment_uses_what_lies_there(tell: Tell, account: Account) -> None:
    async def story(door: Door) -> None:
        Arrivals(door.bench.settings.home).start()
        await keep(door, body_of(account))
        model = (await door.ask("PUT", MODEL, {"properties": {"modelUri": LONG}})).json()["id"]
        await door.endpoint()
        assert (await door.deployment(model=model)).status_code == 201
        await door.settle()

        used = await door.ask("DELETE", WEIGHTS)
        await door.ask("DELETE", "onlineEndpoints/credit")
        await door.settle()
        gone, again = await door.ask("DELETE", WEIGHTS), await door.ask("DELETE", WEIGHTS)

        assert problem(used)[:2] == (409, "DatastoreInUse")
        assert "credit/blue" in problem(used)[2]
        assert (gone.status_code, again.status_code) == (200, 204)
        assert (await door.ask("GET", MODEL)).status_code == 200

    tell(story)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"datastoreType": "AzureFile", "fileShareName": "s"}, "NotSupportedYet"),
        ({"datastoreType": "AzureBlob", "isDefault": True}, "NotSupportedYet"),
        (
            {"serviceDataAccessAuthIdentity": "WorkspaceSystemAssignedIdentity"},
            "NotSupportedYet",
        ),
        ({"containerName": None}, "MissingKey"),
        ({"credentials": None}, "MissingKey"),
        ({"credentials": {"secrets": {"key": "k"}}}, "MissingKey"),
        ({"credentials": {"credentialsType": "Sas"}}, "MissingKey"),
        ({"filesystem": "x23"}, "UnknownKey"),
        ({"acountName": "x"}, "UnknownKey"),
        ({"accountName": "https://x"}, "InvalidValue"),
        ({"endpoint": "https://core.windows.net"}, "InvalidValue"),
        ({"protocol": "ftp"}, "InvalidValue"),
        ({"credentials": {"credentialsType": "Sas", "secrets": {"key": "k"}}}, "InvalidValue"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    tell: Tell, account: Account, said: dict[str, Any], code: str
) -> None:
    async def story(door: Door) -> None:
        body = body_of(account)
        if "fileShareName" in said:
            del body["properties"]["containerName"]
        body["properties"] |= said

        assert problem(await keep(door, body))[:2] == (400, code)

    tell(story)
