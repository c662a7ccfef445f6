"""`/metrics`: a page that Prometheus reads, figures that are right, whatever the workers do."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul_serve import metering, metrics
from verdazul_serve.board import Boards

from .process import Server, eventually

SCRIPT = """
import os, time
def init(): pass
def run(data):
    word, _, folder = data.partition(" ")
    if word == "fail": raise ValueError("no such thing")
    if word == "die": os._exit(7)
    if word == "hold":
        open(os.path.join(folder, "running"), "w").close()
        while not os.path.exists(os.path.join(folder, "go")): time.sleep(0.001)
    return data
"""
SAMPLE = re.compile(r'([a-z_:][a-z0-9_:]*)(\{[a-z]+="(?:[^"\\\n]|\\["\\n])*"\})? (\S+)')
NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]\d+)?")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


@dataclass(frozen=True)
class Figures:
    """What a page says: kinds by name, values by name and label."""

    kinds: dict[str, str] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        return self.values[f"verdazul_{name}"]

    def buckets(self, name: str) -> list[float]:
        start = f"verdazul_{name}_bucket{{"
        return [value for key, value in self.values.items() if key.startswith(start)]


def parsed(page: str) -> Figures:
    """By the rules of the text format, strictly: each family is told once and stands together."""
    assert page.endswith("\n")
    figures, name = Figures(), ""
    lines = iter(page.splitlines())
    for line in lines:
        if line.startswith("# HELP "):
            name = line.split(" ")[2]
            assert name not in figures.kinds
            words = next(lines).split(" ")
            assert words[:3] == ["#", "TYPE", name]
            figures.kinds[name] = words[3]
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        assert match[1] in {name + suffix for suffix in SUFFIXES[figures.kinds[name]]}
        key = match[1] + (match[2] or "")
        assert key not in figures.values
        assert NUMBER.fullmatch(match[3]), line
        figures.values[key] = float(match[3])
    return figures


def figures(server: Server) -> Figures:
    response = server.ask("GET", "/metrics")
    assert response.status == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parsed(response.body.decode())


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(SCRIPT) as server:
        yield server.ready()


def by_class(found: Figures) -> list[float]:
    return [found[f'requests_total{{code="{digit}xx"}}'] for digit in range(1, 6)]


def once_counted(server: Server, *classes: int) -> Figures:
    """An answer is counted when it is out, hence a little later than it is received."""
    claim = when(server, lambda found: by_class(found) == [*classes])
    return cast("Figures", eventually(claim))


def when(server: Server, claim: Callable[[Figures], bool]) -> Callable[[], Figures | None]:
    def found() -> Figures | None:
        now = figures(server)
        return now if claim(now) else None

    return found


def test_the_page_is_what_prometheus_reads(server: Server) -> None:
    server.score("x")
    found = figures(server)

    for name, kind in found.kinds.items():
        assert (kind == "counter") is name.endswith("_total")
    histograms = [name for name, kind in found.kinds.items() if kind == "histogram"]
    assert len(histograms) == 4
    for name in histograms:
        buckets = found.buckets(name.removeprefix("verdazul_"))
        assert buckets == sorted(buckets)
        assert buckets[-1] == found.values[name + "_count"]


def test_every_answer_to_score_is_counted_by_its_status_whoever_gives_it(server: Server) -> None:
    asked = [
        server.score("x"),
        server.score("x"),
        server.score("fail"),
        server.score(b"\xff"),
        server.ask("DELETE", "/score"),
        server.score("x", {"x-verdazul-max-queue-wait-ms": "soon"}),
        server.ask("GET", "/"),
        server.ask("GET", "/nowhere"),
        server.score("die"),
    ]

    assert [each.status for each in asked] == [200, 200, 500, 400, 405, 400, 200, 404, 500]
    once_counted(server, 0, 2, 0, 3, 2)


def test_a_status_of_no_class_counts_as_an_error_and_as_nothing_else() -> None:
    script = "import flask\ndef init(): pass\ndef run(data): return flask.Response('', int(data))"
    with Server(script) as server:
        server.ready()
        for status in (600, 700, 999):
            assert server.score(str(status)).status == status
        found = once_counted(server, 0, 0, 0, 0, 3)

    assert found["callers_left_total"] == 0
    assert found["queue_seconds_sum"] < 1


def test_the_time_of_each_part_is_told_once_a_request(server: Server) -> None:
    for body in ("x", "x", "fail"):
        server.score(body)
    found = figures(server)

    assert found["queue_seconds_count"] == 3  # all of them waited
    assert found["run_seconds_count"] == found["serialise_seconds_count"] == 2  # those that ended
    for name in ("queue_seconds_sum", "run_seconds_sum", "serialise_seconds_sum", "init_seconds"):
        assert 0 < found[name] < 10


def test_the_page_is_there_and_true_while_every_worker_is_busy(
    server: Server, tmp_path: Path
) -> None:
    with ThreadPoolExecutor() as pool:
        held = pool.submit(server.score, f"hold {tmp_path}")
        eventually((tmp_path / "running").exists)
        waiting = pool.submit(server.score, "x")
        found = eventually(when(server, lambda found: found["requests_waiting"] == 1))
        (tmp_path / "go").touch()
        assert held.result().status == waiting.result().status == 200

    assert (found["workers"], found["workers_ready"], found["workers_busy"]) == (1, 1, 1)
    eventually(when(server, lambda found: found["workers_busy"] == found["requests_waiting"] == 0))


def test_figures_outlive_the_worker_that_counted_them(server: Server) -> None:
    for _ in range(5):
        server.score("x")
    before = once_counted(server, 0, 5, 0, 0, 0)
    os.kill(server.descendants()[-1], signal.SIGKILL)
    after = eventually(when(server, lambda found: found["worker_restarts_total"] == 1))

    assert after["workers_ready"] == 0
    assert by_class(after) == by_class(before)
    assert after["run_seconds_sum"] == before["run_seconds_sum"]
    server.score("x")
    once_counted(server, 0, 6, 0, 0, 0)


def test_other_methods_are_refused_and_it_can_be_switched_off(server: Server) -> None:
    assert server.ask("HEAD", "/metrics").status == 200
    assert server.ask("POST", "/metrics").headers["allow"] == "GET, HEAD"
    with Server(SCRIPT, VERDAZUL_METRICS="false") as silent:
        assert silent.ready().ask("GET", "/metrics").status == 404


@given(st.integers(0, 2**53), st.floats(0, 1e9))
def test_no_figure_is_rounded_however_long_the_server_runs(count: int, seconds: float) -> None:
    board = Boards(1)[0]
    board.counters[metering.ANSWERS + 2] = count
    board.counters[metering.RUN] = seconds
    board.counters[metering.RUN + 1] = count

    found = parsed(metrics.render([board], {"worker_restarts_total": count}).body.decode())

    assert found['requests_total{code="2xx"}'] == found["worker_restarts_total"] == count
    assert found["run_seconds_count"] == count
    assert found["run_seconds_sum"] == seconds
