"""No descriptors left, no room for the log: what can be served is, and the rest afterwards."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .process import Server, eventually
from .wires import Wire, post

SCRIPT = """
import os
def init(): pass
def run(data): return os.getpid() if data == "pid" else len(data)
"""
LONG = "x" * 200_000  # travels to the worker in a file of its own


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(SCRIPT) as server:
        yield server.ready()


@contextlib.contextmanager
def no_more_descriptors(server: Server) -> Iterator[None]:
    """The parent can open nothing."""
    pid = server.process.pid
    most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, most[1]))
    yield
    resource.prlimit(pid, resource.RLIMIT_NOFILE, most)


def test_connections_that_are_open_are_served_and_new_ones_later(server: Server) -> None:
    with Wire(server.path) as wire, Wire(server.path) as new:
        assert wire.probe().status == 200
        with no_more_descriptors(server):
            new.send(post("late"))
            assert wire.probe().status == 200
            assert wire.ask("abc").json == 3

        assert new.read().json == 4


def test_a_request_that_needs_a_file_waits_for_one_and_keeps_no_probe_waiting(
    server: Server,
) -> None:
    with Wire(server.path) as wire, Wire(server.path) as other:
        assert wire.probe().status == other.probe().status == 200
        with no_more_descriptors(server):
            wire.send(post(LONG))
            for _ in range(10):
                assert other.probe().status == 200

        assert wire.read().json == len(LONG)
        assert other.ask("abc").json == 3


def test_a_worker_that_dies_meanwhile_is_replaced_later(server: Server) -> None:
    pid = server.score("pid").json
    with no_more_descriptors(server):
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: "no worker can be started for now: Too many open files" in server.log)

    assert server.score("pid").json != pid


def test_a_log_that_cannot_be_written_keeps_nobody_from_being_served() -> None:
    server = Server(SCRIPT)
    log, server.log_file = server.log_file, Path("/dev/full")
    with server:
        server.log_file = log
        log.touch()
        pid = server.ready().score("pid").json
        assert server.ask("GET", "/nowhere").status == 404
        os.kill(pid, signal.SIGKILL)

        assert server.score("pid").json != pid
        assert server.stop() == 0
