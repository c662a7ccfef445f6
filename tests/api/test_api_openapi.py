"""The description of the API is what is served; docs/openapi.json is fresh.

To write it anew: python -m tests.api.test_api_openapi
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from tests.api.door import Door, Tell, open_door

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"


async def served(door: Door) -> dict[str, Any]:
    answer = await door.client.get("/openapi.json", headers={"Authorization": ""})
    body: dict[str, Any] = answer.json()
    return body


def test_the_committed_description_is_fresh(tell: Tell) -> None:
    async def story(door: Door) -> None:
        assert await served(door) == json.loads(FILE.read_text())

    tell(story)


def test_every_operation_is_described_once(tell: Tell) -> None:
    async def story(door: Door) -> None:
        paths = (await served(door))["paths"]

        ids = [one["operationId"] for path in paths.values() for one in path.values()]
        assert len(set(ids)) == len(ids)
        below = "/onlineEndpoints/{endpoint}/deployments/{deployment}"
        (deployment,) = [path for path in paths if path.endswith(below)]
        assert {"get", "put", "patch", "delete"} <= paths[deployment].keys()
        assert paths["/metadata/endpoints"]["get"]["security"] == []

    tell(story)


async def _write() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with open_door(Path(folder)) as door:
            text = json.dumps(await served(door), indent=1)
    await asyncio.to_thread(FILE.write_text, f"{text}\n")


if __name__ == "__main__":
    asyncio.run(_write())
