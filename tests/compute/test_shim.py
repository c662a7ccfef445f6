"""The shim around plain commands, as `wrap` starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul import processes
from verdazul.compute.shim.child import CANNOT_RUN
from verdazul.compute.shim.log import Log
from verdazul.compute.shim_launch import wrap

PYTHON = str(Path(sys.executable).resolve())


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """What a test starts is ended with it."""
    held: list[subprocess.Popen[bytes]] = []
    yield held
    for process in held:
        process.kill()
        process.communicate()


Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> Start:
    def run(*argv: str, **options: Any) -> subprocess.Popen[bytes]:
        command = wrap(
            list(argv),
            home=tmp_path,
            name="it",
            log_dir=tmp_path / "logs",
            grace_seconds=options.get("grace_seconds", 10),
            log_bytes=options.get("log_bytes", 10_000),
            log_files=options.get("log_files", 2),
            rows=options.get("rows"),
        )
        process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE)
        started.append(process)
        return process

    return run


def log_of(folder: Path) -> str:
    path = folder / "logs" / "it.txt"
    return path.read_text(errors="replace") if path.exists() else ""


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.005)


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_shim_exits_as_its_command_does(start: Start, script: str, code: int) -> None:
    assert start("/bin/sh", "-c", script).wait(10) == code


def test_stdout_and_stderr_are_in_one_log(start: Start, tmp_path: Path) -> None:
    start("/bin/sh", "-c", "echo out; echo err >&2").wait(10)

    assert log_of(tmp_path) == "out\nerr\n"


def test_stdout_may_have_a_file_of_its_own_bounded_too(start: Start, tmp_path: Path) -> None:
    script = "echo err >&2; i=0; while [ $i -lt 99 ]; do echo row $i; i=$((i+1)); done"
    start("/bin/sh", "-c", script, rows="rows.jsonl", log_bytes=200, log_files=1).wait(10)

    kept = [tmp_path / "logs" / name for name in ("rows.jsonl.1", "rows.jsonl")]
    assert log_of(tmp_path) == "err\n"
    assert all(path.stat().st_size <= 200 for path in kept)
    assert "".join(path.read_text() for path in kept).endswith("row 97\nrow 98\n")


def test_command_that_cannot_run_is_named(start: Start) -> None:
    process = start("/nowhere/envoy")

    _, said = process.communicate(timeout=10)

    assert process.returncode == CANNOT_RUN
    assert said.startswith(b"cannot run /nowhere/envoy: [Errno 2] No such file or directory")


@pytest.mark.parametrize("line", ["x" * 99, "x" * 2_000_000], ids=["lines", "one endless line"])
def test_log_is_bounded_whatever_is_printed(start: Start, tmp_path: Path, line: str) -> None:
    script = f"for i in range(max(1, 1_000_000 // {len(line)})): print('x' * {len(line)})"

    assert start(PYTHON, "-c", script + "\nprint('last')").wait(20) == 0

    files = sorted((tmp_path / "logs").iterdir())
    assert [file.name for file in files] == ["it.txt", "it.txt.1", "it.txt.2"]
    assert all(file.stat().st_size <= 10_000 for file in files)
    assert log_of(tmp_path).endswith("last\n")


def test_each_run_begins_a_new_log_and_keeps_the_one_before(start: Start, tmp_path: Path) -> None:
    for word in ("one", "two"):
        start("/bin/echo", word).wait(10)

    assert log_of(tmp_path) == "two\n"
    assert (tmp_path / "logs" / "it.txt.1").read_text() == "one\n"


def test_sigterm_lets_the_command_end_by_itself(start: Start, tmp_path: Path) -> None:
    process = start(
        "/bin/sh", "-c", "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.01; done"
    )
    until(lambda: "up" in log_of(tmp_path), "up")

    process.terminate()

    assert process.wait(10) == 5
    assert log_of(tmp_path).endswith("bye\n")


def test_command_that_ignores_sigterm_is_killed_after_the_grace(
    start: Start, tmp_path: Path
) -> None:
    process = start(
        "/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.01; done", grace_seconds=0
    )
    until(lambda: "up" in log_of(tmp_path), "up")

    process.terminate()

    assert process.wait(10) == 128 + signal.SIGKILL


def test_other_signals_are_passed_on(start: Start, tmp_path: Path) -> None:
    process = start(
        "/bin/sh", "-c", "trap 'echo reopened' USR1; echo up; while :; do sleep 0.01; done"
    )
    until(lambda: "up" in log_of(tmp_path), "up")

    process.send_signal(signal.SIGUSR1)

    until(lambda: "reopened" in log_of(tmp_path), "the signal arrived")


def test_command_does_not_outlive_a_killed_shim(start: Start, tmp_path: Path) -> None:
    process = start("/bin/sh", "-c", "echo $$; exec sleep 600")
    until(lambda: log_of(tmp_path).endswith("\n"), "pid printed")
    child = processes.record_of(int(log_of(tmp_path)))
    assert child is not None

    process.kill()

    until(lambda: not processes.is_alive(child), "the command died with its shim")


def test_nothing_the_command_started_outlives_it(start: Start, tmp_path: Path) -> None:
    script = "sleep 600 & echo $!; setsid sleep 600 & echo $!; sleep 0.1; exit 0"

    assert start("/bin/sh", "-c", script).wait(10) == 0

    left = [int(pid) for pid in log_of(tmp_path).split()]
    assert len(left) == 2
    assert [pid for pid in left if processes.birth(pid)] == []


def test_command_gets_default_signals_and_no_foreign_files(start: Start, tmp_path: Path) -> None:
    start("/bin/sh", "-c", "grep SigIgn /proc/self/status; ls -l /proc/self/fd | wc -l").wait(10)

    ignored, files = log_of(tmp_path).splitlines()
    # the C library keeps two signals to itself; nobody can give them a default
    ours = sum(1 << (number - 1) for number in signal.valid_signals())
    assert int(ignored.split()[1], 16) & ours == 0
    assert int(files) == 1 + 4  # "total", then 0, 1, 2 and the folder that ls reads


def test_shim_sleeps_while_nothing_happens(start: Start, tmp_path: Path) -> None:
    process = start("/bin/sh", "-c", "echo up; exec sleep 600")
    until(lambda: "up" in log_of(tmp_path), "up")
    stat = Path(f"/proc/{process.pid}")
    until(lambda: (stat / "stat").read_text().rpartition(")")[2].split()[0] == "S", "asleep")

    def switches() -> str:
        lines = (stat / "status").read_text().splitlines()
        return next(line for line in lines if line.startswith("voluntary"))

    before = switches()
    until_two_looks = time.monotonic() + 0.3
    until(lambda: time.monotonic() > until_two_looks, "a while")

    assert switches() == before


def test_shim_is_small(start: Start, tmp_path: Path) -> None:
    process = start("/bin/sh", "-c", "echo up; exec sleep 600")
    until(lambda: "up" in log_of(tmp_path), "up")

    own = sum(
        int(line.split()[1])
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        if line.startswith("Private_")
    )

    assert own < 10_000  # KiB


def test_secrets_in_the_environment_stay_out_of_the_command_line(tmp_path: Path) -> None:
    argv = wrap(["/bin/true"], home=tmp_path, name="it", log_dir=tmp_path)

    assert json.loads(argv[-1]).keys().isdisjoint({"env"})


@given(st.lists(st.binary(max_size=60)), st.integers(1, 30), st.integers(0, 3))
def test_log_files_hold_the_end_of_what_was_written_within_their_bounds(
    writes: list[bytes], limit: int, keep: int
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        log = Log(f"{folder}/log", limit=limit, keep=keep)
        for data in writes:
            log.write(data)
        os.close(log.fd)

        names = ["log"] + [f"log.{n}" for n in range(1, keep + 1)]
        paths = [Path(folder) / name for name in reversed(names)]
        held = [path.read_bytes() for path in paths if path.exists()]
        assert b"".join(writes).endswith(b"".join(held))
        assert max(map(len, held)) <= limit
        assert {path.name for path in Path(folder).iterdir()} <= set(names)
