"""From what run() returned to an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import flask
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul_serve import results
from verdazul_serve.answers import Answer, Stream

pytestmark = pytest.mark.azure(93)

INTERNAL = "An unexpected internal error occurred. Check the logs for more info."


def render(result: Any) -> Answer:
    answer = results.render(result, exec_ms=1.2345)
    assert isinstance(answer, Answer)
    return answer


def stream_of(result: Any) -> Stream:
    stream = results.render(result, exec_ms=1.2345)
    assert isinstance(stream, Stream)
    return stream


def items_of(stream: Stream) -> list[bytes]:
    assert isinstance(stream.items, Iterator)
    return list(stream.items)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(JSON.filter(lambda value: value is not None))
def test_json_values_are_written_as_json_writes_them_by_default(value: Any) -> None:
    answer = render(value)

    assert (answer.status, answer.body) == (200, json.dumps(value).encode())
    assert answer.headers == (
        ("content-type", "application/json"),
        ("x-ms-run-function-failed", "False"),
        ("x-ms-run-fn-exec-ms", "1.234"),
    )


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (None, b"{}"),
        ("hello", b'"hello"'),
        (({"a": 1}, 201), b'[{"a": 1}, 201]'),
        (np.float64(1.5), b"1.5"),
    ],
)
def test_some_values_are_not_what_one_might_think(value: Any, body: bytes) -> None:
    assert render(value).body == body


@pytest.mark.parametrize(
    "value", [b"x", {1}, np.int64(1), np.zeros(2), object(), {(1,): 2}, (x for x in "ab")]
)
def test_what_json_cannot_say_is_an_internal_error_and_no_failure_of_run(value: Any) -> None:
    answer = render(value)

    assert (answer.status, json.loads(answer.body)) == (500, {"message": INTERNAL})
    assert answer.headers[1:] == (("x-ms-run-function-failed", "False"),)


def test_a_response_is_sent_as_it_is_with_repeated_headers() -> None:
    response = flask.Response("x", 202, mimetype="text/csv")
    response.headers.add("X-A", "1")
    response.headers.add("X-A", "2")

    assert render(response) == Answer(
        202,
        (
            ("Content-Type", "text/csv; charset=utf-8"),
            ("X-A", "1"),
            ("X-A", "2"),
            ("x-ms-run-fn-exec-ms", "1.234"),
        ),
        b"x",
    )


@pytest.mark.parametrize("own", [{}, {"x-ms-run-function-failed": "False"}])
def test_a_response_from_500_up_is_a_failure_of_run_whatever_it_says(own: dict[str, str]) -> None:
    answer = render(flask.Response("x", 503, headers=own))

    failed = [pair for pair in answer.headers if pair[0] == "x-ms-run-function-failed"]
    assert failed == [("x-ms-run-function-failed", "True")]


def test_a_response_may_be_returned_again() -> None:
    response = flask.Response("x", 500)

    assert render(response) == render(response)
    assert "x-ms-run-fn-exec-ms" not in response.headers


@pytest.mark.parametrize("status", [-5, 0, 99, 100, 101, 199, 1000])
def test_a_status_that_ends_no_request_is_an_internal_error(status: int) -> None:
    answer = render(flask.Response("x", status))

    assert (answer.status, json.loads(answer.body)) == (500, {"message": INTERNAL})


@pytest.mark.parametrize("status", [204, 304])
def test_a_response_without_content_has_no_body(status: int) -> None:
    assert render(flask.Response("x", status)).body == b""


def test_headers_of_the_connection_stay_the_connections() -> None:
    names = ("Connection", "Transfer-Encoding", "Date", "Server", "Content-Length")
    response = flask.Response("x", headers=dict.fromkeys(names, "1"))

    assert [name for name, _ in render(response).headers] == [
        "Content-Type",
        "x-ms-run-fn-exec-ms",
    ]


@pytest.mark.parametrize(("name", "value"), [("X Y", "1"), ("X\r\nEvil", "1"), ("X", "\u20ac")])
def test_a_header_that_cannot_be_written_is_an_internal_error(name: str, value: str) -> None:
    response = flask.Response("x")
    response.headers.add(name, value)

    assert render(response).status == 500


@pytest.mark.parametrize("content", [5, [1, 2]])
def test_a_response_without_readable_content_is_an_internal_error(content: Any) -> None:
    response = flask.Response()
    response.response = content

    assert render(response).status == 500


def test_what_a_response_asked_for_at_its_end_is_done_once() -> None:
    closed: list[str] = []
    whole, streamed = flask.Response("x"), flask.Response(x for x in ("a", "b"))
    whole.call_on_close(lambda: closed.append("whole"))
    streamed.call_on_close(lambda: closed.append("streamed"))

    render(whole)
    stream = stream_of(streamed)
    assert closed == ["whole"]
    assert items_of(stream) == [b"a", b"b"]
    stream.items.close()  # type: ignore[union-attr]  # an iterator of ours

    assert closed == ["whole", "streamed"]


def test_a_stream_that_is_closed_before_its_first_item_is_closed_all_the_same() -> None:
    closed: list[bool] = []
    response = flask.Response(x for x in "ab")
    response.call_on_close(lambda: closed.append(True))

    stream_of(response).items.close()  # type: ignore[union-attr]

    assert closed == [True]


def test_the_length_of_a_stream_is_told_where_it_is_known() -> None:
    known = flask.Response((x for x in "ab"), headers={"Content-Length": "2"})

    assert stream_of(known).length == 2
    assert stream_of(flask.Response(x for x in "ab")).length is None


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        ("plain", "text/plain; charset=utf-8"),
        (b"\xff", "text/plain; charset=utf-8"),
        ("data: 1\n\n", "text/event-stream"),
        (b"event: a\ndata: 1\n\n", "text/event-stream"),
        ("id: 1\n", "text/event-stream"),
        (":\n\n", "text/event-stream"),
        ("retry: 5\n", "text/event-stream"),
    ],
)
def test_the_first_item_decides_what_a_stream_is(first: Any, kind: str) -> None:
    stream = stream_of(results.begin(x for x in (first, "", "more")))

    headers = dict(stream.head.headers)
    assert (stream.head.status, headers["content-type"]) == (200, kind)
    assert headers.get("cache-control") == ("no-cache" if "event" in kind else None)
    assert headers["x-ms-run-fn-exec-ms"] == "1.234"
    assert items_of(stream)[1:] == [b"", b"more"]


def test_a_generator_of_nothing_is_an_empty_text() -> None:
    stream = stream_of(results.begin(noted([], [])))

    assert dict(stream.head.headers)["content-type"] == "text/plain; charset=utf-8"
    assert items_of(stream) == []


@pytest.mark.parametrize("bad", [1, None, ["a"]])
def test_an_item_that_is_no_text_fails_before_anything_is_sent(bad: Any) -> None:
    closed: list[bool] = []

    with pytest.raises(TypeError, match="a stream's items are str or bytes"):
        results.begin(noted([bad, "a"], closed))

    assert closed == [True]


def noted(items: list[Any], closed: list[bool]) -> Iterator[Any]:
    try:
        yield from items
    finally:
        closed.append(True)


def test_a_generator_is_closed_when_nobody_reads_on() -> None:
    closed: list[bool] = []
    items = results.begin(noted(["a", "b"], closed))

    items.close()

    assert closed == [True]
    assert items_of(stream_of(items)) == [b"a"]


def test_whatever_is_no_generator_is_not_begun() -> None:
    value = iter("ab")

    assert results.begin(value) is value
    assert asyncio.run(results.begin_async(value)) is value


def test_an_asynchronous_generator_streams_and_is_closed() -> None:
    async def read(limit: int) -> tuple[str, list[bytes], list[bool]]:
        closed: list[bool] = []
        stream = stream_of(await results.begin_async(noted_async(["data: 1", b"2"], closed)))
        assert isinstance(stream.items, results.AsyncItems)
        items = [await stream.items.__anext__() for _ in range(limit)]
        await stream.items.aclose()
        return dict(stream.head.headers)["content-type"], items, closed

    assert asyncio.run(read(2)) == ("text/event-stream", [b"data: 1", b"2"], [True])
    assert asyncio.run(read(1)) == ("text/event-stream", [b"data: 1"], [True])


async def noted_async(items: list[Any], closed: list[bool]) -> AsyncIterator[Any]:
    try:
        for item in items:
            yield item
    finally:
        closed.append(True)


def test_an_asynchronous_generator_that_fails_at_once_is_closed() -> None:
    closed: list[bool] = []

    with pytest.raises(TypeError, match="yielded int"):
        asyncio.run(results.begin_async(noted_async([1], closed)))

    assert closed == [True]


def test_an_asynchronous_generator_of_nothing_is_an_empty_text() -> None:
    async def read() -> list[bytes]:
        stream = stream_of(await results.begin_async(noted_async([], [])))
        assert isinstance(stream.items, AsyncIterator)
        return [item async for item in stream.items]

    assert asyncio.run(read()) == []
