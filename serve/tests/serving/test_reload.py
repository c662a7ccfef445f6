"""Development with --reload: each change of the code folder is picked up, broken ones included."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from verdazul_serve.reload import look

from .process import Server, eventually, is_running
from .wires import Wire

SCRIPT = """
import os
def init(): pass
def run(data): return ["{}", os.getpid()]
"""
SOON = 8.0  # seconds; generous, for machines are busy


def version(server: Server) -> object:
    answer = server.score("x")
    return answer.json[0] if answer.status == 200 else answer.message


def is_served(server: Server, wanted: str) -> bool:
    return version(server) == wanted


def write(server: Server, text: str, name: str = "score.py") -> None:
    (server.code / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_change_is_served_by_every_worker_soon(workers: str) -> None:
    with Server(SCRIPT.format("one"), WORKER_COUNT=workers, VERDAZUL_RELOAD="true") as server:
        server.ready()
        before = server.descendants()
        for name in ("two", "three"):
            write(server, SCRIPT.format(name))
            eventually(partial(is_served, server, name), seconds=SOON)

        eventually(server.is_ready)
        assert {version(server) for _ in range(10)} == {"three"}
        zygote, *others = before
        eventually(lambda: not any(map(is_running, others)))
        assert is_running(zygote)
        eventually(lambda: len(server.descendants()) == len(before))
        assert "Traceback" not in server.log
        assert server.stop() == 0


def test_a_change_of_a_module_beside_the_script_counts_too() -> None:
    script = "import part\ndef init(): pass\ndef run(data): return [part.NAME]"
    with Server(script, files={"part.py": "NAME = 'one'"}, VERDAZUL_RELOAD="true") as server:
        assert version(server.ready()) == "one"
        write(server, "NAME = 'other'", "part.py")

        eventually(lambda: version(server) == "other", seconds=SOON)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_broken_script_is_told_to_callers_and_its_correction_is_served_soon(workers: str) -> None:
    with Server(SCRIPT.format("one"), WORKER_COUNT=workers, VERDAZUL_RELOAD="true") as server:
        server.ready()
        write(server, "def init(: pass")
        problem = eventually(lambda: told(server))
        for _ in range(3):  # starts that fail are further and further apart
            eventually(lambda: server.log.count("UserScriptImportError") >= 3)
        write(server, SCRIPT.format("two"))
        eventually(lambda: version(server) == "two", seconds=SOON)

        assert "score.py:1" in problem
        assert server.ask("GET", "/").status == 200
        assert server.process.poll() is None


def told(server: Server) -> str | None:
    answer, probe = server.score("x"), server.ask("GET", "/")
    is_told = answer.status == probe.status == 503 and "UserScriptImportError" in answer.message
    return answer.message if is_told else None


def test_a_broken_script_does_not_keep_the_machine_busy() -> None:
    with Server("def init(: pass", VERDAZUL_RELOAD="true") as server:
        eventually(lambda: told(server))
        eventually(lambda: server.log.count("UserScriptImportError") >= 4)
        first = server.log.count("UserScriptImportError")
        write(server, "def init(): broken again")
        eventually(lambda: "changed: starting anew" in server.log)
        eventually(lambda: server.log.count("UserScriptImportError") > first)

        write(server, SCRIPT.format("good"))
        eventually(lambda: version(server) == "good", seconds=SOON)
        assert server.log.count("a worker could not") + server.log.count(" died: ") < 30


def test_a_kept_connection_survives_a_change() -> None:
    with (
        Server(SCRIPT.format("one"), VERDAZUL_RELOAD="true") as server,
        Wire(server.ready().path) as wire,
    ):
        assert wire.ask("x").json[0] == "one"
        write(server, SCRIPT.format("two"))
        eventually(lambda: wire.ask("x").json[0] == "two", seconds=SOON)


def test_what_is_looked_at(tmp_path: Path) -> None:
    for name in ("a.py", "b.json", "c.txt", "__pycache__/d.py", ".git/e.py", "sub/f.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    found = look([str(tmp_path), str(tmp_path / "missing")])

    assert sorted(Path(path).name for path in found) == ["a.py", "b.json", "f.py"]
