"""The part of Azure's Blob service that clients use, over HTTP."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.api.door import ADDRESS, WORKSPACE, Door, Tell, problem

STORE = f"{ADDRESS}/store.blob.x/azureml-blobstore"
TREE = "LocalUpload/abc/model"


async def signature(door: Door) -> str:
    answer = await door.ask("POST", "datastores/workspaceblobstore/listSecrets", {})
    return str(answer.json()["sasToken"])


async def blob(
    door: Door, method: str, path: str, content: bytes = b"", query: str = "", **headers: str
) -> httpx.Response:
    """A request with a fresh signature and no token."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{STORE}/{quote(path)}?{query}&{await signature(door)}"
    return await door.client.request(
        method, url, content=content, headers={"Authorization": "", **told}
    )


async def put(door: Door, path: str, content: bytes = b"x", **headers: str) -> httpx.Response:
    return await blob(door, "PUT", path, content, x_ms_blob_type="BlockBlob", **headers)


def test_a_blob_goes_in_and_comes_out(tell: Tell) -> None:
    async def story(door: Door) -> None:
        made = await put(door, "a/b c.txt", b"hello", x_ms_meta_name="n")
        head = await blob(door, "HEAD", "a/b c.txt")
        whole = await blob(door, "GET", "a/b c.txt")

        assert made.status_code == 201
        assert head.headers["etag"] == made.headers["etag"] == whole.headers["etag"]
        assert (head.headers["content-length"], head.headers["x-ms-meta-name"]) == ("5", "n")
        assert whole.content == b"hello"

    tell(story)


@pytest.mark.parametrize("name", ["range", "x_ms_range"])
def test_a_part_is_a_206_that_says_of_how_much(tell: Tell, name: str) -> None:
    async def story(door: Door) -> None:
        await put(door, "a", b"hello")

        part = await blob(door, "GET", "a", b"", "", **{name: "bytes=1-2"})
        rest = await blob(door, "GET", "a", b"", "", **{name: "bytes=3-"})

        assert (part.status_code, part.content) == (206, b"el")
        assert part.headers["content-range"] == "bytes 1-2/5"
        assert rest.content == b"lo"

    tell(story)


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ("bytes=5-", 416, "InvalidRange"),
        ("bytes=2-1", 416, "InvalidRange"),
        ("bytes=-3", 400, "InvalidHeaderValue"),
        ("lines=1-2", 400, "InvalidHeaderValue"),
    ],
)
def test_a_range_that_is_none_is_refused(tell: Tell, asked: str, status: int, code: str) -> None:
    async def story(door: Door) -> None:
        await put(door, "a", b"hello")

        answer = await blob(door, "GET", "a", range=asked)

        assert problem(answer)[:2] == (status, code)

    tell(story)


def test_a_blob_that_is_not_there_is_said_in_azures_header(tell: Tell) -> None:
    async def story(door: Door) -> None:
        answer = await blob(door, "HEAD", "none")

        assert (answer.status_code, answer.headers["x-ms-error-code"]) == (404, "BlobNotFound")

    tell(story)


def test_blocks_make_a_blob(tell: Tell) -> None:
    async def story(door: Door) -> None:
        ids = [base64.b64encode(text).decode() for text in (b"one", b"two")]
        for each, content in zip(ids, (b"hello ", b"world"), strict=True):
            query = f"comp=block&blockid={quote(each)}"
            assert (await blob(door, "PUT", "big", content, query)).status_code == 201
        xml = "".join(f"<Latest>{each}</Latest>" for each in ids)
        body = f'<?xml version="1.0"?><BlockList>{xml}</BlockList>'.encode()

        made = await blob(door, "PUT", "big", body, "comp=blocklist")

        assert made.status_code == 201
        assert (await blob(door, "GET", "big")).content == b"hello world"

    tell(story)


def test_metadata_marks_a_finished_upload(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await put(door, "a")

        marked = await blob(door, "PUT", "a", b"", "comp=metadata", x_ms_meta_state="done")

        assert marked.status_code == 200
        assert (await blob(door, "HEAD", "a")).headers["x-ms-meta-state"] == "done"

    tell(story)


def test_if_none_match_replaces_nothing(tell: Tell) -> None:
    async def story(door: Door) -> None:
        first = await put(door, "a", b"1", if_none_match="*")
        again = await put(door, "a", b"2", if_none_match="*")

        assert first.status_code == 201
        assert problem(again)[:2] == (409, "BlobAlreadyExists")
        assert (await blob(door, "GET", "a")).content == b"1"

    tell(story)


@pytest.mark.parametrize(
    ("method", "query", "headers", "code"),
    [
        ("PUT", "comp=lease", {}, "UnsupportedQueryParameter"),
        ("PUT", "comp=blocklist", {}, "InvalidXmlDocument"),
        ("PUT", "comp=block", {}, "InvalidQueryParameterValue"),
        ("PUT", "", {"x_ms_blob_type": "PageBlob"}, "InvalidHeaderValue"),
        ("PUT", "", {"x_ms_copy_source": "https://elsewhere"}, "NotSupportedYet"),
        ("PUT", "", {"content_md5": "AAAA"}, "Md5Mismatch"),
        ("PUT", "", {"x_ms_meta_a": "b" * 9000}, "MetadataTooLarge"),
    ],
)
def test_what_is_not_possible_is_refused_by_name(
    tell: Tell, method: str, query: str, headers: dict[str, str], code: str
) -> None:
    async def story(door: Door) -> None:
        answer = await blob(door, method, "a", b"x", query, **headers)

        assert problem(answer)[:2] == (400, code)
        assert answer.headers["x-ms-error-code"] == code

    tell(story)


def test_lists_come_in_pages_with_folders(tell: Tell) -> None:
    async def story(door: Door) -> None:
        for path in ("m/a&b", "m/deep/x", "m/deep/y", "n"):
            await put(door, path, x_ms_meta_k="<v>")
        base = f"{STORE}?restype=container&comp=list&{await signature(door)}"

        flat = (await door.client.get(f"{base}&prefix=m/&include=metadata")).text
        folders = (await door.client.get(f"{base}&prefix=m/&delimiter=/")).text
        first = (await door.client.get(f"{base}&maxresults=1")).text

        assert flat.count("<Blob>") == 3
        assert "<Name>m/a&amp;b</Name>" in flat
        assert "<Metadata><k>&lt;v&gt;</k></Metadata>" in flat
        assert "<BlobPrefix><Name>m/deep/</Name></BlobPrefix>" in folders
        assert folders.count("<Blob>") == 1
        assert "<NextMarker>m/deep/x</NextMarker>" in first
        for bad in ("maxresults=0", "maxresults=x"):
            answer = await door.client.get(f"{base}&{bad}")
            assert problem(answer)[1] == "OutOfRangeQueryParameterValue"
        bare = await door.client.get(f"{STORE}?{await signature(door)}")
        assert problem(bare)[1] == "UnsupportedQueryParameter"

    tell(story)


# -- what opens it


def test_a_secret_expires_when_it_was_asked_to(tell: Tell) -> None:
    async def story(door: Door) -> None:
        path = "datastores/workspaceblobstore/listSecrets"
        answer = await door.ask("POST", path, {"expirableSecret": True, "expireAfterHours": 2})
        url = f"{STORE}/a?{answer.json()['sasToken']}"

        door.bench.clock.advance(7200.0)
        in_time = await door.client.put(url, content=b"x", headers={"Authorization": ""})
        door.bench.clock.advance(0.1)
        late = await door.client.put(url, content=b"x", headers={"Authorization": ""})
        odd = await door.ask("POST", path, {"expireAfterHours": 25})

        assert in_time.status_code == 201
        assert problem(late)[:2] == (403, "AuthenticationFailed")
        assert problem(odd)[:2] == (400, "InvalidValue")

    tell(story)


def test_an_uploads_signature_does_not_open_the_datastore(tell: Tell) -> None:
    async def story(door: Door) -> None:
        _, signed = await door.upload("codes/code/versions/1")
        query = signed("a").partition("?")[2]

        answer = await door.client.put(
            f"{STORE}/a?{query}", content=b"x", headers={"Authorization": ""}
        )

        assert problem(answer)[:2] == (403, "AuthenticationFailed")

    tell(story)


def test_no_path_leaves_the_container(tell: Tell) -> None:
    async def story(door: Door) -> None:
        query = await signature(door)
        for path in ("../../token", "%2e%2e/x", "a%2f..%2f..%2fb", "%00", "%2fetc/passwd", ""):
            target = f"/store.blob.x/azureml-blobstore/{path}?{query}".encode()
            for method in ("PUT", "GET"):
                status, _ = await door.raw(method, target, b"x")
                assert 400 <= status < 500, (method, path)

        assert await door.bench.world.blobs.list("azureml-blobstore", "") == ()

    tell(story)


# -- assets made of blobs


async def registered(door: Door, version: str = "1", **properties: object) -> httpx.Response:
    uri = f"azureml://datastores/workspaceblobstore/paths/{TREE}"
    body = {"properties": {"modelType": "custom_model", "modelUri": uri, **properties}}
    return await door.ask("PUT", f"models/m/versions/{version}", body)


@pytest.mark.azure(56)
def test_a_model_is_made_of_blobs_that_never_change_again(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await put(door, f"{TREE}/weights", b"w")

        made, again = await registered(door), await registered(door, tags={"a": "b"})
        late = await put(door, f"{TREE}/weights", b"other")

        assert (made.status_code, again.status_code) == (201, 200)
        assert again.json()["properties"]["tags"] == {"a": "b"}
        assert problem(late)[:2] == (409, "BlobImmutableDueToPolicy")
        (asset,) = await door.bench.store.assets("models")
        assert asset.digest.startswith("sha256:")

    tell(story)


@pytest.mark.parametrize(
    ("uri", "status", "code"),
    [
        ("azureml://datastores/workspaceblobstore/paths/none", 404, "BlobNotFound"),
        ("azureml://datastores/workspaceblobstore/paths/../x", 400, "InvalidPath"),
        ("azureml://datastores/workspaceblobstore/paths/", 400, "InvalidPath"),
        ("azureml://datastores/other/paths/x", 404, "ResourceNotFound"),
        (
            "azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/d/paths/x",
            404,
            "WorkspaceNotFound",
        ),
        (f"{STORE}/none", 404, "BlobNotFound"),
        ("https://elsewhere/x", 400, "InvalidValue"),
    ],
)
def test_a_model_that_is_nowhere_is_refused(tell: Tell, uri: str, status: int, code: str) -> None:
    async def story(door: Door) -> None:
        body = {"properties": {"modelUri": uri}}

        answer = await door.ask("PUT", "models/m/versions/1", body)

        assert problem(answer)[:2] == (status, code)

    tell(story)


@pytest.mark.azure(60)
def test_a_model_that_came_as_an_upload_can_be_downloaded_too(tell: Tell) -> None:
    async def story(door: Door) -> None:
        uri, signed = await door.upload("models/m/versions/1")
        await door.client.put(signed("model/weights"), content=b"w")
        body = {"properties": {"modelUri": f"{uri}/model"}}

        made = await door.ask("PUT", "models/m/versions/1", body)
        shown = made.json()["properties"]["modelUri"]
        path = shown.partition("/paths/")[2]

        assert shown.startswith("azureml://datastores/workspaceblobstore/paths/LocalUpload/")
        assert (await blob(door, "GET", f"{path}/weights")).content == b"w"

    tell(story)


def test_code_below_a_folder_of_its_upload_lies_at_the_top(tell: Tell) -> None:
    async def story(door: Door) -> None:
        uri, signed = await door.upload("codes/c/versions/1")
        await door.client.put(signed("src/score.py"), content=b"def run(x): ...")
        extra = {"hash_sha256": "feed", "hash_version": "202208"}
        body = {"properties": {"codeUri": f"{uri}/src", "properties": extra}}

        made = await door.ask("PUT", "codes/c/versions/1", body)
        found = await door.client.get(
            f"{WORKSPACE}/codes/other/versions?hash=feed&hashVersion=202208"
        )

        (asset,) = await door.bench.store.assets("codes")
        files = await _names(door, asset.digest)
        assert made.status_code == 201
        assert files == ["score.py"]
        assert [each["id"] for each in found.json()["value"]] == [made.json()["id"]]

    tell(story)


async def _names(door: Door, digest: str) -> list[str]:
    root = Path(door.bench.world.artifacts.path(digest))
    return await asyncio.to_thread(lambda: [path.name for path in root.rglob("*")])


@pytest.mark.azure(14)
@pytest.mark.parametrize("suffix", ["x", "core.windows.net"])
def test_code_that_lies_in_the_datastore_is_registered_from_there(tell: Tell, suffix: str) -> None:
    async def story(door: Door) -> None:
        query = await signature(door)
        for name in ("score.py", "inner/more.py"):
            path = f"/store.blob.x/azureml-blobstore/src/{name}"
            await door.client.put(f"{path}?{query}", content=name.encode())
        uri = f"{ADDRESS}/store.blob.{suffix}/azureml-blobstore/src"

        made = await door.ask("PUT", "codes/c/versions/1", {"properties": {"codeUri": uri}})
        again = await door.ask("PUT", "codes/c/versions/1", {"properties": {"codeUri": uri}})

        (asset,) = await door.bench.store.assets("codes")
        root = Path(door.bench.world.artifacts.path(asset.digest))
        assert (made.status_code, again.status_code) == (201, 200)
        assert (root / "score.py").read_text() == "score.py"
        assert (root / "inner" / "more.py").exists()
        kept = await door.client.get(f"/store.blob.x/azureml-blobstore/src/score.py?{query}")
        assert kept.text == "score.py"

    tell(story)
