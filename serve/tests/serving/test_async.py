"""`async def run`: many requests at once in one worker, each on its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .process import Server, eventually
from .wires import PROBE, Ended, Wire, post

SCRIPT = """
import asyncio, os, resource, sys, time
running = most = 0

async def init():
    global loop
    loop = asyncio.get_running_loop()

async def run(data):
    global running, most
    word, _, rest = data.partition(" ")
    running += 1
    most = max(most, running)
    try:
        return await DO.get(word, echo)(rest)
    except asyncio.CancelledError:
        mark(rest + ".cancelled")
        raise
    finally:
        running -= 1

def mark(path): open(path, "w").close()

async def echo(text):
    await asyncio.sleep(0)
    return text

async def until(path):
    while not os.path.exists(path): await asyncio.sleep(0.002)

async def meet(count):  # returns when so many have been here together
    while most < int(count): await asyncio.sleep(0.002)
    return "met"

async def seen(_): return most
async def pid(folder):  # waits for a colleague
    mark(f"{folder}/{os.getpid()}")
    while len(os.listdir(folder)) < 2: await asyncio.sleep(0.002)
    return os.getpid()

async def hold(path):
    mark(path)
    await until(path + ".go")
    return "held"

async def block(path):  # the whole loop, as bad scripts do
    mark(path)
    while not os.path.exists(path + ".go"): time.sleep(0.001)
    return "blocked"

async def cancel_yourself(_): raise asyncio.CancelledError
async def leave(_): sys.exit(0)
async def close(_): os.closerange(3, 100)

async def stubborn(path):
    try: await hold(path)
    except asyncio.CancelledError: return "never mind"

async def use_up(_):  # leaves no descriptor for anything to come
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))

async def stream(path):
    async def items():
        try:
            yield "first"
            await until(path)
            yield "second"
        finally: mark(path + ".closed")
    return items()

async def broken_stream(_):
    async def items():
        yield "first"
        raise RuntimeError("half-way")
    return items()

async def endless(path):
    async def items():
        try:
            while True: yield "x" * 10000
        finally: mark(path + ".closed")
    return items()

async def same_loop(_): return asyncio.get_running_loop() is loop

DO = {name: value for name, value in globals().items() if asyncio.iscoroutinefunction(value)}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(SCRIPT) as server:
        yield server.ready()
        eventually(lambda: busy(server) == "0 of 1")
        assert server.stop() == 0


def busy(server: Server) -> str:
    return server.ask("GET", "/").headers.get("x-verdazul-busy-workers", "")


def exists(path: Path) -> None:
    eventually(path.exists)


def test_a_hundred_requests_sleep_at_the_same_time_in_one_worker(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(server.path)) for _ in range(100)]
        for wire in wires:
            wire.send(post("meet 100"))

        assert [wire.read().json for wire in wires] == ["met"] * 100


def test_more_than_the_limit_wait_in_order() -> None:
    with Server(SCRIPT, VERDAZUL_ASYNC_CONCURRENCY="2") as server, contextlib.ExitStack() as stack:
        server.ready()
        wires = [stack.enter_context(Wire(server.path)) for _ in range(20)]
        for number, wire in enumerate(wires):
            wire.send(post(f"echo {number}"))

        assert [wire.read().json for wire in wires] == [str(number) for number in range(20)]
        assert server.score("seen").json == 2


def test_two_workers_share_the_requests(tmp_path: Path) -> None:
    two = Server(SCRIPT, WORKER_COUNT="2", VERDAZUL_ASYNC_CONCURRENCY="1")
    with two as server, ThreadPoolExecutor() as pool:
        pids = set(pool.map(lambda _: server.ready().score(f"pid {tmp_path}").json, range(2)))

    assert len(pids) == 2


def test_requests_on_one_connection_are_answered_in_order(server: Server) -> None:
    with Wire(server.path) as wire:
        wire.send(b"".join(post(f"echo {number}") for number in range(30)) + PROBE + post("echo x"))

        answers = [wire.read() for _ in range(32)]
    assert [answer.json for answer in answers[:30]] == [str(number) for number in range(30)]
    assert (answers[30].body, answers[31].json) == (b"Healthy", "x")


def test_probes_answer_while_the_loop_is_blocked(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "block"
    with Wire(server.path) as wire, Wire(server.path) as other:
        wire.send(post(f"block {path}"))
        exists(path)
        for _ in range(20):
            assert other.probe().status == 200
        (tmp_path / "block.go").touch()

        assert wire.read().json == "blocked"


# leaving, and time


def test_a_caller_that_leaves_is_cancelled_alone(server: Server, tmp_path: Path) -> None:
    staying, leaving = tmp_path / "stay", tmp_path / "leave"
    with Wire(server.path) as wire:
        wire.send(post(f"hold {staying}"))
        with Wire(server.path) as gone:
            gone.send(post(f"hold {leaving}"))
            exists(leaving)
        exists(tmp_path / "leave.cancelled")
        (tmp_path / "stay.go").touch()

        assert wire.read().json == "held"
        assert not (tmp_path / "stay.cancelled").exists()
    eventually(lambda: busy(server) == "0 of 1")


def test_a_caller_that_left_before_its_task_began_costs_nothing(
    server: Server, tmp_path: Path
) -> None:
    blocked, leaving = tmp_path / "block", tmp_path / "leave"
    with Wire(server.path) as wire:
        wire.send(post(f"block {blocked}"))
        exists(blocked)
        with Wire(server.path) as gone:
            gone.send(post(f"hold {leaving}"))
            gone.send(b"")
            server.ask("GET", "/")  # answered after the request was lent
        for _ in range(3):
            server.ask("GET", "/")  # and after its client was seen to leave
        (tmp_path / "block.go").touch()
        assert wire.read().json == "blocked"

    eventually(lambda: busy(server) == "0 of 1")
    assert not leaving.exists()


def test_the_scoring_timeout_ends_one_and_leaves_the_others(tmp_path: Path) -> None:
    with Server(SCRIPT, SCORING_TIMEOUT_MS="300") as server, Wire(server.ready().path) as slow:
        slow.send(post(f"hold {tmp_path / 'slow'}"))
        answers = [server.score(f"echo {number}").json for number in range(20)]
        late = slow.read()

        assert answers == [str(number) for number in range(20)]
        assert late.json == {"message": "Scoring timeout after 300 ms"}
        assert (tmp_path / "slow.cancelled").exists()
        assert slow.ask("same_loop ").json is True  # the connection and the loop go on


def test_a_caller_whose_time_is_up_is_cancelled_and_told(server: Server, tmp_path: Path) -> None:
    with Wire(server.path) as wire:
        answer = wire.ask(f"hold {tmp_path / 'x'}", "x-envoy-expected-rq-timeout-ms: 50")

        assert (answer.status, answer.json) == (408, {"message": "The caller's time was up."})
        assert (tmp_path / "x.cancelled").exists()
        assert wire.ask("echo on").json == "on"


def test_a_run_that_cancels_itself_has_failed(server: Server) -> None:
    with Wire(server.path) as wire:
        assert wire.ask("cancel_yourself ").status == 500
        assert wire.ask("echo on").json == "on"


def test_sys_exit_costs_its_own_request_only(server: Server, tmp_path: Path) -> None:
    with Wire(server.path) as wire, Wire(server.path) as other:
        other.send(post(f"hold {tmp_path / 'x'}"))
        exists(tmp_path / "x")

        assert wire.ask("leave ").status == 500
        (tmp_path / "x.go").touch()
        assert other.read().json == "held"


def test_a_run_that_answers_its_own_cancellation_serves_on(server: Server, tmp_path: Path) -> None:
    with Wire(server.path) as leaving:
        leaving.send(post(f"stubborn {tmp_path / 'x'}"))
        exists(tmp_path / "x")

    eventually(lambda: busy(server) == "0 of 1")
    assert server.score("echo on").json == "on"


def test_a_script_that_closes_our_socket_loses_its_worker_not_the_server() -> None:
    with Server(SCRIPT) as server:
        answer = server.ready().score("close ")

        assert answer.status == 500
        assert answer.message.endswith(": exit code 1.")
        assert server.score("echo on").json == "on"


def test_a_worker_that_can_open_nothing_more_is_replaced_unseen() -> None:
    with Server(SCRIPT) as server:
        assert server.ready().score("use_up ").status == 200
        assert server.score("echo on").json == "on"
        assert "too many files open" in server.log


def test_a_blocked_loop_is_replaced_although_nobody_else_asks(tmp_path: Path) -> None:
    with Server(SCRIPT, WORKER_TIMEOUT="0.5") as server:
        answer = server.ready().score(f"block {tmp_path / 'x'}")

        assert answer.status == 500
        assert answer.message.endswith("it ran longer than WORKER_TIMEOUT (0.5 s).")
        assert server.score("echo on").json == "on"


def test_an_idle_or_sleeping_worker_is_not_taken_for_a_blocked_one(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with Server(SCRIPT, WORKER_TIMEOUT="0.3") as server, Wire(server.ready().path) as wire:
        wire.ask("echo x")
        threading.Event().wait(0.7)  # idle for longer than the timeout
        wire.send(post(f"hold {path}"))
        exists(path)
        threading.Event().wait(0.7)  # and asleep
        (tmp_path / "x.go").touch()

        assert wire.read().json == "held"
        assert "is replaced" not in server.log


# streams


def test_a_stream_is_sent_item_by_item(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "go"
    with Wire(server.path) as wire:
        wire.send(post(f"stream {path}"))
        assert "transfer-encoding: chunked" in wire.head()
        first = wire.chunk()
        path.touch()  # only now is the second one made

        assert [first, wire.chunk(), wire.chunk()] == [b"first", b"second", b""]
        assert (tmp_path / "go.closed").exists()
        assert wire.ask("echo on").json == "on"


def test_a_stream_whose_reader_leaves_between_two_items_is_closed(
    server: Server, tmp_path: Path
) -> None:
    with Wire(server.path) as wire:
        wire.send(post(f"stream {tmp_path / 'go'}"))
        wire.head()
        wire.chunk()

    exists(tmp_path / "go.closed")


def test_a_stream_whose_reader_is_slow_or_leaves_holds_up_nobody(
    server: Server, tmp_path: Path
) -> None:
    with Wire(server.path) as wire:
        wire.send(post(f"endless {tmp_path / 'x'}"))
        wire.head()
        assert [server.score(f"echo {number}").json for number in range(5)] == list("01234")

    exists(tmp_path / "x.closed")


def test_a_stream_that_fails_half_way_is_seen_to_break(server: Server) -> None:
    with Wire(server.path) as wire:
        wire.send(post("broken_stream "))
        wire.head()
        assert wire.chunk() == b"first"
        with pytest.raises(Ended):
            wire.chunk()


def test_sigterm_lets_tasks_and_streams_finish(tmp_path: Path) -> None:
    path = tmp_path / "go"
    with Server(SCRIPT) as server, Wire(server.ready().path) as one, Wire(server.path) as other:
        one.send(post(f"hold {path}"))
        other.send(post(f"stream {tmp_path / 'go.go'}"))
        other.head()
        exists(path)
        server.process.terminate()
        eventually(lambda: "SIGTERM" in server.log)
        (tmp_path / "go.go").touch()

        assert one.read().json == "held"
        assert [other.chunk(), other.chunk(), other.chunk()] == [b"first", b"second", b""]
        assert server.wait() == 0
