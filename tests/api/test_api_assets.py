"""codes, models and environments over HTTP, and the uploads their files arrive in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.api.door import ADDRESS, IMAGE, WORKSPACE, Door, Tell, problem

CODE = "codes/code/versions/1"


async def uploaded(door: Door, path: str = CODE, **files: str) -> str:
    """The URI of an upload with these files (`score_py` is score.py)."""
    uri, signed = await door.upload(path)
    for name, text in (files or {"score_py": "def run(x): ..."}).items():
        answer = await door.client.put(signed(name.replace("_", ".")), content=text.encode())
        assert answer.status_code == 201, answer.text
    return uri


def files_of(door: Door, digest: str) -> dict[str, str]:
    root = Path(door.bench.world.artifacts.path(digest))
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_text() for path in found}


def waiting(door: Door, uri: str) -> dict[str, bytes]:
    """The files of an upload that was not adopted yet."""
    root = Path(door.bench.world.uploads.folder(uri.rsplit("/", 1)[1]))
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


async def digest_of(door: Door, name: str = "code", version: str = "1") -> str:
    (asset,) = [
        a for a in await door.bench.store.assets("codes", name=name) if a.key.version == version
    ]
    return asset.digest


# -- the way of a file


@pytest.mark.parametrize(("kind", "key"), [("codes", "codeUri"), ("models", "modelUri")])
def test_files_are_uploaded_registered_and_found(tell: Tell, kind: str, key: str) -> None:
    async def story(door: Door) -> None:
        path = f"{kind}/thing/versions/1"
        uri, signed = await door.upload(path)
        for name in ("score.py", "deep/er/data.txt", "with%20space.txt", "%C3%BC.txt"):
            assert (await door.client.put(signed(name), content=b"x")).status_code == 201

        put = await door.ask("PUT", path, {"properties": {key: uri}})
        shown = await door.ask("GET", path)

        assert put.status_code == 201
        assert put.json() == shown.json()
        assert put.json()["id"] == f"{WORKSPACE}/{kind}/thing/versions/1"
        (asset,) = await door.bench.store.assets(kind)
        names = {"score.py", "deep/er/data.txt", "with space.txt", "ü.txt"}
        assert set(await asyncio.to_thread(files_of, door, asset.digest)) == names

    tell(story)


def test_an_upload_needs_no_token_but_its_signature(tell: Tell) -> None:
    async def story(door: Door) -> None:
        uri, signed = await door.upload(CODE)

        answer = await door.client.put(signed("a"), content=b"x", headers={"Authorization": ""})

        assert answer.status_code == 201
        assert uri.startswith(f"{ADDRESS}/uploads/")

    tell(story)


def test_a_signature_opens_one_upload_and_nothing_else(tell: Tell) -> None:
    async def story(door: Door) -> None:
        uri, signed = await door.upload(CODE)
        other, _ = await door.upload(CODE)
        query = signed("a").partition("?")[2]
        targets = [
            f"{uri}/a",
            f"{uri}/a?sig=",
            f"{uri}/a?sig=x",
            f"{uri}/a?{query}x",
            f"{uri}/a?{query[:-4]}",
            f"{uri}/a?sig=%ff%00",
            f"{other}/a?{query}",
            f"{ADDRESS}/uploads/{'0' * 32}/a?{query}",
        ]

        for target in targets:
            answer = await door.client.put(target, content=b"x", headers={"Authorization": ""})

            assert problem(answer)[1] == "AuthenticationFailed", target
            assert 400 <= answer.status_code < 500
        assert waiting(door, uri) == waiting(door, other) == {}

    tell(story)


def test_a_signature_expires(tell: Tell) -> None:
    async def story(door: Door) -> None:
        _, signed = await door.upload(CODE)

        door.bench.clock.advance(3600.0)
        in_time = await door.client.put(signed("a"), content=b"x")
        door.bench.clock.advance(0.1)
        late = await door.client.put(signed("a"), content=b"x")

        assert in_time.status_code == 201
        assert problem(late)[1] == "AuthenticationFailed"

    tell(story)


def test_a_signature_made_for_another_home_is_not_taken(tell: Tell, tmp_path: Path) -> None:
    from verdazul.secrets.sealed import SealedSecrets

    foreign = SealedSecrets(tmp_path / "other").seal('["0", 9e99]')

    async def story(door: Door) -> None:
        uri, _ = await door.upload(CODE)

        answer = await door.client.put(f"{uri}/a?sig={foreign}", content=b"x")

        assert problem(answer)[1] == "AuthenticationFailed"

    tell(story)


@pytest.mark.parametrize(
    "path",
    [
        "../../token",
        "a/../../b",
        "..",
        ".",
        "./a",
        "a/.",
        "%2e%2e/token",
        "%2e%2e%2ftoken",
        "..%2f..%2ftoken",
        "a%2f..%2f..%2fb",
        "/etc/passwd",
        "%2fetc/passwd",
        "%2Fetc%2Fpasswd",
        "a%00b",
        "%00",
        "x" * 201,
        "%C3%BC" * 101,
    ],
)
def test_a_path_that_leaves_the_upload_is_refused_by_name(tell: Tell, path: str) -> None:
    async def story(door: Door) -> None:
        uri, signed = await door.upload(CODE)
        target = signed(path).removeprefix(ADDRESS).encode()

        status, body = await door.raw("PUT", target, b"x")

        assert (status, b"InvalidPath" in body) == (400, True), body
        assert waiting(door, uri) == {}

    tell(story)


def test_a_second_file_of_the_same_path_replaces_the_first(tell: Tell) -> None:
    async def story(door: Door) -> None:
        uri, signed = await door.upload(CODE)

        await door.client.put(signed("score.py"), content=b"the first and longer one")
        await door.client.put(signed("score.py"), content=b"second")

        assert waiting(door, uri) == {"score.py": b"second"}

    tell(story)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("b/c", "b"),
        ("a", "a/b"),
    ],
)
def test_a_path_that_is_a_folder_and_a_file_is_refused(tell: Tell, first: str, then: str) -> None:
    async def story(door: Door) -> None:
        uri, signed = await door.upload(CODE)
        await door.client.put(signed(first), content=b"x")

        answer = await door.client.put(signed(then), content=b"y")

        assert problem(answer)[:2] == (400, "UploadFailed")
        assert waiting(door, uri) == {first: b"x"}

    tell(story)


def test_a_path_that_is_longer_than_the_system_allows_is_refused(tell: Tell) -> None:
    async def story(door: Door) -> None:
        _, signed = await door.upload(CODE)

        answer = await door.client.put(signed("/".join(["d" * 100] * 60)), content=b"x")

        assert answer.status_code == 400

    tell(story)


def test_executable_files_stay_executable(tell: Tell) -> None:
    async def story(door: Door) -> None:
        uri, signed = await door.upload(CODE)
        header = {"x-ms-meta-executable": "true"}
        await door.client.put(signed("run.sh"), content=b"#!/bin/sh", headers=header)
        await door.client.put(signed("score.py"), content=b"")

        root = Path(door.bench.world.uploads.folder(uri.rsplit("/", 1)[1]))

        assert (root / "run.sh").stat().st_mode & 0o777 == 0o700
        assert (root / "score.py").stat().st_mode & 0o777 == 0o600

    tell(story)


# -- versions


def test_a_version_needs_an_upload_of_ours(tell: Tell) -> None:
    async def story(door: Door) -> None:
        for uri in ("", "https://elsewhere/uploads/x", f"{ADDRESS}/uploadsx", 7, ["x"]):
            answer = await door.ask("PUT", CODE, {"properties": {"codeUri": uri}})
            assert problem(answer)[:2] == (400, "InvalidValue"), uri
        for upload in ("0" * 32, "..", "", "x"):
            body = {"properties": {"codeUri": f"{ADDRESS}/uploads/{upload}"}}
            answer = await door.ask("PUT", CODE, body)
            assert problem(answer)[:2] == (404, "UploadNotFound"), upload
        assert await door.bench.store.assets("codes") == ()

    tell(story)


def test_an_upload_is_adopted_once(tell: Tell) -> None:
    async def story(door: Door) -> None:
        uri = await uploaded(door)
        body = {"properties": {"codeUri": uri}}
        await door.ask("PUT", CODE, body)

        other = await door.ask("PUT", "codes/other/versions/1", body)
        late = await door.client.put(f"{uri}/late?sig=x", content=b"x")

        assert problem(other)[:2] == (404, "UploadNotFound")
        assert late.status_code == 403

    tell(story)


def test_other_content_under_a_version_is_a_conflict(tell: Tell) -> None:
    async def story(door: Door) -> None:
        first = {"properties": {"codeUri": await uploaded(door)}}
        await door.ask("PUT", CODE, first)
        before = await digest_of(door)

        second = {"properties": {"codeUri": await uploaded(door, score_py="other")}}
        answer = await door.ask("PUT", CODE, second)

        assert problem(answer)[:2] == (409, "AssetVersionExists")
        assert await digest_of(door) == before

    tell(story)


@pytest.mark.parametrize("again", ["the same upload", "the same files"])
def test_registering_the_same_again_is_fine(tell: Tell, again: str) -> None:
    async def story(door: Door) -> None:
        uri = await uploaded(door)
        await door.ask("PUT", CODE, {"properties": {"codeUri": uri}})
        if again == "the same files":
            uri = await uploaded(door)

        answer = await door.ask("PUT", CODE, {"properties": {"codeUri": uri}})

        assert answer.status_code in {200, 201}

    tell(story)


def test_registering_the_same_hash_again_is_fine(tell: Tell) -> None:
    async def story(door: Door) -> None:
        hashed = {"hash_sha256": "feed", "hash_version": "202208"}
        body = {"properties": {"codeUri": await uploaded(door), "properties": hashed}}
        first = await door.ask("PUT", CODE, body)

        answer = await door.ask("PUT", CODE, body)

        assert answer.status_code in {200, 201}
        assert answer.json() == first.json()

    tell(story)


def test_a_hash_finds_versions_over_all_names(tell: Tell) -> None:
    async def story(door: Door) -> None:
        for name, hashed in (("one", "feed"), ("two", "beef"), ("three", "feed")):
            door.bench.clock.advance(1.0)
            uri = await uploaded(door, score_py=name)
            properties = {"codeUri": uri, "properties": {"hash_sha256": hashed}}
            await door.ask("PUT", f"codes/{name}/versions/1", {"properties": properties})

        async def found(query: str) -> list[str]:
            answer = await door.client.get(f"{WORKSPACE}/codes/whatever/versions?{query}")
            return [each["id"].split("/")[-3] for each in answer.json()["value"]]

        assert await found("hash=feed&hashVersion=202208") == ["three", "one"]
        assert await found("hash=none") == []
        assert await found("hash=") == []

    tell(story)


def test_versions_are_listed_newest_first_and_unknown_ones_not_found(tell: Tell) -> None:
    async def story(door: Door) -> None:
        for version in ("1", "2"):
            door.bench.clock.advance(1.0)
            body = {"properties": {"codeUri": await uploaded(door, score_py=version)}}
            await door.ask("PUT", f"codes/code/versions/{version}", body)

        listed = (await door.ask("GET", "codes/code/versions")).json()["value"]
        unknown = await door.ask("GET", "codes/code/versions/3")

        assert [each["name"] for each in listed] == ["2", "1"]
        assert problem(unknown)[::2] == (404, "codes/code version 3 does not exist")

    tell(story)


# -- environments


def test_an_environment_is_201_then_200_and_never_changes(tell: Tell) -> None:
    async def story(door: Door) -> None:
        path = "environments/env/versions/1"
        body = {"properties": {"image": IMAGE, "condaFile": "dependencies: []"}}

        first = await door.ask("PUT", path, body)
        same = await door.ask("PUT", path, body)
        other = await door.ask("PUT", path, {"properties": {"image": "another"}})

        assert (first.status_code, same.status_code) == (201, 200)
        assert first.json() == same.json() == (await door.ask("GET", path)).json()
        assert problem(other)[:2] == (409, "AssetVersionExists")

    tell(story)


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        (None, "MissingKey"),
        ([], "MissingKey"),
        ({}, "MissingKey"),
        ({"image": 5.5, "condaFile": {"a": 1}}, "InvalidValue"),
        ({"image": "x", "imag": "y"}, "UnknownKey"),
    ],
)
def test_an_environment_that_cannot_be_is_refused(
    tell: Tell, properties: object, code: str
) -> None:
    async def story(door: Door) -> None:
        answer = await door.ask("PUT", "environments/env/versions/1", {"properties": properties})

        assert problem(answer)[:2] == (400, code)
        assert await door.bench.store.assets("environments") == ()

    tell(story)


@pytest.mark.parametrize(
    "where", ["a%2Fb/versions/1", "/versions/1", "env/versions/a%2Fb", "%0A/versions/1"]
)
def test_a_name_that_no_id_can_hold_is_refused(tell: Tell, where: str) -> None:
    async def story(door: Door) -> None:
        body = {"properties": {"image": IMAGE}}
        target = f"{WORKSPACE}/environments/{where}"

        answer = await door.client.put(target, json=body)

        assert answer.status_code in {400, 404}

    tell(story)
