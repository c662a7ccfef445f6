"""Scripts written for Azure, and what is new for them, through the whole system."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.compute.namespaces import needs_namespaces
from tests.e2e.system import System

pytestmark = pytest.mark.e2e

RAW = """
from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse

def init(): ...

@rawhttp
def run(request: AMLRequest):
    told = f"{request.method} {request.args.get('q')} {len(request.get_data())}"
    status = int(request.args.get("status", 200))
    return AMLResponse(told, status, {"Content-Type": "text/csv", "X-Own": "yes"})
"""

OLDER = """
import json, os, urllib.request
from azureml.contrib.services.aml_response import AMLResponse

def init(): ...

def run(raw_data):
    collect(raw_data)
    return AMLResponse({"seen": json.loads(raw_data)}, 200, json_str=True)

def collect(raw_data):  # as azureml-ai-monitoring sends it
    address = f"{os.environ['AZUREML_MDC_HOST']}:{os.environ['AZUREML_MDC_PORT']}"
    headers = {"Content-Type": "application/json", "ce-type": "azureml.inference.model_inputs"}
    post = urllib.request.Request(
        f"http://{address}/modeldata/log", f"[{raw_data}]".encode(), headers
    )
    urllib.request.urlopen(post).close()
"""

SCHEMA = """
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

def init(): ...

@input_schema("amount", StandardPythonParameterType(1.5))
@input_schema("name", StandardPythonParameterType("x"))
@output_schema(StandardPythonParameterType({"said": "x 3.0"}))
def run(amount, name):
    return {"said": f"{name} {amount * 2}"}
"""

ASYNC = """
import asyncio, os

async def init():
    global both
    both = asyncio.Barrier(2)

async def run(raw_data):
    if raw_data == "stream":
        return events()
    await both.wait()
    return "two at a time"

async def events():
    yield "data: one\\n\\n"
    while not os.path.exists(os.environ["GATE"]):
        await asyncio.sleep(0.01)
    yield "data: two\\n\\n"
"""

REACHING = """
import json, socket

def init(): ...

def run(raw_data):
    try:
        socket.create_connection(tuple(json.loads(raw_data)), timeout=5).close()
        return "reached"
    except OSError as error:
        return error.strerror
"""

PATIENT = """\
request_settings: {request_timeout_ms: 60000, max_concurrent_requests_per_instance: 2}
"""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that the stream waits for before it goes on."""
    return tmp_path_factory.mktemp("gate") / "open"


@pytest.fixture(scope="module")
def scripts(system: System, gate: Path) -> str:
    """An endpoint whose deployments are one kind of script each; `schema` takes the traffic."""
    system.run("online-endpoint", "create", "-n", "scripts")
    files = [
        system.deployment("scripts", "raw", score=RAW),
        system.deployment(
            "scripts", "older", score=OLDER, variables={"AZUREML_MDC_ENABLED": "true"}
        ),
        system.deployment(
            "scripts",
            "schema",
            score=SCHEMA,
            variables={"AML_CORS_ORIGINS": "https://shop.example"},
        ),
        system.deployment(
            "scripts", "async", score=ASYNC, variables={"GATE": str(gate)}, extra=PATIENT
        ),
    ]
    with ThreadPoolExecutor() as pool:
        create = ("online-deployment", "create", "-f")
        list(pool.map(lambda file: system.run(*create, str(file)), files))
    system.split("scripts", "schema=100")
    return "scripts"


def pinned(system: System, name: str) -> httpx.Client:
    return system.client("scripts", **{"azureml-model-deployment": name})


@pytest.mark.usefixtures("scripts")
def test_rawhttp_script_gets_the_request_and_gives_the_response(system: System) -> None:
    with pinned(system, "raw") as client:
        posted = client.post("score?q=a%20b", content=b"\xff\xfe")
        asked = client.options("score?q=1")
        teapot = client.get("score?status=418")

    assert (posted.status_code, posted.text) == (200, "POST a b 2")
    assert posted.headers["content-type"] == "text/csv"
    assert posted.headers["x-own"] == "yes"
    assert asked.text == "OPTIONS 1 0"
    assert teapot.status_code == 424
    assert teapot.headers["ms-azureml-model-error-statuscode"] == "418"
    assert teapot.text == "GET None 0"


@pytest.mark.usefixtures("scripts")
def test_older_imports_work_and_what_is_collected_outlives_the_instance(system: System) -> None:
    with pinned(system, "older") as client:
        assert client.post("score", json={"x": 1}).json() == {"seen": {"x": 1}}

    older = ("online-deployment", "update", "-e", "scripts", "-n", "older")
    system.run(*older, "--set", "environment_variables.WHO=another")

    kept = (system.home / "collected" / "scripts.older").rglob("model_inputs/**/*.jsonl")
    (line,) = [line for file in kept for line in file.read_text().splitlines()]
    assert json.loads(line)["data"] == [{"x": 1}]
    assert json.loads(line)["source"] == "/onlineEndpoints/scripts/deployments/older"


def test_schema_script_converts_and_describes_itself_to_who_has_the_key(
    system: System, scripts: str
) -> None:
    shown = system.run("online-endpoint", "show", "-n", scripts).data
    with system.client(scripts) as client:
        answer = client.post("score", json={"amount": 2, "name": "credit"})
        missing = client.post("score", json={"amount": 2})
        swagger = client.get(shown["openapi_uri"])
        newer = client.get("swagger.json?version=3.1").json()
        stranger = client.get("swagger.json", headers={"Authorization": ""})

    assert answer.json() == {"said": "credit 4"}
    assert (missing.status_code, missing.json()["message"]) == (
        424,
        "A value is not provided for the 'name' parameter.",
    )
    assert swagger.json()["info"]["title"] == "scripts"
    assert shown["scoring_uri"].endswith("/api/v1/endpoint/scripts/score")
    assert set(swagger.json()["paths"]) == {
        f"/api/v1/endpoint/scripts/{rest}" for rest in ("", "score", "swagger.json")
    }
    assert set(swagger.json()["definitions"]["ServiceInput"]["properties"]) == {"amount", "name"}
    assert newer["openapi"] == "3.1.0"
    assert stranger.status_code == 401


def test_preflight_with_the_key_is_answered_as_the_script_wants_it(
    system: System, scripts: str
) -> None:
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    with system.client(scripts) as client:
        answer = client.options("score", headers=asked)

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert "POST" in answer.headers["access-control-allow-methods"]


@pytest.mark.usefixtures("scripts")
def test_async_script_runs_requests_together_in_one_worker(system: System) -> None:
    def ask() -> str:
        with pinned(system, "async") as client:
            return str(client.post("score", content=b"both").json())

    with ThreadPoolExecutor(2) as callers:
        answers = list(callers.map(lambda _: ask(), range(2)))

    assert answers == ["two at a time"] * 2


@pytest.mark.usefixtures("scripts")
def test_events_reach_the_caller_one_by_one(system: System, gate: Path) -> None:
    with pinned(system, "async") as client, client.stream("POST", "score", content="stream") as got:
        pieces = got.iter_text()
        first = next(pieces)
        gate.touch()
        rest = "".join(pieces)

    assert got.headers["content-type"] == "text/event-stream"
    assert (first, rest) == ("data: one\n\n", "data: two\n\n")


@pytest.mark.azure(74)
@needs_namespaces
@pytest.mark.usefixtures("scripts")
def test_without_egress_a_script_is_asked_and_reaches_nothing(system: System) -> None:
    closed = "egress_public_network_access: disabled\n"
    for name, extra in (("open", ""), ("closed", closed)):
        file = system.deployment("scripts", name, score=REACHING, extra=extra)
        system.run("online-deployment", "create", "-f", str(file))

    with socket.create_server(("127.0.0.1", 0)) as server:
        found = {}
        for name in ("open", "closed"):
            with pinned(system, name) as client:
                found[name] = client.post("score", json=server.getsockname()).json()
    shown = system.run("online-deployment", "show", "-e", "scripts", "-n", "closed").data
    reopened = ("--set", "egress_public_network_access=enabled")
    words = ("online-deployment", "update", "-e", "scripts", "-n", "closed", *reopened)
    refused = system.run(*words, code=1)

    assert found == {"open": "reached", "closed": "Connection refused"}
    assert shown["egress_public_network_access"] == "disabled"
    assert "it cannot become enabled" in refused.err
