"""Azure's scoring contract, case by case, over one real process."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator

import pytest

from verdazul_serve import __version__

from .process import Server

pytestmark = pytest.mark.azure(92, 93, 101)

SCRIPT = """
import json, sys, time

def init():
    global started
    started = __name__
    print("init", "done", sep="-")

def run(anything, request_headers, spare=1):
    case = anything if len(anything) < 40 else "echo"
    if case == "headers": return request_headers
    if case == "name": return started
    if case == "none": return None
    if case == "bytes": return b"x"
    if case == "set": return {1}
    if case == "nan": return float("nan")
    if case == "tuple": return ({"a": 1}, 201)
    if case == "umlaut": return "\\u00fc"
    if case == "circle":
        circle = []; circle.append(circle)
        return circle
    if case == "error": raise ValueError("secret detail")
    if case == "exit": sys.exit(0)
    if case == "interrupt": raise KeyboardInterrupt
    if case == "timeout": raise TimeoutError("mine")
    if case == "sleep": time.sleep(30)
    if case == "spin":
        while True: pass
    if case == "items": return (x for x in ("a", b"b", "", "c"))
    if case == "no items": return (x for x in ())
    if case == "bad first item": return (1 / x for x in (0,))
    if case == "bad later item": return (x if x else 1 / x for x in ("a", 0))
    return anything
"""
CRASHED = "An unexpected error occurred in scoring script. Check the logs for more info."
INTERNAL = "An unexpected internal error occurred. Check the logs for more info."


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(SCRIPT, SCORING_TIMEOUT_MS="300") as server:
        yield server.ready()


@pytest.mark.parametrize(
    ("case", "body"),
    [
        ("none", b"{}"),
        ("name", b'"entry_module"'),
        ("nan", b"NaN"),
        ("tuple", b'[{"a": 1}, 201]'),
        ("umlaut", b'"\\u00fc"'),
        ("", b'""'),
        ('{"a":1}', b'"{\\"a\\":1}"'),
    ],
)
def test_what_run_returns_becomes_default_json(server: Server, case: str, body: bytes) -> None:
    response = server.score(case)

    assert (response.status, response.body) == (200, body)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-ms-run-function-failed"] == "False"
    assert re.fullmatch(r"\d+\.\d{3}", response.headers["x-ms-run-fn-exec-ms"])
    assert response.headers["x-ms-server-version"] == f"verdazul-serve/{__version__}"


@pytest.mark.parametrize("case", ["error", "exit", "interrupt", "bad first item"])
def test_a_run_that_raises_is_500_and_keeps_its_details_to_the_log(
    server: Server, case: str
) -> None:
    response = server.score(case)

    assert (response.status, response.json) == (500, {"message": CRASHED})
    assert response.headers["x-ms-run-function-failed"] == "True"
    assert "x-ms-run-fn-exec-ms" not in response.headers
    assert server.score("still there").status == 200


@pytest.mark.parametrize("case", ["bytes", "set", "circle"])
def test_a_value_json_cannot_say_is_an_internal_error(server: Server, case: str) -> None:
    response = server.score(case)

    assert (response.status, response.message) == (500, INTERNAL)
    assert response.headers["x-ms-run-function-failed"] == "False"
    assert "x-ms-run-fn-exec-ms" not in response.headers


@pytest.mark.parametrize("case", ["timeout", "sleep", "spin"])
def test_a_run_over_the_scoring_timeout_is_500_with_the_limit(server: Server, case: str) -> None:
    response = server.score(case)

    assert (response.status, response.message) == (500, "Scoring timeout after 300 ms")
    assert response.headers["x-ms-run-function-failed"] == "True"


def test_a_body_that_is_no_utf8_is_400_without_running(server: Server) -> None:
    response = server.score(b"\xff\xfe")

    expected = "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"
    assert response.status == 400
    assert response.message == f"Input cannot be decoded as UTF-8: {expected}"
    assert response.headers["x-ms-run-function-failed"] == "False"


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/csv"]
)
def test_the_body_is_the_text_that_was_sent_whatever_its_type(server: Server, kind: str) -> None:
    assert server.score("a=1&b=2", {"content-type": kind}).json == "a=1&b=2"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        (
            "?a=1&b=%5B1,2%5D&c=x&c=2&d=null&e=",
            {"a": 1, "b": [1, 2], "c": ["x", 2], "d": None, "e": ""},
        ),
        ("?f=%ff&g&%20h=+1+&a;b=3", {"f": "%FF", "g": "", " h": 1, "a;b": 3}),
        ("?deep=" + "[" * 3000, {"deep": "[" * 3000}),
    ],
)
def test_get_gives_run_the_query_as_a_json_string(
    server: Server, query: str, expected: object
) -> None:
    response = server.ask("GET", f"/score{query}")

    assert response.status == 200
    assert json.loads(response.json) == expected


def test_request_headers_are_title_cased_and_joined_and_free_of_ours(server: Server) -> None:
    headers = {"x-MS-foo": "1", "traceparent": "t", "x-verdazul-max-queue-wait-ms": "5", "a_b": "1"}
    response = server.score("headers", headers)

    assert response.json == {
        "Host": "localhost",
        "Accept-Encoding": "identity",
        "Content-Length": "7",
        "X-Ms-Foo": "1",
        "Traceparent": "t",
    }


def test_repeated_request_headers_are_joined_by_a_comma(server: Server) -> None:
    raw = b"POST /score HTTP/1.0\r\nContent-Length: 7\r\nX-Dup: 1\r\nx-dup: 2\r\n\r\nheaders"

    assert b'"X-Dup": "1,2"' in server.raw(raw)


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("PUT", "/score", 405, "The method is not allowed for the requested URL."),
        ("DELETE", "/score", 405, "The method is not allowed for the requested URL."),
        ("POST", "/", 405, "The method is not allowed for the requested URL."),
        ("GET", "/score/", 404, "The requested URL was not found on the server."),
    ],
)
def test_other_methods_and_paths_are_json_errors_with_ids(
    server: Server, method: str, path: str, status: int, message: str
) -> None:
    response = server.ask(method, path)

    assert response.status == status
    assert response.message.startswith(message)
    assert response.headers["x-ms-run-function-failed"] == "False"
    assert response.headers["x-request-id"]


def test_head_and_options_of_score_do_not_run_the_script(server: Server) -> None:
    head, options = server.ask("HEAD", "/score"), server.ask("OPTIONS", "/score")

    assert (head.status, head.body, head.headers["content-length"]) == (405, b"", "33")
    assert (options.status, options.body) == (200, b"")
    assert options.headers["x-ms-run-function-failed"] == "False"


def test_the_probe_path_answers_get_head_and_options(server: Server) -> None:
    get, head, options = (server.ask(method, "/") for method in ("GET", "HEAD", "OPTIONS"))

    assert (get.status, get.body) == (200, b"Healthy")
    assert get.headers["content-type"] == "text/html; charset=utf-8"
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "7")
    assert (options.status, options.headers["allow"]) == (200, "GET, OPTIONS, HEAD")


IDS = ("x-request-id", "x-ms-request-id", "x-ms-client-request-id", "traceid")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, ("NEW", "NEW", None, None)),
        ({"x-request-id": "a"}, ("a", "a", None, None)),
        ({"x-ms-request-id": "b"}, ("NEW", "b", "b", None)),
        ({"x-ms-client-request-id": "c"}, ("NEW", "c", "c", None)),
        (
            {"x-ms-request-id": "b", "x-ms-client-request-id": "c", "TraceId": "t"},
            ("NEW", "b", "c", "t"),
        ),
        ({"x-request-id": ""}, (None, None, None, None)),
        ({"x-request-id": "", "x-ms-request-id": "b"}, (None, "b", "b", None)),
        ({"x-ms-request-id": "", "x-ms-client-request-id": ""}, ("NEW", "NEW", None, None)),
    ],
)
def test_request_ids_follow_azures_rules(
    server: Server, sent: dict[str, str], expected: tuple[str | None, ...]
) -> None:
    response = server.score("x", sent)

    new = response.headers.get("x-request-id")
    assert [response.headers.get(name) for name in IDS] == [
        new if value == "NEW" else value for value in expected
    ]
    if expected[0] == "NEW":
        assert str(uuid.UUID(new)) == new


def test_ids_over_100_characters_are_431(server: Server) -> None:
    long = "x" * 101
    own = server.ask("GET", "/", headers={"x-request-id": long})
    other = server.score("x", {"x-ms-client-request-id": long, "x-request-id": "me"})

    assert (own.status, own.message) == (431, "x-request-id must not exceed 100 characters")
    assert [own.headers.get(name) for name in IDS] == [None] * 4
    assert other.status == 431
    names = "x-ms-request-id and x-ms-client-request-id"
    assert other.message == f"{names} must not exceed 100 characters"
    assert [other.headers.get(name) for name in IDS] == ["me", None, None, None]
    assert server.score("x", {"x-request-id": "x" * 100}).status == 200


def test_the_items_of_a_generator_are_streamed(server: Server) -> None:
    response = server.score("items")

    assert (response.status, response.body) == (200, b"abc")
    assert response.headers["transfer-encoding"] == "chunked"
    assert response.headers["x-ms-run-function-failed"] == "False"
    assert server.score("no items").body == b""


def test_a_stream_that_fails_half_way_breaks_the_connection(server: Server) -> None:
    raw = b"POST /score HTTP/1.1\r\nContent-Length: 14\r\n\r\nbad later item"

    answer = server.raw(raw)

    assert answer.endswith(b"1\r\na\r\n")  # and no last chunk
    assert server.score("x").status == 200


def test_the_log_has_azures_format_and_no_payloads(server: Server) -> None:
    server.score("a payload nobody may read", {"x-ms-request-id": "old"})
    server.ask("GET", "/score?a=1")
    server.score("error")
    log = server.log

    stamp = r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "
    for line in (
        r"I \[\d+\] azmlinfsrv\.user_script - Found user script at /.*/score\.py$",
        r"I \[\d+\] azmlinfsrv\.print - init-done$",
        r"I \[\d+\] azmlinfsrv\.user_script - Users's init has completed successfully$",
        r"I \[\d+\] azmlinfsrv - Scoring timeout is set to 300$",
        r"I \[\d+\] azmlinfsrv - Worker with pid \d+ ready for serving traffic$",
        r"I \[\d+\] azmlinfsrv \[[-0-9a-f]{36}\] - POST /score 200 \d+\.\d{3}ms 27$",
        r"I \[\d+\] azmlinfsrv \[[-0-9a-f]{36}\] - GET /score\?a=1 200 \d+\.\d{3}ms 12$",
        r"W \[\d+\] azmlinfsrv - x-ms-request-id header has been deprecated",
        r"E \[\d+\] azmlinfsrv \[[-0-9a-f]{36}\] - Encountered Exception: Traceback",
    ):
        assert re.search(stamp + line, log), line
    assert "ValueError: secret detail" in log
    assert "nobody may read" not in log
    assert "verdazul_serve" not in log
    assert "GET / " not in log
