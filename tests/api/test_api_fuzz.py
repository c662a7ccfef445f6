"""Requests that Schemathesis makes from the description, good and bad: never a failure of ours.

Every answer is held against the description twice, by Schemathesis and by the door. A deeper search
by hand: FUZZ_EXAMPLES=200 pytest tests/api/test_api_fuzz.py
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from tests.api.door import ADDRESS, TOKEN, WORKSPACE, Door, open_door
from verdazul.api.openapi.operations import OPERATIONS

Case: TypeAlias = Any
"""Schemathesis's, which is not loaded before a test needs it."""

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2"))
GUID = "11111111-2222-3333-4444-555555555555"
HERE = {
    "subscription": WORKSPACE.split("/")[2],
    "group": "local",
    "workspace": "verdazul",
    "location": "local",
}
THERE = {
    "endpoint": "credit",
    "deployment": "blue",
    "version": "1",
    "lock": "lock",
    "assignment": GUID,
    "container": "azureml-blobstore",
}
NAMES = {"codes": "code", "environments": "env", "datastores": "workspaceblobstore"}


FURNITURE: dict[str, dict[str, Any]] = {
    "connections/thing": {"authType": "ApiKey", "category": "Git", "credentials": {"key": "k"}},
    "data/thing/versions/1": {"dataType": "uri_file", "dataUri": "azureml://somewhere"},
    f"providers/Microsoft.Authorization/roleAssignments/{GUID}": {
        "roleDefinitionId": "Reader",
        "principalId": "alice",
    },
}


@cache
def operations() -> dict[str, Any]:
    """What there is to ask, by operationId. Loaded by the first test: it takes a second."""
    import schemathesis

    with tempfile.TemporaryDirectory() as home:
        document = asyncio.run(_description(Path(home)))
    schema: Any = schemathesis.openapi.from_dict(document)
    found = (each.ok() for each in schema.get_all_operations())
    return {one.definition.raw["operationId"]: one for one in found}


async def _description(home: Path) -> dict[str, Any]:
    async with open_door(home) as door:
        return door.api.description


@pytest.fixture
def door(tmp_path: Path) -> Iterator[tuple[asyncio.Runner, Door]]:
    """A world in which most things exist, on one event loop."""
    with asyncio.Runner() as runner:
        opened = open_door(tmp_path)
        door = runner.run(opened.__aenter__())
        runner.run(_furnish(door))
        yield runner, door
        runner.run(opened.__aexit__(None, None, None))


async def _furnish(door: Door) -> None:
    await door.endpoint()
    await door.deployment()
    await door.settle()
    for path, body in FURNITURE.items():
        answer = await door.ask("PUT", path, {"properties": body})
        assert answer.status_code < 300, answer.text


def placed(case: Case, *, is_there: bool) -> Case:
    """The same in this workspace, and most often about what exists."""
    case.path_parameters |= {k: v for k, v in HERE.items() if k in case.path_parameters}
    if is_there:
        kind = case.path.partition("{workspace}/")[2].partition("/")[0]
        known = {**THERE, "name": NAMES.get(kind, "thing")}
        case.path_parameters |= {k: v for k, v in known.items() if k in case.path_parameters}
    return case


async def asked(door: Door, case: Case) -> httpx.Response:
    """What it answers. Everyone has a token here: who has none is another test's concern."""
    told = case.as_transport_kwargs(base_url=ADDRESS)
    body = told.get("data")
    is_form = isinstance(body, dict)
    headers = {**told.get("headers", {}), "Authorization": f"Bearer {TOKEN}"}
    answer = await door.client.request(
        told["method"],
        told["url"],
        params=told.get("params"),
        content=None if is_form else body,
        data=body if is_form else None,
        json=told.get("json"),
        headers=httpx.Headers(
            [
                (key.encode(), str(said).encode("latin-1", "replace"))
                for key, said in headers.items()
            ]
        ),
    )
    await door.settle()
    return answer


@pytest.mark.azure(14)
@pytest.mark.parametrize("name", sorted(one.id for one in OPERATIONS.values()))
def test_no_request_is_a_failure_of_ours_and_every_answer_is_described(
    name: str, door: tuple[asyncio.Runner, Door]
) -> None:
    from schemathesis.checks import not_a_server_error
    from schemathesis.generation import GenerationMode
    from schemathesis.specs.openapi import checks

    held = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
    ]
    operation, (runner, opened) = operations()[name], door
    most = EXAMPLES if operation.body else max(1, EXAMPLES // 2)
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @given(operation.as_strategy(generation_mode=mode), st.integers(0, 3))
        @settings(
            max_examples=most,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def search(case: Case, chance: int) -> None:
            answer = runner.run(asked(opened, placed(case, is_there=chance > 0)))
            case.validate_response(answer, checks=held)

        try:
            search()
        except Unsatisfiable:  # there is nothing that could be wrong
            assert mode is GenerationMode.NEGATIVE
