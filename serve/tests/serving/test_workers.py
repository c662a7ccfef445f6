"""Workers: in parallel, apart from the probes, mortal, replaced."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from .process import Server, dial, eventually, is_running

pytestmark = pytest.mark.azure(86, 96)

SCRIPT = """
import os, re, signal, sys, threading, time

def init(): pass

def run(data):
    word, _, folder = data.partition(" ")
    if word == "pid": return os.getpid()
    if word == "main": return threading.current_thread() is threading.main_thread()
    if word == "die": os._exit(7)
    if word == "kill": os.kill(os.getpid(), signal.SIGKILL)
    if word in ("close", "deaf"): os.closerange(3, 100)
    if word == "deaf": time.sleep(60)
    if word == "meet":  # returns when two run at once
        open(os.path.join(folder, str(os.getpid())), "w").close()
        while len(os.listdir(folder)) < 2: time.sleep(0.001)
        return sorted(os.listdir(folder))
    if word == "hold":  # runs, saying so, until told to stop
        open(os.path.join(folder, "running"), "w").close()
        while not os.path.exists(os.path.join(folder, "go")): time.sleep(0.001)
        return "held"
    if word == "gil":  # one long C call that never lets go of the interpreter
        open(os.path.join(folder, "running"), "w").close()
        re.match("(a+)+$", "a" * 28 + "b")
        return "matched"
    if word == "endless":
        def items():
            try:
                while True: yield "x" * 10000
            finally: open(os.path.join(folder, "closed"), "w").close()
        return items()
    if word == "orphan":
        if os.fork() == 0: time.sleep(5); os._exit(0)
        os._exit(1)
    return data
"""


def in_background(server: Server, body: str) -> ThreadPoolExecutor:
    pool = ThreadPoolExecutor()
    pool.submit(server.score, body)
    return pool


def test_run_is_called_in_the_main_thread_of_a_process_that_stays() -> None:
    with Server(SCRIPT) as server:
        pids = {server.ready().score("pid").body for _ in range(3)}

        assert len(pids) == 1
        assert server.score("main").json is True


def test_several_workers_run_at_the_same_time(tmp_path: Path) -> None:
    with Server(SCRIPT, WORKER_COUNT="2") as server, ThreadPoolExecutor() as pool:
        server.ready()
        answers = list(pool.map(server.score, [f"meet {tmp_path}"] * 2))

        assert [len(answer.json) for answer in answers] == [2, 2]


def test_probes_answer_while_every_worker_holds_the_gil(tmp_path: Path) -> None:
    with Server(SCRIPT) as server, server.client() as probe:
        server.ready()
        with in_background(server, f"gil {tmp_path}"):
            eventually((tmp_path / "running").exists)
            worker = server.descendants()[-1]
            for _ in range(20):
                assert probe.ask("GET", "/").status == 200
            still_running = is_running(worker)
            os.kill(worker, signal.SIGKILL)

        assert still_running


@pytest.mark.parametrize(
    ("word", "how"),
    [
        ("die", "exit code 7"),
        ("kill", "killed by signal 9 (SIGKILL); the machine or its memory limit may be exhausted"),
        ("orphan", "exit code 1"),
    ],
)
def test_a_worker_that_dies_costs_its_request_only(word: str, how: str, tmp_path: Path) -> None:
    with Server(SCRIPT, WORKER_COUNT="2") as server, ThreadPoolExecutor() as pool:
        server.ready()
        held = pool.submit(server.score, f"hold {tmp_path}")
        eventually((tmp_path / "running").exists)
        lost = server.score(word)
        (tmp_path / "go").touch()

        assert lost.status == 500
        said = re.sub(r" \(its peak was \d+ MiB\)", "", lost.message)
        assert said == f"The worker process died while it ran this request: {how}."
        assert lost.headers["x-ms-run-function-failed"] == "True"
        assert held.result().body == b'"held"'
        assert server.score("x").status == 200
        for pid in server.descendants():
            os.kill(pid, 0)


def test_a_worker_killed_from_outside_is_replaced(tmp_path: Path) -> None:
    with Server(SCRIPT) as server, ThreadPoolExecutor() as pool:
        worker = server.ready().score("pid").json
        held = pool.submit(server.score, f"hold {tmp_path}")
        eventually((tmp_path / "running").exists)
        waiting = pool.submit(server.score, "pid")
        os.kill(worker, signal.SIGKILL)

        assert held.result().status == 500
        assert waiting.result().json != worker
        eventually(server.is_ready)


def test_a_probe_is_truthful_while_no_worker_lives() -> None:
    with Server(SCRIPT) as server:
        pid = server.ready().score("pid").json
        for deaths in range(1, 4):  # the backoff grows to 0.4 s
            os.kill(pid, signal.SIGKILL)
            eventually(partial(has_seen_deaths, server, deaths))
            pid = server.score("pid").json
        os.kill(pid, signal.SIGKILL)
        response = eventually(lambda: unhealthy(server))

        assert response.message == "every worker has died; they are being replaced"


def test_a_process_left_behind_by_a_dead_worker_catches_no_requests() -> None:
    script = """
import os, signal, threading, time
def init(): pass
def run(data):
    if data == "x": return data
    if os.fork() == 0: time.sleep(5); os._exit(0)
    threading.Timer(0.2, os._exit, [1]).start()
"""
    with Server(script) as server:
        assert server.ready().score("leave one behind").status == 200
        eventually(partial(has_died_idle, server))

        assert {server.score("x").status for _ in range(50)} == {200}


def has_died_idle(server: Server) -> bool:
    return server.ask("GET", "/").status == 503


def has_seen_deaths(server: Server, count: int) -> bool:
    return server.log.count(" died: ") == count


def unhealthy(server: Server) -> object:
    response = server.ask("GET", "/")
    return response if response.status == 503 else None


@pytest.mark.parametrize(
    ("word", "how"),
    [("close", "exit code 1"), ("deaf", "the script closed the server's socket")],
)
def test_a_script_that_closes_our_socket_loses_its_worker_not_the_server(
    word: str, how: str
) -> None:
    with Server(SCRIPT) as server:
        response = server.ready().score(word)

        assert response.status == 500
        assert response.message.endswith(f": {how}.")
        assert server.score("x").status == 200
        assert ("the script closed the server's socket; this" in server.log) is (word == "close")


def test_a_worker_silent_too_long_is_replaced_and_shows_where_it_hung(tmp_path: Path) -> None:
    with Server(SCRIPT, WORKER_TIMEOUT="0.3") as server:
        response = server.ready().score(f"hold {tmp_path}")

        assert response.status == 500
        assert response.message.endswith("it ran longer than WORKER_TIMEOUT (0.3 s).")
        assert "Fatal Python error: Aborted" in server.log
        assert 'score.py", line' in server.log
        assert server.score("x").status == 200


def test_three_failed_restarts_with_no_worker_alive_end_the_server(tmp_path: Path) -> None:
    script = f"""
import os
def init():
    if os.path.exists({str(tmp_path / "broken")!r}): raise RuntimeError("model is gone")
def run(data): os._exit(1)
"""
    with Server(script) as server:
        server.ready()
        (tmp_path / "broken").touch()
        server.score("x")

        assert server.wait() == 3
        assert server.failure["code"] == "UserScriptInitFailed"
        assert server.failure["message"].endswith("raised RuntimeError: model is gone")
        assert server.log.count("a worker could not be started") == 2


def test_a_request_no_worker_is_free_for_in_time_is_429(tmp_path: Path) -> None:
    with Server(SCRIPT) as server, ThreadPoolExecutor() as pool:
        held = pool.submit(server.ready().score, f"hold {tmp_path}")
        eventually((tmp_path / "running").exists)
        late = [server.score("x", {"X-Verdazul-Max-Queue-Wait-Ms": ms}) for ms in ("0", "50")]
        (tmp_path / "go").touch()

        for response in late:
            assert response.status == 429
            assert response.message.startswith("No worker was free in time (1 running")
            reason = response.headers["ms-azureml-model-error-reason"]
            assert reason == "too_many_pending_request"
        assert held.result().status == 200
        no_wait = {"x-verdazul-max-queue-wait-ms": "0"}
        eventually(lambda: server.score("x", no_wait).status == 200)
        assert server.score("x", {"x-verdazul-max-queue-wait-ms": "-1"}).status == 400
        assert server.score("x", {"x-verdazul-max-queue-wait-ms": "9" * 500}).status == 400


def test_requests_are_run_in_the_order_they_came(tmp_path: Path) -> None:
    order = tmp_path / "order"
    script = SCRIPT.replace(
        "def run(data):", f"def run(data):\n    open({str(order)!r}, 'a').write(data[-1])"
    )
    bodies = [f"hold {tmp_path}/", *"12345"]
    with Server(script) as server:
        socks = [dial(server.ready().path) for _ in bodies]
        for sock, body in zip(socks, bodies):
            send_score(sock, body)
            server.ask("GET", "/")  # comes back after the request before it has been queued
        (tmp_path / "go").touch()
        answers = [sock.recv(65536) for sock in socks]
        for sock in socks:
            sock.close()

        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        assert order.read_text() == "/12345"


def test_many_clients_and_workers_never_mix_up_answers() -> None:
    with Server(SCRIPT, WORKER_COUNT="3") as server, ThreadPoolExecutor(16) as pool:
        server.ready()
        bodies = [f"body {number} " + "x" * (number * 37 % 5000) for number in range(400)]

        assert [answer.json for answer in pool.map(server.score, bodies)] == bodies


def send_score(sock: socket.socket, body: str) -> None:
    head = f"POST /score HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    sock.sendall((head + body).encode())


def test_a_request_whose_client_left_the_queue_is_never_started(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script = SCRIPT.replace(
        "return data\n", f"open({str(ran)!r}, 'a').write(data)\n    return data\n"
    )
    gate = tmp_path / "gate"
    gate.mkdir()
    with Server(script) as server, in_background(server.ready(), f"hold {gate}"):
        eventually((gate / "running").exists)
        with dial(server.path) as leaving:
            send_score(leaving, "left")
            server.ask("GET", "/")
        server.ask("GET", "/")
        (gate / "go").touch()
        server.score("stayed")

        assert ran.read_text() == "stayed"


def test_an_endless_stream_ends_when_its_client_leaves(tmp_path: Path) -> None:
    with Server(SCRIPT) as server:
        with dial(server.ready().path) as sock:
            send_score(sock, f"endless {tmp_path}")
            assert sock.recv(100)

        eventually((tmp_path / "closed").exists)
        assert server.score("x").status == 200


def test_a_slow_reader_of_a_stream_costs_no_memory_and_no_worker(tmp_path: Path) -> None:
    with Server(SCRIPT, WORKER_TIMEOUT="0.3") as server, dial(server.ready().path) as sock:
        send_score(sock, f"endless {tmp_path}")
        assert sock.recv(100)
        silence = threading.Event()
        silence.wait(0.6)  # twice the worker timeout, which must not count against it
        status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="utf-8")
        kilobytes = int(status.partition("VmRSS:")[2].split()[0])

        assert kilobytes < 60_000
        assert "is replaced" not in server.log


def test_async_run_and_init_share_one_loop() -> None:
    script = """
import asyncio
async def init():
    global lock, loop
    loop = asyncio.get_running_loop()
    lock = asyncio.Lock()
async def run(data):
    async with lock:
        if data == "slow": await asyncio.sleep(30)
        await asyncio.sleep(0)
        return asyncio.get_running_loop() is loop
"""
    with Server(script, SCORING_TIMEOUT_MS="200") as server:
        server.ready()
        first = server.score("x").json
        slow = server.score("slow")

        assert first is True
        assert slow.message == "Scoring timeout after 200 ms"
        assert server.score("x").json is True  # cancelled alone: the loop and the lock go on


def test_the_run_of_a_driver_module_is_used() -> None:
    files = {"driver.py": "def run(text): return 'driver ' + text"}
    script = "import driver as driver_module\ndef init(): pass\ndef run(data): pass"
    with Server(script, files=files) as server:
        assert server.ready().score("x").json == "driver x"


def test_the_script_finds_its_neighbours_and_environment_but_not_our_private_settings() -> None:
    script = """
import json, os, sys
from shapes.circle import NAME
import extra
def init(): pass
def run(data):
    return [NAME, extra.NAME, sys.path[0] == os.getcwd(), os.environ["AZUREML_MODEL_DIR"],
            "VERDAZUL_LISTEN_FD" in os.environ, sys.path[-3:]]
"""
    files = {"shapes/circle.py": "NAME = 'circle'", "src/extra.py": "NAME = 'extra'"}
    environ = {"AZUREML_SOURCE_DIRECTORY": "src", "AZUREML_MODEL_DIR": "/models/m/1"}
    with Server(script, files=files, **environ) as server:
        answer = server.ready().score("x").json
        code = str(server.code)

    assert answer[:5] == ["circle", "extra", True, "/models/m/1", False]
    assert answer[5][:2] == [code, code + "/src"]  # before the server's own folder


def test_a_large_body_comes_back_whole() -> None:
    body = json.dumps(["x" * 1000] * 8000)
    with Server(SCRIPT) as server:
        assert server.ready().score(body).json == body
