"""Registries over HTTP: made, filled, shared to, read and deleted, each by who may."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from tests.api.door import ADDRESS, IMAGE, TOKEN, WORKSPACE, Door, Tell, problem
from tests.api.identity_kit import program, program_token
from tests.api.test_api_permissions import Person, give, somebody
from verdazul.model.roles import DATA_SCIENTIST, REGISTRY_USER

pytestmark = pytest.mark.azure(56)
ALL = WORKSPACE.replace("workspaces/verdazul", "registries")
SHARED = f"{ALL}/shared"
MODEL = f"{SHARED}/models/credit/versions/1"
ID = "azureml://registries/shared/models/credit/versions/1"
DISCOVERY = "/registrymanagement/v1.0/registries/shared/discovery"
BODY = {"location": "local", "tags": {"a": "b"}, "properties": {"description": "for all"}}


async def uploaded(door: Door, path: str, text: str = "w") -> str:
    """An upload of one file below a folder; its address."""
    answer = (await door.client.post(f"{path}/startPendingUpload", json={})).json()
    reference = answer["blobReferenceForConsumption"]
    base, _, query = reference["credential"]["sasUri"].partition("?")
    await door.client.put(f"{base}/weights/a.bin?{query}", content=text.encode())
    return str(reference["blobUri"])


async def put(door: Door, text: str = "w", **properties: Any) -> httpx.Response:
    uri = await uploaded(door, MODEL, text)
    told = {"modelUri": uri, "modelType": "custom_model", **properties}
    return await door.client.put(MODEL, json={"properties": told})


async def made(door: Door) -> None:
    assert (await door.client.put(SHARED, json=BODY)).status_code == 201


async def in_workspace(door: Door) -> str:
    """A model of the workspace; its ARM id."""
    path = f"{WORKSPACE}/models/credit/versions/1"
    uri = await uploaded(door, path)
    told = {"modelUri": uri, "modelType": "custom_model", "tags": {"a": "b"}}
    answer = await door.client.put(path, json={"properties": told})
    assert answer.status_code == 201, answer.text
    return path


async def share(door: Door, source: str, **told: str) -> httpx.Response:
    body = {"properties": {"sourceAssetId": source, **told}}
    return await door.client.post(f"{SHARED}/import", json=body)


async def listed(door: Door, path: str, **query: str) -> list[str]:
    answer = await door.client.get(f"{SHARED}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["value"]]


def test_a_registry_is_made_listed_changed_and_deleted(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await made(door)
        changed = await door.client.put(SHARED, json={"properties": {"description": "d"}})
        subscription = ALL.partition("/resourceGroups/")[0]
        other = f"{subscription}/providers/Microsoft.MachineLearningServices/registries"

        assert changed.status_code == 200
        assert changed.json()["properties"]["description"] == "d"
        for url in (ALL, other):
            found = (await door.client.get(url)).json()["value"]
            assert [(one["name"], one["location"]) for one in found] == [("shared", "local")]
        assert (await door.client.delete(SHARED)).status_code == 200
        assert (await door.client.delete(SHARED)).status_code == 204
        assert problem(await door.client.get(SHARED))[1] == "RegistryNotFound"
        elsewhere = SHARED.replace("resourceGroups/local", "resourceGroups/mars")
        assert problem(await door.client.get(elsewhere))[0] == 404
        for name in ("a", "-ab", "a" * 33, "..", "a%2fb"):
            assert problem(await door.client.put(f"{ALL}/{name}", json=BODY))[0] in {400, 404}

    tell(story)


def test_a_version_never_changes_but_what_is_said_of_it(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await made(door)
        first = await put(door, tags={"a": "b"})
        again = await put(door, tags={"c": "d"})
        other = await put(door, "other")

        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json()["id"] == ID
        assert again.json()["properties"]["tags"] == {"c": "d"}
        assert problem(other)[:2] == (409, "AssetVersionExists")
        shown = (await door.client.get(MODEL)).json()
        said = {**shown["properties"], "description": "later"}
        assert (await door.client.put(MODEL, json={"properties": said})).status_code == 200
        assert (await door.client.get(MODEL)).json()["properties"]["description"] == "later"
        mlflow = {**said, "modelType": "mlflow_model"}
        refused = await door.client.put(MODEL, json={"properties": mlflow})
        assert problem(refused)[:2] == (409, "AssetVersionExists")

    tell(story)


@pytest.mark.parametrize(
    "uri", ["azureml://datastores/workspaceblobstore/paths/x", "https://x/y", "/etc", None]
)
def test_files_of_a_model_come_by_an_upload(tell: Tell, uri: str | None) -> None:
    async def story(door: Door) -> None:
        await made(door)
        answer = await door.client.put(MODEL, json={"properties": {"modelUri": uri}})

        assert problem(answer)[0] == 400
        assert await listed(door, "models") == []

    tell(story)


def test_data_is_copied_or_stays_where_it_is(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await made(door)
        one = f"{SHARED}/data/rows/versions"
        uri = await uploaded(door, f"{one}/1")
        copied = await door.client.put(f"{one}/1", json={"properties": {"dataUri": uri}})
        away = await door.client.put(f"{one}/2", json={"properties": {"dataUri": "https://x/y"}})
        local = await door.client.put(f"{one}/3", json={"properties": {"dataUri": "/etc"}})

        assert copied.json()["properties"]["dataUri"].endswith("/data/rows/versions/1/weights")
        assert away.json()["properties"]["dataUri"] == "https://x/y"
        assert problem(local)[0] == 400
        repeated = await door.client.put(f"{one}/2", json={"properties": {"dataUri": "https://x"}})
        assert problem(repeated)[1] == "AssetVersionExists"

    tell(story)


@pytest.mark.parametrize("conda", ["- [broken", "dependencies: 5\n", "x: &a [*a]\n", "\tx"])
def test_what_could_not_be_read_again_is_not_kept(tell: Tell, conda: str) -> None:
    async def story(door: Door) -> None:
        await made(door)
        properties = {"image": IMAGE, "condaFile": conda}
        path = f"{SHARED}/environments/torch/versions/1"

        answer = await door.client.put(path, json={"properties": properties})

        assert answer.is_success == (await door.client.get(path)).is_success
        assert ".staging" not in answer.text
        await listed(door, "environments")

    tell(story)


def test_texts_of_any_kind_come_back_as_they_were(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await made(door)
        texts = ["a: b\n- c", "x\x00y", "\u2028\x85\r\n", "yes", "1e3", "\U0001f600", "# no", " "]
        for number, text in enumerate(texts):
            path = f"{SHARED}/environments/torch/versions/{number}"
            said = {"image": IMAGE, "description": text, "tags": {"a": text}}

            answer = await door.client.put(path, json={"properties": said})

            if answer.is_success:
                shown = (await door.client.get(path)).json()["properties"]
                assert (shown["description"], shown["tags"]) == (text, {"a": text})
            else:
                assert problem(answer)[0] == 400
            await listed(door, "environments")

    tell(story)


def test_archived_versions_are_out_of_lists_and_of_latest(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await made(door)
        for version in ("9", "10"):
            path = f"{SHARED}/environments/torch/versions/{version}"
            assert (await door.client.put(path, json={"properties": {"image": IMAGE}})).is_success
        assert await listed(door, "environments/torch/versions") == ["10", "9"]
        order = {"$orderBy": "createdtime asc"}
        assert await listed(door, "environments/torch/versions", **order) == ["9", "10"]
        archived = {"properties": {"image": IMAGE, "isArchived": True}}
        await door.client.put(f"{SHARED}/environments/torch/versions/10", json=archived)
        assert await listed(door, "environments/torch/versions") == ["9"]
        container = f"{SHARED}/environments/torch"
        found = (await door.client.get(container)).json()["properties"]
        assert (found["latestVersion"], found["nextVersion"]) == ("9", "11")

        await door.client.put(container, json={"properties": {"isArchived": True}})
        assert await listed(door, "environments") == []
        assert await listed(door, "environments", listViewType="All") == ["torch"]
        assert await listed(door, "environments", listViewType="ArchivedOnly") == ["torch"]
        slip = {"listViewType": "ListViewType.ACTIVE_ONLY"}  # as one client writes it
        assert await listed(door, "environments", **slip) == []
        assert problem(await door.client.get(f"{SHARED}/environments/none"))[1] == "AssetNotFound"

    tell(story)


@pytest.mark.parametrize("spelling", ["arm", "located"])
def test_a_workspaces_version_is_shared_once(tell: Tell, spelling: str) -> None:
    async def story(door: Door) -> None:
        await made(door)
        source = await in_workspace(door)
        if spelling == "located":
            guid = door.bench.settings.subscription
            source = f"azureml://locations/local/workspaces/{guid}/models/credit/versions/1"

        answer = await share(door, source, destinationVersion="7", destinationName="best")
        again = await share(door, source, destinationVersion="7", destinationName="best")

        assert (answer.status_code, answer.content) == (200, b"")
        assert problem(again)[:2] == (409, "AssetVersionExists")
        shown = (await door.client.get(f"{SHARED}/models/best/versions/7")).json()["properties"]
        assert shown["tags"] == {"a": "b"}
        file = door.bench.settings.home / "registries/shared/models/best/7/content/weights/a.bin"
        assert file.read_text() == "w"

    tell(story)


@pytest.mark.parametrize(
    ("source", "status", "code"),
    [
        (f"{WORKSPACE}/models/none/versions/1", 404, "ResourceNotFound"),
        (f"{WORKSPACE}/codes/code/versions/1", 400, "InvalidValue"),
        (f"{WORKSPACE}x/models/credit/versions/1", 404, "WorkspaceNotFound"),
        ("azureml://locations/l/workspaces/other/models/m/versions/1", 404, "WorkspaceNotFound"),
        ("azureml:credit:1", 400, "InvalidId"),
        (ID, 400, "InvalidId"),
    ],
)
def test_what_cannot_be_shared_says_why(tell: Tell, source: str, status: int, code: str) -> None:
    async def story(door: Door) -> None:
        await made(door)

        assert problem(await share(door, source))[:2] == (status, code)
        nowhere = await door.client.post(
            f"{ALL}/none/import",
            json={"properties": {"sourceAssetId": await in_workspace(door)}},
        )
        assert problem(nowhere)[1] == "RegistryNotFound"

    tell(story)


def test_data_and_environments_are_shared_too(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await made(door)
        environment = await door.environment()
        model = await in_workspace(door)
        uri = (await door.client.get(model)).json()["properties"]["modelUri"]
        for name, where in (("rows", uri), ("away", "https://x/y")):
            body = {"properties": {"dataUri": where, "dataType": "uri_folder"}}
            await door.client.put(f"{WORKSPACE}/data/{name}/versions/1", json=body)
            assert (await share(door, f"{WORKSPACE}/data/{name}/versions/1")).is_success

        assert (await share(door, environment)).is_success
        found = (await door.client.get(f"{SHARED}/environments/env/versions/1")).json()
        assert found["properties"]["image"] == IMAGE
        root = door.bench.settings.home / "registries/shared/data"
        assert (root / "rows/1/content/weights/a.bin").read_text() == "w"
        assert "https://x/y" in (root / "away/1/data.yml").read_text()

    tell(story)


def test_files_are_read_by_a_signature_that_opens_nothing_else(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await made(door)
        await put(door)
        opened = await door.client.post(
            f"{SHARED}/datarefs/credit/versions/1", json={"assetId": ID}
        )
        uri = opened.json()["blobReferenceForConsumption"]["credential"]["sasUri"]
        base, _, query = uri.partition("?")
        shown = (await door.client.get(MODEL)).json()["properties"]["modelUri"]
        path = shown.removeprefix(f"{ADDRESS}/registries/")
        bare = {"Authorization": ""}

        got = await door.client.get(f"{base}/{path}/a.bin?{query}", headers=bare)
        assert got.text == "w"
        page = await door.client.get(f"{base}?restype=container&comp=list&{query}", headers=bare)
        assert f"{path}/a.bin" in page.text
        for refused in (
            await door.client.put(f"{base}/{path}/a.bin?{query}", content=b"x", headers=bare),
            await door.client.get(f"{base}/{path}/a.bin", headers=bare),
        ):
            assert refused.status_code in {401, 403}
        wrong = {"assetId": ID.replace("credit", "other")}
        answer = await door.client.post(f"{SHARED}/datarefs/credit/versions/1", json=wrong)
        assert problem(answer)[1] == "InvalidValue"

    tell(story)


def test_a_registry_in_use_is_not_deleted(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await made(door)
        await put(door)
        await door.endpoint()
        assert (await door.deployment(model=ID)).is_success

        status, code, message = problem(await door.client.delete(SHARED))

        assert (status, code) == (409, "RegistryInUse")
        assert "credit/blue" in message
        assert await listed(door, "models") == ["credit"]

    tell(story)


def test_the_prefix_of_azures_clients_leads_here(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await made(door)
        front = f"/mferp/managementfrontend{MODEL}"
        started = await door.client.put(
            f"/MFErp/managementfrontend{SHARED}/tempdatarefs/credit/versions/1", json={}
        )
        sas = started.json()["blobReferenceForConsumption"]["credential"]["sasUri"]
        base, _, query = sas.partition("?")
        await door.client.put(f"{base}/weights/a.bin?{query}", content=b"w")
        told = {"modelUri": f"{sas}", "system_metadata": None}

        answer = await door.client.put(front, json={"properties": told})

        assert (answer.status_code, answer.headers["retry-after"]) == (202, "1")
        assert (await door.client.get(front)).json()["id"] == ID
        container = f"/mferp/managementfrontend{SHARED}/models/credit"
        archived = await door.client.put(container, json={"properties": {"isArchived": True}})
        assert archived.status_code == 201
        answer = await door.client.put(
            front, json={"properties": {**told, "system_metadata": {"x": 1}}}
        )
        assert problem(answer)[1] == "UnknownKey"

    tell(story)


def test_who_shares_must_be_let_into_both_places(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await made(door)
        source = await in_workspace(door)
        alice = await somebody(door)
        body = {"properties": {"sourceAssetId": source}}

        await alice.given(REGISTRY_USER, number=1)
        status, _, message = problem(await alice.ask("POST", f"{SHARED}/import", body))
        assert status == 403
        assert "workspaces/models/versions/read" in message
        await alice.given(DATA_SCIENTIST, number=2)
        assert (await alice.ask("POST", f"{SHARED}/import", body)).status_code == 200
        assert (await alice.ask("DELETE", SHARED)).status_code == 403

    tell(story)


async def _found(door: Door, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return (await door.client.get(DISCOVERY, headers=headers)).status_code


def test_the_discovery_tells_who_may_see_registries(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await made(door)
        answer = (await door.client.get(DISCOVERY)).json()
        assert answer["primaryRegionResourceProviderUri"] == f"{ADDRESS}/"
        assert await _found(door, "") == 401
        assert await _found(door, "wrong") == 401
        made_one = await program(door)
        own, data = [
            (await program_token(door, made_one, scope=f"{audience}/.default")).json()[
                "access_token"
            ]
            for audience in (ADDRESS, "https://ml.azure.com")
        ]
        assert [await _found(door, own), await _found(door, data)] == [403, 403]
        await give(door, made_one.id, REGISTRY_USER, kind="ServicePrincipal")
        assert [await _found(door, own), await _found(door, data)] == [200, 200]
        assert (await Person(door, "", data).ask("GET", SHARED)).status_code == 401

    tell(story)


def test_the_owners_tokens_of_every_kind_ask_the_discovery(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await made(door)
        for resource in ("https://ml.azure.com", "https://management.azure.com/", ADDRESS):
            told = await door.client.get(
                "/msi/token", params={"resource": resource}, headers={"x-identity-header": TOKEN}
            )
            assert await _found(door, told.json()["access_token"]) == 200, resource
        forged = jwt.encode({"iss": "urn:verdazul:identities", "oid": "owner"}, "x" * 32)
        assert await _found(door, forged) == 401

    tell(story)


def test_packages_are_refused_by_name_wherever_they_are_asked_for(tell: Tell) -> None:
    async def story(door: Door) -> None:
        for path in (MODEL, f"{WORKSPACE}/models/credit/versions/1"):
            status, code, message = problem(await door.client.post(f"{path}/package", json={}))

            assert (status, code) == (400, "ModelPackagingNotSupported")
            assert "deploy the model itself" in message

    tell(story)


def test_names_lead_nowhere_else(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await made(door)
        outside = door.bench.settings.home / "registries" / "x"
        for name in ("..", "%2e%2e", ".x", "a%2f..%2f..%2fx", "a%00b", "é"):
            for url in (f"{SHARED}/models/{name}/versions/1", f"{SHARED}/models/m/versions/{name}"):
                uri = await uploaded(door, MODEL)
                answer = await door.client.put(url, json={"properties": {"modelUri": uri}})
                assert problem(answer)[0] in {400, 404, 405}, url
            answer = await door.client.get(f"{ALL}/{name}/models")
            assert problem(answer)[0] in {400, 404}, name

        assert not await asyncio.to_thread(Path.exists, outside)

    tell(story)
