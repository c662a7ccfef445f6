"""Naming processes for good, and ending those that were written down."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from verdazul import processes
from verdazul.compute.shim import system
from verdazul.processes import ProcessRecord


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/sleep", "600"]) as process:
        yield process
        process.kill()


def recorded(process: subprocess.Popen[bytes], folder: Path) -> Path:
    record = processes.record_of(process.pid)
    assert record is not None
    processes.write_record(folder / "it.json", record)
    return folder / "it.json"


def test_recorded_process_is_stopped_and_its_record_dropped(
    sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    path = recorded(sleeper, tmp_path)

    stopped = asyncio.run(processes.stop_recorded(path))

    assert stopped is not None
    assert sleeper.wait(5) == -signal.SIGTERM
    assert not path.exists()


def test_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; echo up; while :; do sleep 0.01; done"
    with subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"

        asyncio.run(processes.stop_recorded(recorded(process, tmp_path), grace_seconds=0.05))

        assert process.wait(5) == -signal.SIGKILL


def test_stranger_with_the_same_pid_is_never_signalled(
    sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    before = ProcessRecord(sleeper.pid, "another-boot/1")
    processes.write_record(tmp_path / "it.json", before)

    assert asyncio.run(processes.stop_recorded(tmp_path / "it.json")) is None

    assert sleeper.poll() is None
    assert not processes.is_alive(before)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "birth": 1}'])
def test_damaged_record_stops_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "it.json").write_text(content)

    assert asyncio.run(processes.stop_recorded(tmp_path / "it.json")) is None


def test_zombie_is_not_alive(sleeper: subprocess.Popen[bytes]) -> None:
    record = processes.record_of(sleeper.pid)
    assert record is not None

    sleeper.kill()

    assert asyncio.run(processes.gone(record, timeout_seconds=5))
    assert not processes.is_alive(record)


def test_waiting_for_a_living_process_ends_in_time(sleeper: subprocess.Popen[bytes]) -> None:
    record = processes.record_of(sleeper.pid)
    assert record is not None

    assert not asyncio.run(processes.gone(record, timeout_seconds=0.01))


def test_shim_and_control_plane_name_a_process_alike() -> None:
    assert system.birth(os.getpid()) == processes.birth(os.getpid())
    assert processes.birth(2**22 + 1) is None
