"""`@batch`: many requests, one call of run(), and to each caller its own answer."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul_serve import batching

from .process import Server, eventually
from .wires import PROBE, Wire, post

SCRIPT = """
import os, signal, time
from verdazul_serve import batch

calls = []

def init(): pass

@batch(max_size=SIZE, max_delay_ms=DELAY)
def run(items):
    calls.append(list(items))
    word, _, rest = items[0].partition(" ")
    if word == "hold":
        open(rest, "w").close()
        while not os.path.exists(rest + ".go"): time.sleep(0.001)
    if "sleep" in items: time.sleep(60)
    if "die" in items: os.kill(os.getpid(), signal.SIGKILL)
    if "bad" in items: raise ValueError("a bad item")
    if "late" in items: raise TimeoutError("the database")
    if "lost" in items: return items[1:]
    if "stream" in items: return [(part for part in "ab") if i == "stream" else i for i in items]
    return [KeyError(item) if item == "wrong" else [item, items] for item in items]
"""


def script(size: int, delay_ms: int = 60_000) -> str:
    return SCRIPT.replace("SIZE", str(size)).replace("DELAY", str(delay_ms))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(script(4), SCORING_TIMEOUT_MS="300") as server:
        yield server.ready()


@contextlib.contextmanager
def sent(server: Server, bodies: list[str | bytes]) -> Iterator[list[Wire]]:
    """Connections that have asked for these, one after the other."""
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(server.path)) for _ in bodies]
        for wire, body in zip(wires, bodies):
            wire.send(post(body))
            server.ask("GET", "/")  # is answered after the request has been read
        yield wires


@contextlib.contextmanager
def held(server: Server, path: Path) -> Iterator[None]:
    """The worker is inside run() meanwhile."""
    with Wire(server.path) as wire:
        wire.send(post(f"hold {path}"))
        eventually(path.exists)
        yield
        path.with_name(path.name + ".go").touch()
        wire.read()


# gathering


def test_a_full_batch_waits_for_nobody_and_each_caller_has_its_own_answer(server: Server) -> None:
    with sent(server, list("abcd")) as wires:
        answers = [wire.read().json for wire in wires]

    assert answers == [[item, list("abcd")] for item in "abcd"]


def test_a_lone_request_is_run_when_its_company_has_not_come() -> None:
    with Server(script(4, delay_ms=1)) as server:
        assert server.ready().score("a").json == ["a", ["a"]]


def test_what_waited_for_a_worker_is_run_in_order_and_in_full_batches(tmp_path: Path) -> None:
    bodies = [str(number) for number in range(60)]
    with Server(script(20, delay_ms=500)) as server, contextlib.ExitStack() as stack:
        with held(server.ready(), tmp_path / "x"):
            wires = stack.enter_context(sent(server, list(bodies)))
        answers = [wire.read().json for wire in wires]

    batches = [bodies[:20], bodies[20:40], bodies[40:]]
    assert answers == [[body, batches[int(body) // 20]] for body in bodies]


def test_no_batch_is_ever_larger_than_allowed_and_none_is_mixed_up() -> None:
    bodies = [str(number) for number in range(300)]
    with Server(script(3, delay_ms=1), WORKER_COUNT="2") as server, ThreadPoolExecutor(16) as pool:
        server.ready()
        answers = [answer.json for answer in pool.map(server.score, bodies)]

    assert [own for own, _ in answers] == bodies
    assert all(own in together and len(together) <= 3 for own, together in answers)


def test_requests_on_one_connection_are_not_gathered_but_answered_in_order() -> None:
    with Server(script(4, delay_ms=1)) as server, Wire(server.ready().path) as wire:
        wire.send(b"".join(post(body) for body in "abc") + PROBE)

        assert [wire.read().json for _ in "abc"] == [[body, [body]] for body in "abc"]
        assert wire.read().body == b"Healthy"


def test_an_async_run_may_be_batched_and_see_the_headers_of_each() -> None:
    text = """
from verdazul_serve import batch
async def init(): pass
@batch(max_size=2, max_delay_ms=60000)
async def run(items, request_headers): return [each["X-Who"] for each in request_headers]
"""
    with Server(text) as server, Wire(server.ready().path) as one, Wire(server.path) as other:
        one.send(post("x", "X-Who: one"))
        other.send(post("x", "X-Who: other"))

        assert (one.read().json, other.read().json) == ("one", "other")


def test_the_sizes_of_batches_are_counted() -> None:
    with Server(script(2)) as server:
        with sent(server.ready(), list("abcd")) as wires:
            assert [wire.read().status for wire in wires] == [200] * 4
        metrics = server.ask("GET", "/metrics").body.decode()

    assert 'verdazul_batch_size_bucket{le="1"} 0\n' in metrics
    assert 'verdazul_batch_size_bucket{le="2"} 2\n' in metrics
    assert "verdazul_batch_size_sum 4\n" in metrics
    assert "verdazul_run_seconds_count 4\n" in metrics


# what goes wrong for one


@pytest.mark.parametrize(
    ("bad", "status", "message"),
    [
        ("bad", 500, "An unexpected error occurred in scoring script. Check the logs for more"),
        ("wrong", 500, "An unexpected error occurred in scoring script. Check the logs for more"),
        ("late", 500, "Scoring timeout after 300 ms"),
        ("stream", 500, "An unexpected internal error occurred"),
        (b"\xff", 400, "Input cannot be decoded as UTF-8"),
    ],
)
def test_a_bad_item_fails_alone(
    server: Server, bad: str | bytes, status: int, message: str
) -> None:
    with sent(server, ["a", bad, "c", "d"]) as wires:
        answers = [wire.read() for wire in wires]

    assert [answer.status for answer in answers] == [200, status, 200, 200]
    assert answers[1].json["message"].startswith(message)
    assert [answers[index].json[0] for index in (0, 2, 3)] == ["a", "c", "d"]


def test_a_list_of_another_length_fails_all_and_says_so_in_the_log(server: Server) -> None:
    with sent(server, ["a", "lost", "c", "d"]) as wires:
        assert [wire.read().status for wire in wires] == [500] * 4

    eventually(lambda: "a batched run() returned 3 results for 4 items" in server.log)


def test_the_time_is_up_for_all_at_once_and_nobody_is_run_again(server: Server) -> None:
    with sent(server, ["sleep", "b", "c", "d"]) as wires:
        answers = [wire.read() for wire in wires]

    assert {answer.json["message"] for answer in answers} == {"Scoring timeout after 300 ms"}


def test_a_worker_that_dies_costs_its_batch_and_no_more() -> None:
    with Server(script(2)) as server, sent(server.ready(), ["die", "b", "c", "d"]) as wires:
        answers = [wire.read() for wire in wires]

    assert [answer.status for answer in answers] == [500, 500, 200, 200]
    assert answers[1].json["message"].startswith("The worker process died while it ran this")


# leaving, and time


def test_who_left_before_the_batch_was_full_is_not_run(server: Server) -> None:
    with sent(server, ["a"]) as staying:
        with sent(server, ["left"]):
            pass
        with sent(server, ["c", "d"]) as others:
            answers = [wire.read().json for wire in (*staying, *others)]

    assert answers == [[item, ["a", "c", "d"]] for item in "acd"]


def test_whose_time_was_up_before_the_batch_was_full_is_told_and_not_run(server: Server) -> None:
    with Wire(server.path) as late:
        late.send(post("late", "x-envoy-expected-rq-timeout-ms: 1"))
        server.ask("GET", "/")
        due = time.monotonic() + 0.001
        eventually(lambda: time.monotonic() > due)
        with sent(server, ["b", "c", "d"]) as wires:
            assert [wire.read().json[1] for wire in wires] == [["b", "c", "d"]] * 3

        assert late.read().status == 408


def test_who_leaves_a_running_batch_ends_it_for_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with Server(script(2)) as server, sent(server.ready(), [f"hold {path}"]) as staying:
        with sent(server, ["left"]):
            eventually(path.exists)
        for _ in range(10):
            server.ask("GET", "/")  # some of which come after the end was seen
        (tmp_path / "x.go").touch()

        assert staying[0].read().json == [f"hold {path}", [f"hold {path}", "left"]]


def test_a_server_that_stops_waits_for_no_company() -> None:
    with Server(script(4)) as server, sent(server.ready(), ["a", "b"]) as wires:
        server.process.terminate()

        assert [wire.read().json for wire in wires] == [["a", ["a", "b"]], ["b", ["a", "b"]]]
        assert server.wait() == 0


# the pure part


@given(st.lists(st.booleans(), max_size=40))
def test_bad_items_fail_and_good_ones_do_not_whoever_stands_beside_them(good: list[bool]) -> None:
    items = list(enumerate(good))
    calls = 0

    def run(asked: list[tuple[int, bool]]) -> list[int]:
        nonlocal calls
        calls += 1
        if not all(is_good for _, is_good in asked):
            raise ValueError
        return [number for number, _ in asked]

    results = batching.call(run, items)

    for (number, is_good), result in zip(items, results):
        assert result == number if is_good else isinstance(result, ValueError)
    assert len(results) == len(items)
    assert calls <= 1 + 2 * good.count(False) * max(1, len(items).bit_length())


@given(st.integers(1, 20), st.integers(0, 20))
def test_any_other_number_of_results_is_no_answer(wanted: int, given: int) -> None:
    results = batching.call(lambda _: range(given), list(range(wanted)))

    wrong = [result for result in results if isinstance(result, batching.BadBatch)]
    assert len(wrong) == (0 if given == wanted else wanted)


@pytest.mark.parametrize("returned", [None, 1, "a", b"a", {"a": 1}, {1}])
def test_what_is_no_list_is_told_by_its_kind(returned: Any) -> None:
    (reason,) = batching.call(lambda _: returned, ["x"])

    kind = type(returned).__name__
    assert str(reason) == f"a batched run() returned {kind}; it must return a list"


def test_a_run_that_turns_its_timeout_into_something_else_is_not_called_again() -> None:
    calls: list[int] = []

    def run(items: list[str]) -> None:
        calls.append(len(items))
        raise ValueError

    results = batching.call(run, list("abcd"), is_over=lambda: True)

    assert (len(results), calls) == (4, [4])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_size": 0}, "max_size is 0; it must be a whole number from 1 to 1024"),
        ({"max_size": 1025}, "max_size is 1025; it must be a whole number from 1 to 1024"),
        ({"max_size": True}, "max_size is True; it must be a whole number from 1 to 1024"),
        ({"max_size": 2.0}, "max_size is 2.0; it must be a whole number from 1 to 1024"),
        ({"max_delay_ms": -1}, "max_delay_ms is -1; it must be from 0 to 60000"),
        ({"max_delay_ms": float("nan")}, "max_delay_ms is nan; it must be from 0 to 60000"),
    ],
)
def test_a_wrong_rule_is_told(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        batching.batch(**wrong)
