"""Real builds with uv, of packages so small that they cost nothing."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from verdazul.core.environment import Built, Recipe
from verdazul.environments import overlay
from verdazul.environments.__main__ import main
from verdazul.environments.build import build
from verdazul.environments.folders import Folders, is_built, sweep
from verdazul.environments.interpreters import discover
from verdazul.environments.overlay import ensure_overlay, find_serve
from verdazul.model.errors import Problem, UserError, VerdazulError

BASE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest"


def recipe(*entries: str) -> Recipe:
    return Recipe(BASE, "dependencies:\n" + "".join(f"  - {entry}\n" for entry in entries))


def build_now(wanted: Recipe, home: Path) -> tuple[Built, list[str]]:
    lines: list[str] = []
    return asyncio.run(build(wanted, home, lines.append)), lines


def python_says(python: str, code: str) -> str:
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def full_log(home: Path, problem: Problem) -> Path:
    named = re.search(r"full log: (\S+)\)", problem.fix)
    assert named
    return home / named[1]


def wait_until(is_so: Callable[[], bool], *, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_environment_holds_what_was_asked_for_and_no_more(tmp_path: Path) -> None:
    built, lines = build_now(recipe("six=1.16.0", "pip: [iniconfig]"), tmp_path)

    code = (
        "import importlib.metadata as m; print(sorted(d.name+d.version for d in m.distributions()))"
    )
    found = python_says(built.python, code)
    assert "six1.16.0" in found
    assert "iniconfig" in found
    assert found.count(",") == 1
    assert any("six==1.16.0" in line for line in lines)
    assert "six==1.16.0" in (Path(built.python).parents[2] / "build.log").read_text()


def test_second_build_is_found_and_starts_nothing(tmp_path: Path) -> None:
    first, _ = build_now(recipe("six"), tmp_path)

    second, lines = build_now(recipe("six"), tmp_path)

    assert second == first
    assert lines == []


def test_image_without_packages_needs_no_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    asyncio.run(_overlay(tmp_path))

    built, _ = build_now(Recipe(BASE), tmp_path)

    assert python_says(built.python, "print('runs')") == "runs"


async def _overlay(home: Path) -> Path:
    folders = Folders(home)
    folders.make()
    ours = next(one for one in discover() if one.version[:2] == sys.version_info[:2])
    return await ensure_overlay(find_serve(), folders, ours, lambda _: None)


def test_serve_overlay_comes_last_and_imports(tmp_path: Path) -> None:
    built, _ = build_now(recipe("six"), tmp_path)

    code = (
        f"import sys; sys.path.append({built.serve_path!r}); import httptools, verdazul_serve, six;"
        "print(verdazul_serve.__file__, httptools.__file__, six.__file__)"
    )
    serve, httptools, six = python_says(built.python, code).split()
    assert serve.startswith(built.serve_path)
    assert httptools.startswith(built.serve_path)
    assert not six.startswith(built.serve_path)
    assert not list(Path(built.serve_path).rglob(".lock"))


# What scripts written for Azure import, and where from.
AZURES = (
    "import sys; sys.path.append({path!r})\n"
    "import flask, httptools, importlib.util, verdazul_serve, werkzeug\n"
    "from inference_schema import schema_decorators\n"
    "from inference_schema.parameter_types import standard_py_parameter_type\n"
    "print(flask.__file__, werkzeug.__file__, schema_decorators.__file__,\n"
    "      importlib.util.find_spec('numpy'))"
)


@pytest.mark.parametrize("minor", sorted({one.minor for one in discover()}))
def test_overlay_brings_what_azures_server_brings_and_stays_light(
    tmp_path: Path, minor: str
) -> None:
    built, _ = build_now(recipe(f"python={minor}"), tmp_path)

    *files, numpy = python_says(built.python, AZURES.format(path=built.serve_path)).split()

    assert [file.startswith(built.serve_path) for file in files] == [True, True, True]
    assert numpy == "None"


def test_flask_of_the_user_wins_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    built, _ = build_now(recipe("flask=2.2.5", "werkzeug=2.2.3"), tmp_path)

    flask, werkzeug, schema, _ = python_says(
        built.python, AZURES.format(path=built.serve_path)
    ).split()

    assert not flask.startswith(built.serve_path)
    assert not werkzeug.startswith(built.serve_path)
    assert schema.startswith(built.serve_path)


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("httptools<1,>=0.6.4", "httptools<1,>=0.6.4"),
        ("httptools; python_version >= '3.9'", "httptools; python_version >= '3.9'"),
        ("flask>=2.3; extra == 'azure'", "flask>=2.3"),
        ('flask>=2.3 ; extra == "azure"', "flask>=2.3 "),
        ("six; python_version < '3.11' and extra == 'azure'", "six; python_version < '3.11'"),
        ("exporter; extra == 'appinsights'", ""),
    ],
)
def test_only_the_extra_for_azures_scripts_is_installed(line: str, needed: str) -> None:
    assert overlay._needed(line) == needed


def test_environments_of_one_python_share_the_overlay(tmp_path: Path) -> None:
    one, _ = build_now(recipe("six"), tmp_path)
    other, _ = build_now(recipe("iniconfig"), tmp_path)

    assert one.python != other.python
    assert one.serve_path == other.serve_path


def test_python_that_is_not_here_is_told(tmp_path: Path) -> None:
    built, _ = build_now(recipe("python=3.7"), tmp_path)

    assert "asks for Python 3.7; this machine has" in built.notes[0]
    assert "Install 3.7 to match" in built.notes[0]


@pytest.mark.parametrize("minor", sorted({one.minor for one in discover()}))
def test_python_that_is_here_is_used_without_a_note(tmp_path: Path, minor: str) -> None:
    built, _ = build_now(recipe(f"python={minor}"), tmp_path)

    assert built.notes == ()
    assert python_says(built.python, "import sys; print('%d.%d' % sys.version_info[:2])") == minor


def test_package_that_does_not_exist_is_named_and_leaves_only_a_log(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        build_now(recipe("scikit-lern=1.5"), tmp_path)

    problem = caught.value.problem
    assert problem.code == "ImageBuildFailure"
    assert "no package `scikit-lern`" in problem.message
    assert "scikit-learn" in problem.fix
    assert any("scikit-lern" in line for line in problem.log_tail)
    assert "scikit-lern" in full_log(tmp_path, problem).read_text()
    assert not any(path.name.isalnum() and len(path.name) == 32 for path in _entries(tmp_path))


def test_version_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no version `six==99.*`"):
        build_now(recipe("six==99"), tmp_path)


def test_index_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    line = "pip: ['--index-url http://me:secret@127.0.0.1:9/simple', six]"

    with pytest.raises(UserError, match="index cannot be reached") as caught:
        build_now(recipe(line), tmp_path)

    assert "secret" not in str(caught.value.problem)
    assert "secret" not in full_log(tmp_path, caught.value.problem).read_text()


def test_settings_of_a_project_around_home_do_not_reach_the_build(tmp_path: Path) -> None:
    (tmp_path / "uv.toml").write_text('index-url = "http://127.0.0.1:9/simple"\n')

    built, _ = build_now(recipe("six"), tmp_path / "home")

    assert Path(built.python).exists()


def test_builds_of_one_environment_at_the_same_time_make_one(tmp_path: Path) -> None:
    async def both() -> list[Built]:
        quiet: Callable[[str], None] = lambda _: None  # noqa: E731 - a listener
        return await asyncio.gather(*(build(recipe("six"), tmp_path, quiet) for _ in range(3)))

    results = asyncio.run(both())

    assert len(set(results)) == 1


def test_cancelled_build_ends_uv_and_leaves_nothing_that_counts(tmp_path: Path) -> None:
    async def start_and_cancel() -> None:
        began = asyncio.Event()
        task = asyncio.create_task(build(recipe("six"), tmp_path, lambda _: began.set()))
        await asyncio.wait_for(began.wait(), 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(start_and_cancel())

    assert not any(is_built(path) for path in _entries(tmp_path))
    sweep(Folders(tmp_path))
    assert {path.name for path in _entries(tmp_path)} <= {"failed", ".held"}
    assert build_now(recipe("six"), tmp_path)[0].python


def test_killed_build_is_begun_again(tmp_path: Path) -> None:
    conda = tmp_path / "conda.yml"
    conda.write_text(recipe("six").conda)
    command = [sys.executable, "-m", "verdazul.environments", str(conda), "--home", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        wait_until(lambda: any(tmp_path.glob("environments/*/requirements.txt")))
        os.kill(child.pid, signal.SIGKILL)

    assert not any(is_built(path) for path in _entries(tmp_path))
    built, _ = build_now(recipe("six"), tmp_path)
    assert python_says(built.python, "import six; print('whole')") == "whole"


def test_command_prints_the_interpreter_and_talks_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conda = tmp_path / "conda.yml"
    conda.write_text("dependencies: [python=3.7, six]\n")

    status = main([str(conda), "--home", str(tmp_path / "home")])

    told = capsys.readouterr()
    assert status == 0
    assert Path(told.out.strip()).is_file()
    assert "NOTE: the environment asks for Python 3.7" in told.err


@pytest.mark.parametrize("text", ["dependencies: [six==99]", "dependencies: 5"])
def test_command_fails_with_1_when_the_file_must_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    conda = tmp_path / "conda.yml"
    conda.write_text(text)

    assert main([str(conda), "--home", str(tmp_path / "home")]) == 1
    assert main([str(tmp_path / "absent.yml"), "--home", str(tmp_path / "home")]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "cannot be read" in told.err
    assert "Traceback" not in told.err


def test_home_that_cannot_be_written_is_an_error_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(VerdazulError, match="file"):
        build_now(recipe("six"), tmp_path / "file")


def _entries(home: Path) -> list[Path]:
    folder = home / "environments"
    return [path for path in folder.iterdir() if path.name != ".locks"] if folder.exists() else []
