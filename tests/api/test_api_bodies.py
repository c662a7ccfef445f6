"""Hostile bodies, headers and paths: whatever arrives, the answer is JSON, and never a 5xx."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.door import (
    WORKSPACE,
    Door,
    Tell,
    deployment_body,
    endpoint_body,
    open_door,
    problem,
)

ENDPOINT = "onlineEndpoints/credit"
BLUE = f"{ENDPOINT}/deployments/blue"
TAKING_BODIES = [
    ("PUT", ENDPOINT),
    ("PUT", BLUE),
    ("POST", f"{BLUE}/getLogs"),
    ("POST", f"{ENDPOINT}/regenerateKeys"),
    ("PUT", "codes/code/versions/1"),
    ("PUT", "models/model/versions/1"),
    ("PUT", "environments/env/versions/1"),
    ("PUT", "environments/env"),
    ("PUT", "data/data/versions/1"),
    ("PUT", "connections/conn"),
    ("PUT", f"{ENDPOINT}/providers/Microsoft.Authorization/locks/lock"),
    ("POST", "datastores/workspaceblobstore/listSecrets"),
    ("PATCH", ENDPOINT),
    ("PATCH", BLUE),
]


async def sent(door: Door, method: str, path: str, body: bytes) -> tuple[int, str, str]:
    answer = await door.client.request(method, f"{WORKSPACE}/{path}", content=body)
    return problem(answer)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"not json",
        b"\xff\xfe\x00",
        b'{"a": }',
        b"{'a': 1}",
        b'{"a": "\xff"}',
        b"<xml/>",
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a": ' * 100_000 + b"1" + b"}" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"properties": {"a": 1, "a": 2}}',
        b'{"tags": {}, "properties": {}, "tags": {}}',
    ],
    ids=lambda body: repr(body[:12]),
)
@pytest.mark.parametrize(("method", "path"), TAKING_BODIES)
def test_a_body_that_is_no_json_is_said(tell: Tell, method: str, path: str, body: bytes) -> None:
    async def story(door: Door) -> None:
        status, code, message = await sent(door, method, path, body)

        assert (status, code) == (400, "InvalidJson")
        assert message.startswith("the body is not JSON: ")

    tell(story)


@pytest.mark.parametrize(
    "told",
    ["text/html; charset=utf-7", "application/x-www-form-urlencoded", "application/xml", "{"],
)
@pytest.mark.parametrize(("method", "path"), TAKING_BODIES)
def test_a_body_that_is_said_to_be_no_json_is_refused(
    tell: Tell, method: str, path: str, told: str
) -> None:
    async def story(door: Door) -> None:
        answer = await door.ask(method, path, {}, content_type=told)

        assert problem(answer)[:2] == (415, "UnsupportedMediaType")
        assert "send the header Content-Type: application/json" in problem(answer)[2]

    tell(story)


@pytest.mark.parametrize(
    "told", ["application/json; charset=utf-8", "text/json", "Application/JSON"]
)
def test_json_may_be_said_in_more_than_one_way(tell: Tell, told: str) -> None:
    async def story(door: Door) -> None:
        answer = await door.ask("PUT", ENDPOINT, endpoint_body(), content_type=told)

        assert answer.status_code == 201

    tell(story)


def test_line_ends_inside_of_a_text_are_taken(tell: Tell) -> None:
    async def story(door: Door) -> None:
        body = b'{"properties": {"image": "i", "condaFile": "dependencies:\n- python=3.11\n"}}'

        answer = await door.client.put(f"{WORKSPACE}/environments/env/versions/1", content=body)

        assert answer.json()["properties"]["condaFile"] == "dependencies:\n- python=3.11\n"

    tell(story)


def test_an_image_that_is_to_follow_its_base_is_refused_by_name(tell: Tell) -> None:
    async def story(door: Door) -> None:
        told = {"image": "i", "autoRebuild": "OnBaseImageUpdate"}

        refused = await door.ask("PUT", "environments/env/versions/1", {"properties": told})
        told["autoRebuild"] = "disabled"
        taken = await door.ask("PUT", "environments/env/versions/1", {"properties": told})

        status, code, message = problem(refused)
        assert (status, code) == (400, "NotSupportedYet")
        assert "properties.autoRebuild" in message
        assert taken.status_code == 201

    tell(story)


@pytest.mark.parametrize("body", [b"[]", b"null", b"3", b'"text"', b"true"])
@pytest.mark.parametrize(("method", "path"), TAKING_BODIES)
def test_a_body_that_is_no_object_is_said(tell: Tell, method: str, path: str, body: bytes) -> None:
    async def story(door: Door) -> None:
        status, code, message = await sent(door, method, path, body)

        assert (status, code) == (400, "InvalidJson")
        assert message.endswith("not an object")

    tell(story)


@pytest.mark.parametrize(("method", "path"), TAKING_BODIES)
def test_a_body_over_four_mebibytes_is_refused(tell: Tell, method: str, path: str) -> None:
    async def story(door: Door) -> None:
        body = b'{"a": "' + b"x" * 5_000_000 + b'"}'

        status, code, message = await sent(door, method, path, body)

        assert (status, code) == (413, "BodyTooLarge")
        assert "4194304 bytes" in message

    tell(story)


@pytest.mark.parametrize(
    "value", [b"NaN", b"Infinity", b"-Infinity", b'"\\ud800"', b'{"\\udfff": 1}']
)
@pytest.mark.parametrize(("method", "path"), TAKING_BODIES)
def test_what_only_python_takes_for_json_is_refused(
    tell: Tell, method: str, path: str, value: bytes
) -> None:
    async def story(door: Door) -> None:
        body = b'{"properties": {"x": %s}, "x": %s}' % (value, value)

        status, code, _ = await sent(door, method, path, body)

        assert (status, code) == (400, "InvalidJson")

    tell(story)


@pytest.mark.parametrize("value", [b"NaN", b'"\\ud800"'])
def test_no_asset_makes_the_list_of_assets_unreadable(tell: Tell, value: bytes) -> None:
    async def story(door: Door) -> None:
        uri, signed = await door.upload("codes/code/versions/1")
        await door.client.put(signed("score.py"), content=b"x")
        body = b'{"properties": {"codeUri": "%s", "tags": {"x": %s}}}' % (uri.encode(), value)
        await door.client.put(f"{WORKSPACE}/codes/code/versions/1", content=body)

        answer = await door.ask("GET", "codes/code/versions")

        assert answer.status_code == 200

    tell(story)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{BLUE}/getLogs", b'{"containerType": "\\ud800"}'),
        ("PUT", "codes/c/versions/1", b'{"properties": {"codeUri": "\\ud800"}}'),
    ],
)
def test_a_refusal_that_quotes_broken_text_is_still_told(
    tell: Tell, method: str, path: str, body: bytes
) -> None:
    async def story(door: Door) -> None:
        assert (await sent(door, method, path, body))[0] == 400

    tell(story)


@pytest.mark.parametrize("extra", [[1], "text", 7])
def test_free_properties_that_are_no_object_are_refused(tell: Tell, extra: object) -> None:
    async def story(door: Door) -> None:
        uri, _ = await door.upload("codes/code/versions/1")
        body = {"properties": {"codeUri": uri, "properties": extra}}

        assert (await door.ask("PUT", "codes/code/versions/1", body)).status_code == 400

    tell(story)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("if-match", "9" * 5000),
        ("if-match", "9" * 4000),
        ("if-match", "x" * 60_000),
        ("if-none-match", "*" * 60_000),
        ("x-anything", "y" * 60_000),
        ("content-type", "text/html; charset=utf-7"),
        ("content-length", "0"),
        ("transfer-encoding", "nonsense"),
    ],
)
def test_no_header_breaks_the_answer(tell: Tell, name: str, value: str) -> None:
    async def story(door: Door) -> None:
        for method, path in TAKING_BODIES:
            answer = await door.ask(method, path, {}, **{name: value})

            assert answer.status_code < 500

    tell(story)


def test_a_name_that_lower_cases_to_another_alphabet_is_no_failure(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint("kredit")

        answer = await door.ask("DELETE", "onlineEndpoints/%E2%84%AAredit")  # the Kelvin sign

        assert answer.status_code < 500

    tell(story)


@pytest.mark.parametrize("body", [endpoint_body(), deployment_body("azureml:c:1", "azureml:e:1")])
def test_nulls_anywhere_are_no_failure(tell: Tell, body: dict[str, Any]) -> None:
    def places(tree: dict[str, Any], at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        found = [(*at, name) for name in tree]
        for name, value in tree.items():
            found += places(value, (*at, name)) if isinstance(value, dict) else []
        return found

    async def story(door: Door) -> None:
        path = BLUE if "sku" in body else ENDPOINT
        for place in places(body):
            mutated = json.loads(json.dumps(body))
            spot = mutated
            for name in place[:-1]:
                spot = spot[name]
            spot[place[-1]] = None

            answer = await door.ask("PUT", path, mutated)
            await door.settle()

            assert answer.status_code in {200, 201, 400, 404}, (place, answer.text)

    tell(story)


# -- anything at all


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
broken_texts = st.text(max_size=4) | st.just("\ud800")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats()
    | texts | broken_texts
    | st.sampled_from(["blue", "credit", "Primary", "PT5S", "azureml:c:1", WORKSPACE]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        texts
        | st.sampled_from(["properties", "traffic", "tags", "blue", "image", "codeUri"])
        | st.sampled_from(["modelUri", "dataUri", "isArchived", "isAnonymous", "sku", "level"])
        | st.sampled_from(["authType", "category", "credentials", "hash_sha256", "build"]),
        inner,
        max_size=3,
    ),
    max_leaves=8,
)  # fmt: skip
segments = st.sampled_from(
    [
        "onlineEndpoints",
        "credit",
        "deployments",
        "blue",
        "listKeys",
        "regenerateKeys",
        "getLogs",
        "codes",
        "models",
        "environments",
        "versions",
        "1",
        "startPendingUpload",
        "data",
        "datastores",
        "workspaceblobstore",
        "connections",
        "conn",
        "providers",
        "Microsoft.Authorization",
        "locks",
        "skus",
    ]
) | texts.map(lambda text: quote(text, safe=""))
known_paths = st.sampled_from([path for _, path in TAKING_BODIES])
queries = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "comp",
                "blockid",
                "prefix",
                "marker",
                "maxresults",
                "delimiter",
                "sig",
                "hash",
                "$top",
                "$skip",
                "$orderBy",
                "listViewType",
                "include",
                "restype",
            ]
        ),
        st.sampled_from(["list", "block", "blocklist", "metadata", "MQ==", "1", "0", "/", "All"])
        | texts,
    ),
    max_size=3,
).map(urlencode)
targets = st.one_of(
    known_paths.map(lambda path: f"{WORKSPACE}/{path}"),
    st.lists(segments, max_size=6).map(lambda parts: f"{WORKSPACE}/{'/'.join(parts)}"),
    st.lists(segments, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    st.lists(segments, max_size=3).map(lambda parts: "/uploads/" + "/".join(parts)),
    st.tuples(st.lists(segments, max_size=3), queries).map(
        lambda told: f"/store.blob.x/azureml-blobstore/{'/'.join(told[0])}?{told[1]}"
    ),
    st.tuples(known_paths, queries).map(lambda told: f"{WORKSPACE}/{told[0]}?{told[1]}"),
)
methods = st.sampled_from(["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"])


STORED = "azureml://datastores/workspaceblobstore/paths/LocalUpload/a/model"
GOOD: list[dict[str, Any]] = [
    {"properties": {"modelType": "custom_model", "modelUri": STORED, "tags": {}, "flavors": {}}},
    {"properties": {"dataType": "uri_file", "dataUri": STORED, "isArchived": False}},
    {"properties": {"image": "i", "condaFile": "dependencies: []", "isAnonymous": True}},
    {"properties": {"authType": "ApiKey", "category": "c", "credentials": {"key": "k"}}},
    {"properties": {"level": "ReadOnly", "notes": "n"}},
    {"tags": {"a": "b"}, "sku": {"capacity": 2}},
]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Something like a body: anything, or a good one with anything at one place."""
    if draw(st.booleans()):
        return json.dumps(draw(values)).encode() if draw(st.booleans()) else draw(st.binary())
    good = draw(
        st.sampled_from([endpoint_body(), deployment_body("azureml:c:1", "azureml:e:1"), *GOOD])
    )
    spot: dict[str, Any] = json.loads(json.dumps(good))
    root = spot
    while True:
        name = draw(st.sampled_from(sorted(spot)))
        if not isinstance(spot[name], dict) or not spot[name] or draw(st.booleans()):
            break
        spot = spot[name]
    spot[name] = draw(values)
    return json.dumps(root).encode()


requests = st.lists(st.tuples(methods, targets, bodies()), min_size=5, max_size=20)


@given(requests)
@settings(max_examples=60, deadline=None)
def test_nothing_that_arrives_is_a_failure_of_ours(
    requests: list[tuple[str, str, bytes]],
) -> None:
    async def story(home: Path) -> None:
        async with open_door(home) as door:
            await door.endpoint()
            await door.deployment()
            for method, target, body in requests:
                status, answer = await door.raw(method, target.encode(), body)

                assert status < 500, (method, target, body, answer)
                if "store.blob" not in target or status >= 400:
                    assert not answer or isinstance(json.loads(answer), dict)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder)))
