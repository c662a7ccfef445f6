"""Warm-up requests (VERDAZUL_WARMUP): run before a worker calls itself ready, or it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .process import Server, eventually

SCRIPT = """
import os, sys, time

def init(): note("init")

def note(text):
    with open(os.environ["NOTES"], "a") as file: file.write(text + "\\n")

def run(data):
    note(data)
    if data == "hold":
        while not os.path.exists(os.environ["NOTES"] + ".go"): time.sleep(0.001)
    if data == "fail": raise ValueError("no such feature")
    if data == "exit": sys.exit()
    return data
"""
FILES = {"warm/b.json": "second", "warm/a.json": "first"}


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


def told(notes: Path) -> list[str]:
    return notes.read_text().split()


def failure(script: str, notes: Path, files: dict[str, str], warmup: str = "warm") -> Any:
    with Server(script, files=files, NOTES=str(notes), VERDAZUL_WARMUP=warmup) as server:
        assert server.wait() == 3
        return server.failure


# what is run


@pytest.mark.parametrize(
    ("warmup", "bodies"),
    [("warm", ["first", "second"]), ("warm/b.json", ["second"]), ("./warm/", ["first", "second"])],
)
def test_a_file_or_every_file_of_a_folder_is_run_by_name_after_init(
    notes: Path, warmup: str, bodies: list[str]
) -> None:
    with Server(SCRIPT, files=FILES, NOTES=str(notes), VERDAZUL_WARMUP=warmup) as server:
        server.ready()

        assert told(notes) == ["init", *bodies]
        assert f"warmed up with {len(bodies)} requests in " in server.log


def test_a_file_elsewhere_is_named_by_its_whole_path(notes: Path, tmp_path: Path) -> None:
    (tmp_path / "body").write_text("elsewhere")
    with Server(SCRIPT, NOTES=str(notes), VERDAZUL_WARMUP=str(tmp_path / "body")) as server:
        server.ready()

    assert told(notes) == ["init", "elsewhere"]


def test_folders_and_hidden_files_are_no_requests(notes: Path) -> None:
    files = {**FILES, "warm/.DS_Store": "fail", "warm/old/x.json": "fail"}
    with Server(SCRIPT, files=files, NOTES=str(notes), VERDAZUL_WARMUP="warm") as server:
        server.ready()

    assert told(notes) == ["init", "first", "second"]


def test_without_a_word_nothing_is_run(notes: Path) -> None:
    with Server(SCRIPT, files=FILES, NOTES=str(notes)) as server:
        server.ready()

    assert told(notes) == ["init"]


def test_a_server_is_ready_no_sooner_than_warm_and_what_came_before_is_served(notes: Path) -> None:
    files = {"warm": "hold"}
    with Server(SCRIPT, files=files, NOTES=str(notes), VERDAZUL_WARMUP="warm") as server:
        eventually(lambda: notes.exists() and "hold" in told(notes))
        assert server.ask("GET", "/").status == 503
        notes.with_name("notes.go").touch()

        assert server.score("x").json == "x"
        assert server.ask("GET", "/").status == 200


def test_every_worker_is_warmed_up_and_so_is_one_that_takes_anothers_place(notes: Path) -> None:
    script = SCRIPT.replace("    return data", '    if data == "die": os._exit(1)\n    return data')
    environ: dict[str, Any] = {"WORKER_COUNT": "2", "VERDAZUL_WARMUP": "warm/a.json"}
    with Server(script, files=FILES, NOTES=str(notes), **environ) as server:
        server.ready()
        assert told(notes) == ["init", "first", "first"]
        server.score("die")

        eventually(lambda: told(notes).count("first") == 3)


def test_a_warm_up_is_no_request_in_the_figures(notes: Path) -> None:
    with Server(SCRIPT, files=FILES, NOTES=str(notes), VERDAZUL_WARMUP="warm") as server:
        metrics = server.ready().ask("GET", "/metrics").body.decode()

    assert 'verdazul_requests_total{code="2xx"} 0\n' in metrics
    assert "verdazul_run_seconds_count 0\n" in metrics


# kinds of scripts


STREAM = """
import os
def init(): pass
def run(data):
    try: yield data
    finally: open(os.environ["NOTES"], "w").write("closed")
"""
KINDS = {
    "stream": STREAM,
    "async": STREAM.replace("def run", "async def run"),
    "batch": """
import os
from verdazul_serve import batch
def init(): pass
@batch(max_size=8, max_delay_ms=60000)
def run(items):
    open(os.environ["NOTES"], "w").write("closed")
    return items
""",
    "coroutine": """
import asyncio, os
def init(): pass
async def run(data):
    await asyncio.sleep(0)
    open(os.environ["NOTES"], "w").write("closed")
""",
    "raw": """
import os
from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse
def init(): pass
@rawhttp
def run(request):
    assert request.json == {"a": 1}
    open(os.environ["NOTES"], "w").write("closed")
    return AMLResponse("created", 201)
""",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_script_can_be_warmed_up(notes: Path, kind: str) -> None:
    files = {"warm": '{"a": 1}'}
    with Server(KINDS[kind], files=files, NOTES=str(notes), VERDAZUL_WARMUP="warm") as server:
        server.ready()

        assert told(notes) == ["closed"]
        assert "Exception" not in server.log


# failures


@pytest.mark.parametrize("body", ["fail", "exit"])
def test_a_request_that_fails_fails_the_start_and_says_which(notes: Path, body: str) -> None:
    files = {**FILES, "warm/aa.json": body}
    problem = failure(SCRIPT, notes, files)

    assert problem["code"] == "WarmUpFailed"
    assert problem["message"].startswith("the warm-up request /")
    assert problem["message"].endswith("/code/warm/aa.json was answered with 500")
    assert problem["fix"] == "correct run() or the request; the log shows what run() raised"
    assert told(notes) == ["init", "first", body]


def test_what_run_raised_is_in_the_log(notes: Path) -> None:
    files = {"warm": "fail"}
    with Server(SCRIPT, files=files, NOTES=str(notes), VERDAZUL_WARMUP="warm") as server:
        server.wait()

        assert "ValueError: no such feature" in server.log


@pytest.mark.parametrize("files", [{}, {"warm/.keep": ""}])
def test_a_place_without_requests_is_told(notes: Path, files: dict[str, str]) -> None:
    problem = failure(SCRIPT, notes, files)

    assert problem["code"] == "ConfigurationError"
    assert problem["message"].endswith(
        "/code/warm, which is neither a file nor a folder with files"
    )
    assert problem["fix"] == "name a file with a request body, relative to the code folder"


def test_a_file_that_cannot_be_read_is_told(notes: Path) -> None:
    problem = failure(SCRIPT, notes, {}, warmup="/proc/self/mem")

    assert problem["code"] == "ConfigurationError"
    assert problem["message"].startswith("the warm-up request /proc/self/mem cannot be read: ")


def test_a_replacement_that_cannot_be_warmed_up_leaves_the_others_serving(notes: Path) -> None:
    script = SCRIPT.replace('if data == "fail"', 'if os.path.exists(os.environ["NOTES"] + ".bad")')
    script = script.replace("    note(data)", '    if data == "die": os._exit(1)\n    note(data)')
    environ: dict[str, Any] = {"WORKER_COUNT": "2", "VERDAZUL_WARMUP": "warm/a.json"}
    with Server(script, files=FILES, NOTES=str(notes), **environ) as server:
        server.ready()
        bad = notes.with_name("notes.bad")
        bad.touch()
        server.score("die")
        eventually(lambda: "a worker could not be started: WarmUpFailed" in server.log)
        assert server.ask("GET", "/").status == 200
        bad.unlink()

        eventually(lambda: told(notes).count("first") == 4)
        assert server.score("x").json == "x"
