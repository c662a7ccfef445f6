"""The comparison sees what it has to: a wrong length, a made-up id, a difference that is gone."""

from __future__ import annotations

import socket
import threading

import pytest
from serve.tests.differential.accepted import Accepted, Ours
from serve.tests.differential.client import BROKEN, Reply, ask, request
from serve.tests.differential.outcome import Outcome, outcome
from serve.tests.differential.table import Case

CASE = Case("case", request(headers={"x-ms-request-id": "given"}))
UUID = "6ba7b811-9dad-41d1-80b4-00c04fd430c8"


def answered(answer: bytes, sent: bytes = CASE.request) -> Reply:
    """What the client makes of these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection = listener.accept()[0]
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        reply = ask(listener.getsockname(), sent)
        thread.join()
    return reply


@pytest.mark.parametrize(
    ("head", "body", "fault"),
    [
        ("Content-Length: 3", b"ab", "2 bytes came, 3 were promised"),
        ("Content-Length: 1\r\nConnection: close", b"ab", "the answer is followed by b'b'"),
        ("Transfer-Encoding: chunked", b"1\r\na\r\n", BROKEN),
        ("Transfer-Encoding: chunked", b"1\r\nab\r\n0\r\n\r\n", "a chunk is not 1 bytes long"),
        ("Content-Length: 2", b"ab", ""),
        ("Transfer-Encoding: chunked", b"2\r\nab\r\n0\r\n\r\n", ""),
    ],
)
def test_a_body_that_is_not_as_long_as_promised_is_a_fault(
    head: str, body: bytes, fault: str
) -> None:
    reply = answered(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + body)

    assert reply.fault == fault
    assert reply.body == (b"" if fault else b"ab")


def test_interim_answers_and_a_closed_connection_are_told_apart() -> None:
    assert answered(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n").interim == (100,)
    assert answered(b"").status == 0


def test_only_a_generated_id_and_a_measured_time_are_let_go() -> None:
    reply = Reply(
        200,
        (
            ("x-request-id", UUID),
            ("x-ms-request-id", "given"),
            ("x-ms-client-request-id", "6ba7b811"),
            ("x-ms-run-fn-exec-ms", "0.5"),
            ("server", "gunicorn"),
        ),
    )

    assert dict(outcome(CASE, reply).headers) == {
        "x-request-id": "<new id 1>",
        "x-ms-request-id": "given",
        "x-ms-client-request-id": "6ba7b811",
        "x-ms-run-fn-exec-ms": "0.5",
    }


def test_an_accepted_answer_is_the_originals_with_the_stated_changes() -> None:
    original = Outcome(404, (("a", "1"), ("b", "2"), ("b", "3")), b"no")
    ours = Ours(status=200, like="y.*", headers=(("b", "4"),), without=("a",))

    expected = Accepted("c*", "why", ours).ours.expected(original, Outcome(200, (), b"yes"))

    assert expected == Outcome(200, (("b", "4"),), b"yes")
    assert ours.expected(original, Outcome(200, (), b"no")).body == b"y.*"
