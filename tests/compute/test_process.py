"""Real processes treated badly: killed shims, dead control planes, hostile servers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.compute_worlds import (
    QUICK,
    ProcessWorld,
    instance_id,
    just,
    launch,
    left_over,
    reach,
    the,
    vanish,
)
from verdazul import processes
from verdazul.compute import limits, shim_launch
from verdazul.compute.folder import Folder, folders
from verdazul.compute.shim.child import CANNOT_RUN
from verdazul.compute.sweep import stop_all
from verdazul.core.instance import Instance, Limits, Phase
from verdazul.model.errors import Retryable

A = instance_id()
# gives the boot three seconds of the worlds' fast timer; then one "no" is enough
LATE = replace(QUICK, initial_delay=30)
ROOT = Path(__file__).parents[2]


def in_world(tmp_path: Path, test: Callable[[ProcessWorld], Awaitable[None]]) -> None:
    async def opened() -> None:
        world = ProcessWorld(tmp_path, environ={**os.environ, "VERDAZUL_TOKEN": "top-secret"})
        await world.open()
        try:
            await test(world)
        finally:
            await world.close()

    asyncio.run(opened())


async def ready(world: ProcessWorld, kind: str = "healthy") -> Instance:
    await world.compute.start(A, world.launch(kind), attempt=1)
    return await reach(world, A, Phase.READY)


async def environment_of(world: ProcessWorld) -> dict[str, str]:
    """Ask the stub; it answers with what it sees."""
    path = world.home / (await the(world, A)).address.removeprefix("unix:")
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    answer = await reader.read()
    writer.close()
    seen: dict[str, str] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return seen


async def _said(world: ProcessWorld, text: str) -> bool:
    return text in await world.compute.logs("credit", "blue", tail=5)


def proc(pid: int | None, name: str) -> Path:
    return Path(f"/proc/{pid}/{name}")


def groups_left(folder: Folder) -> list[str]:
    return [group for group in folder.groups() if Path(group).exists()]


def test_instance_sees_its_contract_and_none_of_our_secrets(tmp_path: Path) -> None:
    async def test(world: ProcessWorld) -> None:
        await world.compute.start(A, launch(tmp_path, KEY="user-secret"), attempt=1)
        pid = (await reach(world, A, Phase.READY)).pid

        seen = await environment_of(world)

        assert seen["KEY"] == "user-secret"
        assert "VERDAZUL_TOKEN" not in seen
        assert seen["VERDAZUL_INSTANCE"] == str(A)
        assert proc(pid, "cwd").readlink() == Folder(world.home, A).work
        for process in Folder(world.home, A).processes():
            assert b"secret" not in proc(process.pid, "cmdline").read_bytes()

    in_world(tmp_path, test)


def test_socket_works_however_deep_home_is(tmp_path: Path) -> None:
    in_world(tmp_path / ("d" * 120), _just_ready)


async def _just_ready(world: ProcessWorld) -> None:
    await ready(world)
    socket = world.home / Folder(world.home, A).socket
    assert socket.stat().st_mode & 0o777 == 0o600


def test_killed_shim_takes_its_process_along_and_the_instance_is_exited(tmp_path: Path) -> None:
    async def test(world: ProcessWorld) -> None:
        await ready(world, "forks")
        holder, child = Folder(world.home, A).processes()

        os.kill(holder.pid, signal.SIGKILL)

        dead = await reach(world, A, Phase.EXITED)
        assert dead.exit is not None
        assert dead.exit.signal == signal.SIGKILL
        assert not processes.is_alive(child)
        await world.until(lambda: just(not left_over(world.home)), "forks are gone too")
        assert groups_left(Folder(world.home, A)) == []

    in_world(tmp_path, test)


def test_forks_of_a_dead_process_do_not_stay(tmp_path: Path) -> None:
    async def test(world: ProcessWorld) -> None:
        await ready(world, "forks")

        await world.kill(A)

        await reach(world, A, Phase.EXITED)
        await world.until(lambda: just(not left_over(world.home)), "forks are gone")

    in_world(tmp_path, test)


def test_process_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    async def test(world: ProcessWorld) -> None:
        stubborn = replace(world.launch("stubborn"), grace_seconds=0.1)
        await world.compute.start(A, stubborn, attempt=1)
        await reach(world, A, Phase.READY)

        await world.compute.stop(A)

        await vanish(world, A)

    in_world(tmp_path, test)


def test_frozen_process_can_be_stopped(tmp_path: Path) -> None:
    async def test(world: ProcessWorld) -> None:
        await world.compute.start(A, replace(world.launch(), grace_seconds=0.1), attempt=1)
        await reach(world, A, Phase.READY)
        await world.hang(A)

        await world.compute.stop(A)

        await vanish(world, A)

    in_world(tmp_path, test)


@pytest.mark.azure(72)
def test_failed_liveness_ends_the_instance_and_says_so(tmp_path: Path) -> None:
    async def test(world: ProcessWorld) -> None:
        await world.compute.start(A, replace(world.launch(), liveness=LATE), attempt=1)
        await reach(world, A, Phase.READY)

        (Folder(world.home, A).work / "sick").touch()

        dead = await reach(world, A, Phase.EXITED)
        assert dead.exit is not None
        assert "liveness probe 1 times in a row" in dead.exit.problem.message
        assert "HTTP 503 (starting)" in dead.exit.problem.message

    in_world(tmp_path, test)


@pytest.mark.azure(72)
def test_hung_instance_is_ended_soon_however_long_it_might_drain(tmp_path: Path) -> None:
    async def test(world: ProcessWorld) -> None:
        soon = replace(QUICK, initial_delay=10, timeout=1)
        patient = replace(world.launch(), grace_seconds=3600.0, liveness=soon)
        await world.compute.start(A, patient, attempt=1)
        await reach(world, A, Phase.READY)

        await world.hang(A)

        dead = await reach(world, A, Phase.EXITED)
        assert dead.exit is not None
        assert "liveness probe" in dead.exit.problem.message

    in_world(tmp_path, test)


@pytest.mark.azure(72)
def test_instance_that_was_told_to_go_may_answer_no_probe_and_keeps_its_time(
    tmp_path: Path,
) -> None:
    async def test(world: ProcessWorld) -> None:
        never_again = replace(QUICK, period=9999)  # once it is ready, only liveness asks
        patient = world.launch("stubborn", readiness=never_again)
        patient = replace(patient, grace_seconds=3600.0, liveness=LATE)
        await world.compute.start(A, patient, attempt=1)
        await reach(world, A, Phase.READY)
        folder = Folder(world.home, A)
        await world.compute.stop(A)

        (folder.work / "sick").touch()
        await world.until(lambda: just((folder.work / "said-no").exists()), "it is asked")
        await world.restart()

        assert folder.marker("verdict") is None
        assert (await the(world, A)).phase is Phase.STOPPING
        await world.real.close()
        await stop_all(world.home, last_seconds=0.1)

    in_world(tmp_path, test)


def test_flood_of_output_stays_within_its_bounds(tmp_path: Path) -> None:
    async def test(world: ProcessWorld) -> None:
        world.real._log_bytes, world.real._log_files = 50_000, 2

        await ready(world, "floods")

        await world.until(lambda: _said(world, "flood over"), "all is copied")
        files = list(Folder(world.home, A).log.parent.iterdir())
        assert len(files) == 3
        assert all(file.stat().st_size <= 50_000 for file in files)

    in_world(tmp_path, test)


def test_memory_hog_is_killed_and_told_its_limit(tmp_path: Path) -> None:
    if "memory" not in limits.enforced().split("enforced")[0]:
        pytest.skip("no writable memory cgroup here")

    async def test(world: ProcessWorld) -> None:
        hog = replace(world.launch("eats-memory"), limits=Limits(1.0, 64 * 1024**2))

        await world.compute.start(A, hog, attempt=1)

        dead = await reach(world, A, Phase.EXITED)
        assert dead.exit is not None
        assert dead.exit.signal == signal.SIGKILL
        assert "more than its 64 MiB" in dead.exit.problem.message

    in_world(tmp_path, test)


def test_missing_interpreter_is_named(tmp_path: Path) -> None:
    async def test(world: ProcessWorld) -> None:
        await world.compute.start(A, replace(world.launch(), python="/no/python"), attempt=1)

        dead = await reach(world, A, Phase.EXITED)

        assert dead.exit is not None
        assert "cannot run /no/python" in dead.exit.problem.message

    in_world(tmp_path, test)


def test_variable_that_no_process_can_have_is_an_exit_not_a_crash_of_ours(tmp_path: Path) -> None:
    async def test(world: ProcessWorld) -> None:
        bad = replace(world.launch(), variables=(("A", "nul\0inside"),))
        await world.compute.start(A, bad, attempt=1)

        dead = await reach(world, A, Phase.EXITED)

        assert dead.exit is not None
        assert "null byte" in dead.exit.problem.message

    in_world(tmp_path, test)


def test_full_or_forbidden_disk_is_retryable(tmp_path: Path) -> None:
    async def test(world: ProcessWorld) -> None:
        (world.home / "instances").rmdir()
        (world.home / "instances").touch()

        with pytest.raises(Retryable, match="could not be started"):
            await world.compute.start(A, world.launch(), attempt=1)

        (world.home / "instances").unlink()

    in_world(tmp_path, test)


def test_start_that_the_machine_refuses_leaves_the_last_exit_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(world: ProcessWorld) -> None:
        await world.compute.start(A, world.launch("exits"), attempt=1)
        before = await reach(world, A, Phase.EXITED)
        other = instance_id(n=1)
        monkeypatch.setattr(sys, "executable", "/no/such/python")

        for instance in (A, other):
            with pytest.raises(Retryable, match="No such file"):
                await world.compute.start(instance, world.launch(), attempt=2)

        (after,) = await world.compute.observe("credit")
        assert (after.phase, after.exit) == (Phase.EXITED, before.exit)
        assert groups_left(Folder(world.home, A)) == []

    in_world(tmp_path, test)


def test_starts_that_race_make_one_instance(tmp_path: Path) -> None:
    async def test(world: ProcessWorld) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(world.compute.start(A, world.launch(), attempt=1))
        await reach(world, A, Phase.READY)

        shims = [line for line in left_over(world.home) if "shim/__main__.py" in line]
        assert len(shims) == 1

    in_world(tmp_path, test)


def test_stop_right_after_start_leaves_nothing(tmp_path: Path) -> None:
    async def test(world: ProcessWorld) -> None:
        await world.compute.start(A, world.launch(), attempt=1)
        await world.compute.stop(A)

        await vanish(world, A)
        await world.until(lambda: just(not left_over(world.home)), "nothing left")

    in_world(tmp_path, test)


def test_stop_goes_on_after_a_restart_of_ours(tmp_path: Path) -> None:
    async def test(world: ProcessWorld) -> None:
        await ready(world)
        await world.real.close()
        Folder(world.home, A).mark("stopping", since=0.0)

        await world.restart()

        await vanish(world, A)

    in_world(tmp_path, test)


def test_what_died_while_we_were_away_is_exited_at_once(tmp_path: Path) -> None:
    async def test(world: ProcessWorld) -> None:
        await ready(world)
        await world.real.close()
        holder = Folder(world.home, A).processes()[0]
        os.kill(holder.pid, signal.SIGKILL)
        await processes.gone(holder, timeout_seconds=5)
        processes.reap(holder.pid)

        await world.restart()

        assert (await the(world, A)).phase is Phase.EXITED

    in_world(tmp_path, test)


def test_start_that_was_cut_off_is_forgotten(tmp_path: Path) -> None:
    async def test(world: ProcessWorld) -> None:
        folder = Folder(world.home, A)
        folder.prepare()
        folder.write_launch(world.launch(), attempt=1, at=0.0)

        await world.restart()

        assert await world.compute.observe("credit") == ()
        assert not folder.path.exists()

    in_world(tmp_path, test)


CONTROL_PLANE = """
import asyncio, sys
from pathlib import Path
from tests.contract.compute_worlds import ProcessWorld, instance_id, reach
from verdazul.core.instance import Phase

async def main():
    world = ProcessWorld(Path(sys.argv[1]))
    await world.open()
    await world.compute.start(instance_id(), world.launch(), attempt=1)
    await reach(world, instance_id(), Phase.READY)
    print("up", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def killed_control_plane(tmp_path: Path) -> None:
    """Run another control plane until its instance is ready, then SIGKILL it."""
    with subprocess.Popen(
        [sys.executable, "-c", CONTROL_PLANE, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT
    ) as plane:
        assert plane.stdout is not None
        assert plane.stdout.readline() == b"up\n"
        plane.kill()


def test_instances_of_a_killed_control_plane_are_adopted_and_still_ready(tmp_path: Path) -> None:
    killed_control_plane(tmp_path)

    async def test(world: ProcessWorld) -> None:
        adopted = await the(world, A)
        assert adopted.phase is Phase.READY
        assert adopted.pid == int((await environment_of(world)).get("STUB_PID", "0"))

        await world.kill(A)

        dead = await reach(world, A, Phase.EXITED)
        assert dead.ready_seconds > 0

    in_world(tmp_path, test)


def test_everything_can_be_stopped_without_a_control_plane(tmp_path: Path) -> None:
    killed_control_plane(tmp_path)
    assert left_over(tmp_path / "home")

    stopped = asyncio.run(stop_all(tmp_path / "home"))

    assert stopped == (A,)
    assert left_over(tmp_path / "home") == []
    assert list((tmp_path / "home" / "instances").iterdir()) == []
    assert asyncio.run(stop_all(tmp_path / "home")) == ()


def test_taking_all_down_waits_for_no_patient_instance(tmp_path: Path) -> None:
    async def test(world: ProcessWorld) -> None:
        patient = replace(world.launch("stubborn"), grace_seconds=3600.0)
        await world.compute.start(A, patient, attempt=1)
        await reach(world, A, Phase.READY)
        await world.real.close()

        stopped = await stop_all(world.home, last_seconds=0.1)

        assert stopped == (A,)
        assert not left_over(world.home)

    in_world(tmp_path, test)


def test_instance_that_is_just_being_born_is_stopped_too(tmp_path: Path) -> None:
    async def start_and_leave() -> None:
        world = ProcessWorld(tmp_path)
        await world.open()
        for n in range(3):
            await world.compute.start(instance_id(n=n), world.launch(), attempt=1)
        unwritten = [f for f in folders(world.home) if not f.processes()]
        await world.real.close()
        assert unwritten, "start returns before its shim has told its name"
        await stop_all(world.home)

    asyncio.run(start_and_leave())

    assert left_over(tmp_path / "home") == []


def test_shim_that_cannot_write_itself_down_runs_nothing(tmp_path: Path) -> None:
    spec = {
        "argv": ["/bin/touch", str(tmp_path / "it-ran")],
        "folder": str(tmp_path / "gone"),
        "log": str(tmp_path / "log.txt"),
        "log_bytes": 1000,
        "log_files": 1,
        "grace_seconds": 1,
    }

    ended = subprocess.run([*shim_launch.command(), json.dumps(spec)], check=False)

    assert ended.returncode == CANNOT_RUN
    assert not (tmp_path / "it-ran").exists()
