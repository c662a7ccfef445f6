"""One Envoy process: started, adopted, restarted, ended; and TLS as clients see it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import ssl
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tests.gateway.gateway_upstream import Connection, Upstream, eventually
from tests.gateway.gateway_world import (
    BEARER,
    World,
    deployment,
    files_below,
    free_port,
    plane_at,
    route,
    run,
)
from verdazul import processes
from verdazul.gateway.record import recorded_gateway, stop_recorded_gateway
from verdazul.model.errors import Fatal, UserError

pytestmark = pytest.mark.e2e


def test_a_killed_envoy_comes_back_with_the_same_routes(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))

            pids = [world.plane.pid]
            for _ in range(3):
                os.kill(pids[-1] or 0, signal.SIGKILL)
                await eventually(lambda: world.plane.pid not in {None, pids[-1]})
                pids.append(world.plane.pid)
                assert (await world.ask("/name")).body == b"blue"

    run(test())


def test_a_new_control_plane_adopts_the_running_envoy_and_knows_its_routes(tmp_path: Path) -> None:
    port = free_port()

    async def test() -> None:
        old = plane_at(tmp_path, port)
        await old.start()
        async with Upstream("blue", tmp_path).listening() as blue:
            ours = route(deployment("blue", blue.address))
            await old.publish("credit", ours)
            pid = old.pid
            await old.detach()

            async with Connection.open(port, tmp_path / "certs/ca.pem") as connection:
                alone = await connection.ask("/api/v1/endpoint/credit/name", BEARER)
                new = plane_at(tmp_path, port)
                known = new.published("credit"), set(new.routed("credit")), set(new.endpoints())
                await new.start()
                adopted = await connection.ask("/api/v1/endpoint/credit/name", BEARER)
            same_pid = new.pid
            recorded = recorded_gateway(tmp_path)
            await new.stop()

        assert known == (ours, {"blue-0"}, {"credit"})
        assert (alone.status, adopted.status) == (200, 200)
        assert pid == same_pid == (recorded and recorded.pid)
        assert not psutil.pid_exists(pid or 0)
        assert recorded_gateway(tmp_path) is None

    run(test())


def test_an_envoy_that_died_while_nobody_watched_is_started_with_its_routes(tmp_path: Path) -> None:
    port = free_port()

    async def test() -> None:
        old = plane_at(tmp_path, port)
        await old.start()
        async with Upstream("blue", tmp_path).listening() as blue:
            await old.publish("credit", route(deployment("blue", blue.address)))
            await old.detach()
            assert await stop_recorded_gateway(tmp_path)
            assert not await stop_recorded_gateway(tmp_path)

            async with (
                plane_at(tmp_path, port),
                Connection.open(port, tmp_path / "certs/ca.pem") as connection,
            ):
                answer = await connection.ask("/api/v1/endpoint/credit/name", BEARER)

        assert answer.status == 200

    run(test())


def test_an_envoy_with_other_settings_or_without_a_record_is_replaced(tmp_path: Path) -> None:
    port = free_port()

    async def test() -> None:
        pids = []
        first = plane_at(tmp_path, port)
        await first.start()
        pids.append(first.pid)
        await first.detach()
        second = plane_at(tmp_path, port, concurrency=1)
        await second.start()
        pids.append(second.pid)
        await second.detach()
        (tmp_path / "run" / "envoy.json").unlink()
        async with plane_at(tmp_path, port, concurrency=1) as third:
            pids.append(third.pid)

        assert len(set(pids)) == 3
        assert not any(processes.birth(pid or 0) for pid in pids)

    run(test())


def test_a_port_in_use_is_said_with_its_number_and_a_fix(tmp_path: Path) -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with pytest.raises(UserError) as refused:
                await plane_at(tmp_path, port).start()

        problem = refused.value.problem
        assert problem.code == "PortInUse"
        assert str(port) in problem.message
        assert "--port" in problem.fix

    run(test())


def test_the_port_of_another_homes_envoy_is_in_use_too(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path / "one") as world:
            with pytest.raises(UserError) as refused:
                await plane_at(tmp_path / "two", world.port).start()

        assert refused.value.problem.code == "PortInUse"

    run(test())


def test_envoys_own_word_for_a_lost_race_for_the_port_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verdazul.gateway.supervise.check_free", lambda *_, **__: None)

    async def test() -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as other,
            pytest.raises(UserError) as refused,
        ):
            await plane_at(tmp_path, other.getsockname()[1]).start()

        assert refused.value.problem.code == "PortInUse"
        assert recorded_gateway(tmp_path) is None

    run(test())


def test_an_envoy_that_ends_at_once_is_fatal_with_its_last_words(tmp_path: Path) -> None:
    async def test() -> None:
        plane = plane_at(
            tmp_path, free_port(), wrap=lambda *_: ["/bin/sh", "-c", "echo bad; exit 3"]
        )
        with pytest.raises(Fatal) as failed:
            await plane.start()

        assert failed.value.problem.code == "GatewayFailed"
        assert "code 3" in failed.value.problem.message
        assert failed.value.problem.log_tail == ("bad",)

    run(test())


def test_a_wrapper_that_keeps_the_log_stands_between_and_ends_with_envoy(tmp_path: Path) -> None:
    def wrap(argv: list[str], _log: str) -> list[str]:
        return ["/bin/sh", "-c", '"$@" >> logs/envoy.txt 2>&1; exit $?', "sh", *argv]

    async def test() -> None:
        async with World.open(tmp_path, wrap=wrap) as world:
            blue = await world.upstream("blue")
            first = psutil.Process(world.plane.pid)
            shells = [first.parent()]
            name = first.name()
            first.kill()
            await eventually(lambda: world.plane.pid not in {None, first.pid})
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            with pytest.raises(Fatal) as refused:
                await world.plane.publish("credit", route(deployment("blue", "unix:" + "x" * 200)))
            shells.append(psutil.Process(world.plane.pid).parent())
            answer = await world.ask("/name")

        assert name.startswith("envoy")
        assert answer.status == 200
        assert "exceeds maximum" in refused.value.problem.message
        assert not any(shell and shell.is_running() for shell in shells)

    run(test())


def test_a_home_deep_in_the_file_system_is_no_obstacle(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path / ("d" * 100) / ("e" * 100)) as world:
            assert (await world.ask("/x", {})).status == 404

    run(test())


def test_a_start_that_is_cancelled_leaves_no_envoy(tmp_path: Path) -> None:
    async def test() -> None:
        plane = plane_at(tmp_path, free_port())
        task = asyncio.create_task(plane.start())
        await eventually((tmp_path / "gateway" / "bootstrap.json").exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        mine = [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(tmp_path)]
        assert mine == []

    run(test())


def test_files_are_for_the_owner_only(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            await world.plane.publish("credit", route(deployment("blue")))

            open_files = {p.name for p in files_below(tmp_path) if p.stat().st_mode & 0o077}
            names = ("certs", "gateway", "gateway/cds", "gateway/sds", "logs", "run")
            folders = [n for n in names if (tmp_path / n).stat().st_mode & 0o077]
            admin_mode = (tmp_path / "run" / "envoy-admin.sock").stat().st_mode & 0o777

        assert open_files == {"ca.pem", "server.pem", "ca-bundle.pem", "trust.pem"}
        assert folders == []
        assert admin_mode == 0o600

    run(test())


@pytest.mark.parametrize("bundle", ["ca.pem", "ca-bundle.pem"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_httpx_trusts_the_gateway_with_our_authority_only(
    tmp_path: Path, bundle: str, host: str
) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            url = f"https://{host}:{world.port}/api/v1/endpoint/nothing/score"
            trust = ssl.create_default_context(cafile=str(tmp_path / "certs" / bundle))
            async with httpx.AsyncClient(verify=trust, trust_env=False) as client:
                answer = await client.get(url)
            async with httpx.AsyncClient(trust_env=False) as stranger:
                with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                    await stranger.get(url)

        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "NotFound"

    run(test())


def test_http2_is_offered_over_tls_1_2_and_1_3(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            assert _handshake(world, maximum=ssl.TLSVersion.TLSv1_2) == ("TLSv1.2", "h2")
            assert _handshake(world, maximum=ssl.TLSVersion.TLSv1_3) == ("TLSv1.3", "h2")

    run(test())


def _handshake(world: World, *, maximum: ssl.TLSVersion) -> tuple[str | None, str | None]:
    context = ssl.create_default_context(cafile=str(world.home / "certs" / "ca.pem"))
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = maximum
    with (
        socket.create_connection(("127.0.0.1", world.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as link,
    ):
        return link.version(), link.selected_alpn_protocol()


class LaterClock:
    """The real time and a year more."""

    def now(self) -> float:
        return time.time() + 370 * 86400


def test_a_renewed_certificate_is_served_without_restart_or_dropped_connection(
    tmp_path: Path,
) -> None:
    port = free_port()

    async def test() -> None:
        old = plane_at(tmp_path, port)
        await old.start()
        served = _certificate(port)
        async with Connection.open(port, tmp_path / "certs/ca.pem") as connection:
            await connection.ask("/x", {})
            pid = old.pid
            await old.detach()
            async with plane_at(tmp_path, port, clock=LaterClock()) as new:
                await eventually(lambda: _certificate(port) != served)
                still = await connection.ask("/api/v1/endpoint/x", {})
                same_pid = new.pid

        assert still.status == 404
        assert pid == same_pid

    run(test())


def _certificate(port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=10)


def test_envoy_of_a_home_that_was_removed_is_not_in_the_way(tmp_path: Path) -> None:
    """A home that was deleted and made again finds a stranger on its port, and says so."""
    home, port = tmp_path / "home", free_port()

    async def test() -> None:
        first = plane_at(home, port)
        await first.start()
        pid = first.pid
        await first.detach()
        shutil.rmtree(home)

        with pytest.raises(UserError) as refused:
            await plane_at(home, port).start()
        os.kill(pid or 0, signal.SIGKILL)

        assert refused.value.problem.code == "PortInUse"

    run(test())


def test_an_envoy_that_cannot_come_back_says_why_and_is_tried_again(tmp_path: Path) -> None:
    broken = tmp_path / "broken"

    def wrap(argv: list[str], _log: str) -> list[str]:
        script = (
            'test -e broken && { echo it is broken; exit 3; }; exec "$@" >> logs/envoy.txt 2>&1'
        )
        return ["/bin/sh", "-c", script, "sh", *argv]

    async def test() -> None:
        async with World.open(tmp_path, wrap=wrap) as world:
            broken.touch()
            os.kill(world.plane.pid or 0, signal.SIGKILL)
            await eventually(lambda: world.plane.problems)
            (problem,), pid = world.plane.problems, world.plane.pid
            broken.unlink()
            await eventually(lambda: world.plane.pid)
            await eventually(lambda: not world.plane.problems)
            answer = await world.ask("/x", {})

        assert (problem.code, problem.log_tail, pid) == ("GatewayFailed", ("it is broken",), None)
        assert answer.status == 404

    run(test())
