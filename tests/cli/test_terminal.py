"""What a person at a terminal sees, and what a shell sees when the other end goes away."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.arm_server import Api
from tests.cli.conftest import Run

from verdazul.cli import render
from verdazul.model.errors import UserError

COMMAND = [sys.executable, "-c", "import sys; from verdazul.cli.main import main; sys.exit(main())"]
TIMEOUT = 60


class Typed(io.StringIO):
    """A terminal at which somebody has typed something."""

    def isatty(self) -> bool:
        return True


@contextmanager
def a_terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal; the caller closes the second."""
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)


def read_all(terminal: int) -> str:
    """Everything until the last program at the terminal is gone."""
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux' way of saying that nobody is there any more
            part = b""
        if not part:
            return b"".join(parts).decode()
        parts.append(part)


@pytest.mark.parametrize(
    ("typed", "agreed"), [("y\n", True), ("Yes\n", True), ("\n", False), ("n", False)]
)
def test_a_question_is_asked_on_stderr_and_only_yes_is_yes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    *,
    agreed: bool,
) -> None:
    monkeypatch.setattr(sys, "stdin", Typed(typed))

    assert render.confirm("Delete it?") is agreed

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "Delete it? (y/N): ")


def test_no_is_not_done_and_exits_1(api: Api, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("online-endpoint", "create", "-n", "credit")
    monkeypatch.setattr(sys, "stdin", Typed("n\n"))

    ran = run("online-endpoint", "delete", "-n", "credit")

    assert (ran.code, ran.out) == (1, "")
    assert "you said no" in ran.err
    assert api.requests("DELETE") == []


def test_nobody_to_ask_is_told_how_to_say_yes_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))

    with pytest.raises(UserError, match="not a terminal") as caught:
        render.confirm("Delete it?")

    assert "--yes" in caught.value.problem.fix


def test_progress_at_a_terminal_stays_away_from_the_data(api: Api, home: Path) -> None:
    api.progress = ["building [bold]it[/bold]", "starting"]
    with a_terminal() as (ours, theirs):
        line = [*COMMAND, "--home", str(home), "online-endpoint", "create", "-n", "credit"]
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
            os.close(theirs)
            seen = read_all(ours)
            out = process.communicate(timeout=TIMEOUT)[0]

    assert process.returncode == 0
    assert json.loads(out)["name"] == "credit"
    assert "building [bold]it[/bold]" in seen
    assert "starting" in seen


def test_logs_at_a_terminal_are_plain_text(api: Api, home: Path) -> None:
    path = api.path("onlineEndpoints", "credit", "deployments", "blue")
    api.resources[path] = api.resources[path.partition("/deployments")[0]] = {"properties": {}}
    words = ("online-deployment", "get-logs", "-e", "credit", "-n", "blue", "-l", "1")
    with a_terminal() as (ours, theirs):
        line = [*COMMAND, "--home", str(home), *words]
        with subprocess.Popen(line, stdout=theirs, stderr=subprocess.PIPE, text=True) as process:
            os.close(theirs)
            seen = read_all(ours)
            err = process.communicate(timeout=TIMEOUT)[1]

    assert (process.returncode, err) == (0, "")
    assert seen.splitlines()[0].startswith("line 10")
    assert "of the log" in seen


def test_a_reader_that_went_away_is_no_error_message(home: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    line = [*COMMAND, "--home", str(home), "online-endpoint", "list"]

    with subprocess.Popen(line, stdout=writing, stderr=subprocess.PIPE, text=True) as process:
        os.close(writing)
        err = process.communicate(timeout=TIMEOUT)[1]

    assert (process.returncode, err) == (141, "")


def test_an_interrupted_wait_says_that_the_server_goes_on(api: Api, home: Path) -> None:
    api.endless = True
    api.progress = ["working"]
    line = [*COMMAND, "--home", str(home), "online-endpoint", "create", "-n", "credit"]
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        assert "working" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT)

    assert (process.returncode, out) == (130, "")
    assert "goes on there" in err
    assert "Traceback" not in err
