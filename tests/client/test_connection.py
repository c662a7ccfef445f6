"""Requests and their failures: each becomes a Problem, and the token stays where it belongs."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from tests.cli.arm_server import TOKEN, Api, Reply, refuse

from verdazul.client.connection import Connection
from verdazul.client.server import NotRunning, Server
from verdazul.client.workspace import Workspace
from verdazul.model.errors import (
    Conflict,
    Fatal,
    NotFound,
    PreconditionFailed,
    Problem,
    Retryable,
    UserError,
    VerdazulError,
)


@pytest.mark.parametrize(
    ("status", "family"),
    [
        (400, UserError),
        (403, UserError),
        (404, NotFound),
        (409, Conflict),
        (412, PreconditionFailed),
        (429, Retryable),
        (500, Fatal),
        (503, Retryable),
    ],
)
def test_a_refusal_becomes_its_family_with_code_and_message(
    api: Api, workspace: Workspace, status: int, family: type[VerdazulError]
) -> None:
    api.answer_next("GET", "/credit", refuse(status, "SomeCode", "some message"))

    with pytest.raises(family) as caught:
        workspace.endpoint("credit").get()

    assert (caught.value.problem.code, caught.value.problem.message) == ("SomeCode", "some message")


def test_a_problem_arrives_whole(api: Api, workspace: Workspace) -> None:
    problem = Problem("Code", "message", "fix", "a.yml:3", ("log",), (Problem("B", "b"),))
    api.answer_next("GET", "/credit", Reply(400, {"error": problem.to_arm()}))

    with pytest.raises(UserError) as caught:
        workspace.endpoint("credit").get()

    assert caught.value.problem == problem


@pytest.mark.parametrize(
    "body",
    [b"<html>proxy</html>", b"", b"[]", b'{"error": "text"}', b'{"error": {"details": [1]}}'],
)
def test_a_foreign_error_is_told_with_its_status(
    api: Api, workspace: Workspace, body: bytes
) -> None:
    api.answer_next("GET", "/credit", Reply(502, body))

    with pytest.raises(Fatal, match="answered 502"):
        workspace.endpoint("credit").get()


def test_an_answer_that_is_not_json_says_that_this_is_not_verdazul(
    api: Api, workspace: Workspace
) -> None:
    api.answer_next("GET", "/credit", Reply(200, b"<html>welcome</html>"))

    with pytest.raises(Fatal, match="not JSON: <html>welcome"):
        workspace.endpoint("credit").get()


def test_a_refused_token_says_what_must_belong_together(api: Api) -> None:
    with (
        Connection(Server(api.address, "wrong-token")) as connection,
        pytest.raises(UserError, match="refused the token") as caught,
    ):
        Workspace(connection, "/x").endpoint("credit").get()

    assert "VERDAZUL_TOKEN_FILE" in caught.value.problem.fix


def test_a_stopped_server_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with (
            Connection(Server(address, TOKEN)) as connection,
            pytest.raises(NotRunning, match=f"nothing answers at {address}"),
        ):
            Workspace(connection, "/x").endpoint("credit").get()


def test_a_list_is_read_page_by_page_from_our_server_only(api: Api, workspace: Workspace) -> None:
    for name in "abcde":
        workspace.endpoint(f"endpoint-{name}").put({"properties": {}})

    names = [found["name"] for found in workspace.endpoints().list()]

    assert names == [f"endpoint-{name}" for name in "abcde"]
    assert len(api.requests("GET", "/onlineEndpoints")) == 3


def test_a_list_that_links_to_itself_ends(api: Api, workspace: Workspace) -> None:
    link = f"{api.address}{workspace.endpoints().path}"
    for _ in range(3):
        api.answer_next("GET", "/onlineEndpoints", Reply(200, {"value": [{}], "nextLink": link}))

    assert len(list(workspace.endpoints().list())) == 2


@pytest.mark.parametrize("name", ["", "..", ".", "a/b", "a?b", "a#b", "ä", "%2e%2e", "a b"])
def test_a_name_cannot_lead_to_another_resource(workspace: Workspace, name: str) -> None:
    with pytest.raises(UserError, match="is not a name"):
        workspace.endpoint(name)


def test_the_trace_shows_requests_without_secrets(api: Api) -> None:
    lines: list[str] = []
    with Connection(Server(api.address, TOKEN), trace=lines.append) as connection:
        connection.send("PUT", f"{api.address}/blobs/1/a?sig=secret", content=b"x")

    assert len(lines) == 1
    assert lines[0].startswith(f"PUT {api.address}/blobs/1/a -> 403 in ")


def test_a_certificate_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")

    with pytest.raises(UserError, match=r"ca\.pem cannot be read as a certificate"):
        Connection(Server("https://localhost:1", TOKEN, tmp_path / "ca.pem"))


def test_a_client_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    pair = tmp_path / "client.pem", tmp_path / "client.key"

    with pytest.raises(UserError, match=r"client\.pem") as refused:
        Connection(Server("https://localhost:1", TOKEN, identity=pair))

    assert "VERDAZUL_CLIENT_CERTIFICATE" in refused.value.problem.fix
