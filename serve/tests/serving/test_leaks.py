"""What a server has served leaves nothing behind: no memory, no open descriptor, in no process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .process import Server, dial, eventually
from .wires import Wire, post

SCRIPT = """
def init(): pass
def run(data):
    if data == "fail": raise ValueError("no such thing")
    if data == "items": return (item for item in "abc")
    return len(data)
"""
WIRES = 16
PLAIN = post('{"data": [[1, 2, 3]]}', "Content-Type: application/json", "Host: leaks")
ODD = (  # with what is answered
    (post("fail"), 500),
    (post(b"\xff"), 400),
    (post("x", target="/nowhere"), 404),
    (post("x", "x-ms-client-request-id: " + "y" * 101), 431),
    (post("x", "x-verdazul-max-queue-wait-ms: soon"), 400),
    (post("x" * 40_000), 200),
    (post("items"), 200),
    (post("x", "Transfer-Encoding: chunked"), 400),
    (b"GET / HTTP/1.1\r\n\r\n", 200),
    (b"GET /metrics HTTP/1.1\r\n\r\n", 200),
    (b"nonsense\r\n\r\n", 400),
)
SLACK_KILOBYTES = 2500  # for 40,000 requests: 64 bytes each, about the smallest of objects


class Footprint(NamedTuple):
    """Of one process."""

    kilobytes: int
    descriptors: int


def footprint(pid: int) -> Footprint:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    return Footprint(int(status.partition("VmRSS:")[2].split()[0]), len(descriptors))


def footprints(server: Server) -> dict[int, Footprint]:
    """Of every process, by pid."""
    return {pid: footprint(pid) for pid in (server.process.pid, *server.descendants())}


def assert_flat(server: Server, before: dict[int, Footprint]) -> None:
    assert set(footprints(server)) == set(before)
    for pid, (kilobytes, descriptors) in before.items():
        eventually(lambda: footprint(pid).descriptors <= descriptors)  # noqa: B023
        assert footprint(pid).kilobytes <= kilobytes + SLACK_KILOBYTES


@contextlib.contextmanager
def wires(server: Server) -> Iterator[list[Wire]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Wire(server.path)) for _ in range(WIRES)]


def serve(server: Server, requests: int) -> None:
    """Common requests on kept connections, now one at a time, now three."""
    with wires(server) as kept:
        for number in range(requests // WIRES // 2):
            together = 1 if number % 2 else 3
            for wire in kept:
                wire.send(PLAIN * together)
            for wire in kept:
                for _ in range(together):
                    assert wire.read().status == 200


def serve_short(server: Server, connections: int) -> None:
    """One request a connection, closed now by us, now by the server."""
    for number in range(connections):
        with Wire(server.path) as wire:
            assert wire.ask("abc", *["Connection: close"][: number % 2]).json == 3


def serve_odd(server: Server, rounds: int) -> None:
    """On connections of their own: failures, refusals, streams, and callers that do not wait."""
    for _ in range(rounds):
        for request, status in ODD:
            with Wire(server.path) as wire:
                wire.send(request)
                assert wire.read().status == status
        for piece in (b"", PLAIN[:40], PLAIN, PLAIN * 20, post("x" * 300_000)[:200_000]):
            with dial(server.path) as sock, contextlib.suppress(OSError):
                sock.sendall(piece)


def test_fifty_thousand_requests_leave_every_process_as_large_as_ten_thousand() -> None:
    with Server(SCRIPT) as server:
        server.ready()
        serve(server, 8_000)
        serve_short(server, 300)
        serve_odd(server, 60)
        before = footprints(server)
        serve(server, 40_000)
        serve_short(server, 2_000)
        serve_odd(server, 100)

        assert_flat(server, before)
        assert server.score("abc").json == 3
