"""Laws of the parts that need no process."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul_serve import settings
from verdazul_serve.__main__ import hide_working_directory
from verdazul_serve.backoff import FIRST_SECONDS, LONGEST_SECONDS, Backoff
from verdazul_serve.failure import Problem
from verdazul_serve.reading import Event, Reader, Refusal, Request
from verdazul_serve.settings import Settings
from verdazul_serve.wire import date


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)])]


REQUESTS = st.lists(
    st.sampled_from(
        [
            b"GET /?a=1 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST /score HTTP/1.1\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nT: x\r\n\r\n",
            b"POST /score HTTP/1.1\r\nContent-Length: 60\r\n\r\n" + b"x" * 60,
            b"nonsense\r\n\r\n",
        ]
    ),
    max_size=6,
)


def read(pieces: list[bytes]) -> list[Event]:
    reader = Reader(max_header_bytes=200, max_body_bytes=50)
    return [event for piece in pieces for event in reader.feed(piece)]


@given(REQUESTS, st.lists(st.integers(0, 10**6), max_size=8))
def test_requests_survive_any_cutting(requests: list[bytes], places: list[int]) -> None:
    stream = b"".join(requests)

    events = read(cut(stream, places))

    assert events == read([stream])
    assert sum(isinstance(event, Refusal) for event in events) <= 1
    assert not any(isinstance(event, Refusal) for event in events[:-1])


@given(st.lists(st.binary(max_size=100), max_size=10))
def test_any_bytes_at_all_raise_nothing_and_end_in_at_most_one_refusal(pieces: list[bytes]) -> None:
    events = read(pieces)

    assert not any(isinstance(event, Refusal) for event in events[:-1])


def test_a_trailer_never_becomes_a_header_of_the_next_request() -> None:
    chunked = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nEvil: 1\r\n\r\n"

    first, second = read([chunked + b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n"])

    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert (first.header("evil"), second.headers) == (None, (("host", "x"),))


@pytest.mark.parametrize("piece", [b"0\r\nX: " + b"y" * 50, b"0\r\n" + b"A: b\r\n" * 10, b"3;a=b"])
def test_trailers_and_extensions_of_chunks_are_held_to_the_limit_of_headers(piece: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    more = piece[-6:]

    whole = read([head + piece + more * 50 + b"\r\n\r\n"])
    cut_up = read([head, piece, *[more] * 50, b"\r\n\r\n"])

    assert [getattr(event, "status", None) for event in cut_up] == [431]
    assert piece.startswith(b"3") or whole == cut_up


def test_a_body_in_tiny_chunks_takes_no_more_memory_than_in_one() -> None:
    chunks = b"2\r\nab\r\n" * 100_000
    reader = Reader(max_header_bytes=200, max_body_bytes=10**6)
    tracemalloc.start()
    reader.feed(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    for start in range(0, len(chunks), 7000):
        reader.feed(chunks[start : start + 7000])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    (request,) = reader.feed(b"0\r\n\r\n")
    assert isinstance(request, Request)
    assert request.body == b"ab" * 100_000
    assert peak < 2 * len(request.body)


@given(st.lists(st.floats(0, 1000), max_size=30))
def test_backoff_doubles_within_its_bounds_and_forgives_after_a_healthy_minute(
    lives: list[float],
) -> None:
    backoff, previous = Backoff(), FIRST_SECONDS / 2
    for ready_seconds in lives:
        wait, backoff = backoff.after(ready_seconds)
        expected = FIRST_SECONDS if ready_seconds >= 60 else min(previous * 2, LONGEST_SECONDS)
        assert wait == expected
        previous = wait


@given(st.builds(Problem, *[st.text()] * 4, st.lists(st.text()).map(tuple)))
def test_a_problem_survives_json(problem: Problem) -> None:
    assert Problem.from_json(problem.to_json()) == problem


def test_only_the_working_directory_is_hidden(tmp_path: Path) -> None:
    for first, kept in (("", False), (str(Path.cwd()), False), (str(tmp_path), True)):
        path = [first, "/lib"]
        hide_working_directory(path)
        assert (path == [first, "/lib"]) is kept


def test_dates_are_those_of_http() -> None:
    assert date(1795375324) == "Sun, 22 Nov 2026 19:22:04 GMT"


def test_settings_have_the_documented_defaults_and_every_variable_is_documented() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]*) \|", readme, re.MULTILINE))
    source = Path(settings.__file__).read_text(encoding="utf-8")
    names = set(re.findall(r'"((?:[A-Z]+_)+[A-Z]+)"', source))
    defaults = Settings.read({}, cwd="/here")

    assert set(table) == names
    assert table["SCORING_TIMEOUT_MS"] == str(defaults.scoring_timeout_ms)
    assert table["WORKER_TIMEOUT"] == f"{defaults.worker_timeout_seconds:g}"
    assert table["VERDAZUL_MAX_BODY_BYTES"] == str(defaults.max_body_bytes)
    assert table["VERDAZUL_MAX_HEADER_BYTES"] == str(defaults.max_header_bytes)
    assert table["VERDAZUL_IDLE_TIMEOUT"] == f"{defaults.idle_timeout_seconds:g}"
    assert table["VERDAZUL_HEADER_TIMEOUT"] == f"{defaults.header_timeout_seconds:g}"
    assert (defaults.worker_count, defaults.port, defaults.host) == (1, 5001, "127.0.0.1")
