"""Data collection: what azureml-ai-monitoring sends is kept, or refused aloud."""

from __future__ import annotations

import asyncio
import fcntl
import http.client
import json
import os
import re
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from verdazul_serve import collector
from verdazul_serve.agent import Agent, Batch
from verdazul_serve.cloud_events import Post
from verdazul_serve.collector import Origin
from verdazul_serve.settings import Settings
from verdazul_serve.spool import Folder, Spool

from .posts import INPUTS, INSTANCE, SENT, files, whole

pytestmark = pytest.mark.azure(139)

Answer = tuple[int, str]


def settings_of(folder: Path, **environ: str) -> Settings:
    base = {
        "AZUREML_MDC_ENABLED": "true",
        "VERDAZUL_INSTANCE": INSTANCE,
        "VERDAZUL_SPOOL_DIR": str(folder),
    }
    return Settings.read({**base, **environ}, cwd="/")


def post(
    port: int,
    body: bytes = INPUTS,
    headers: Mapping[str, str] = SENT,
    *,
    method: str = "POST",
    path: str = "/modeldata/log",
) -> Answer:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        client.request(method, path, body=body, headers=dict(headers))
        answer = client.getresponse()
        return answer.status, json.loads(answer.read())["message"]
    finally:
        client.close()


def with_agent(settings: Settings, use: Callable[[int], Any]) -> tuple[Any, Agent]:
    """What `use` returns, given the agent's port in a thread of its own; and the closed agent."""

    async def run() -> tuple[Any, Agent]:
        environ: dict[str, str] = {}
        listener = collector.open_listener(environ, settings)
        assert listener is not None
        agent = await collector.start(settings, listener)
        try:
            return await asyncio.to_thread(use, int(environ["AZUREML_MDC_PORT"])), agent
        finally:
            await agent.close()

    return asyncio.run(run())


def lines(folder: Path) -> list[Any]:
    return [json.loads(line) for text in files(folder).values() for line in text.splitlines()]


def test_a_post_becomes_one_cloud_event_in_the_file_of_its_hour(tmp_path: Path) -> None:
    answer, agent = with_agent(settings_of(tmp_path), post)

    ((name, text),) = files(tmp_path).items()
    top = r"modelDataCollector/credit/blue/model_inputs/\d{4}/\d\d/\d\d/\d\d/"
    assert answer == (200, "kept")
    assert re.fullmatch(top + re.escape(INSTANCE) + r"\.jsonl", name)
    assert text.count(b"\n") == 1
    assert json.loads(text) == {
        "specversion": "1.0",
        "id": SENT["trace-id"],
        "source": "/onlineEndpoints/credit/deployments/blue",
        "type": "azureml.inference.model_inputs",
        "datacontenttype": "application/json",
        "time": "2026-11-25T19:50:33Z",
        "data": [{"a": 1, "s": "x"}, {"a": 2, "s": None}],
        "correlationid": "request 1",
        "xrequestid": "request 1",
        "modelversion": "default",
        "collectdatatype": "pandas.DataFrame",
        "agent": "azureml-ai-monitoring/1.0.0",
        "contentrange": "bytes 0-33/34",
        "tenant": "north",
    }
    assert agent.counters == {
        "received": 1,
        "spooled": 1,
        "dropped": 0,
        "dropped_bytes": 0,
        "refused": 0,
    }


def test_posts_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    def use(port: int) -> None:
        head = b"POST /modeldata/log HTTP/1.1\r\nce-type: azureml.inference.%d\r\n"
        rest = b"content-type: application/json\r\ncontent-length: 2\r\n\r\n[]"
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
        for number, client in enumerate(clients):
            client.sendall(head % (number % 3) + rest)
        for client in clients:
            with client:
                assert client.recv(99).startswith(b"HTTP/1.1 200 ")

    _, agent = with_agent(settings_of(tmp_path), use)

    assert (agent.counters["spooled"], len(lines(tmp_path))) == (50, 50)


def test_posts_of_processes_that_are_gone_are_kept_at_the_end(tmp_path: Path) -> None:
    async def run() -> None:
        listener = collector.open_listener({}, settings_of(tmp_path))
        assert listener is not None
        agent = await collector.start(settings_of(tmp_path), listener)
        with socket.create_connection(listener.getsockname()) as client:  # in the backlog
            client.sendall(whole(INPUTS))
        await agent.close()

    asyncio.run(run())

    assert len(lines(tmp_path)) == 1


@pytest.mark.parametrize(
    ("status", "message", "sent"),
    [
        (404, "there is only /modeldata/log", {"path": "/"}),
        (405, "only POST is understood", {"method": "GET", "body": b""}),
        (405, "only POST is understood", {"method": "OPTIONS", "body": b""}),
        (413, "the body exceeds 100 bytes (VERDAZUL_MAX_BODY_BYTES)", {"body": b"x" * 101}),
        (431, "the headers exceed 1000 bytes", {"headers": {"x": "y" * 1000}}),
        (400, "the body is not JSON in UTF-8: ", {"body": b"[1,"}),
        (400, "the body is not JSON in UTF-8: ", {"body": b'["\xff"]'}),
        (400, "the body is not JSON in UTF-8: NaN is not a JSON value", {"body": b"[NaN]"}),
        (400, "ce-type is ''; it must be azureml.inference.<collection>", {"headers": {}}),
        (400, "ce-type is 'x'; it must be ", {"headers": {"ce-type": "x"}}),
    ],
)
def test_what_is_no_post_of_its_kind_is_refused(
    tmp_path: Path, status: int, message: str, sent: dict[str, Any]
) -> None:
    limits = {"VERDAZUL_MAX_BODY_BYTES": "100", "VERDAZUL_MAX_HEADER_BYTES": "1000"}
    settings = settings_of(tmp_path, **limits)

    answer, agent = with_agent(settings, lambda port: post(port, **sent))

    assert answer[0] == status
    assert answer[1].startswith(message)
    assert (agent.counters["refused"], files(tmp_path)) == (1, {})


def test_what_fits_is_kept_and_the_rest_refused(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, VERDAZUL_SPOOL_BYTES="1300")

    answers, agent = with_agent(settings, lambda port: [post(port)[0] for _ in range(4)])

    assert answers == [200, 200, 507, 507]
    assert (agent.counters["spooled"], agent.counters["refused"]) == (2, 2)


def test_of_posts_written_together_as_many_are_kept_as_there_is_room_for(tmp_path: Path) -> None:
    spool = Spool(Folder(tmp_path), limit=1000, place=("e", "d", "i"))
    headers = {"content-type": "application/json", "ce-type": "azureml.inference.c"}
    posts = [Post(headers, body) for body in (b"[1]", b"[2]", b"[", b"[%400d]" % 3, b"[4]")]

    verdicts = Batch(spool, "s", 0.0).store(posts)

    assert [verdict.status for verdict in verdicts] == [200, 200, 400, 507, 507]
    assert [line["data"] for line in lines(tmp_path)] == [[1], [2]]


def test_what_is_no_http_is_refused(tmp_path: Path) -> None:
    def use(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"\x16\x03\x01 hello\r\n\r\n")
            return b"".join(iter(lambda: client.recv(999), b""))

    answer, _ = with_agent(settings_of(tmp_path), use)

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_more_than_is_written_is_refused(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, VERDAZUL_MAX_BODY_BYTES="100")  # so 200 may wait

    def use(port: int) -> list[int]:
        assert post(port)[0] == 200
        (path,) = tmp_path.rglob("*.jsonl")
        with path.open("rb") as locked:
            fcntl.flock(locked, fcntl.LOCK_EX)  # the writer waits for us
            clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
            for client in clients:
                client.sendall(whole(b"[%88s]" % b""))
            select.select(clients, [], [])
        statuses = []
        for client in clients:
            with client:
                statuses.append(int(client.recv(999)[9:12]))
        return sorted(statuses)

    statuses, agent = with_agent(settings, use)

    assert statuses == [200, 200, 429]
    assert (agent.counters["spooled"], agent.counters["refused"]) == (3, 1)


def test_a_folder_that_cannot_be_written_is_said_to_the_sender_and_once_a_minute_to_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verdazul_serve.logs.server.propagate", True)
    (tmp_path / "taken").write_text("a file")

    answers, agent = with_agent(
        settings_of(tmp_path / "taken"), lambda port: [post(port), post(port)]
    )

    assert [status for status, _ in answers] == [507, 507]
    assert answers[0][1].startswith("it cannot be kept: [Errno ")
    assert (agent.counters["spooled"], agent.counters["refused"]) == (0, 2)
    assert len([line for line in caplog.messages if "refused a post: 507" in line]) == 1


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"AZUREML_MDC_ENABLED": "yes"},
        {"AZUREML_MDC_ENABLED": "true", "AZUREML_MDC_LOCAL_CAPTURE": "True"},
        {"AZUREML_MDC_ENABLED": "true", "AZUREML_MDC_HOST": "10.1.2.3"},
    ],
)
def test_there_is_none_where_nothing_would_come(environ: dict[str, str]) -> None:
    before = dict(environ)

    assert collector.open_listener(environ, Settings.read(environ, cwd="/")) is None
    assert environ == before


@pytest.mark.parametrize(
    ("config", "listens"),
    [
        ('{"runMode": "local"}', False),
        ('{"runMode": "cloud"}', True),
        ("{}", True),
        ("[", True),
    ],
)
def test_a_config_file_means_on_unless_it_says_local(
    tmp_path: Path, config: str, *, listens: bool
) -> None:
    (tmp_path / "mdc.json").write_text(config)
    environ = {"AZUREML_MDC_CONFIG_PATH": str(tmp_path / "mdc.json")}

    listener = collector.open_listener(environ, Settings.read(environ, cwd="/"))

    assert (listener is not None) is listens
    if listener:
        listener.close()


def test_the_workers_are_told_another_port_when_theirs_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        environ = {"AZUREML_MDC_ENABLED": "true", "AZUREML_MDC_PORT": port}
        listener = collector.open_listener(environ, Settings.read(environ, cwd="/"))

    assert listener is not None
    with listener:
        assert environ["AZUREML_MDC_HOST"] == "127.0.0.1"
        assert environ["AZUREML_MDC_PORT"] == str(listener.getsockname()[1]) != port


def test_an_instance_id_says_whose_data_it_is() -> None:
    assert Origin.of(INSTANCE).deployment == "blue"
    assert Origin.of("local").endpoint == "local"


SCRIPT = """
import pandas
from azureml.ai.monitoring import Collector, init
from azureml.ai.monitoring.context import BasicCorrelationContext

frame = pandas.DataFrame([{"a": 1, "s": "é\\n"}, {"a": 2, "s": None}])
context = Collector(name="model_inputs").collect(frame, BasicCorrelationContext(id="request 1"))
Collector(name="model_outputs").collect(frame, context)
init.teardown(wait_for_flush=True)
"""


@pytest.mark.parametrize("compact", ["false", "true"])
def test_the_real_package_finds_us_and_all_it_sends_is_kept(tmp_path: Path, compact: str) -> None:
    pytest.importorskip("azureml.ai.monitoring")
    pytest.importorskip("pandas")

    def use(port: int) -> None:
        mdc = {"ENABLED": "true", "PORT": str(port), "FORMAT_COMPACT": compact}
        environ = {f"AZUREML_MDC_{name}": value for name, value in mdc.items()}
        command = [sys.executable, "-c", SCRIPT]
        subprocess.run(command, env={**os.environ, **environ}, check=True, timeout=60)

    _, agent = with_agent(settings_of(tmp_path), use)

    kept = {line["type"]: line for line in lines(tmp_path)}
    inputs = kept["azureml.inference.model_inputs"]
    assert agent.counters["spooled"] == len(kept) == 2
    assert {line["correlationid"] for line in kept.values()} == {"request 1"}
    assert inputs["agent"].startswith("azureml-ai-monitoring/")
    if compact == "true":
        assert inputs["data"].split()[:5] == ["a", "s", "0", "1", "é\\n"]
    else:
        assert inputs["data"] == [{"a": 1, "s": "é\n"}, {"a": 2, "s": None}]
