"""Each way a script can be wrong ends in exit code 3 and a failure file a person can act on."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import pytest

from .process import ECHO, Server

INIT = "def init(): pass\n"
RUN = "def run(data): return data\n"


def failure_of(
    script: str | None, files: Mapping[str, str] | None = None, **environ: str
) -> tuple[dict[str, Any], str]:
    """The failure file and the log of a server that must not start."""
    with Server(script, files=files, **environ) as server:
        assert server.wait() == 3, server.log
        return server.failure, server.log


@pytest.mark.parametrize(
    ("script", "code", "message", "fix", "where"),
    [
        (
            INIT,
            "UserScriptFunctionNotFound",
            'scoring script "score.py" has no run()',
            "define `def run(data): ...`",
            "score.py",
        ),
        (
            RUN,
            "UserScriptFunctionNotFound",
            'scoring script "score.py" has no init()',
            "define `def init(): ...`",
            "score.py",
        ),
        (
            INIT + "run = 3",
            "UserScriptFunctionNotFound",
            'scoring script "score.py" has a run that is int, not a function',
            "define `def run(data): ...`",
            "score.py",
        ),
        (
            INIT + "\n\ndef run(*args): pass",
            "InvalidRunSignature",
            "run() cannot accept positional-only arguments, *args, or **kwargs.",
            "define `def run(data): ...` or `def run(data, request_headers): ...`",
            "score.py:4",
        ),
        (
            INIT + "def run(): pass",
            "InvalidRunSignature",
            "run() needs to accept an argument for input data.",
            "define",
            "score.py:2",
        ),
        (
            INIT + "def run(request_headers): pass",
            "InvalidRunSignature",
            'run() needs to accept an argument other than "request_headers".',
            "define",
            "score.py:2",
        ),
        (
            INIT + "def run(a, b): pass",
            "InvalidRunSignature",
            "run() is called with its first argument (a) only; b would have no value.",
            "define",
            "score.py:2",
        ),
        (
            "import os\n\ndef init():\n    os.stat('/no/such')\n" + RUN,
            "UserScriptInitFailed",
            'init() of scoring script "score.py" raised FileNotFoundError: ',
            "correct init()",
            "score.py:4",
        ),
        (
            "import sys\ndef init(): sys.exit(0)\n" + RUN,
            "UserScriptInitFailed",
            'init() of scoring script "score.py" raised SystemExit: 0',
            "correct init()",
            "score.py:2",
        ),
        (
            "import os\ndef init(): os._exit(9)\n" + RUN,
            "UserScriptInitFailed",
            "the worker process ended before init() returned: exit code 9",
            "look at the log",
            "",
        ),
        (
            "import os\ndef init(): os.kill(os.getpid(), 11)\n" + RUN,
            "UserScriptInitFailed",
            "the worker process ended before init() returned: killed by signal 11 (SIGSEGV)",
            "look at the log",
            "",
        ),
        (
            "def init(:\n" + RUN,
            "UserScriptImportError",
            'scoring script "score.py" cannot be imported: a syntax error: ',
            "correct the script",
            "score.py:1",
        ),
        (
            "x = 1\nimport sklearn_is_not_here.linear\n" + ECHO,
            "UserScriptImportError",
            'scoring script "score.py" cannot be imported: ModuleNotFoundError: ',
            'add "sklearn_is_not_here" to the pip list of the environment\'s conda file',
            "score.py:2",
        ),
        (
            "raise SystemExit(0)",
            "UserScriptImportError",
            'scoring script "score.py" cannot be imported: SystemExit: 0',
            "correct the script",
            "score.py:1",
        ),
        (
            "from helper import load\n" + ECHO,
            "UserScriptImportError",
            'scoring script "score.py" cannot be imported: ZeroDivisionError: division by zero',
            "correct the script",
            "helper.py:2",
        ),
    ],
)
def test_a_wrong_script_is_told_by_code_cause_fix_and_place(
    script: str, code: str, message: str, fix: str, where: str
) -> None:
    failure, log = failure_of(script, files={"helper.py": "# a comment\nload = 1 / 0\n"})

    assert failure["code"] == code
    assert failure["message"].startswith(message)
    assert failure["fix"].startswith(fix)
    assert failure["where"] == where
    assert failure["message"] in log
    frames = "\n".join(failure["traceback"])
    assert "verdazul_serve" not in frames
    assert "importlib" not in frames


def test_the_traceback_shows_the_users_lines_and_causes() -> None:
    script = (
        """
def init():
    try:
        {}["model"]
    except KeyError as error:
        raise RuntimeError("no model") from error
"""
        + RUN
    )
    failure, _ = failure_of(script)

    text = "\n".join(failure["traceback"])
    assert failure["where"] == "score.py:6"
    assert text.count("score.py") == 2
    assert "KeyError: 'model'" in text
    assert text.endswith("RuntimeError: no model")


def test_a_missing_script_is_told_with_what_is_there_instead() -> None:
    failure, _ = failure_of(None, files={"main_script.py": ECHO})

    assert failure["code"] == "UserScriptNotFound"
    assert failure["message"].startswith('scoring script "score.py" was not found in')
    assert failure["message"].endswith("(it holds main_script.py)")


def test_without_a_named_script_main_py_is_run_or_asked_for() -> None:
    failure, _ = failure_of(ECHO, AZUREML_ENTRY_SCRIPT="")
    with Server(None, files={"main.py": ECHO}, AZUREML_ENTRY_SCRIPT="") as server:
        body = server.ready().score("x").body

    assert failure["code"] == "UserScriptNotFound"
    assert "there is no main.py in" in failure["message"]
    assert body == b'"x"'


def test_a_module_beside_the_script_is_told_how_to_import() -> None:
    files = {"onlinescoring/score.py": "import shape\n" + ECHO, "onlinescoring/shape.py": ""}
    failure, _ = failure_of(None, files=files, AZUREML_ENTRY_SCRIPT="onlinescoring/score.py")

    assert failure["where"] == "onlinescoring/score.py:1"
    assert failure["fix"].endswith("write `from onlinescoring import shape`")


def test_known_import_names_are_told_by_their_package() -> None:
    failure, _ = failure_of("import skimage.io\n" + ECHO)

    assert failure["fix"].startswith('add "scikit-image" to the pip list')


def test_a_failing_init_lists_the_model_folder_in_the_log(tmp_path: Any) -> None:
    (tmp_path / "m").mkdir()
    for number in range(300):
        (tmp_path / "m" / f"{number:03}.bin").touch()
    script = "def init(): raise OSError('no model')\n" + RUN
    _, log = failure_of(script, AZUREML_MODEL_DIR=str(tmp_path))

    _, _, listing = log.partition("Model Directory Contents:\n")
    lines = listing.splitlines()
    assert lines[:2] == ["m/", "    000.bin"]
    assert lines[199] == "..."


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("WORKER_COUNT", "many", "a whole number from 1 to"),
        ("WORKER_COUNT", "0", "a whole number from 1 to"),
        ("SCORING_TIMEOUT_MS", "-1", "a whole number from 0 to"),
        ("WORKER_TIMEOUT", "nan", "a number of seconds above 0"),
        ("AZUREML_LOG_LEVEL", "LOUD", "one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("VERDAZUL_LISTEN_FD", "x", "the number of an inherited, listening socket"),
    ],
)
def test_a_wrong_setting_is_told_by_name_value_and_what_is_right(
    name: str, value: str, right: str
) -> None:
    failure, _ = failure_of(ECHO, None, **{name: value})

    assert failure["code"] == "ConfigurationError"
    assert failure["message"].startswith(f"{name} is {value!r}; it must be {right}")


@pytest.mark.parametrize("descriptor", ["0", "987"])
def test_a_descriptor_that_is_no_listening_socket_is_told(descriptor: str) -> None:
    failure, _ = failure_of(ECHO, VERDAZUL_LISTEN_FD=descriptor)

    assert failure["code"] == "ConfigurationError"
    assert failure["message"].startswith(f"VERDAZUL_LISTEN_FD is {descriptor}: ")


def test_a_taken_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        failure, _ = failure_of(ECHO, VERDAZUL_LISTEN_FD="", SERVER_PORT=str(port))

    assert failure["code"] == "ConfigurationError"
    assert failure["message"].startswith(f"cannot listen on 127.0.0.1:{port}: ")


def test_a_failure_of_one_of_several_workers_fails_the_boot() -> None:
    script = (
        """
import os
def init():
    try:
        os.mkdir(os.path.join(os.environ["AML_APP_ROOT"], "taken"))
    except FileExistsError:
        raise RuntimeError("the second worker")
"""
        + RUN
    )
    failure, _ = failure_of(script, WORKER_COUNT="3", WORKER_PRELOAD="false")

    assert failure["message"].endswith("raised RuntimeError: the second worker")


def test_an_unwritable_failure_file_is_told_and_changes_no_exit_code() -> None:
    with Server("x", VERDAZUL_FAILURE_FILE="/no/such/folder/f") as server:
        assert server.wait() == 3
        assert "VERDAZUL_FAILURE_FILE /no/such/folder/f cannot be written" in server.log


def test_files_of_the_user_never_replace_the_servers_own_modules() -> None:
    loud = "raise RuntimeError('imported by the server')"
    names = ("asyncio", "json", "logging", "queue", "socket", "select", "httptools")

    with Server(ECHO, files={f"../{name}.py": loud for name in names}) as server:
        assert server.ready().score("x").body == b'"x"'
