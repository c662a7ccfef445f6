"""A call of run() that takes too long, or that nobody waits for, is broken off; others go on."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .process import Server, eventually
from .wires import Ended, Wire, post

pytestmark = pytest.mark.azure(96)

SCRIPT = """
import asyncio, os, queue, signal, subprocess, threading, time

def init(): pass

def run(data):
    word, _, rest = data.partition(" ")
    return DO.get(word, echo)(rest)

def mark(path): open(path, "w").close()
def echo(text): return text

def sleep(_): time.sleep(60)
def spin(_):
    while True: pass
def lock(_): threading.Lock().acquire() and queue.Queue().get()
def join(_):
    thread = threading.Thread(target=time.sleep, args=[60], daemon=True)
    thread.start()
    thread.join()
def loop(_): asyncio.run(asyncio.sleep(60))
def program(_): subprocess.run(["sleep", "60"])
def native(path):  # no exception reaches it before it is over
    sum(range(60_000_000))
    mark(path)
def about(seconds):
    ends = time.monotonic() + float(seconds)
    while time.monotonic() < ends: pass

def fallback(_):
    try: time.sleep(60)
    except TimeoutError: return "fallback"

def hold(path):  # until told to go on; says how it ended
    mark(path)
    try:
        while not os.path.exists(path + ".go"): time.sleep(0.001)
        return "held"
    except Exception: mark(path + ".exception")
    finally: mark(path + ".finally")

def stubborn(path):
    try: hold(path)
    except BaseException: return "never mind"

def stream(path):
    def items():
        try:
            yield "first"
            hold(path)
        finally: mark(path + ".closed")
    return items()

def own_alarm(_):
    def ring(number, frame): raise KeyError("mine")
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    try: time.sleep(60)
    except KeyError: return "mine"

DO = {name: value for name, value in globals().items() if callable(value)}
"""
TIME_UP = {"message": "The caller's time was up."}
SOON = "x-envoy-expected-rq-timeout-ms: 30"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(SCRIPT) as server:
        yield server.ready()


@pytest.fixture(scope="module")
def timed() -> Iterator[Server]:
    with Server(SCRIPT, SCORING_TIMEOUT_MS="100") as server:
        yield server.ready()


@contextlib.contextmanager
def held(server: Server, path: Path) -> Iterator[Wire]:
    with Wire(server.path) as wire:
        wire.send(post(f"hold {path}"))
        eventually(path.exists)
        yield wire


def beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


# the scoring timeout


@pytest.mark.parametrize("word", ["sleep", "spin", "lock", "join", "loop", "program"])
def test_the_scoring_timeout_reaches_whatever_run_is_doing(timed: Server, word: str) -> None:
    with Wire(timed.path) as wire:
        answer = wire.ask(word)

        assert answer.status == 500
        assert answer.json == {"message": "Scoring timeout after 100 ms"}
        assert answer.headers["x-ms-run-function-failed"] == "True"
        assert wire.ask("echo on").json == "on"


def test_native_code_is_broken_off_once_it_comes_back(timed: Server, tmp_path: Path) -> None:
    assert timed.score(f"native {tmp_path / 'x'}").message == "Scoring timeout after 100 ms"
    assert not (tmp_path / "x").exists()


def test_a_script_may_answer_its_timeout(timed: Server) -> None:
    assert timed.score("fallback").json == "fallback"


def test_a_timeout_is_an_exception_and_finally_is_run(timed: Server, tmp_path: Path) -> None:
    timed.score(f"hold {tmp_path / 'x'}")

    assert (tmp_path / "x.exception").exists()
    assert (tmp_path / "x.finally").exists()


def test_a_break_that_comes_too_late_never_hits_the_next_call() -> None:
    with Server(SCRIPT, SCORING_TIMEOUT_MS="15") as server, Wire(server.ready().path) as wire:
        for step in range(30):
            wire.send(post(f"about {0.010 + step * 0.0005}") + post("echo next"))
            assert wire.read().status in {200, 500}
            assert wire.read().json == "next"


def test_timers_and_signals_of_the_script_are_its_own(timed: Server) -> None:
    assert timed.score("own_alarm").json == "mine"
    assert timed.score("sleep").message == "Scoring timeout after 100 ms"


def test_a_stream_has_as_long_as_it_likes(timed: Server, tmp_path: Path) -> None:
    path = tmp_path / "x"
    with Wire(timed.path) as wire:
        sent = time.monotonic()
        wire.send(post(f"stream {path}"))
        wire.head()
        eventually(lambda: time.monotonic() > sent + 0.15)
        beside(path, ".go").touch()

        assert (wire.chunk(), wire.chunk()) == (b"first", b"")


def test_timeouts_are_counted(timed: Server) -> None:
    def count() -> int:
        text = timed.ask("GET", "/metrics").body.decode()
        return int(text.partition("\nverdazul_timeouts_total ")[2].split()[0])

    before = count()
    timed.score("sleep")

    assert count() == before + 1


# the caller's time


def test_a_call_that_outlasts_its_callers_time_is_broken_off_and_told(
    server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    with Wire(server.path) as wire:
        answer = wire.ask(f"hold {path}", SOON)

        assert (answer.status, answer.json) == (408, TIME_UP)
        assert beside(path, ".finally").exists()
        assert not beside(path, ".exception").exists()
        assert wire.ask("echo on").json == "on"


def test_who_has_no_time_left_when_a_worker_is_free_is_told_and_not_run(
    server: Server, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with held(server, first) as wire, Wire(server.path) as late:
        late.send(post(f"hold {second}", SOON))
        server.ask("GET", "/")
        due = time.monotonic() + 0.03
        eventually(lambda: time.monotonic() > due)
        beside(first, ".go").touch()

        assert wire.read().json == "held"
        assert late.read().status == 408
        assert not second.exists()


@pytest.mark.parametrize("value", ["0", "soon", "-5", "60000", "9" * 30])
def test_a_time_that_says_nothing_or_is_long_breaks_nothing_off(server: Server, value: str) -> None:
    assert server.score("about 0.02", {"x-envoy-expected-rq-timeout-ms": value}).status == 200


def test_a_stream_that_outlasts_its_callers_time_breaks(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "x"
    with Wire(server.path) as wire:
        wire.send(post(f"stream {path}", SOON))
        wire.head()
        assert wire.chunk() == b"first"

        with pytest.raises(Ended):
            wire.chunk()
        assert beside(path, ".closed").exists()


# leaving


def test_a_caller_that_leaves_ends_its_call_and_finally_is_run(
    server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    with held(server, path):
        pass

    eventually(beside(path, ".finally").exists)
    assert not beside(path, ".exception").exists()  # it is no Exception
    assert server.score("echo on").json == "on"


def test_a_caller_that_leaves_a_kept_connection_ends_its_call_too(
    server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    with Wire(server.path) as wire:
        for _ in range(20):  # a fast script is trusted with the connection
            wire.ask("echo on")
        wire.send(post(f"hold {path}"))
        eventually(path.exists)

    eventually(beside(path, ".finally").exists)


def test_a_caller_that_closes_its_sending_half_counts_as_gone(
    server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    with held(server, path) as wire:
        wire.sock.shutdown(socket.SHUT_WR)

        eventually(beside(path, ".finally").exists)
        with pytest.raises(Ended):
            wire.read()


def test_a_call_that_answers_all_the_same_harms_nobody(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "x"
    with Wire(server.path) as wire:
        wire.send(post(f"stubborn {path}"))
        eventually(path.exists)

    assert server.score("echo on").json == "on"
    assert beside(path, ".finally").exists()


def test_who_waits_behind_a_call_that_is_broken_off_is_served(
    server: Server, tmp_path: Path
) -> None:
    with Wire(server.path) as waiting:
        with held(server, tmp_path / "x"):
            waiting.send(post("echo on"))
            server.ask("GET", "/")

        assert waiting.read().json == "on"


def test_calls_that_were_broken_off_are_counted_and_logged(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "x"
    with Wire(server.path) as wire:
        wire.send(post(f"hold {path}", "x-request-id: i-have-left"))
        eventually(path.exists)

    eventually(lambda: "[i-have-left] - POST /score 499 " in server.log)
    assert "\nverdazul_callers_left_total 0\n" not in server.ask("GET", "/metrics").body.decode()


def test_a_batch_of_one_by_rule_is_broken_off_too(tmp_path: Path) -> None:
    path = tmp_path / "x"
    script = SCRIPT.replace("def run(data):", "def one(data):")
    script += """
from verdazul_serve import batch
@batch(max_size=1)
def run(items): return [one(item) for item in items]
"""
    with Server(script) as server:
        with held(server.ready(), path):
            pass

        eventually(beside(path, ".finally").exists)
        assert server.score("echo on").json == "on"


def test_a_rawhttp_script_is_broken_off_and_serves_on(tmp_path: Path) -> None:
    path = tmp_path / "x"
    script = SCRIPT.replace("def run(data):", "def one(data):")
    script += """
from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
@rawhttp
def run(request): return one(request.get_data(as_text=True))
"""
    with Server(script) as server:
        with held(server.ready(), path):
            pass

        eventually(beside(path, ".finally").exists)
        assert server.score("echo on").status == 200
