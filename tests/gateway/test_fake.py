"""The fake's faults on request; what it promises otherwise is in tests/contract."""

from __future__ import annotations

import asyncio

import pytest

from verdazul.core.route import Route
from verdazul.gateway import FakeDataPlane
from verdazul.model.errors import Fatal


def test_a_refusal_on_request_carries_its_reason_and_changes_nothing() -> None:
    async def test() -> None:
        plane = FakeDataPlane()
        await plane.publish("credit", Route("credit", (), ()))
        plane.refusal = "not today"

        with pytest.raises(Fatal, match="not today") as refused:
            await plane.publish("other", Route("other", (), ()))

        assert refused.value.problem.code == "GatewayRejected"
        assert plane.endpoints() == {"credit"}

    asyncio.run(test())
