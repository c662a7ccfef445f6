"""The real Api over ASGI, in front of the control plane on a clock moved by hand."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import jwt

from tests.api.conformance import described_by
from tests.control.bench import CONDA, Bench
from verdazul.api.app import Api
from verdazul.api.arm import Links, workspace_path
from verdazul.artifacts.folder import FolderArtifacts
from verdazul.home import Home
from verdazul.identity.ids import RandomIds
from verdazul.identity.passwords import ScryptPasswords
from verdazul.identity.tokens import JsonWebTokens
from verdazul.model.errors import Problem
from verdazul.report import report
from verdazul.secrets.sealed import SealedSecrets
from verdazul.secrets.signing import FileSigner
from verdazul.settings import Settings

ADDRESS = "https://localhost:8443"
TOKEN = "the-token-of-this-home"
WORKSPACE = workspace_path(Settings())
VERSION = "api-version=2023-04-01"
IMAGE = "mcr.microsoft.com/azureml/base"


@dataclass(frozen=True, slots=True)
class GatewayProcess:
    """A gateway's process as the status report wants it."""

    pid: int | None = os.getpid()
    version: str = "1.2.3"


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway as the status report wants it."""

    processes: tuple[GatewayProcess, ...] = (GatewayProcess(),)
    problems: tuple[Problem, ...] = (Problem("PortInUse", "somebody listens there too"),)
    about: Mapping[str, object] = field(default_factory=lambda: {"tls": "1.2 or newer"})


@dataclass(frozen=True, slots=True)
class Door:
    """A client with the token, and the world behind what it talks to."""

    bench: Bench
    api: Api
    client: httpx.AsyncClient

    async def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> httpx.Response:
        """A path below the workspace; `if_match="1"` is a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.request(
            method,
            f"{WORKSPACE}/{path}{'&' if '?' in path else '?'}{VERSION}",
            json=body,
            headers=named,
        )

    async def settle(self) -> None:
        """Let the world follow."""
        await self.bench.settle()

    async def endpoint(self, name: str = "credit", **properties: Any) -> httpx.Response:
        """Declare one and let the world follow."""
        answer = await self.ask("PUT", f"onlineEndpoints/{name}", endpoint_body(**properties))
        await self.settle()
        return answer

    async def deployment(self, name: str = "blue", **properties: Any) -> httpx.Response:
        """Register what it needs and declare it; the world has not followed yet."""
        code, environment = await self.code(), await self.environment()
        body = deployment_body(code, environment, **properties)
        return await self.ask("PUT", f"onlineEndpoints/credit/deployments/{name}", body)

    async def environment(self) -> str:
        """Register one; returns its id."""
        body = {"properties": {"image": IMAGE, "condaFile": CONDA}}
        answer = await self.ask("PUT", "environments/env/versions/1", body)
        return str(answer.json()["id"])

    async def code(self, version: str = "1") -> str:
        """Upload and register a scoring script; returns its id."""
        known = await self.ask("GET", f"codes/code/versions/{version}")
        if known.status_code == 200:
            return str(known.json()["id"])
        uri, signed = await self.upload(f"codes/code/versions/{version}")
        await self.client.put(signed("score.py"), content=b"def run(x): ...")
        answer = await self.ask(
            "PUT", f"codes/code/versions/{version}", {"properties": {"codeUri": uri}}
        )
        return str(answer.json()["id"])

    async def upload(self, path: str) -> tuple[str, Callable[[str], str]]:
        """Begin an upload: its URI, and how the URL of a file below it is made."""
        answer = (await self.ask("POST", f"{path}/startPendingUpload", {})).json()
        reference = answer["blobReferenceForConsumption"]
        base, _, query = reference["credential"]["sasUri"].partition("?")
        return reference["blobUri"], lambda file: f"{base}/{file}?{query}"

    async def raw(self, method: str, target: bytes, body: bytes = b"") -> tuple[int, bytes]:
        """Exactly this request target, as a hostile client's bytes reach the server."""
        path, _, query = target.partition(b"?")
        scope = {
            "type": "http",
            "method": method,
            "path": httpx.URL("http://h").copy_with(raw_path=path).path,
            "raw_path": path,
            "query_string": query,
            "headers": [(b"authorization", f"Bearer {TOKEN}".encode())],
        }
        sent: list[dict[str, Any]] = []

        left = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if not left:
                await asyncio.Event().wait()  # nothing more comes, and nobody leaves
            return left.pop()

        async def send(message: Any) -> None:
            sent.append(message)

        await self.api(scope, receive, send)
        return sent[0]["status"], b"".join(part.get("body", b"") for part in sent[1:])


Story = Callable[[Door], Awaitable[None]]
Tell = Callable[[Story], None]


@contextlib.asynccontextmanager
async def open_door(home: Path) -> AsyncIterator[Door]:
    """A door to a fresh control plane in that home."""
    bench = Bench(settings=Settings(home=home))
    bench.world = replace(
        bench.world,
        secrets=SealedSecrets(home),
        artifacts=FolderArtifacts(home),
        ids=RandomIds(),
        tokens=JsonWebTokens(),
        signer=FileSigner(home, clock=bench.clock, rotate_days=30, token_seconds=3600),
        passwords=ScryptPasswords(cost=4),
    )
    links = Links(bench.settings, ADDRESS)
    picture = partial(report, bench.world, links, Home(home), Gateway())
    api = Api(bench.world, links, token=TOKEN, report=picture)
    transport = httpx.ASGITransport(app=api)
    authorization = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(
        transport=transport,
        base_url=ADDRESS,
        headers=authorization,
        event_hooks={"response": [described_by(api)]},
    ) as client:
        yield Door(bench, api, client)


def endpoint_body(**properties: Any) -> dict[str, Any]:
    """What an SDK sends for an endpoint."""
    return {"location": "local", "properties": {"authMode": "Key", **properties}}


def deployment_body(code: str, environment: str, **properties: Any) -> dict[str, Any]:
    """What an SDK sends for a deployment; `capacity` goes into the sku."""
    capacity = properties.pop("capacity", 1)
    return {
        "location": "local",
        "sku": {"name": "Default", "capacity": capacity},
        "properties": {
            "endpointComputeType": "Managed",
            "codeConfiguration": {"codeId": code, "scoringScript": "score.py"},
            "environmentId": environment,
            "instanceType": "Standard_DS3_v2",
            **properties,
        },
    }


def claims_of(token: str) -> dict[str, Any]:
    """What a signed token says."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def problem(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, code and message of an error answer."""
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error"}
    return answer.status_code, body["error"]["code"], body["error"]["message"]
