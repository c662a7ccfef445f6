"""How an instance's end is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.compute_worlds import instance_id, launch
from verdazul.compute import obituary
from verdazul.compute.folder import Folder
from verdazul.model.errors import Problem


def dead(tmp_path: Path, *, log: str = "", failure: str | None = None, **ended: Any) -> Problem:
    folder = Folder(tmp_path, instance_id())
    folder.prepare()
    folder.write_launch(launch(tmp_path), attempt=1, at=1.0)
    folder.log.write_text(log)
    if failure is not None:
        folder.failure.write_text(failure)
    return obituary.exit_of(folder, {"code": None, "signal": None, "at": 2.0, **ended}).problem


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        ({"signal": 9}, "killed by someone (SIGKILL)"),
        ({"signal": 11}, "crashed in native code"),
        ({"signal": 10}, "ended by SIGUSR1"),
        ({"signal": 63}, "ended by signal 63"),
        ({"code": 0}, "exit code 0, but it must go on serving"),
        ({"code": 7}, "exit code 7"),
        ({"error": "cannot run /x: gone"}, "could not be started: cannot run /x: gone"),
        ({"signal": 9, "oom": 1, "peak_memory": 2**28}, "more than its 256 MiB"),
        ({"code": 1, "oom": 2}, "more than its 256 MiB"),
    ],
)
def test_each_end_has_words_and_a_fix(tmp_path: Path, ended: dict[str, Any], words: str) -> None:
    problem = dead(tmp_path, **ended)

    assert words in problem.message
    assert problem.fix
    assert problem.code == "ResourceNotReady"


def test_last_lines_of_the_log_are_shown(tmp_path: Path) -> None:
    problem = dead(tmp_path, log="".join(f"line {n}\n" for n in range(100)), code=1)

    assert problem.log_tail == tuple(f"line {n}" for n in range(80, 100))


def test_silent_end_says_that_nothing_was_printed(tmp_path: Path) -> None:
    assert "printed nothing" in dead(tmp_path, code=1).message


def test_servers_own_words_win_over_the_exit_code(tmp_path: Path) -> None:
    failure = {"code": "UserScriptImportError", "message": "no torch", "where": "score.py:1"}

    problem = dead(tmp_path, code=3, failure=json.dumps(failure))

    assert (problem.code, problem.message) == ("UserScriptImportError", "no torch")
    assert problem.where == "score.py:1"


@pytest.mark.parametrize(
    "failure",
    ["", "{", "[]", "null", '{"message": ""}', '{"message": 3, "traceback": 4}', "[" * 100_000],
)
def test_nonsense_in_the_failure_file_is_survived(tmp_path: Path, failure: str) -> None:
    problem = dead(tmp_path, code=3, failure=failure)

    assert problem.code == "ResourceNotReady"
    assert problem.message


def test_endless_words_of_the_server_are_cut(tmp_path: Path) -> None:
    failure = {"message": "m" * 10**5, "traceback": ["t" * 10**5] * 300, "code": "c" * 10**4}

    problem = dead(tmp_path, code=3, failure=json.dumps(failure)[:900_000])

    assert len(str(problem.to_arm())) < 200_000
