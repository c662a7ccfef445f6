"""Several workers: one init() where forking is safe, and everybody comes back after a death."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .process import Server, eventually

pytestmark = pytest.mark.azure(96)

SCRIPT = """
import asyncio, atexit, os, socket, threading, time

def init():
    global data
    data = bytearray(b"x") * (32 << 20)
    note("init")
    atexit.register(note, "exit")

def note(word):
    with open(os.environ["NOTES"], "a") as file: file.write(word + "\\n")

def run(text):
    word, _, path = text.partition(" ")
    if word == "hold":
        open(path + str(os.getpid()), "w").close()
        while not os.path.exists(path + "go"): time.sleep(0.001)
    return [os.getpid(), os.getppid()]
"""
ONCE = "init() has run once for 2 workers, which share its memory"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes"
    path.touch()
    return path


@pytest.fixture
def server(notes: Path) -> Iterator[Server]:
    with Server(SCRIPT, WORKER_COUNT="2", NOTES=str(notes)) as server:
        yield server.ready()


def leaving_behind(what: str) -> str:
    """A script whose init() does this as well."""
    return SCRIPT.replace("    global data\n", f"    global data, left\n    {what}\n")


def family(server: Server, path: Path) -> tuple[set[int], int]:
    """The pids of both workers, which meet, and of the process that forked them."""
    path.mkdir()
    with ThreadPoolExecutor() as pool:
        held = [pool.submit(server.score, f"hold {path}/") for _ in range(2)]
        eventually(lambda: len(list(path.iterdir())) == 2)
        (path / "go").touch()
        pairs = [each.result().json for each in held]
    (mother,) = {mother for _, mother in pairs}
    return {pid for pid, _ in pairs}, mother


def count(notes: Path, word: str = "init") -> int:
    return notes.read_text().split().count(word)


def kilobytes(pid: int, *names: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.partition(":")[0] in names)


# sharing


def test_init_runs_once_and_every_worker_has_what_it_made(server: Server, notes: Path) -> None:
    assert count(notes) == 1
    assert ONCE in server.log


def test_what_init_made_is_in_memory_once(server: Server, tmp_path: Path) -> None:
    workers, mother = family(server, tmp_path / "meeting")

    for pid in (*workers, mother):
        assert kilobytes(pid, "Rss") > 32 << 10
    for pid in workers:
        assert kilobytes(pid, "Private_Clean", "Private_Dirty") < 16 << 10
    assert sum(kilobytes(pid, "Pss") for pid in (*workers, mother)) < 64 << 10


def test_what_init_registered_for_the_end_is_done_by_every_worker_and_by_no_one_else(
    server: Server, notes: Path
) -> None:
    assert server.stop() == 0

    assert count(notes, "exit") == 2


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (
            'threading.Thread(target=time.sleep, args=[60], daemon=True, name="poll").start()',
            "the script has started threads (poll)",
        ),
        ("left = socket.socket()", "the script holds 1 open connections or loops (socket)"),
        ("left = asyncio.new_event_loop()", "open connections or loops (anon_inode"),
    ],
)
def test_what_a_fork_would_break_makes_each_worker_run_its_own_init(
    notes: Path, what: str, why: str
) -> None:
    script = leaving_behind(what)
    with Server(script, WORKER_COUNT="2", NOTES=str(notes)) as server:
        server.ready()

        assert count(notes) == 2
        assert "each of 2 workers runs its own init(): " in server.log
        assert why in server.log


def test_a_thread_that_has_ended_is_no_obstacle(notes: Path) -> None:
    script = leaving_behind("left = threading.Thread(target=int); left.start(); left.join()")
    with Server(script, WORKER_COUNT="2", NOTES=str(notes)) as server:
        server.ready()

        assert count(notes) == 1


def test_an_async_script_has_a_loop_and_an_init_for_each_worker(notes: Path) -> None:
    script = SCRIPT.replace("def init", "async def init").replace("def run", "async def run")
    with Server(script, WORKER_COUNT="2", NOTES=str(notes)) as server:
        server.ready()

        assert count(notes) == 2


@pytest.mark.parametrize(("preload", "inits"), [("true", 1), ("false", 2), ("no", 2)])
def test_worker_preload_decides_otherwise(notes: Path, preload: str, inits: int) -> None:
    script = leaving_behind("left = socket.socket()") if preload == "true" else SCRIPT
    two = Server(script, WORKER_COUNT="2", WORKER_PRELOAD=preload, NOTES=str(notes))
    with two as server:
        server.ready()

        assert count(notes) == inits
        assert ("WORKER_PRELOAD=true although the script holds 1 open" in server.log) is (
            inits == 1
        )
        assert "runs its own init()" not in server.log


def test_a_single_worker_shares_with_nobody_and_says_nothing(notes: Path) -> None:
    with Server(SCRIPT, NOTES=str(notes)) as server:
        server.ready()

        assert "init() has run once" not in server.log


# deaths


def test_a_killed_worker_is_forked_anew_without_another_init(
    server: Server, notes: Path, tmp_path: Path
) -> None:
    workers, mother = family(server, tmp_path / "first")
    os.kill(min(workers), signal.SIGKILL)
    later, still = family(server, tmp_path / "second")

    assert len(later & workers) == 1
    assert still == mother
    assert count(notes) == 1


def test_workers_come_back_when_the_process_that_forks_them_is_killed(
    server: Server, notes: Path, tmp_path: Path
) -> None:
    workers, mother = family(server, tmp_path / "first")
    with ThreadPoolExecutor() as pool:
        held = [pool.submit(server.score, f"hold {tmp_path}/x") for _ in range(2)]
        eventually(lambda: len(list(tmp_path.glob("x*"))) == 2)
        waiting = [pool.submit(server.score, "waiting") for _ in range(3)]
        server.ask("GET", "/")
        os.kill(mother, signal.SIGKILL)

        assert [each.result().status for each in held] == [500] * 2
        assert "killed by signal 9 (SIGKILL)" in held[0].result().message
        assert [each.result().status for each in waiting] == [200] * 3
    later, other = family(server.ready(), tmp_path / "second")
    assert not later & workers
    assert other != mother
    assert count(notes) == 2


def test_a_worker_that_was_ordered_but_not_yet_forked_comes_back_too(
    server: Server, tmp_path: Path
) -> None:
    workers, mother = family(server, tmp_path / "first")
    os.kill(min(workers), signal.SIGKILL)
    eventually(lambda: pipes(server) == 2)
    os.kill(mother, signal.SIGSTOP)
    eventually(lambda: pipes(server) == 4)  # two for each worker, which then is ordered
    os.kill(mother, signal.SIGKILL)
    eventually(lambda: server.log.count("init() has run once") == 2)

    assert len(family(server.ready(), tmp_path / "second")[0]) == 2


def pipes(server: Server) -> int:
    links = []
    for path in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.append(str(path.readlink()))
    return sum(link.startswith("pipe:") for link in links)
