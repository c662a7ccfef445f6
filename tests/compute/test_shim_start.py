"""How a shim comes up: from any place, with light modules, and with all it will ever need."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import verdazul
from verdazul.compute import shim
from verdazul.compute.shim_launch import command, wrap

HEAVY = {"asyncio", "inspect", "logging", "pathlib", "subprocess", "threading", "typing"}
MARK = "the command runs"


@pytest.fixture
def elsewhere(tmp_path: Path) -> list[str]:
    """Start a shim from a copy of its package, with nothing else of verdazul around it."""
    root = Path(verdazul.__file__).parent
    inside = Path(shim.__file__).parent.relative_to(root)
    copy = tmp_path / "site" / "verdazul"
    shutil.copytree(root / inside, copy / inside, ignore=shutil.ignore_patterns("__pycache__"))
    for package in (Path(), *inside.parents[:-1]):
        shutil.copy(root / package / "__init__.py", copy / package)
    *python, _ = command()
    return [*python, str(copy / inside / "__main__.py")]


def spec(logs: Path, *argv: str, **more: object) -> str:
    log = {"log": str(logs / "log.txt"), "log_bytes": 10_000, "log_files": 1}
    return json.dumps({"argv": argv, **log, "grace_seconds": 5, **more})


def log_of(folder: Path) -> str:
    path = folder / "log.txt"
    return path.read_text() if path.exists() else ""


def imports_of(tmp_path: Path) -> tuple[list[str], list[str]]:
    """What a whole life of an instance's shim imports: before and after its command runs."""
    python, *rest = command()
    script = f"echo '{MARK}' > /proc/$PPID/fd/2; sleep 600 & exit 3"
    life = spec(tmp_path, "/bin/sh", "-c", script, home=str(tmp_path), socket="it.sock",
                folder=str(tmp_path), groups=[str(tmp_path / "no-group")])  # fmt: skip

    ended = subprocess.run(
        [python, "-X", "importtime", *rest, life], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 3
    assert json.loads((tmp_path / "exit.json").read_text())["code"] == 3
    before, _, after = ended.stderr.partition(MARK)
    return names_in(before), names_in(after)


def names_in(said: str) -> list[str]:
    lines = [line for line in said.splitlines() if line.startswith("import time:")]
    return [line.rpartition("|")[2].strip() for line in lines if "imported package" not in line]


def test_shim_imports_the_standard_library_and_itself_only(tmp_path: Path) -> None:
    names, _ = imports_of(tmp_path)

    strangers = {name for name in names if name.split(".")[0] not in sys.stdlib_module_names}
    own = {name for name in strangers if name.startswith(shim.__name__)}
    assert f"{shim.__name__}.supervisor" in own
    assert strangers - own == {"verdazul", "verdazul.compute"}


def test_shim_imports_nothing_heavy(tmp_path: Path) -> None:
    names, _ = imports_of(tmp_path)

    assert "json" in names
    assert HEAVY.isdisjoint(names)


def test_shim_imports_nothing_once_its_command_runs(tmp_path: Path) -> None:
    before, after = imports_of(tmp_path)

    assert before
    assert after == []


def test_shim_does_its_work_after_its_package_is_gone(elsewhere: list[str], tmp_path: Path) -> None:
    script = "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.01; done"
    life = spec(tmp_path, "/bin/sh", "-c", script, folder=str(tmp_path))
    with subprocess.Popen([*elsewhere, life]) as process:
        deadline = time.monotonic() + 10
        while "up" not in log_of(tmp_path):
            assert time.monotonic() < deadline, "never up"
            time.sleep(0.005)

        shutil.rmtree(tmp_path / "site")
        process.terminate()

        assert process.wait(10) == 5
    assert log_of(tmp_path).endswith("bye\n")
    assert json.loads((tmp_path / "exit.json").read_text())["code"] == 5


def test_what_is_installed_beside_verdazul_never_replaces_a_standard_module(
    elsewhere: list[str], tmp_path: Path
) -> None:
    for name in ("json", "select", "ctypes", "resource"):
        (tmp_path / "site" / f"{name}.py").write_text("raise SystemExit('a stranger')")

    ended = subprocess.run([*elsewhere, spec(tmp_path, "/bin/echo", "ran")], check=False)

    assert (ended.returncode, log_of(tmp_path)) == (0, "ran\n")


def test_command_inherits_the_environment_as_it_is(tmp_path: Path) -> None:
    given = {"LC_ALL": "C.UTF-8", "PATH": os.defpath, "PYTHONPATH": "/the/user's/own"}
    argv = wrap(["/usr/bin/env"], home=tmp_path, name="log", log_dir=tmp_path)

    subprocess.run(argv, env=given, check=True)

    assert dict(line.split("=", 1) for line in log_of(tmp_path).splitlines()) == given
