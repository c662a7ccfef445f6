"""The limits of a live server: slow peers, endless peers, more peers than there are descriptors."""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import select
import signal
import socket
from collections.abc import Iterator

import pytest

from .process import ECHO, Server, eventually
from .wires import PROBE, Ended, Wire, post

SCRIPT = """
import os
def init(): pass
def run(data):
    word, _, size = data.partition(" ")
    return "x" * int(size) if word == "large" else data
"""
LARGE = 8_000_000
LIMITS = {
    "VERDAZUL_MAX_BODY_BYTES": "1000000",
    "VERDAZUL_HEADER_TIMEOUT": "0.3",
    "VERDAZUL_IDLE_TIMEOUT": "0.5",
}
CHUNKED = b"POST /score HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(SCRIPT, files=None, **LIMITS) as server:
        yield server.ready()
        assert " died: " not in server.log
        assert "Traceback" not in server.log
        assert server.stop() == 0


# slow readers


def test_a_large_answer_that_is_not_read_holds_up_nobody_and_comes_whole_later(
    server: Server,
) -> None:
    with Wire(server.path) as slow, Wire(server.path) as other:
        slow.send(post(f"large {LARGE}"))
        for _ in range(20):
            assert other.ask("x").json == "x"

        assert len(slow.read().json) == LARGE
        assert slow.ask("x").json == "x"


def test_what_nobody_reads_is_dropped_after_the_idle_timeout(server: Server) -> None:
    with Wire(server.path) as slow:
        slow.send(post(f"large {LARGE}"))
        eventually(lambda: has_hung_up(slow))

        with pytest.raises(Ended):
            slow.read()
    assert server.score("x").json == "x"


def test_answers_never_run_into_each_other_however_slowly_they_are_read(server: Server) -> None:
    for _ in range(8):
        with Wire(server.path) as wire:
            wire.send((post("large 1000000") + post("x") + PROBE) * 3)
            for _ in range(3):
                assert wire.read().json == "x" * 1_000_000
                assert wire.read().json == "x"
                assert wire.read().body == b"Healthy"


def test_who_asks_and_never_reads_is_no_longer_heard_and_then_dropped(server: Server) -> None:
    with Wire(server.path) as wire, pytest.raises(ConnectionError):
        wire.send(PROBE * 300_000)

    assert server.score("x").json == "x"


def has_hung_up(wire: Wire) -> bool:
    """Without reading what has come before."""
    poll = select.poll()
    poll.register(wire.sock, select.POLLHUP)
    return bool(poll.poll(0))


# slow and endless writers


@pytest.mark.parametrize("start", [b"GET /", b"POST /score HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nX: "])
def test_a_head_that_trickles_in_earns_no_more_time(server: Server, start: bytes) -> None:
    with Wire(server.path, timeout=0.05) as wire:
        wire.send(start)

        assert trickled(wire, b"x") == 408


def trickled(wire: Wire, piece: bytes) -> int:
    """A piece now and then until there is an answer: its status."""
    while True:
        with contextlib.suppress(TimeoutError):
            return wire.read().status
        with contextlib.suppress(BrokenPipeError):
            wire.send(piece)


@pytest.mark.parametrize(
    ("start", "piece", "status"),
    [
        (CHUNKED, b"1000\r\n" + b"x" * 0x1000 + b"\r\n", 413),
        (CHUNKED + b"0\r\n", b"X-Late: " + b"y" * 10_000 + b"\r\n", 431),
        (CHUNKED + b"0\r\nX-Late: ", b"y" * 10_000, 431),
        (CHUNKED + b"1;", b"y" * 10_000, 431),
        (b"GET / HTTP/1.1\r\n", b"X: " + b"y" * 10_000 + b"\r\n", 431),
        (b"GET /", b"y" * 10_000, 431),
    ],
)
def test_what_never_ends_is_refused(
    server: Server, start: bytes, piece: bytes, status: int
) -> None:
    with Wire(server.path) as wire:
        wire.send(start)
        with contextlib.suppress(BrokenPipeError):
            for _ in range(1000):
                wire.send(piece)

        assert wire.read().status == status
        assert wire.is_over()


def test_who_is_refused_behind_an_answer_can_finish_sending_and_read_both(server: Server) -> None:
    with Wire(server.path) as wire:
        wire.send(post("x") + b"bad\r\n\r\n")
        wire.send(b"y" * 3_000_000)

        assert [wire.read().status, wire.read().status] == [200, 400]


# many requests, many connections


@pytest.mark.parametrize("together", [1, 5])
def test_a_connection_is_closed_after_as_many_requests_as_it_may_have(together: int) -> None:
    with Server(VERDAZUL_MAX_KEEPALIVE_REQUESTS="5") as server:
        for kinds in ([post("x")] * 5, [PROBE] * 5, [PROBE, post("x")] * 2 + [PROBE]):
            with Wire(server.ready().path) as wire:
                got = []
                for start in range(0, 5, together):
                    wire.send(b"".join(kinds[start : start + together]))
                    got += [wire.read() for _ in range(together)]

                assert [each.status for each in got] == [200] * 5
                assert [each.headers.get("connection") for each in got] == [*[None] * 4, "close"]
                assert wire.is_over()


@contextlib.contextmanager
def most_descriptors(number: int) -> Iterator[None]:
    """For processes that are started meanwhile, and for ourselves."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def crowd(server: Server, stack: contextlib.ExitStack, size: int) -> list[Wire]:
    """Kept connections; who comes faster than the server accepts tries again."""

    def admitted() -> Wire | None:
        try:
            return Wire(server.path)
        except BlockingIOError:
            return None

    return [stack.enter_context(eventually(admitted)) for _ in range(size)]


def test_more_than_a_thousand_connections_are_served_each_on_its_own() -> None:
    with most_descriptors(4000), contextlib.ExitStack() as stack:
        server = stack.enter_context(Server()).ready()
        wires = crowd(server, stack, 1300)
        for _ in range(2):
            for number, wire in enumerate(wires):
                wire.send(post(str(number)))
            assert [wire.read().json for wire in wires] == [str(each) for each in range(1300)]
        assert server.score("x").json == "x"
        assert server.stop() == 0


MANY_FILES = """
import os
def init():
    global files
    files = [open(os.devnull) for _ in range(1100)]
def run(data): return os.getpid() if data == "pid" else len(files)
"""


def test_a_script_may_hold_more_than_a_thousand_files_that_its_workers_share() -> None:
    with most_descriptors(4000), Server(MANY_FILES, WORKER_COUNT="2") as server:
        pid = server.ready().score("pid").json
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: server.log.count("ready for serving traffic") == 3)

        assert server.score("x").json == 1100
        assert server.log.count("init() has run once for 2 workers") == 1
        assert server.stop() == 0


def test_more_clients_than_descriptors_are_served_as_others_leave() -> None:
    with contextlib.ExitStack() as stack:
        with most_descriptors(64):
            server = stack.enter_context(Server()).ready()
        wires = crowd(server, stack, 150)
        for number, wire in enumerate(wires):
            wire.send(post(str(number)))
        eventually(lambda: "no more clients can be accepted for now: Too many open" in server.log)
        for number, wire in enumerate(wires):
            assert wire.read().json == str(number)
            wire.sock.close()

        assert server.score("x").json == "x"
        assert " died: " not in server.log


HOARDS = """
import os
kept = []
def init(): pass
def run(data):
    if data == "hoard":
        try:
            while True: kept.append(open(os.devnull))
        except OSError: return os.getpid()
    return len(kept)
"""


def test_a_script_that_uses_up_its_descriptors_keeps_nobody_from_being_answered() -> None:
    with most_descriptors(256), contextlib.ExitStack() as stack:
        server = stack.enter_context(Server(HOARDS)).ready()
        assert server.score("hoard").status == 200
        wires = crowd(server, stack, 20)
        for _ in range(3):
            for wire in wires:
                wire.send(post("x"))
            assert [wire.read().status for wire in wires] == [200] * 20


# what scripts and settings decide

BREAKS = """
import flask
def init(): pass
def run(data):
    response = flask.Response("x")
    name, value = {
        "value": ("X-A", "a\\r\\nSet-Cookie: evil=1"),
        "end": ("X-A", "a\\r\\n\\r\\nevil"),
        "name": ("X-A: a\\r\\nSet-Cookie", "evil=1"),
        "nul": ("X-A", "evil\\x00"),
        "far": ("X-A", "evil\\u010a"),  # a line feed, where it is cut to its lower byte
    }[data]
    response.headers._list.append((name, value))  # past the check of the library
    return response
"""


def test_no_header_of_a_script_can_begin_another() -> None:
    with Server(BREAKS) as server:
        server.ready()
        for case in ("value", "end", "name", "nul", "far"):
            response = server.score(case)

            assert response.status == 500
            assert "evil" not in str(response.headers) + response.body.decode()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def answers(port: int, method: str, target: str) -> int:
    """The status; 0 where nobody listens yet."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as client:
        try:
            client.request(method, target)
        except ConnectionRefusedError:
            return 0
        return client.getresponse().status


def test_probes_have_a_port_of_their_own_where_it_is_asked_for() -> None:
    port, health = free_port(), free_port()
    environ = {"SERVER_PORT": str(port), "HEALTH_PORT": str(health), "VERDAZUL_LISTEN_FD": ""}
    with Server(ECHO, files=None, SEPERATE_HEALTH_ENDPOINT="true", **environ) as server:
        eventually(lambda: answers(health, "GET", "/") == 200)

        assert answers(port, "GET", "/") == answers(port, "POST", "/score") == 200
        assert server.stop() == 0
