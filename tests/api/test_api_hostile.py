"""What hostile or broken clients send is refused with the reason, and nothing is half done."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from tests.api.door import (
    TOKEN,
    WORKSPACE,
    Door,
    Tell,
    deployment_body,
    endpoint_body,
    open_door,
    problem,
)
from verdazul.api.openapi.requests import request_schemas
from verdazul.model.schema import Schema

REGISTRIES = WORKSPACE.replace("workspaces/verdazul", "registries")
GUID = "11111111-2222-3333-4444-555555555555"
ENDPOINT = "onlineEndpoints/credit"
BLUE = f"{ENDPOINT}/deployments/blue"
SCHEMAS = request_schemas()
TEMPLATES = f"{WORKSPACE.partition('/providers/')[0]}/providers/Microsoft.Resources/deployments"
SENT_TO = {
    "OnlineEndpointBody": ("PUT", ENDPOINT),
    "OnlineEndpointPatch": ("PATCH", ENDPOINT),
    "OnlineDeploymentBody": ("PUT", BLUE),
    "OnlineDeploymentPatch": ("PATCH", BLUE),
    "CodeVersionBody": ("PUT", "codes/code/versions/1"),
    "ModelVersionBody": ("PUT", "models/model/versions/1"),
    "EnvironmentVersionBody": ("PUT", "environments/env/versions/1"),
    "DataVersionBody": ("PUT", "data/data/versions/1"),
    "AssetContainerBody": ("PUT", "environments/env"),
    "PendingUploadBody": ("POST", "codes/code/versions/1/startPendingUpload"),
    "ListSecrets": ("POST", "datastores/workspaceblobstore/listSecrets"),
    "DatastoreBody": ("PUT", "datastores/weights?skipValidation=true"),
    "ConnectionBody": ("PUT", "connections/conn"),
    "RegenerateKeys": ("POST", f"{ENDPOINT}/regenerateKeys"),
    "GetLogs": ("POST", f"{BLUE}/getLogs"),
    "LockBody": ("PUT", f"{ENDPOINT}/deployments/blue/providers/Microsoft.Authorization/locks/l"),
    "RegistryBody": ("PUT", f"{REGISTRIES}/shelf"),
    "RegistryImport": ("POST", f"{REGISTRIES}/shelf/import"),
    "TemporaryData": ("PUT", f"{REGISTRIES}/shelf/tempdatarefs/model/versions/1"),
    "DataReference": ("POST", f"{REGISTRIES}/shared/datarefs/credit/versions/1"),
    "UserBody": ("POST", "/v1.0/users"),
    "UserPatch": ("PATCH", "/v1.0/users/ann"),
    "ServicePrincipalBody": ("POST", "/v1.0/servicePrincipals"),
    "AddPassword": ("POST", "/v1.0/servicePrincipals/{program}/addPassword"),
    "RemovePassword": ("POST", "/v1.0/servicePrincipals/{program}/removePassword"),
    "ChangePassword": ("POST", "/v1.0/me/changePassword"),
    "GetByIds": ("POST", "/v1.0/directoryObjects/getByIds"),
    "RoleAssignmentBody": ("PUT", f"providers/Microsoft.Authorization/roleAssignments/{GUID}"),
    "TemplateDeploymentBody": ("POST", f"{TEMPLATES}/made/validate"),
    "RoleDefinitionBody": ("PUT", f"providers/Microsoft.Authorization/roleDefinitions/{GUID}"),
}
DEEP = object()
HOSTILE = [
    None,
    [],
    {},
    "",
    0,
    True,
    -1,
    1.5,
    10**40,
    ["x"],
    {"a": {"b": 1}},
    "\x00",
    "ü" * 300,
    DEEP,
]


def places(schema: Schema, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every property that the schema names."""
    for name, inner in schema.get("properties", {}).items():
        yield (*at, name)
        yield from places(inner, (*at, name))


def lenient(schema: Any) -> Any:
    """What reading forgives: words in any case, and texts for numbers as well as the reverse."""
    if isinstance(schema, list):
        return [lenient(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("readOnly"):
        return {}
    kinds = schema.get("type")
    kinds = set(kinds if isinstance(kinds, list) else [kinds] if kinds else [])
    found = {
        key: {name: lenient(each) for name, each in value.items()}
        if key == "properties"
        else lenient(value)
        for key, value in schema.items()
        if key not in {"enum", "examples", "default"}
    }
    if "object" in kinds:  # one that is empty, or holds null only, says nothing
        nothing = {"type": "object", "additionalProperties": {"type": "null"}}
        return {"anyOf": [nothing, found]}
    if kinds & {"string", "integer", "number", "boolean"}:
        found["type"] = sorted(kinds | {"string", "number", "boolean"})
    return found


def put(body: Any, place: tuple[str, ...], value: object) -> Any:
    """The body with that value there, objects made on the way."""
    found = {**body} if isinstance(body, dict) else {}
    name, *rest = place
    found[name] = put(found.get(name), tuple(rest), value) if rest else value
    return found


def text_of(body: object) -> bytes:
    """JSON; 10,000 lists in lists where DEEP stands."""
    text = json.dumps(body, default=lambda _: "DEEP")
    return text.replace('"DEEP"', "[" * 10_000 + "]" * 10_000).encode()


async def furnished(door: Door) -> str:
    """What requests are about is there; the id of the one program."""
    await door.endpoint()
    await door.deployment()
    await door.settle()
    ann = {"userPrincipalName": "ann", "passwordProfile": {"password": "correct horse battery"}}
    await door.client.post("/v1.0/users", json=ann)
    await door.client.put(f"{REGISTRIES}/shelf", json={})
    made = await door.client.post("/v1.0/servicePrincipals", json={"displayName": "program"})
    return str(made.json()["id"])


async def send(door: Door, method: str, path: str, body: bytes, program: str) -> httpx.Response:
    """To a path below the workspace, or from the root."""
    url = path.replace("{program}", program)
    return await door.client.request(
        method, url if url.startswith("/") else f"{WORKSPACE}/{url}", content=body
    )


def test_every_body_is_tried() -> None:
    assert SENT_TO.keys() == SCHEMAS.keys(), "say in SENT_TO where a new body is sent to"


async def example(door: Door, body: str) -> dict[str, Any]:
    """One that is taken, about what exists."""
    if body == "OnlineDeploymentBody":
        return deployment_body(await door.code(), await door.environment())
    found: dict[str, Any] = SCHEMAS[body]["examples"][0]
    return found


@pytest.mark.parametrize("body", sorted(SENT_TO))
def test_a_wrong_value_anywhere_is_refused_and_changes_nothing(tell: Tell, body: str) -> None:
    method, path = SENT_TO[body]
    fits = Draft202012Validator(lenient(SCHEMAS[body]))

    async def story(door: Door) -> None:
        program = await furnished(door)
        good = await example(door, body)
        for place in places(SCHEMAS[body]):
            for value in HOSTILE:
                before = await declared(door)
                sent = put(good, place, value)
                answer = await send(door, method, path, text_of(sent), program)

                if answer.status_code < 300:
                    assert value is not DEEP
                    assert fits.is_valid(sent), (place, value, answer.text)
                    if body == "LockBody":
                        await door.client.delete(f"{WORKSPACE}/{path}")
                    await door.settle()
                else:
                    assert problem(answer)[0] in {400, 404, 409}, (place, value)
                    assert await declared(door) == before, (place, value)

    tell(story)


async def declared(door: Door) -> list[object]:
    """What is stored and has a version."""
    store = door.bench.store
    return [
        [(one.record.spec, one.record.generation) for one in await store.endpoints()],
        [(one.record.spec, one.record.generation) for one in await store.deployments("credit")],
        [await store.assets(kind) for kind in ("codes", "models", "environments", "data")],
        await store.role_assignments(),
        await store.items("connections"),
        await store.items("locks"),
        await store.items("roleDefinitions"),
        await store.items("users"),
    ]


@pytest.mark.parametrize("body", sorted(SENT_TO))
def test_an_unknown_property_is_refused_by_its_path(tell: Tell, body: str) -> None:
    method, path = SENT_TO[body]
    inner = "properties" in SCHEMAS[body]["properties"] and body != "ConnectionBody"

    async def story(door: Door) -> None:
        program = await furnished(door)
        good = await example(door, body)
        for place in [("surprise",), *([("properties", "surprise")] if inner else [])]:
            answer = await send(door, method, path, text_of(put(good, place, 1)), program)

            status, code, message = problem(answer)
            assert status == 400, place
            assert code in {"UnknownKey", "NotSupportedYet", "NotPatchable"}
            assert ".".join(place) in message

    tell(story)


NAMED_ELSEWHERE = {
    "CodeVersionBody": "BlobNotFound",  # the examples name what others made
    "ModelVersionBody": "BlobNotFound",
    "EnvironmentVersionBody": "AssetVersionExists",
    "RegistryImport": "ResourceNotFound",
    "DataReference": "RegistryNotFound",
    "RemovePassword": "Request_ResourceNotFound",
    "ChangePassword": "Request_ResourceNotFound",  # the home's owner has no password
}


@pytest.mark.parametrize("body", sorted(SENT_TO))
def test_the_example_in_the_description_is_taken(tell: Tell, body: str) -> None:
    method, path = SENT_TO[body]

    async def story(door: Door) -> None:
        program = await furnished(door)
        sent = text_of(await example(door, body))

        answer = await send(door, method, path, sent, program)

        known = NAMED_ELSEWHERE.get(body)
        assert answer.status_code < 300 or problem(answer)[1] == known, answer.text

    tell(story)


# -- what is named lies elsewhere

OTHERS = [
    ("subscriptions/00000000-0000-0000-0000-000000000000", f"subscriptions/{GUID}"),
    ("resourceGroups/local", "resourceGroups/elsewhere"),
    ("workspaces/verdazul", "workspaces/another"),
]


@pytest.mark.parametrize(("ours", "other"), OTHERS)
@pytest.mark.parametrize("key", ["codeId", "environmentId", "model"])
def test_an_id_of_another_workspace_in_a_body_is_refused_by_name(
    tell: Tell, key: str, ours: str, other: str
) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        body = deployment_body(await door.code(), await door.environment())
        spot = body["properties"]["codeConfiguration"] if key == "codeId" else body["properties"]
        spot[key] = spot.get(key, f"{WORKSPACE}/models/m/versions/1").replace(ours, other)

        status, code, message = problem(await door.ask("PUT", BLUE, body))

        assert (status, code) == (404, "WorkspaceNotFound")
        assert other.partition("/")[2] in message
        assert await door.bench.store.deployments("credit") == ()

    tell(story)


@pytest.mark.parametrize(("ours", "other"), [OTHERS[0], ("locations/local", "locations/mars")])
@pytest.mark.parametrize("kind", ["mfeOperationsStatus", "mfeOperationResults"])
def test_an_operation_is_found_at_its_own_place_only(
    tell: Tell, kind: str, ours: str, other: str
) -> None:
    async def story(door: Door) -> None:
        answer = await door.endpoint()
        place = answer.headers["azure-asyncoperation"].replace("mfeOperationsStatus", kind)

        assert (await door.client.get(place)).status_code < 300
        assert problem(await door.client.get(place.replace(ours, other)))[0] == 404

    tell(story)


# -- names as they are encoded

FULL_WIDTH = "\uff43\uff52\uff45\uff44\uff49\uff54"  # letters that look like credit
KNOWN = ["credit", "Credit", "..", ".", "a/b", "a\\b", "a\0b", "credit%2f", "%2e%2e", FULL_WIDTH]
encoded_names = st.text(st.characters(exclude_categories=["Cs"]), max_size=34) | st.sampled_from(
    KNOWN
)


@given(encoded_names, st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_a_name_is_what_it_was_before_it_was_encoded_once(name: str, times: int) -> None:
    sent = name
    for _ in range(times):
        sent = quote(sent, safe="")

    async def story(home: Path) -> None:
        async with open_door(home) as door:
            body = json.dumps(endpoint_body()).encode()
            target = f"{WORKSPACE}/onlineEndpoints/{sent}".encode()

            status, answer = await door.raw("PUT", target, body)

            made = [one.record.name for one in await door.bench.store.endpoints()]
            assert made == ([unquote(sent)] if status == 201 else [])
            if not made:
                assert status in {400, 404, 405}, answer
                assert set(json.loads(answer)) == {"error"}

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder)))


# -- paths of blobs

STEPS = [
    "a",
    "..",
    ".",
    "%2e%2e",
    "%252e%252e",
    "..%2f",
    "%2F",
    "%5c",
    "..\\",
    "%00",
    "%ff",
    "",
    "~",
]
steps = st.sampled_from(STEPS)


@given(st.lists(steps, max_size=6), st.sampled_from(["azureml-blobstore", "..", "%2e%2e", "x"]))
@settings(max_examples=60, deadline=None)
def test_no_path_of_a_blob_writes_outside_of_its_container(parts: list[str], root: str) -> None:
    async def story(home: Path) -> None:
        async with open_door(home) as door:
            before = files(home)
            target = f"/store.blob.x/{root}/{'/'.join(parts)}".encode()

            status, _ = await door.raw("PUT", target, b"content")
            got, content = await door.raw("GET", target)

            new = files(home) - before
            inside = home / "blobs" / "data" / "azureml-blobstore"
            assert status < 500
            assert got < 500
            assert all(inside in one.parents for one in new), new
            assert bool(new) == (status == 201)
            assert (content == b"content") == (status == 201)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder).resolve()))


def files(home: Path) -> set[Path]:
    """Every file below."""
    return {one for one in home.rglob("*") if one.is_file() and "meta" not in one.parts}


# -- requests that break off


async def broken_off(door: Door, method: str, path: str, *chunks: bytes) -> list[Any]:
    """Send a part of a body and leave; what was answered."""
    sent: list[Any] = []
    left = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]

    async def receive() -> Any:
        return left.pop(0) if left else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    path, _, query = path.partition("?")
    headers = [(b"authorization", f"Bearer {TOKEN}".encode()), (b"content-length", b"4000")]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode()}
    await door.api({**scope, "query_string": query.encode(), "headers": headers}, receive, send)
    return sent


@pytest.mark.parametrize(
    "place", ["cut", "cut?comp=block&blockid=MQ==", "cut?comp=blocklist", "old"]
)
def test_an_upload_that_breaks_off_stores_nothing_and_keeps_what_was(
    tell: Tell, place: str, tmp_path: Path
) -> None:
    async def story(door: Door) -> None:
        root = "/store.blob.x/azureml-blobstore"
        await door.client.put(f"{root}/old", content=b"as it was")
        before = files(tmp_path)

        answered = await broken_off(door, "PUT", f"{root}/{place}", b"x" * 1000, b"y" * 1000)

        assert answered == []
        assert files(tmp_path) == before
        assert (await door.client.get(f"{root}/old")).content == b"as it was"
        assert (await door.client.get(f"{root}/cut")).status_code == 404

    tell(story)


def test_a_body_that_breaks_off_declares_nothing(tell: Tell) -> None:
    async def story(door: Door) -> None:
        text = json.dumps(endpoint_body()).encode()

        answered = await broken_off(door, "PUT", f"{WORKSPACE}/{ENDPOINT}", text)

        assert answered == []
        assert await door.bench.store.endpoints() == ()

    tell(story)


@pytest.mark.parametrize(
    ("method", "path", "token"),
    [
        ("PUT", f"{WORKSPACE}/{ENDPOINT}", "wrong"),
        ("POST", f"{WORKSPACE}/{ENDPOINT}/listKeys", TOKEN),
        ("POST", "/no/such/path", TOKEN),
        ("PUT", "/uploads/none/x?sig=wrong", TOKEN),
    ],
)
def test_a_body_that_nobody_reads_has_come_before_the_answer_goes(
    tell: Tell, method: str, path: str, token: str
) -> None:
    async def story(door: Door) -> None:
        happened: list[str] = []
        left = [b"one", b"two", b""]

        async def receive() -> Any:
            happened.append("came")
            chunk = left.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(left)}

        async def send(message: Any) -> None:
            happened.append(message["type"])

        path_, _, query = path.partition("?")
        headers = [(b"authorization", f"Bearer {token}".encode()), (b"content-length", b"6")]
        scope = {"type": "http", "method": method, "path": path_, "raw_path": path_.encode()}
        await door.api({**scope, "query_string": query.encode(), "headers": headers}, receive, send)

        assert happened == ["came"] * 3 + ["http.response.start", "http.response.body"]

    tell(story)


# -- the same once more


def test_a_put_that_repeats_changes_nothing_but_the_etag(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await furnished(door)
        instances = set(door.bench.compute.world.bodies)
        for path in (ENDPOINT, BLUE, "environments/env/versions/1"):
            shown = (await door.ask("GET", path)).json()
            for _ in range(2):
                answer = await door.ask("PUT", path, shown)
                await door.settle()

                assert answer.status_code == 200
                again = (await door.ask("GET", path)).json()
                assert dated(again) == dated(shown)
        assert set(door.bench.compute.world.bodies) == instances

    tell(story)


def dated(resource: dict[str, Any]) -> dict[str, Any]:
    """Without the time of the last change, and the operation that was it."""
    kept = {name: value for name, value in resource.items() if name != "systemData"}
    free = kept["properties"].get("properties") or {}
    others = {name: value for name, value in free.items() if name != "AzureAsyncOperationUri"}
    return {**kept, "properties": {**kept["properties"], "properties": others}}
