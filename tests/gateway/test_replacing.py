"""A gateway that changes under open connections: hot restart, and two processes on one port."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import psutil
import pytest

from tests.gateway.gateway_upstream import eventually, read_chunk
from tests.gateway.gateway_world import (
    BEARER,
    World,
    deployment,
    free_port,
    plane_at,
    route,
    run,
)
from tests.gateway.takeover import asking, needs_shared_memory, replaced
from verdazul import processes
from verdazul.gateway import hot_restart
from verdazul.gateway.listening import check_alone
from verdazul.gateway.record import FILES, Record
from verdazul.gateway.supervise import Envoy
from verdazul.gateway.tls import Tls
from verdazul.model.errors import UserError

pytestmark = pytest.mark.e2e
NEWER = Tls(minimum="1.3")


@needs_shared_memory
def test_changed_settings_refuse_no_connection_and_keep_open_streams(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            old = world.plane.pid
            async with world.connect() as events, world.connect() as sockets:
                events.send("/api/v1/endpoint/credit/stream", BEARER)
                await events.head()
                await read_chunk(events.reader)
                upgrade = {"connection": "upgrade", "upgrade": "websocket"}
                sockets.send("/api/v1/endpoint/credit/websocket", {**BEARER, **upgrade})
                await sockets.head()
                async with asking(world) as failed:
                    new = await replaced(world, tls=NEWER)
                    pids = (old, new.pid)
                    green = await world.upstream("green")
                    await new.publish("credit", route(deployment("blue", green.address)))
                    await eventually(lambda: green.served)
                    sockets.writer.write(b"hello")
                    echoed = await sockets.reader.readexactly(10)
                    blue.release.set()
                    told = await read_chunk(events.reader)
                    drains = [one.process.pid for one in _record(tmp_path).draining]

            assert failed == []
            assert len(set(pids)) == 2
            assert (echoed, told, drains) == (b"echo hello", b"data: two\n\n", [old])

    run(test())


@needs_shared_memory
def test_what_was_replaced_ends_when_its_time_is_over(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path, drain_seconds=2) as world:
            old = world.plane.pid
            await replaced(world, tls=NEWER, drain_seconds=2)
            await eventually(lambda: not processes.birth(old or 0))
            assert (await world.ask("/x", {})).status == 404

    run(test())


@needs_shared_memory
def test_what_was_replaced_ends_even_when_its_successor_was_killed(tmp_path: Path) -> None:
    class Late:
        """A clock that jumps beyond the drain time when told."""

        late = 0.0

        def now(self) -> float:
            import time

            return time.time() + self.late

    async def test() -> None:
        clock = Late()
        async with World.open(tmp_path) as world:
            old = world.plane.pid
            new = await replaced(world, tls=NEWER, clock=clock, look_seconds=0.05)
            killed = new.pid
            os.kill(killed or 0, signal.SIGKILL)
            await eventually(lambda: new.pid not in {None, killed})
            was_there = processes.birth(old or 0)
            clock.late = 10_000
            await eventually(lambda: not processes.birth(old or 0))

        assert was_there

    run(test())


@needs_shared_memory
def test_another_port_is_taken_before_the_old_one_is_left(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            await world.plane.detach()
            with (
                socket.create_server(("127.0.0.1", 0)) as other,
                pytest.raises(UserError) as refused,
            ):
                await plane_at(tmp_path, other.getsockname()[1]).start()
            assert refused.value.problem.code == "PortInUse"
            assert (await world.ask("/x", {})).status == 404

            world.port = free_port()
            await replaced(world)
            assert (await world.ask("/x", {})).status == 404

    run(test())


def test_without_shared_memory_a_change_starts_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hot_restart, "_SHARED_MEMORY", tmp_path / "nowhere")
    monkeypatch.setattr("verdazul.gateway.supervise.is_possible", hot_restart.is_possible)

    async def test() -> None:
        async with World.open(tmp_path) as world:
            old = world.plane.pid
            new = await replaced(world, tls=NEWER)
            assert new.pid != old
            assert not processes.birth(old or 0)
            assert (await world.ask("/x", {})).status == 404

    run(test())


def test_a_gateway_leaves_no_shared_memory_behind(tmp_path: Path) -> None:
    def memory(base_id: int | None) -> bool:
        return Path(f"/dev/shm/envoy_shared_memory_{(base_id or 0) * 10}").exists()

    async def test() -> None:
        async with World.open(tmp_path) as world:
            base_id = _record(tmp_path).lineage.base_id
            existed = memory(base_id)

            await replaced(world, processes=2)
            assert not memory(base_id)

        assert existed == hot_restart.is_possible()
        assert not memory(base_id)

    run(test())


def test_two_processes_share_the_port_and_both_acknowledge(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path, processes=2) as world:
            blue, green = await world.upstream("blue"), await world.upstream("green")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            answered = {await _who(world) for _ in range(20)}
            pids = [one.pid for one in world.plane.processes]
            await world.plane.publish("credit", route(deployment("blue", green.address)))
            after = {await _who(world) for _ in range(20)}

        assert (answered, after) == ({"blue"}, {"green"})
        assert len(set(pids)) == 2

    run(test())


def test_one_of_two_may_die_while_the_other_serves_and_publishes(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path, processes=2) as world:
            blue, green = await world.upstream("blue"), await world.upstream("green")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            for index in (0, 1):
                killed = world.plane.processes[index].pid
                os.kill(killed or 0, signal.SIGKILL)
                await _let_go(world, killed or 0)
                assert (await world.ask("/name")).status == 200
                target = (green, blue)[index]
                await world.plane.publish("credit", route(deployment("blue", target.address)))
                one = world.plane.processes[index]
                await _back(one, killed)
                assert {await _who(world) for _ in range(20)} == {target.name}

    run(test())


def test_a_mute_process_of_two_is_waited_for(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path, processes=2) as world:
            blue = await world.upstream("blue")
            pid = world.plane.processes[1].pid or 0
            os.kill(pid, signal.SIGSTOP)
            task = asyncio.create_task(
                world.plane.publish("credit", route(deployment("blue", blue.address)))
            )
            done, _ = await asyncio.wait([task], timeout=0.3)
            os.kill(pid, signal.SIGCONT)
            await task

        assert not done

    run(test())


def test_two_are_adopted_and_one_may_have_died_meanwhile(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path, processes=2) as world:
            pids = [one.pid or 0 for one in world.plane.processes]
            await world.plane.detach()
            os.kill(pids[0], signal.SIGKILL)
            await eventually(lambda: not processes.birth(pids[0]))
            async with plane_at(tmp_path, world.port, processes=2) as new:
                again = [one.pid for one in new.processes]
                assert (await world.ask("/x", {})).status == 404

        assert again[1] == pids[1]
        assert again[0] not in pids
        assert not any(psutil.pid_exists(pid or 0) for pid in again)

    run(test())


@needs_shared_memory
def test_two_are_replaced_without_a_refused_connection(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path, processes=2) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            before = {one.pid for one in world.plane.processes}
            async with asking(world) as failed:
                new = await replaced(world, processes=2, tls=NEWER)
                after = {one.pid for one in new.processes}

            assert failed == []
            assert not before & after

    run(test())


def test_from_two_to_one_and_back(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path, processes=2) as world:
            second = world.plane.processes[1].pid
            await replaced(world, processes=1)
            assert not processes.birth(second or 0)
            assert (await world.ask("/x", {})).status == 404
            new = await replaced(world, processes=2)
            assert all(one.pid for one in new.processes)

    run(test())


def test_a_stranger_on_the_shared_port_is_refused_or_said(tmp_path: Path) -> None:
    def listens(port: int) -> socket.socket:
        stranger = socket.socket()
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        return stranger

    async def test() -> None:
        port = free_port()
        with listens(port), pytest.raises(UserError) as refused:
            await plane_at(tmp_path / "late", port, processes=2).start()
        async with World.open(tmp_path / "first", processes=2, look_seconds=0.05) as world:
            with listens(world.port):
                await eventually(lambda: world.plane.problems)
                (problem,) = world.plane.problems
            await eventually(lambda: not world.plane.problems)
            with pytest.raises(UserError) as other_home:
                await plane_at(tmp_path / "other", world.port, processes=2).start()

        assert refused.value.problem.code == problem.code == "PortInUse"
        assert other_home.value.problem.code == "PortInUse"

    run(test())


@pytest.mark.parametrize(
    ("bound", "asked", "is_met"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.2", "127.0.0.1", False),
    ],
)
def test_who_listens_where_is_read_from_the_kernel(bound: str, asked: str, is_met: bool) -> None:  # noqa: FBT001
    with socket.create_server((bound, 0)) as other:
        port = other.getsockname()[1]
        check_alone(asked, port, ours=frozenset({os.getpid()}))
        if is_met:
            with pytest.raises(UserError):
                check_alone(asked, port, ours=frozenset())
        else:
            check_alone(asked, port, ours=frozenset())


async def _let_go(world: World, killed: int) -> None:
    """The killed one's socket is closed: a connection made before may still have gone there."""

    def is_alone() -> bool:
        living = {one.pid or 0 for one in world.plane.processes} - {killed}
        try:
            check_alone("127.0.0.1", world.port, ours=frozenset(living))
        except UserError:
            return False
        return True

    await eventually(is_alone)


async def _back(envoy: Envoy, killed: int | None) -> None:
    await eventually(lambda: envoy.pid not in {None, killed})


async def _who(world: World) -> str:
    return (await world.ask("/name")).body.decode()


def _record(home: Path) -> Record:
    record = Record.read(home / FILES[0])
    assert record
    return record
