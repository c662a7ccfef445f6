"""What a workspace holds beside endpoints: versions, connections, locks, usages; and PATCH."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.door import ADDRESS, IMAGE, TOKEN, WORKSPACE, Door, Tell, problem

ROOT = WORKSPACE.partition("/resourceGroups/")[0]
LOCK = "providers/Microsoft.Authorization/locks/keep"
CONNECTION = {
    "authType": "ApiKey",
    "category": "CustomKeys",
    "target": "https://example.com",
    "credentials": {"key": "a-secret"},
}


async def environments(door: Door, *versions: str) -> None:
    for version in versions:
        door.bench.clock.advance(1.0)
        body = {"properties": {"image": IMAGE}}
        answer = await door.ask("PUT", f"environments/e/versions/{version}", body)
        assert answer.status_code == 201


async def listed(door: Door, path: str, query: str = "") -> list[str]:
    answer = await door.client.get(f"{WORKSPACE}/{path}?{query}")
    return [each["name"] for each in answer.json()["value"]]


# -- versions


@pytest.mark.azure(56)
def test_versions_are_listed_newest_first_and_latest_is_the_first(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await environments(door, "2", "1", "10")
        path = "environments/e/versions"

        assert await listed(door, path) == ["10", "1", "2"]
        assert await listed(door, path, "$orderBy=createdtime desc&$top=1") == ["10"]
        assert await listed(door, path, "$orderBy=createdtime asc&$top=1&$skip=1") == ["1"]
        assert await listed(door, "environments/none/versions") == []

    tell(story)


def test_a_container_says_what_is_latest_and_what_comes_next(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await environments(door, "1", "7")

        found = (await door.ask("GET", "environments/e")).json()
        none = await door.ask("GET", "environments/none")

        assert found["properties"]["latestVersion"] == "7"
        assert found["properties"]["nextVersion"] == "8"
        assert found["systemData"]["createdAt"]
        assert problem(none)[:2] == (404, "ResourceNotFound")

    tell(story)


@pytest.mark.azure(56)
def test_an_archived_version_is_no_longer_listed_nor_latest(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await environments(door, "1", "2")
        path, body = "environments/e/versions/2", {"image": IMAGE}

        await door.ask("PUT", path, {"properties": {**body, "isArchived": True}})
        archived = await listed(door, "environments/e/versions")
        put_away = await listed(door, "environments/e/versions", "listViewType=ArchivedOnly")
        latest = (await door.ask("GET", "environments/e")).json()["properties"]["latestVersion"]
        await door.ask("PUT", path, {"properties": {**body, "isArchived": False}})

        assert (archived, put_away, latest) == (["1"], ["2"], "1")
        assert await listed(door, "environments/e/versions") == ["2", "1"]

    tell(story)


def test_a_container_is_archived_with_all_its_versions(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await environments(door, "1", "2")

        put = await door.ask("PUT", "environments/e", {"properties": {"isArchived": True}})

        assert put.json()["properties"]["isArchived"] is True
        assert await listed(door, "environments") == []
        assert await listed(door, "environments", "listViewType=all") == ["e"]
        assert await listed(door, "environments/e/versions") == []
        for bad, code in (
            ({"tags": {"a": "b"}}, "NotSupportedYet"),
            ({"isArchived": 1}, "InvalidValue"),
        ):
            answer = await door.ask("PUT", "environments/e", {"properties": bad})
            assert problem(answer)[:2] == (400, code)

    tell(story)


@pytest.mark.parametrize(
    "query",
    ["listViewType=some", "$orderBy=name", "$top=x", "$skip=-1", "tags=a", "stage=b"],
)
def test_a_list_that_cannot_be_is_refused(tell: Tell, query: str) -> None:
    async def story(door: Door) -> None:
        answer = await door.client.get(f"{WORKSPACE}/environments/e/versions?{query}")

        assert problem(answer)[0] == 400

    tell(story)


def test_long_lists_come_in_pages(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await environments(door, *(str(number) for number in range(203)))
        url, seen = f"{WORKSPACE}/environments/e/versions?api-version=x", []
        while url:
            page = (await door.client.get(url)).json()
            seen += [each["name"] for each in page["value"]]
            url = page.get("nextLink")

        assert seen == [str(number) for number in reversed(range(203))]

    tell(story)


@pytest.mark.azure(11)
def test_an_asset_in_use_cannot_be_deleted_and_says_by_whom(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await door.deployment()
        await door.settle()
        for path in ("codes/code/versions/1", "environments/env/versions/1"):
            refused = await door.ask("DELETE", path)
            assert problem(refused)[:2] == (409, "AssetInUse")
            assert "credit/blue" in problem(refused)[2]
        await door.ask("DELETE", "onlineEndpoints/credit")
        await door.settle()

        gone = await door.ask("DELETE", "environments/env/versions/1")
        again = await door.ask("DELETE", "environments/env/versions/1")

        assert (gone.status_code, again.status_code) == (200, 204)

    tell(story)


def test_data_stays_where_it_is_and_what_it_is(tell: Tell) -> None:
    async def story(door: Door) -> None:
        uri = "azureml://datastores/workspaceblobstore/paths/modelDataCollector/x"
        body = {"dataType": "uri_folder", "dataUri": uri}

        made = await door.ask("PUT", "data/d/versions/1", {"properties": body})
        said = await door.ask(
            "PUT", "data/d/versions/1", {"properties": {**body, "tags": {"a": "b"}}}
        )
        other = await door.ask("PUT", "data/d/versions/1", {"properties": {**body, "dataUri": "x"}})

        assert (made.status_code, said.status_code) == (201, 200)
        assert problem(other)[:2] == (409, "AssetVersionExists")
        container = (await door.ask("GET", "data/d")).json()
        assert container["properties"]["dataType"] == "uri_folder"

    tell(story)


def test_there_is_one_datastore(tell: Tell) -> None:
    async def story(door: Door) -> None:
        found = (await door.ask("GET", "datastores/WorkspaceBlobStore")).json()

        assert await listed(door, "datastores", "isDefault=true") == ["workspaceblobstore"]
        assert await listed(door, "datastores", "isDefault=false") == []
        assert found["properties"]["accountName"] == f"{ADDRESS.removeprefix('https://')}/store"
        assert problem(await door.ask("GET", "datastores/other"))[0] == 404

    tell(story)


# -- connections


def test_a_connection_shows_its_secret_only_when_asked(tell: Tell) -> None:
    async def story(door: Door) -> None:
        made = await door.ask("PUT", "connections/Conn", {"properties": CONNECTION})
        again = await door.ask("PUT", "connections/conn", {"properties": CONNECTION})
        shown = await door.ask("GET", "connections/conn")
        secret = await door.ask("POST", "connections/conn/listsecrets")

        assert (made.status_code, again.status_code) == (200, 200)
        assert all("a-secret" not in answer.text for answer in (made, again, shown))
        assert secret.json()["properties"]["credentials"] == {"key": "a-secret"}
        assert await listed(door, "connections") == ["Conn"]
        assert await listed(door, "connections", "category=customkeys") == ["Conn"]
        assert await listed(door, "connections", "category=other") == []
        (item,) = await door.bench.store.items("connections")
        assert "a-secret" not in item.body + item.sealed

    tell(story)


def test_a_connection_without_credentials_has_none(tell: Tell) -> None:
    async def story(door: Door) -> None:
        bare = {**CONNECTION, "authType": "None", "credentials": None}
        await door.ask("PUT", "connections/conn", {"properties": bare})

        secret = await door.ask("POST", "connections/conn/listSecrets")
        first, again = [await door.ask("DELETE", "connections/conn") for _ in range(2)]

        assert secret.json()["properties"]["credentials"] is None
        assert (first.status_code, again.status_code) == (200, 204)
        assert problem(await door.ask("GET", "connections/conn"))[0] == 404

    tell(story)


@pytest.mark.parametrize("wrong", [{"authType": None}, {"category": 7}, {"credentials": "x"}])
def test_a_connection_that_cannot_be_is_refused(tell: Tell, wrong: dict[str, Any]) -> None:
    async def story(door: Door) -> None:
        body = {"properties": {**CONNECTION, **wrong}}

        answer = await door.ask("PUT", "connections/conn", body)

        assert problem(answer)[:2] == (400, "InvalidValue")

    tell(story)


# -- locks


@pytest.mark.azure(13)
@pytest.mark.parametrize(
    "place", ["", "onlineEndpoints/credit/", "onlineEndpoints/credit/deployments/blue/"]
)
def test_what_is_locked_is_not_deleted_with_or_under_anything(tell: Tell, place: str) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await door.deployment()
        await door.settle()
        lock = {"properties": {"level": "CanNotDelete", "notes": "mine"}}

        made = await door.ask("PUT", f"{place}{LOCK}", lock)
        refused = await door.ask("DELETE", "onlineEndpoints/credit")
        changed = await door.endpoint()
        names = await listed(door, "providers/Microsoft.Authorization/locks")
        shown = await door.ask("GET", f"{place}{LOCK}")
        gone = await door.ask("DELETE", f"{place}{LOCK}")
        deleted = await door.ask("DELETE", "onlineEndpoints/credit")

        assert (made.status_code, gone.status_code, deleted.status_code) == (201, 200, 202)
        assert problem(refused)[:2] == (409, "ScopeLocked")
        assert changed.status_code == 200
        assert names == ["keep"]
        assert shown.json()["properties"] == {"level": "CanNotDelete", "notes": "mine"}

    tell(story)


def test_a_read_only_endpoint_is_not_changed(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await door.endpoint("other")
        lock = {"properties": {"level": "readonly"}}
        await door.ask("PUT", f"onlineEndpoints/credit/{LOCK}", lock)

        await door.bench.settle("other")
        changed, other = await door.endpoint(), await door.endpoint("other")
        read = await door.ask("GET", "onlineEndpoints/credit")

        assert problem(changed)[:2] == (409, "ScopeLocked")
        assert (other.status_code, read.status_code) == (200, 200)

    tell(story)


def test_a_lock_that_cannot_be_is_refused(tell: Tell) -> None:
    async def story(door: Door) -> None:
        for properties in (None, {}, {"level": "Strict"}, {"level": "ReadOnly", "notes": 7}):
            answer = await door.ask("PUT", LOCK, {"properties": properties})
            assert problem(answer)[:2] == (400, "InvalidValue")
        lock = {"properties": {"level": "ReadOnly"}}
        for place in ("onlineEndpoints/none", "onlineEndpoints/none/deployments/blue"):
            assert problem(await door.ask("PUT", f"{place}/{LOCK}", lock))[0] == 404
        assert problem(await door.ask("GET", LOCK))[0] == 404
        assert (await door.ask("DELETE", LOCK)).status_code == 204

    tell(story)


# -- capacity


def test_usages_sizes_and_quotas_are_those_of_here(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await door.deployment(capacity=2)
        base = f"{ROOT}/providers/Microsoft.MachineLearningServices/locations"

        usages = (await door.client.get(f"{base}/local/usages")).json()["value"]
        quotas = (await door.client.get(f"{base}/LOCAL/quotas")).json()["value"]
        sizes = (await door.client.get(f"{base}/local/vmSizes")).json()["value"]
        elsewhere = await door.client.get(f"{base}/westus/usages")

        used = {each["name"]["value"]: (each["currentValue"], each["limit"]) for each in usages}
        assert used == {
            "onlineEndpoints": (1, 100),
            "onlineDeployments": (1, 500),
            "standardDSv2Family": (8, -1),
        }
        assert [each["limit"] for each in quotas] == [100, 500, -1]
        (known,) = [each for each in sizes if each["name"] == "Standard_DS3_v2"]
        assert (known["vCPUs"], known["memoryGB"], known["gpus"]) == (4, 14, 0)
        assert problem(elsewhere)[0] == 404

    tell(story)


# -- PATCH, skus, results


@pytest.mark.azure(9, 14)
def test_patch_changes_tags_and_nothing_else(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint(description="d")
        await door.ask("PATCH", "onlineEndpoints/credit", {"tags": {"a": "b", "c": "d"}})
        await door.settle()

        patched = await door.ask("PATCH", "onlineEndpoints/credit", {"tags": {"a": None}})
        refused = await door.ask("PATCH", "onlineEndpoints/credit", {"properties": {}})
        stale = await door.ask("PATCH", "onlineEndpoints/credit", {"tags": {}}, if_match='"1"')

        assert patched.status_code == 200
        assert patched.json()["tags"] == {"c": "d"}
        assert patched.json()["properties"]["description"] == "d"
        assert problem(refused)[:2] == (400, "NotPatchable")
        assert problem(stale)[0] == 412

    tell(story)


def test_patch_scales_a_deployment_within_what_skus_say(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await door.deployment()
        await door.settle()
        path = "onlineEndpoints/credit/deployments/blue"

        patched = await door.ask("PATCH", path, {"sku": {"capacity": 3}, "tags": {"a": "b"}})
        (sku,) = (await door.ask("GET", f"{path}/skus")).json()["value"]

        assert patched.json()["sku"]["capacity"] == 3
        assert (sku["capacity"]["minimum"], sku["capacity"]["maximum"]) == (1, 50)

    tell(story)


@pytest.mark.azure(12)
def test_a_deletion_has_a_result_to_wait_at(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        accepted = await door.ask("DELETE", "onlineEndpoints/credit")
        place = accepted.headers["location"]

        waiting = await door.client.get(place)
        await door.settle()
        done = await door.client.get(place)

        assert (waiting.status_code, waiting.headers["retry-after"]) == (202, "1")
        assert done.status_code == 204

    tell(story)


def test_a_result_of_no_operation_is_not_found(tell: Tell) -> None:
    async def story(door: Door) -> None:
        answer = await door.client.get(
            f"{ROOT}/providers/Microsoft.MachineLearningServices/locations/local"
            "/mfeOperationResults/none"
        )

        assert problem(answer)[0] == 404

    tell(story)


def test_every_poll_says_when_to_come_again(tell: Tell) -> None:
    """Without it clients wait half a minute."""

    async def story(door: Door) -> None:
        made = await door.endpoint()

        poll = await door.client.get(made.headers["azure-asyncoperation"])

        assert poll.headers["retry-after"] == "1"
        assert TOKEN not in poll.text

    tell(story)
