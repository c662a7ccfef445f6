"""From a request to run()'s arguments."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask import Request as FlaskRequest
from hypothesis import example, given
from hypothesis import strategies as st

from verdazul_serve import inputs
from verdazul_serve.compat.environ import environ_of
from verdazul_serve.inputs import BadInput
from verdazul_serve.reading import Request

from .loading import request

pytestmark = pytest.mark.azure(87, 90)

LATIN_1 = st.text(st.characters(codec="latin-1"), max_size=30)
TOKEN = st.text("abcXYZ019-_.!~", min_size=1, max_size=12).map(str.lower)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def query(text: str) -> dict[str, Any]:
    return inputs.query_object(text)


@given(st.dictionaries(st.text(), JSON))
def test_any_json_survives_a_query(values: dict[str, Any]) -> None:
    text = urlencode({name: json.dumps(value) for name, value in values.items()})

    assert query(text) == values


@given(st.text(min_size=1), st.lists(JSON, min_size=2, max_size=4))
def test_a_repeated_name_becomes_a_list_in_order(name: str, values: list[Any]) -> None:
    text = urlencode([(name, json.dumps(value)) for value in values])

    assert query(text) == {name: values}


@given(st.text(max_size=30).map(lambda text: text.encode().decode("latin-1")))
@example("/score?a=1&b=[1,2]&c=x&c=2&d=null&e=")
@example("/score?a=\xc3\xbc&%FF=%FF&a+b=%zz;c#d")
@example("http://host/score?a=%C3%BC")
def test_a_target_of_utf8_is_read_as_flask_reads_it(target: str) -> None:
    asked = Request("GET", target, (), b"")

    pairs = inputs.query_pairs(inputs.split_target(target)[1])

    assert sorted(pairs) == sorted(FlaskRequest(environ_of(asked)).args.items(multi=True))


@given(LATIN_1)
@example("/score?a=\xff&a=%FF")
def test_any_target_is_json_for_a_plain_run(target: str) -> None:
    arguments = inputs.plain("data", wants_headers=False)

    assert isinstance(json.loads(arguments(Request("GET", target, (), b""))["data"]), dict)


def test_a_query_means_what_the_documentation_says() -> None:
    found = query("a=1&b=[1,2]&c=x&c=2&d=null&e=")

    assert found == {"a": 1, "b": [1, 2], "c": ["x", 2], "d": None, "e": ""}


def test_a_value_that_is_nested_beyond_reason_stays_text() -> None:
    assert query("a=" + "[" * 100_000) == {"a": "[" * 100_000}


@given(st.lists(st.tuples(TOKEN, LATIN_1)))
def test_headers_are_shown_as_flask_shows_them(pairs: list[tuple[str, str]]) -> None:
    asked = Request("POST", "/score", tuple(pairs), b"")

    shown = inputs.shown_headers(asked)

    assert shown == dict(FlaskRequest(environ_of(asked)).headers)


def test_names_of_headers_are_in_title_case_and_repeated_ones_are_joined() -> None:
    pairs = (("x-ms-request-id", "a"), ("traceparent", "t"), ("x-a", "1"), ("x-a", "2"))

    shown = inputs.shown_headers(Request("POST", "/score", pairs, b""))

    assert shown == {"X-Ms-Request-Id": "a", "Traceparent": "t", "X-A": "1,2"}


def test_a_header_with_an_underscore_cannot_pose_as_another() -> None:
    pairs = (("x_real", "evil"), ("x-real", "good"))
    asked = Request("POST", "/score", pairs, b"")

    assert inputs.shown_headers(asked) == {"X-Real": "good"}
    assert environ_of(asked)["HTTP_X_REAL"] == "good"


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("/score", ("/score", "")),
        ("/score?a=1?b#c", ("/score", "a=1?b")),
        ("http://host:1/score?a", ("/score", "a")),
        ("http://host?a=/b", ("/", "a=/b")),
        ("http://host", ("/", "")),
        ("*", ("*", "")),
        ("", ("/", "")),
    ],
)
def test_a_target_has_a_path_and_a_query(target: str, parts: tuple[str, str]) -> None:
    assert inputs.split_target(target) == parts


@pytest.mark.parametrize(
    "kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", None]
)
def test_a_plain_run_gets_the_body_whatever_its_type(kind: str | None) -> None:
    arguments = inputs.plain("data", wants_headers=False)
    headers = {"content_type": kind} if kind else {}

    assert arguments(request(body=b'{"a": 1}', **headers)) == {"data": '{"a": 1}'}


def test_a_plain_run_gets_a_query_as_json() -> None:
    arguments = inputs.plain("data", wants_headers=False)

    assert arguments(request("GET", "/score?a=1&a=x")) == {"data": '{"a": [1, "x"]}'}


def test_request_headers_are_given_to_those_who_ask() -> None:
    arguments = inputs.plain("data", wants_headers=True)

    found = arguments(request(body=b"x", x_a="1"))

    assert found == {"data": "x", "request_headers": {"X-A": "1"}}


def test_a_body_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        inputs.plain("data", wants_headers=False)(request(body=b"\xff"))

    reason = "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"
    assert refused(caught.value) == (400, f"Input cannot be decoded as UTF-8: {reason}")


def refused(bad: BadInput) -> tuple[int, str]:
    assert dict(bad.answer.headers)["x-ms-run-function-failed"] == "False"
    return bad.answer.status, json.loads(bad.answer.body)["message"]


def run(num: Any, more: Any = 7) -> None:
    """What the parameters below belong to."""


def by_schema(asked: Request, function: Callable[..., Any] = run) -> dict[str, Any]:
    parameters = list(inspect.signature(function).parameters.values())
    return inputs.schema(parameters, wants_headers=False)(asked)


def test_parameters_come_from_the_body_by_name_and_the_rest_is_ignored() -> None:
    asked = request(body=b'{"num": [1], "other": 2}', content_type="application/json")

    assert by_schema(asked) == {"num": [1], "more": 7}


def test_parameters_come_from_the_query_of_a_get() -> None:
    assert by_schema(request("GET", "/score?num=1&more=x&b=2")) == {"num": 1, "more": "x"}


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON; charset=utf-8",
        " application/json ;",
        "application/ld+json",
    ],
)
def test_every_json_type_is_taken(kind: str) -> None:
    assert by_schema(request(body=b'{"num": 1}', content_type=kind))["num"] == 1


@pytest.mark.parametrize("kind", ["", "text/json", "text/plain", "application/jsonx", "json"])
def test_every_other_type_is_refused(kind: str) -> None:
    with pytest.raises(BadInput) as caught:
        by_schema(request(body=b'{"num": 1}', content_type=kind))

    assert refused(caught.value) == (415, "Expects Content-Type to be application/json")


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "POST body is empty. Expecting a JSON dictionary."),
        (b"[1]", 400, "POST body should be a JSON dictionary."),
        (b"null", 400, "POST body should be a JSON dictionary."),
        (b"{}", 400, "A value is not provided for the 'num' parameter."),
        (b"{bad", 400, "POST body could not be decoded as JSON: Expecting property name"),
        (b'"\xff"', 500, "An unexpected internal error occurred. Check the logs for more info."),
        (b"[" * 200_000, 500, "An unexpected internal error occurred."),
    ],
)
def test_a_wrong_body_is_told(body: bytes, status: int, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        by_schema(request(body=body, content_type="application/json"))

    told = refused(caught.value)
    assert told[0] == status
    assert told[1].startswith(message)


@given(st.binary(), st.booleans())
def test_any_body_is_arguments_or_a_refusal(body: bytes, is_plain: bool) -> None:  # noqa: FBT001
    arguments = inputs.plain("data", wants_headers=False) if is_plain else by_schema

    assert status_of(arguments, request(body=body, content_type="application/json")) in REFUSALS


REFUSALS = {None, 400, 500}


def status_of(arguments: inputs.Arguments, asked: Request) -> int | None:
    try:
        arguments(asked)
    except BadInput as bad:
        return bad.answer.status
    return None


def test_a_percent_encoded_path_reaches_flask_decoded() -> None:
    asked = request("POST", "/" + quote("sc\u00f6re"))

    assert FlaskRequest(environ_of(asked)).path == "/sc\u00f6re"
