"""The description of the API is what is served, is valid, and leaves nothing out.

To write docs/openapi.json anew: python -m tests.api.test_api_openapi
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import validate

from tests.api.door import Door, Tell, open_door
from verdazul.api.app import Api
from verdazul.api.openapi.document import key_of
from verdazul.api.openapi.glossary import WORDS
from verdazul.api.openapi.operations import OPERATIONS
from verdazul.api.openapi.requests import request_schemas

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"
BODIES = sorted(request_schemas())
REWRITE = "write it anew: python -m tests.api.test_api_openapi"


async def served(door: Door) -> dict[str, Any]:
    answer = await door.client.get("/openapi.json", headers={"Authorization": ""})
    body: dict[str, Any] = answer.json()
    return body


@cache
def committed() -> dict[str, Any]:
    """The description as it lies in docs."""
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


def schemas() -> dict[str, Any]:
    found: dict[str, Any] = committed()["components"]["schemas"]
    return found


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in committed()["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def properties(schema: Any, at: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property below a schema, by its path."""
    for each in schema if isinstance(schema, list) else ():
        yield from properties(each, at)
    for key, value in schema.items() if isinstance(schema, dict) else ():
        if key == "properties":
            for name, inner in value.items():
                yield f"{at}.{name}", inner
                yield from properties(inner, f"{at}.{name}")
        elif key not in {"examples", "default", "enum"}:
            yield from properties(value, at)


def test_every_route_is_described_and_no_other(tell: Tell) -> None:
    async def story(door: Door) -> None:
        rules = rules_of(door.api)

        assert sorted({key_of(rule) for rule in rules} - OPERATIONS.keys()) == [], (
            "these routes are not described; say in api/openapi/operations.py what they are "
            "called, take and answer"
        )
        assert sorted(OPERATIONS.keys() - {key_of(rule) for rule in rules}) == [], (
            "these descriptions have no route; take them out of api/openapi/operations.py"
        )

    tell(story)


def test_the_committed_description_is_fresh(tell: Tell) -> None:
    async def story(door: Door) -> None:
        assert await served(door) == committed(), REWRITE

    tell(story)


def test_the_description_is_valid_openapi() -> None:
    validate(committed())


def test_every_operation_has_a_name_of_its_own_and_a_tag_that_is_listed() -> None:
    ids = [operation["operationId"] for _, operation in operations()]
    tags = {tag for _, operation in operations() for tag in operation["tags"]}

    assert sorted({one for one in ids if ids.count(one) > 1}) == []
    assert tags == {tag["name"] for tag in committed()["tags"]}


def test_who_is_let_in_is_said_of_every_operation() -> None:
    opened = {key: operation["security"] for key, operation in operations()}

    assert opened["GET /metadata/endpoints"] == []
    assert opened["GET /msi/token"] == [{"identityHeader": []}]
    assert all(
        security == [{"bearer": []}] for key, security in opened.items() if "/subscriptions" in key
    )


def test_every_change_that_takes_time_says_where_to_wait() -> None:
    waits = {"Azure-AsyncOperation", "Location", "Retry-After"}
    told = {
        operation["operationId"]
        for _, operation in operations()
        if any(
            waits <= answer.get("headers", {}).keys() for answer in operation["responses"].values()
        )
    }

    assert told == {
        "OnlineEndpoints_CreateOrUpdate",
        "OnlineEndpoints_Update",
        "OnlineEndpoints_Delete",
        "OnlineEndpoints_RegenerateKeys",
        "OnlineEndpoints_Pause",
        "OnlineEndpoints_Resume",
        "OnlineDeployments_CreateOrUpdate",
        "OnlineDeployments_Update",
        "OnlineDeployments_Delete",
    }


@pytest.mark.parametrize("body", BODIES)
def test_a_request_says_what_each_property_is_and_refuses_others(body: str) -> None:
    bare = [at for at, each in properties(schemas()[body], body) if "description" not in each]

    assert bare == [], "add the words to api/openapi/glossary.py"
    assert schemas()[body]["additionalProperties"] is False


@pytest.mark.parametrize("body", BODIES)
def test_a_request_has_an_example_that_fits(body: str) -> None:
    schema = {"$ref": f"#/components/schemas/{body}", "components": committed()["components"]}

    for example in schemas()[body]["examples"]:
        assert [str(e) for e in Draft202012Validator(schema).iter_errors(example)] == []


def test_every_word_of_the_glossary_is_used() -> None:
    named = {
        at.rpartition(".")[2] for name, one in schemas().items() for at, _ in properties(one, name)
    }

    assert sorted(WORDS.keys() - named) == []


def test_every_component_is_used() -> None:
    text = json.dumps(committed())

    for kind in ("schemas", "parameters", "headers"):
        unused = {
            name
            for name in committed()["components"][kind]
            if f'"#/components/{kind}/{name}"' not in text
        }
        assert sorted(unused) == [], kind


def rules_of(api: Api) -> list[Any]:
    """Every rule that it serves."""
    return [*api._public, *api._rules]


async def _write() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with open_door(Path(folder)) as door:
            text = json.dumps(await served(door), indent=1)
    await asyncio.to_thread(FILE.write_text, f"{text}\n")


if __name__ == "__main__":
    asyncio.run(_write())
