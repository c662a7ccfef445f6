"""Requests that no client of Azure's makes: each is answered, by name, and the engine goes on."""

from __future__ import annotations

import json
import stat
from typing import Any

import pytest

from tests.contract.engine_worlds import DOCKERFILE, packed
from tests.e2e.system import eventually
from tests.engine.conftest import Local

pytestmark = pytest.mark.e2e


def message(answer: Any) -> str:
    return str(answer.json()["message"])


def test_only_its_owner_can_connect(local: Local) -> None:
    assert stat.S_IMODE(local.places.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(local.places.socket.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("version", ["/v1.24", "/v1.43", ""])
def test_it_answers_in_the_version_that_is_asked_for(local: Local, version: str) -> None:
    assert local.ask("GET", f"{version}/containers/json").json() == []


@pytest.mark.parametrize(("version", "word"), [("v1.99", "new"), ("v1.1", "old"), ("v2.0", "new")])
def test_versions_that_it_does_not_speak_are_refused(local: Local, version: str, word: str) -> None:
    answer = local.ask("GET", f"/{version}/containers/json")

    assert answer.status_code == 400
    assert f"too {word}" in message(answer)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/containers/x/exec"),
        ("GET", "/events"),
        ("POST", "/networks/create"),
        ("PATCH", "/version"),
        ("GET", "/containers/../../etc/passwd"),
        ("GET", "/"),
    ],
)
def test_what_it_does_not_do_is_refused_by_name(local: Local, method: str, path: str) -> None:
    answer = local.ask(method, path)

    assert answer.status_code == 501
    assert "is not served" in message(answer)


@pytest.mark.parametrize(
    "path",
    [
        "/containers/json?filters=nonsense",
        '/containers/json?filters={"label":1}',
        '/containers/json?filters={"ancestor":["x"]}',
        "/containers/json?limit=many",
        "/containers/json?before=x",
        "/containers/x/logs?follow=1",
        "/containers/x/logs?since=12",
    ],
)
def test_parameters_without_effect_or_sense_are_refused(local: Local, path: str) -> None:
    assert local.ask("GET", path).status_code == 400


@pytest.mark.parametrize(
    ("parameters", "files", "why"),
    [
        ("t=x", {"Dockerfile": "FROM a\nRUN make\n"}, "Dockerfile:2"),
        ("t=x", {"other": ""}, "Cannot locate specified Dockerfile"),
        ("t=x", {"Dockerfile": "FROM a\n", "../evil": "x"}, "leads out"),
        ("t=../x", {"Dockerfile": "FROM a\n"}, "invalid tag"),
        ("", {"Dockerfile": "FROM a\n"}, "invalid tag"),
        ("t=x&target=stage", {"Dockerfile": "FROM a\n"}, "target=stage"),
        ('t=x&buildargs={"A":"b"}', {"Dockerfile": "FROM a\n"}, "buildargs"),
    ],
)
def test_builds_that_cannot_be_done_are_refused_at_once(
    local: Local, parameters: str, files: dict[str, str], why: str
) -> None:
    answer = local.ask("POST", f"/build?{parameters}", content=packed(files))

    assert answer.status_code == 400
    assert why in message(answer)


def test_a_context_that_is_no_archive_is_refused(local: Local) -> None:
    assert "tar archive" in message(local.ask("POST", "/build?t=x", content=b"\0\1" * 9000))


def test_a_build_that_fails_says_why_at_its_end(local: Local) -> None:
    conda = "dependencies: [pip, {pip: [six==99]}]\n"
    context = packed({"Dockerfile": DOCKERFILE, "conda.yml": conda})

    answer = local.ask("POST", "/build?t=fails", content=context)

    assert answer.headers["transfer-encoding"] == "chunked"
    last = json.loads(answer.text.splitlines()[-1])
    assert "six" in last["error"]
    assert last["errorDetail"]["message"] == last["error"]
    assert local.ask("GET", "/images/fails/json").status_code == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'{"Image": null}', b"[" * 9999])
def test_bodies_that_are_no_container_are_refused(local: Local, body: bytes) -> None:
    assert local.ask("POST", "/containers/create", content=body).status_code == 400


def test_labels_of_gigantic_size_are_refused(local: Local) -> None:
    body = {"Image": "x", "Labels": {"a": "b" * (2 << 20)}}

    answer = local.ask("POST", "/containers/create", json=body)

    assert answer.status_code == 413
    assert "labels" in message(answer)


def test_an_image_cannot_be_pulled_and_it_says_what_would_help(local: Local) -> None:
    answer = local.ask("POST", "/images/create?fromImage=nginx&tag=1")

    assert answer.status_code == 400
    assert "'nginx'" in message(answer)
    assert "DOCKER_HOST" in message(answer)


def test_binds_that_lead_nowhere_are_named_at_start(local: Local) -> None:
    local.started("engine.before")
    body = {"Image": "contract:serves", "HostConfig": {"Binds": ["/not/there:/x"]}}
    local.engine.create("engine.nowhere", body)

    answer = local.ask("POST", "/containers/engine.nowhere/start")

    assert answer.status_code == 400
    assert "/not/there" in message(answer)
    local.engine.remove("engine.nowhere")
    local.engine.remove("engine.before")


def test_a_failing_init_is_told_by_the_log_and_the_exit_code(local: Local) -> None:
    local.started("engine.fails", "fails")
    code = local.ask("POST", "/containers/engine.fails/wait").json()["StatusCode"]

    found = local.ask("GET", "/containers/engine.fails/json").json()

    assert found["State"]["ExitCode"] == code != 0
    assert "the weights are gone" in local.ask("GET", "/containers/engine.fails/logs").text
    local.engine.remove("engine.fails")


def test_logs_without_a_terminal_come_in_frames(local: Local) -> None:
    local.started("engine.image")
    body = {**local.world.body("serves", {}), "Tty": False}
    local.engine.create("engine.frames", body)
    local.engine.start("engine.frames")
    found = local.seen("engine.frames")

    def began() -> bool:
        return "it began" in local.engine.logs(found, tail=100, is_tty=False)

    eventually(began)
    for name in ("engine.image", "engine.frames"):
        local.engine.remove(name)


def test_signals_reach_the_process_and_unknown_ones_are_refused(local: Local) -> None:
    local.started("engine.killed")

    assert local.ask("POST", "/containers/engine.killed/kill?signal=NOPE").status_code == 400
    assert local.ask("POST", "/containers/engine.killed/kill").status_code == 204
    code = local.ask("POST", "/containers/engine.killed/wait").json()["StatusCode"]

    assert code == 137
    assert local.ask("POST", "/containers/engine.killed/kill").status_code == 409
    local.engine.remove("engine.killed")


def test_a_running_container_and_its_image_are_not_removed_unasked(local: Local) -> None:
    local.started("engine.used")

    assert local.ask("DELETE", "/containers/engine.used").status_code == 409
    assert local.ask("DELETE", "/images/contract:serves").status_code == 409

    local.engine.remove("engine.used")
    assert local.ask("DELETE", "/images/contract:serves").status_code == 200
    assert not local.engine.has_image("contract:serves")
