"""An endpoint's identity: the default is accepted as Azure's clients send it, another never is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.door import Door, Tell, endpoint_body, problem

OTHER = {"type": "UserAssigned", "userAssignedIdentities": {"/subscriptions/s/identity": {}}}


@pytest.mark.azure(10)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_update_of_the_identity_is_refused_and_changes_nothing(tell: Tell, method: str) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        before = await door.bench.store.endpoint("credit")
        body: dict[str, Any] = {"identity": OTHER, "tags": {"a": "b"}}
        whole = body if method == "PATCH" else {**endpoint_body(), **body}
        answer = await door.ask(method, "onlineEndpoints/credit", whole)

        status, _, message = problem(answer)
        assert status == 400
        assert "identity" in message
        assert await door.bench.store.endpoint("credit") == before

    tell(story)


@pytest.mark.azure(10)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_the_default_may_be_said_again(tell: Tell, method: str) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        body: dict[str, Any] = {"identity": {"type": "SystemAssigned"}, "tags": {"a": "b"}}
        whole = body if method == "PATCH" else {**endpoint_body(), **body}

        assert (await door.ask(method, "onlineEndpoints/credit", whole)).status_code == 200
        record = await door.bench.store.endpoint("credit")
        assert record
        assert dict(record.spec.tags) == {"a": "b"}

    tell(story)
