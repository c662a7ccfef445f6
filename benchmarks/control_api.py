"""The control API as benchmarks use it: any client's PUT, then wait for its end. No benchmark."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any

import httpx
from harness import Bench

WORKSPACE = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local"
    "/providers/Microsoft.MachineLearningServices/workspaces/verdazul"
)
LOOK_SECONDS = 0.005


def control(it: Bench) -> httpx.AsyncClient:
    """Open; with the home's token and authority."""
    token = (it.home / "token").read_text().strip()
    return httpx.AsyncClient(
        base_url=(it.home / "run" / "address").read_text().strip(),
        verify=ssl.create_default_context(cafile=it.home / "certs" / "ca.pem"),
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )


async def put_traffic(
    client: httpx.AsyncClient,
    endpoint: str,
    traffic: dict[str, int],
    mirror: dict[str, int] | None = None,
) -> None:
    """Split and mirror; returns when the gateway has acknowledged it."""
    properties: dict[str, Any] = {"authMode": "Key", "traffic": traffic}
    if mirror:
        properties["mirrorTraffic"] = mirror
    body = {"location": "local", "properties": properties}
    path = f"{WORKSPACE}/onlineEndpoints/{endpoint}"
    await ended(client, await client.put(path, content=json.dumps(body)))


async def ended(client: httpx.AsyncClient, answer: httpx.Response) -> None:
    """Wait for the operation that `answer` began; anything but success ends the benchmark."""
    answer.raise_for_status()
    while True:
        operation = (await client.get(answer.headers["Azure-AsyncOperation"])).json()
        if operation["status"] != "InProgress":
            assert operation["status"] == "Succeeded", operation
            return
        await asyncio.sleep(LOOK_SECONDS)
