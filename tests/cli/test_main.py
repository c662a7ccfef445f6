"""The command as a whole: grammar, global flags, exit codes, and no stack trace for anybody."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.cli.arm_server import TOKEN, Api, Reply
from tests.cli.conftest import Run

from verdazul.cli.main import main

COMMANDS = {
    "online-endpoint": [
        *("create", "update", "show", "list", "delete"),
        *("get-credentials", "regenerate-keys", "invoke"),
    ],
    "workspace": ["show", "list", "create", "delete"],
    "model": [*("create", "show", "list", "update", "archive", "restore", "download")],
    "environment": ["create", "show", "list", "update", "archive", "restore"],
    "data": ["create", "show", "list", "update", "archive", "restore"],
    "datastore": ["create", "update", "show", "list", "delete"],
    "connection": ["create", "update", "show", "list", "delete"],
    "compute": ["list-usage", "list-sizes"],
    "az": ["install-shim"],
    "online-deployment": ["create", "update", "show", "list", "delete", "get-logs"],
}
ALL = [(noun, verb) for noun, verbs in COMMANDS.items() for verb in verbs]


@pytest.mark.parametrize(("noun", "verb"), ALL)
def test_each_commands_help_has_examples_and_exit_codes(
    capsys: pytest.CaptureFixture[str], noun: str, verb: str
) -> None:
    code = main([noun, verb, "--help"])

    out = capsys.readouterr().out
    assert code == 0
    assert f"  verdazul {noun} {verb} " in out
    assert "5  accepted, but it failed to become ready" in out


@pytest.mark.parametrize("words", [[], ["--help"], ["online-endpoint", "-h"]])
def test_help_is_a_result(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    code = main(words)

    captured = capsys.readouterr()
    assert (code, captured.err) == (0, "")
    assert "online-endpoint" in captured.out


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.count(".") == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["online-endpont"], "did you mean online-endpoint?"),
        (["online-endpoint", "shwo"], "did you mean show?"),
        (["online-endpoint"], "required: COMMAND"),
        (["online-endpoint", "show"], "-n/--name"),
        (["online-endpoint", "show", "-n"], "expected one argument"),
        (["online-endpoint", "show", "-n", "credit", "--nonsense"], "--nonsense"),
        (["online-endpoint", "list", "-o", "xml"], "xml"),
        (["online-endpoint", "list", "--query", "[?"], "JMESPath"),
        (["online-endpoint", "create", "-n", "credit", "--timeout", "soon"], "soon"),
        (["online-endpoint", "create", "-n", "credit", "--timeout", "-1"], "-1"),
        (["online-endpoint", "regenerate-keys", "-n", "x", "--key-type", "third"], "third"),
    ],
)
def test_a_wrong_line_exits_2_and_says_what_is_wrong(
    api: Api, run: Run, words: list[str], told: str
) -> None:
    ran = run(*words)

    assert (ran.code, ran.out, api.seen) == (2, "", [])
    assert told in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["online-endpoint", "show", "-n", "../../codes"], "is not a name"),
        (["online-endpoint", "list", "--home", "~nobody-of-that-name/x"], "is no folder"),
    ],
)
def test_a_value_that_cannot_be_exits_1(api: Api, run: Run, words: list[str], told: str) -> None:
    ran = run(*words)

    assert (ran.code, ran.out, api.seen) == (1, "", [])
    assert told in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ["online-endpoint", "create", "-e"],
        ["online-endpoint", "create", "--web"],
        ["online-endpoint", "show", "-n", "x", "--web"],
        ["online-deployment", "create", "-f", "x", "--package-model"],
        ["online-deployment", "create", "-f", "x", "--with-package"],
        ["online-deployment", "update", "-f", "x", "--web"],
    ],
)
def test_what_is_not_served_yet_is_refused_by_name(api: Api, run: Run, words: list[str]) -> None:
    ran = run(*words)

    flag = next(word for word in reversed(words) if word.startswith("-"))
    assert (ran.code, ran.out, api.seen) == (2, "", [])
    assert f"error: NotSupportedYet: {flag} is not supported yet" in ran.err


@pytest.mark.parametrize(
    ("flag", "ours"),
    [
        ("-g", "local"),
        ("--resource-group", "LOCAL"),
        ("-w", "verdazul"),
        ("--subscription", "00000000-0000-0000-0000-000000000000"),
    ],
)
def test_our_own_workspace_may_be_named(run: Run, flag: str, ours: str) -> None:
    assert run("online-endpoint", "list", flag, ours).code == 0


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("-g", "--resource-group is 'theirs', but this home's is 'local'"),
        ("-w", "--workspace-name is 'theirs', but this home's is 'verdazul'"),
        ("--subscription", "--subscription is 'theirs', but this home's is '00000000-"),
    ],
)
def test_another_workspace_is_refused(api: Api, run: Run, flag: str, told: str) -> None:
    ran = run("online-endpoint", "list", flag, "theirs")

    assert (ran.code, ran.out, api.seen) == (1, "", [])
    assert told in ran.err


def test_global_flags_may_stand_before_or_after_the_command(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-o", "tsv", "online-endpoint", "list", "--home", str(home)]) == 0
    assert main(["--home", str(home), "online-endpoint", "list", "-o", "yaml"]) == 0

    assert yaml.safe_load(capsys.readouterr().out) == []


def test_the_variable_names_the_home(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VERDAZUL_HOME", str(home))

    assert main(["online-endpoint", "list"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_without_a_server_it_exits_4_and_says_how_to_start_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["online-endpoint", "list", "--home", str(tmp_path)])

    captured = capsys.readouterr()
    assert (code, captured.out) == (4, "")
    assert f"no Verdazul runs in {tmp_path}; start it with `verdazul up`" in captured.err


def test_a_failing_server_exits_4(api: Api, run: Run) -> None:
    api.answer_next("GET", "/onlineEndpoints", Reply(500, b"oops"))

    ran = run("online-endpoint", "list")

    assert (ran.code, ran.out) == (4, "")
    assert "answered 500: oops" in ran.err


def test_an_answer_of_an_unknown_shape_is_no_stack_trace(api: Api, run: Run) -> None:
    api.answer_next("POST", "/listKeys", Reply(200, []))
    api.answer_next("GET", "/credit", Reply(200, {"name": 1}))

    ran = run("online-endpoint", "invoke", "-n", "credit", "-r", __file__)

    assert (ran.code, ran.out) == (4, "")
    assert "Traceback" not in ran.err


def test_only_show_errors_silences_progress(api: Api, run: Run) -> None:
    api.progress = ["working"]

    ran = run("online-endpoint", "create", "-n", "credit", "--only-show-errors")

    assert (ran.code, ran.err) == (0, "")


def test_verbose_says_which_server_and_workspace_are_asked(api: Api, run: Run) -> None:
    ran = run("online-endpoint", "list", "--verbose")

    assert ran.json == []
    assert f"server {api.address}, trusting the system\nworkspace /subscriptions/" in ran.err


def test_debug_shows_requests_without_the_token(run: Run) -> None:
    ran = run("online-endpoint", "list", "--debug")

    assert ran.json == []
    assert "debug: GET http://127.0.0.1" in ran.err
    assert TOKEN not in ran.err


def test_help_needs_no_slow_import() -> None:
    heavy = ("httpx", "pydantic", "rich", "yaml", "jmespath", "starlette", "asyncio")
    code = (
        "import sys; from verdazul.cli.main import main; main(['online-endpoint', 'create', '-h']);"
        f"sys.exit(','.join(name for name in {heavy} if name in sys.modules) or 0)"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (["online-endpoint", "show", "-n", ""], "-n/--name"),
        (["online-endpoint", "show", "--name="], "-n/--name"),
        (["online-endpoint", "create", "--file", " "], "-f/--file"),
        (["online-endpoint", "list", "-g", ""], "-g/--resource-group"),
        (["online-deployment", "list", "--endpoint", ""], "-e/--endpoint-name"),
        (["model", "create", "-n", "m", "--set", ""], "--set"),
    ],
)
def test_an_empty_flag_is_not_one_that_was_left_out(
    api: Api, run: Run, words: list[str], flag: str
) -> None:
    ran = run(*words)

    assert (ran.code, ran.out, api.seen) == (2, "", [])
    assert f"argument {flag}: it is empty" in ran.err
