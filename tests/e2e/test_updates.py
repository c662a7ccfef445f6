"""Changing what serves, with real processes: nothing restarts in vain, nothing held is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.system import System, eventually

pytestmark = pytest.mark.e2e

SCRIPT = """
import os, time

def init(): ...

def run(raw_data):
    return events(raw_data) if raw_data else "VERSION"

def events(gate):
    yield "data: one\\n\\n"
    while not os.path.exists(gate):
        time.sleep(0.01)
    yield "data: two\\n\\n"
"""
PATIENT = "request_settings: {request_timeout_ms: 60000, max_concurrent_requests_per_instance: 9}\n"
WORKERS = {"WORKER_COUNT": "2"}
ALERT = """\
readiness_probe: {initial_delay: 1, period: 1, timeout: 1, failure_threshold: 1}
liveness_probe: {initial_delay: 1, period: 1, timeout: 1, failure_threshold: 3}
"""


def pids(system: System, endpoint: str) -> dict[str, int]:
    return {name: seen["pid"] for name, seen in system.instances(endpoint).items()}


def is_leaving(system: System, endpoint: str, instance: str) -> bool:
    return bool(system.instances(endpoint)[instance]["phase"] == "stopping")


@contextmanager
def stream(system: System, endpoint: str, deployment: str, gate: Path) -> Iterator[Iterator[str]]:
    """A stream whose second event waits for the gate; its first has arrived."""
    pin = {"azureml-model-deployment": deployment}
    with (
        system.client(endpoint, **pin) as client,
        client.stream("POST", "score", content=str(gate)) as answer,
    ):
        pieces = answer.iter_text()
        assert next(pieces) == "data: one\n\n"
        yield pieces


@pytest.mark.azure(63, 65, 69)
def test_a_stream_outlives_the_update_although_its_time_was_raised_later(
    system: System, tmp_path: Path
) -> None:
    system.run("online-endpoint", "create", "-n", "rolled")
    first = system.deployment(
        "rolled", "blue", score=SCRIPT, variables=WORKERS, extra=PATIENT.replace("60000", "1000")
    )
    system.run("online-deployment", "create", "-f", str(first), "--all-traffic")
    before = pids(system, "rolled")
    system.run(
        *("online-deployment", "update", "-e", "rolled", "-n", "blue"),
        *("--set", "request_settings.request_timeout_ms=60000", "tags.team=risk"),
    )
    system.run("online-endpoint", "update", "-n", "rolled", "--set", "tags.team=risk")
    system.split("rolled", "blue=0")
    system.split("rolled", "blue=100")
    assert pids(system, "rolled") == before

    gate = tmp_path / "gate"
    with stream(system, "rolled", "blue", gate) as pieces:
        second = system.deployment(
            "rolled",
            "blue",
            score=SCRIPT.replace("VERSION", "second"),
            variables=WORKERS,
            extra=PATIENT,
        )
        system.run("online-deployment", "update", "-f", str(second))
        (old,) = before
        eventually(lambda: is_leaving(system, "rolled", old))
        with system.client("rolled") as client:
            answers = {client.post("score").json() for _ in range(300)}
        gate.touch()
        rest = "".join(pieces)

    assert (answers, rest) == ({"second"}, "data: two\n\n")
    eventually(lambda: old not in system.instances("rolled"))


@pytest.mark.azure(65)
def test_a_deletion_lets_a_stream_end_first(system: System, tmp_path: Path) -> None:
    system.run("online-endpoint", "create", "-n", "deleted")
    file = system.deployment("deleted", "blue", score=SCRIPT, extra=PATIENT)
    system.run("online-deployment", "create", "-f", str(file))
    (only,) = system.instances("deleted")
    gate = tmp_path / "gate"

    with stream(system, "deleted", "blue", gate) as pieces:
        delete = ("online-deployment", "delete", "-e", "deleted", "-n", "blue", "--yes")
        system.run(*delete, "--no-wait")
        eventually(lambda: is_leaving(system, "deleted", only))
        gate.touch()
        rest = "".join(pieces)

    assert rest == "data: two\n\n"
    eventually(lambda: not system.run("online-deployment", "list", "-e", "deleted").data)


@pytest.mark.azure(71, 72, 77)
def test_a_frozen_instance_gets_nothing_and_is_replaced(system: System) -> None:
    system.serving("frozen", "blue", count=2, extra=ALERT)
    before = pids(system, "frozen")
    victim = next(iter(before))

    os.kill(before[victim], signal.SIGSTOP)
    eventually(lambda: system.instances("frozen")[victim]["phase"] != "ready")
    with system.client("frozen") as client:
        statuses = {client.post("score", json=1).status_code for _ in range(50)}

    assert statuses == {200}
    eventually(lambda: all(i["phase"] == "ready" for i in system.instances("frozen").values()))
    after = pids(system, "frozen")
    assert {name for name in after if after[name] == before[name]} == before.keys() - {victim}
