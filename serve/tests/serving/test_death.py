"""Workers die in every way there is, under load: each death costs what was in hand, no more."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .process import Server, eventually
from .wires import Ended, Wire, post

SCRIPT = """
import ctypes, faulthandler, os, signal, sys
def init(): pass
def run(data):
    if data == "pid": return os.getpid()
    if data == "kill": os.kill(os.getpid(), signal.SIGKILL)
    if data == "exit": os._exit(7)
    if data == "segfault": faulthandler._sigsegv()
    if data == "null": ctypes.string_at(0)
    if data == "abort": os.abort()
    if data == "sys.exit": sys.exit("tired")
    if data == "memory": return bytearray(1 << 62)
    if data == "deep": return run(data)
    if data == "nested":
        value = []
        for _ in range(100_000): value = [value]
        return value
    if data == "interrupt": raise KeyboardInterrupt
    if data == "stream":
        def items():
            yield "begun"
            os._exit(7)
        return items()
    if data == "say":
        print("last words")
        os._exit(7)
    return data
"""
DEADLY = {
    "kill": "killed by signal 9 (SIGKILL)",
    "exit": "exit code 7",
    "segfault": "killed by signal 11 (SIGSEGV)",
    "null": "killed by signal 11 (SIGSEGV)",
    "abort": "killed by signal 6 (SIGABRT)",
}
CALLERS = 6


class Load:
    """Callers with kept connections that ask without a pause; `lost` is what went wrong."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._over = threading.Event()
        self.served = [0] * CALLERS
        self.lost: list[str] = []

    def __enter__(self) -> Load:  # noqa: PYI034  # Self is 3.11
        self._pool = ThreadPoolExecutor(CALLERS)
        self._callers = [self._pool.submit(self._call, number) for number in range(CALLERS)]
        self.go_on()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._pool.shutdown()
        for caller in self._callers:
            caller.result()

    def go_on(self) -> None:
        """Return when everybody has been served some more."""
        before = self.served[:]
        eventually(lambda: all(now > then + 5 for now, then in zip(self.served, before)))

    def _call(self, caller: int) -> None:
        with contextlib.ExitStack() as stack:
            wire = stack.enter_context(Wire(self._server.path))
            while not self._over.is_set():
                body = f"{caller} {self.served[caller]}"
                try:
                    got = wire.ask(body)
                except (Ended, ConnectionError):
                    self.lost.append("broken")
                    wire = stack.enter_context(Wire(self._server.path))
                    continue
                if got.status == 200:
                    assert got.json == body
                    self.served[caller] += 1
                else:
                    self.lost.append(f"{got.status} {got.json['message']}")


@pytest.mark.parametrize("word", DEADLY)
def test_who_kills_a_worker_is_told_how_and_nobody_else_notices(word: str) -> None:
    with Server(SCRIPT, WORKER_COUNT="2") as server, Load(server.ready()) as load:
        response = server.score(word)
        load.go_on()

        assert response.status == 500
        assert response.headers["x-ms-run-function-failed"] == "True"
        assert response.message.startswith(
            f"The worker process died while it ran this request: {DEADLY[word]}"
        )
        assert load.lost == []


def test_a_worker_killed_from_outside_costs_at_most_one_request_that_is_told_why() -> None:
    with Server(SCRIPT, WORKER_COUNT="2") as server, Load(server.ready()) as load:
        for deaths in range(1, 5):
            os.kill(server.score("pid").json, signal.SIGKILL)
            eventually(lambda: server.log.count(" died: killed by signal 9") == deaths)  # noqa: B023
            load.go_on()

        assert len(load.lost) <= 4
        for each in load.lost:
            assert each == "broken" or "died while it ran this request: killed by" in each
        eventually(lambda: "\nverdazul_workers_ready 2\n" in figures(server))


@pytest.mark.parametrize("word", ["sys.exit", "memory", "deep", "nested", "interrupt"])
def test_what_can_be_survived_costs_its_request_and_no_worker(word: str) -> None:
    with Server(SCRIPT) as server, Wire(server.ready().path) as wire:
        pid = wire.ask("pid").json

        assert wire.ask(word).status == 500
        assert wire.ask("pid").json == pid
        assert " died: " not in server.log


def test_kept_connections_outlive_the_worker_that_had_them() -> None:
    with Server(SCRIPT) as server, contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(server.ready().path)) for _ in range(20)]
        for wire in wires:
            assert wire.ask("x").json == "x"
        assert wires.pop().ask("exit").headers["connection"] == "close"

        assert {wire.ask("x").json for wire in wires} == {"x"}


def test_what_was_sent_behind_the_deadly_request_is_served_by_the_next_worker() -> None:
    with Server(SCRIPT) as server, Wire(server.ready().path) as wire:
        wire.send(post("a") + post("exit") + post("b") + b"GET / HTTP/1.1\r\n\r\n" + post("c"))
        got = [wire.read() for _ in range(5)]

        assert got.pop(3).status in {200, 503}  # the probe: there may be no worker yet
        assert [each.status for each in got] == [200, 500, 200, 200]
        assert [got[0].json, got[2].json, got[3].json] == ["a", "b", "c"]


def test_a_stream_whose_worker_dies_is_seen_to_break() -> None:
    with Server(SCRIPT) as server, Wire(server.ready().path) as wire:
        wire.send(post("stream"))
        assert "200 OK" in wire.head()
        assert wire.chunk() == b"begun"

        with pytest.raises(Ended):
            wire.chunk()
        assert server.score("x").json == "x"


def test_no_line_that_was_logged_before_a_death_is_lost_or_told_twice() -> None:
    with Server(SCRIPT) as server, Wire(server.ready().path) as wire:
        for number in range(30):
            wire.ask("x", f"x-request-id: id-{number}")
        wire.ask("say")
        server.score("x")
        log = server.log

        assert [log.count(f"[id-{number}] - POST /score 200") for number in range(30)] == [1] * 30
        assert log.count("last words") == 1
        assert log.count("] - POST /score 500 ") == 1


def test_dead_workers_leave_no_descriptor_behind() -> None:
    with Server(SCRIPT, WORKER_COUNT="2") as server:
        before = descriptors(server.ready())
        for deaths in range(1, 5):
            assert server.score("exit").status == 500
            eventually(lambda: f"\nverdazul_worker_restarts_total {deaths}\n" in figures(server))  # noqa: B023
            eventually(lambda: "\nverdazul_workers_ready 2\n" in figures(server))

        eventually(lambda: descriptors(server) == before)


def figures(server: Server) -> str:
    return server.ask("GET", "/metrics").body.decode()


def descriptors(server: Server) -> list[int]:
    """How many are open in the parent, the zygote and the mother."""
    pids = [server.process.pid, *server.descendants()[:2]]
    return [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids]
