"""The command azmlinfsrv as a process: its exit codes, what it says, and that it serves."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from verdazul_azmlinfsrv import __version__, arguments

from .process import ECHO, SOURCE, eventually

pytestmark = pytest.mark.azure(94)


def command(*flags: str, folder: Path, before: str = "", **environ: str) -> list[str]:
    """The command line of a process that is `azmlinfsrv` with these flags."""
    lines = [
        "import os, sys",
        f"os.environ.clear(); os.environ.update({environ!r})",
        f"os.chdir({str(folder)!r}); sys.path.append({SOURCE!r})",
        before,
        f"sys.argv[1:] = {[*flags]!r}",
        "from verdazul_azmlinfsrv.__main__ import main; main()",
    ]
    return [sys.executable, "-c", "\n".join(lines)]


def run(
    *flags: str, folder: Path, before: str = "", **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*flags, folder=folder, before=before, **environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("flags", "mistake"),
    [
        (["--port", "0"], "argument --port: '0' is no port; a number from 1 to 65535 is"),
        (["--health_port", "x"], "argument --health_port: 'x' is no port"),
        (["--worker_count", "0"], "argument --worker_count: '0' is no number of workers"),
        (["--bogus"], "unrecognized arguments: --bogus"),
    ],
)
def test_a_mistake_is_told_with_the_help_and_exit_code_1(
    tmp_path: Path, flags: list[str], mistake: str
) -> None:
    ended = run(*flags, folder=tmp_path)

    assert ended.returncode == 1
    assert mistake in ended.stderr
    assert ended.stdout.startswith(f"\nAzure ML Inferencing HTTP server v{__version__}\n\n")


def test_help_names_every_flag_and_ends_with_1(tmp_path: Path) -> None:
    ended = run("--help", folder=tmp_path)

    flags = set(re.findall(r"^ +(--\w+)", ended.stdout, re.MULTILINE))
    originals = {"entry_script", "model_dir", "appinsights_instrumentation_key", "port"}
    originals |= {"health_port", "worker_count", "access_control_allow_origins", "config_file"}
    assert flags == {f"--{name}" for name in originals | {"host", "reload"}}
    assert (ended.returncode, ended.stderr) == (1, "")


def test_a_script_in_the_environment_alone_is_not_enough(tmp_path: Path) -> None:
    ended = run(folder=tmp_path, AZUREML_ENTRY_SCRIPT="score.py")

    assert ended.returncode == 1
    assert f"azmlinfsrv - {arguments.NOTHING_TO_SERVE}\n" in ended.stdout


def test_a_port_that_stays_taken_is_tried_again_and_ends_with_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        flags = ("--entry_script", "score.py", "--host", "127.0.0.1", "--port", port)
        ended = run(*flags, folder=tmp_path, before="import time; time.sleep = lambda _: None")

    assert ended.returncode == 1
    assert ended.stdout.count(f"cannot listen on 127.0.0.1:{port}: Address already in use") == 5


def test_a_host_that_is_not_ours_ends_at_once(tmp_path: Path) -> None:
    ended = run("--entry_script", "score.py", "--host", "192.0.2.1", folder=tmp_path)

    assert ended.returncode == 1
    assert ended.stdout.count("cannot listen on 192.0.2.1:5001") == 1


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({}, "UserScriptNotFound"),
        ({"SCORING_TIMEOUT_MS": "abc"}, "SCORING_TIMEOUT_MS is 'abc'"),
        ({"WORKER_COUNT": "abc"}, "WORKER_COUNT is 'abc'"),
    ],
)
def test_what_keeps_the_server_from_starting_ends_with_3(
    tmp_path: Path, environ: dict[str, str], reason: str
) -> None:
    flags = ("--entry_script", "nosuch.py", "--host", "127.0.0.1", "--port", free_port())

    ended = run(*flags, folder=tmp_path, **environ)

    assert ended.returncode == 3
    assert reason in ended.stdout


def test_a_malformed_config_file_ends_with_3_after_the_banner(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("{\n")
    flags = ("--config_file", "c.json", "--host", "127.0.0.1", "--port", free_port())

    ended = run(*flags, folder=tmp_path)

    assert ended.returncode == 3
    assert "\nServer Routes\n" in ended.stdout
    assert f"{tmp_path / 'c.json'}:2: Invalid config file! " in ended.stdout


def test_it_serves_with_the_originals_version_header_and_stops(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(ECHO)
    port = free_port()
    flags = ("--entry_script", "score.py", "--host", "127.0.0.1", "--port", port)
    with subprocess.Popen(command(*flags, folder=tmp_path), stdout=subprocess.DEVNULL) as server:
        try:
            response = eventually(lambda: _score(int(port)))
        finally:
            server.terminate()

    assert response.getheader("x-ms-server-version") == f"azmlinfsrv/{__version__}"
    assert server.returncode == 0


def _score(port: int) -> http.client.HTTPResponse | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", "/score", body="{}")
        response = connection.getresponse()
        response.read()
    except OSError:
        return None
    finally:
        connection.close()
    return response if response.status == http.HTTPStatus.OK else None
