"""What Application Insights is told: names and forms, and that telling never disturbs."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from ast import literal_eval
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul_serve import telemetry_fields as fields
from verdazul_serve.reading import Request
from verdazul_serve.settings import Settings
from verdazul_serve.telemetry import connection_string, open_telemetry

pytestmark = pytest.mark.azure(99)

KEY = "11111111-2222-3333-4444-555555555555"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOT_TEXT = '"Scoring request response payload is a non serializable object or raw binary"'
ENVIRON = {
    "AML_APP_INSIGHTS_ENABLED": "true",
    "AML_APP_INSIGHTS_KEY": KEY,
    "AML_MODEL_DC_STORAGE_ENABLED": "true",
    "SERVICE_NAME": "credit",
    "WORKSPACE_NAME": "ws",
    "HOSTNAME": "box",
}
IDS = {"x-request-id": "r1", "x-ms-request-id": "c1", "x-ms-client-request-id": "c1"}
SETTINGS = Settings.read(ENVIRON, cwd="/")


def request(target: str = "/score?a=1", method: str = "POST") -> Request:
    return Request(method, target, (("host", "localhost:5001"),), b"")


def test_a_request_has_the_attributes_of_azures_server() -> None:
    told = fields.of_request(SETTINGS, request(), 200, '{"a": 1}', took=(0.25, 1.5), ids=IDS)

    assert told == {
        "Container Id": "box",
        "Request Id": "r1",
        "Client Request Id": "c1",
        "Response Value": '{"a": 1}',
        "name": "/score",
        "url": "http://localhost:5001/score?a=1",
        "start_time": "1970-01-01T00:00:00.250000Z",
        "duration": "00:00:01.500",
        "resultCode": "200",
        "success": True,
        "http_method": "POST",
        "Workspace Name": "ws",
        "Service Name": "credit",
    }


def test_a_refused_request_has_no_ids_and_no_success() -> None:
    told = fields.of_request(SETTINGS, request(), 431, None, took=(0, 0), ids={})

    assert (told["Request Id"], told["success"], told["resultCode"]) == ("", False, "431")
    assert "Response Value" not in told


@pytest.mark.parametrize(
    ("method", "target", "is_told"),
    [
        ("POST", "/score", True),
        ("GET", "/score?x=/", True),
        ("OPTIONS", "/score", True),
        ("HEAD", "/score", True),
        ("GET", "/swagger.json?version=3", True),
        ("GET", "/", False),
        ("GET", "/metrics", False),
        ("GET", "/score/", False),
        ("PUT", "/score", False),
        ("POST", "/swagger.json", False),
    ],
)
def test_what_azures_server_does_not_route_is_not_told(
    method: str, target: str, *, is_told: bool
) -> None:
    assert fields.is_told(request(target, method)) is is_told


@given(st.floats(0, 10**8))
def test_a_duration_can_be_read_back(seconds: float) -> None:
    days, _, clock = fields.duration(seconds).rpartition(".")[0].rpartition(".")
    hours, minutes, second = map(int, clock.split(":"))
    millis = int(fields.duration(seconds)[-3:])

    read = timedelta(
        days=int(days or 0), hours=hours, minutes=minutes, seconds=second, milliseconds=millis
    )
    assert abs(seconds - read.total_seconds()) < 0.0011
    assert (bool(days), len(clock)) == (seconds >= 86400, 8)


@given(st.one_of(st.text(max_size=50), st.sampled_from("aéह𝄞").map(lambda c: c * 20_000)))
def test_a_body_is_told_as_its_text_up_to_a_length(body: str) -> None:
    assert fields.text(body.encode("utf-8", "replace")) == body[: fields.LONGEST]


@pytest.mark.parametrize("body", [None, b"\xff\xfe", b"a\xc3"])
def test_what_is_no_text_is_told_as_a_sentence(body: bytes | None) -> None:
    assert fields.text(body) == NOT_TEXT


def test_failures_carry_ids_in_one_property() -> None:
    before, during = fields.of_failure(SETTINGS, {}), fields.of_failure(SETTINGS, IDS)

    unknown = {"Container Id": "box", "Request Id": "Unknown", "Client Request Id": ""}
    assert literal_eval(before["custom_dimensions"]) == unknown
    assert literal_eval(during["custom_dimensions"])["Request Id"] == "r1"


def test_collected_data_is_told_as_json_with_the_models() -> None:
    told = fields.of_collection(
        SETTINGS, IDS, models=("credit:3",), given='{"a": 1}', prediction={"sum": 3}
    )

    assert literal_eval(told["custom_dimensions"]) == {
        "Container Id": "box",
        "Request Id": "r1",
        "Client Request Id": "c1",
        "Workspace Name": "ws",
        "Service Name": "credit",
        "Models": ("credit:3",),
        "Input": '"{\\"a\\": 1}"',
        "Prediction": '{"sum": 3}',
    }


def test_what_is_no_json_is_collected_as_a_sentence_and_spares_the_rest() -> None:
    told = fields.of_collection(SETTINGS, IDS, models=(), given=object(), prediction=[1])

    dimensions = literal_eval(told["custom_dimensions"])
    assert (dimensions["Input"], dimensions["Prediction"]) == (NOT_TEXT, "[1]")


def test_models_are_named_by_their_folders(tmp_path: Path) -> None:
    for name in ("credit/3", "credit/10", "fraud/1", "fraud/notes"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "model.pkl").touch()

    assert fields.models(str(tmp_path / "credit/3")) == ("credit:3",)
    assert fields.models(str(tmp_path)) == ("credit:10", "credit:3", "fraud:1")
    assert fields.models(None) == fields.models(str(tmp_path / "missing")) == ()


def test_a_connection_string_that_names_a_key_says_where_to_send() -> None:
    name = "APPLICATIONINSIGHTS_CONNECTION_STRING"
    own = f"InstrumentationKey={KEY};IngestionEndpoint=http://here"

    assert connection_string(KEY, {}) == f"InstrumentationKey={KEY}"
    assert connection_string(KEY.upper(), {name: "x=y"}) == f"InstrumentationKey={KEY}"
    assert connection_string(KEY, {name: own}) == own
    assert connection_string("not a key", {name: own}) is None
    assert connection_string(None, {name: own}) is None


def warnings_of_opening(
    environ: dict[str, str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    monkeypatch.setattr("verdazul_serve.logs.server.propagate", True)
    monkeypatch.setitem(sys.modules, "azure.monitor.opentelemetry.exporter", None)

    assert open_telemetry(Settings.read(environ, cwd="/"), {}) is None
    return caplog.messages


def test_off_says_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert warnings_of_opening({"AML_APP_INSIGHTS_KEY": KEY}, caplog, monkeypatch) == []


def test_a_wrong_key_is_said_in_azures_words(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = warnings_of_opening({**ENVIRON, "AML_APP_INSIGHTS_KEY": "x"}, caplog, monkeypatch)

    assert said == [
        "Invalid Application Insights instrumentation key provided.",
        "Application Insights has been disabled.",
    ]


def test_a_missing_package_is_said_with_what_to_install(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (said,) = warnings_of_opening(ENVIRON, caplog, monkeypatch)

    assert said.startswith("Application Insights has been disabled: ")
    assert said.endswith("pip install 'verdazul-serve[appinsights]'")


TELL = f"""
import os, sys
from verdazul_serve.reading import Request
from verdazul_serve.settings import Settings
from verdazul_serve.telemetry import open_telemetry

class Odd(Exception):
    def __str__(self): raise RuntimeError("odd")

telemetry = open_telemetry(Settings.read(os.environ, cwd="/"))
ids = {IDS!r}
headers = (("host", "h"), ("traceparent", "{TRACEPARENT}"))
telemetry.printed("hello")
telemetry.collected("1", 2, ids)
telemetry.failed(Odd(), ids)
try:
    1 / 0
except ZeroDivisionError as reason:
    telemetry.failed(reason, {{}})
telemetry.requested(
    Request("POST", "/score", headers, b""), 500, b"body", started=1e9, seconds=2.5, ids=ids
)
telemetry.requested(Request("GET", "/", headers, b""), 200, b"", started=0, seconds=0, ids=ids)
telemetry.close(seconds=float(sys.argv[1]))
"""


@contextmanager
def ingestion(*, answers: bool = True) -> Iterator[tuple[str, list[Any]]]:
    """A service that takes telemetry: its address and the envelopes it got; or one that hangs."""
    envelopes: list[Any] = []
    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            items = json.loads(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
            envelopes.extend(items)
            if not answers:
                is_over.wait()
            counts = {"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []}
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(counts).encode())

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", envelopes
        finally:
            is_over.set()
            server.shutdown()
            thread.join()


def tell(address: str, folder: Path, *, seconds: float) -> str:
    """What the telling process had to say itself."""
    connection = f"InstrumentationKey={KEY};IngestionEndpoint={address}"
    environ = {
        **os.environ,
        **ENVIRON,
        "APPLICATIONINSIGHTS_CONNECTION_STRING": connection,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "TMPDIR": str(folder),
    }
    command = [sys.executable, "-c", TELL, str(seconds)]
    process = subprocess.run(
        command, env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    return process.stderr


@pytest.fixture
def _exporter() -> None:
    pytest.importorskip("azure.monitor.opentelemetry.exporter")


@pytest.mark.usefixtures("_exporter")
def test_the_exporter_sends_it_in_azures_form(tmp_path: Path) -> None:
    with ingestion() as (address, envelopes):
        said = tell(address, tmp_path, seconds=30)

    told = {item["data"]["baseType"]: item for item in envelopes}
    texts = {
        item["data"]["baseData"]["message"]: item["data"]["baseData"]["properties"]
        for item in envelopes
        if item["data"]["baseType"] == "MessageData"
    }
    (served,) = (item for item in envelopes if item["data"]["baseType"] == "RequestData")
    base = served["data"]["baseData"]
    (failure,) = told["ExceptionData"]["data"]["baseData"]["exceptions"]
    assert set(texts) == {"hello", "model_data_collection"}
    assert "'Prediction': '2'" in texts["model_data_collection"]["custom_dimensions"]
    assert failure["typeName"] == "ZeroDivisionError"
    assert failure["stack"].endswith("\nZeroDivisionError: division by zero")
    assert (base["name"], base["responseCode"], base["success"]) == ("/score", "500", False)
    assert base["duration"] == "0.00:00:02.500"
    assert base["properties"]["start_time"] == "2001-09-09T01:46:40Z"
    assert (base["properties"]["success"], base["properties"]["resultCode"]) == ("False", "500")
    assert not {name for name in base["properties"] if name.startswith("http.")}
    assert served["tags"]["ai.operation.id"] == TRACEPARENT[3:35]
    assert {item["tags"]["ai.cloud.role"] for item in envelopes} == {"credit"}
    assert said == "Application Insights: RuntimeError('odd')\n"


@pytest.mark.usefixtures("_exporter")
def test_a_service_that_does_not_answer_cannot_keep_a_process(tmp_path: Path) -> None:
    with ingestion(answers=False) as (address, _):
        said = tell(address, tmp_path, seconds=0.2)

    assert "Application Insights: not all was sent within 0.2 s" in said
