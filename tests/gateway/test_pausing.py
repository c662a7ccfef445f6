"""A paused endpoint: requests wait at the activator and go on, in order, whatever they are."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.gateway.gateway_upstream import Answer, eventually, read_chunk
from tests.gateway.gateway_world import BEARER, World, deployment, plane_at, route, run
from verdazul import processes
from verdazul.core.route import Hold, Route
from verdazul.gateway.record import ACTIVATOR

pytestmark = pytest.mark.e2e
HOLD = Hold(seconds=60, most=100)
SCORE = "/api/v1/endpoint/credit/name"
MORE_THAN_IS_READ = b"x" * 300_000  # by the activator; the sockets on the way take all of it
MORE_THAN_FITS = b"x" * 8_000_000  # into all buffers on the way: the caller's end stays unseen


def paused(*addresses: str, hold: Hold = HOLD, **limits: int) -> Route:
    return replace(route(deployment("blue", *addresses, **limits)), hold=hold)


async def waiting(world: World, count: int, name: str = "credit.blue") -> None:
    async with asyncio.timeout(20):
        while True:
            async with world.plane._turn:
                await world.plane._holder.look()
            if world.plane.about["held"].get(name, 0) == count:  # type: ignore[attr-defined]  # JSON
                return
            await asyncio.sleep(0.01)


def test_requests_wait_while_paused_and_are_answered_in_order_after(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            plain = route(deployment("blue", blue.address, max_requests=2))
            await world.plane.publish("credit", plain)
            assert (await world.ask("/name")).status == 200
            await world.plane.publish("credit", replace(plain, hold=HOLD))

            asked = []
            for n in range(5):
                asked.append(asyncio.create_task(world.ask(f"/order/{n}")))
                await waiting(world, n + 1)
            pinned = {**BEARER, "azureml-model-deployment": "blue"}
            asked.append(asyncio.create_task(world.ask("/order/5", pinned)))
            await waiting(world, 6)
            seen_before = list(blue.paths)
            await world.plane.publish("credit", plain)
            answers = await asyncio.gather(*asked)
            direct = await world.ask("/name")
            await waiting(world, 0)

        assert seen_before == ["/name"]
        assert [answer.status for answer in answers] == [200] * 6
        assert blue.paths[1:7] == [f"/order/{n}" for n in range(6)]
        assert blue.most_active == 1
        assert direct.status == 200
        assert answers[0].headers["azureml-model-deployment"] == "blue"

    run(test())


def test_a_wrong_key_is_refused_at_once_and_other_endpoints_are_untouched(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", paused(blue.address))
            other = route(deployment("blue", blue.address), endpoint="other")
            await world.plane.publish("other", other)

            stranger = await world.ask("/name", {"Authorization": "Bearer wrong"})
            unknown = await world.ask("/name", {**BEARER, "azureml-model-deployment": "red"})
            beside = await world.ask("/name", endpoint="other")

        assert (stranger.status, unknown.status, beside.status) == (401, 404, 200)

    run(test())


def test_who_has_waited_too_long_is_told_so_and_when_to_come_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", paused(blue.address, hold=Hold(1, 10)))
            small = await world.ask("/name", body=b"x" * 10)
            large = await world.ask("/name", body=b"x" * 3_000_000)

        for answer in (small, large):
            assert answer.status == 503
            assert answer.code == "EndpointPaused"
            assert answer.headers["retry-after"] == "1"
            assert "ms-azureml-model-error-statuscode" not in answer.headers
            assert "x-verdazul-held" not in answer.headers
        assert blue.served == 0

    run(test())


def test_one_more_than_may_wait_is_429(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", paused(blue.address, hold=Hold(60, 2)))
            held = [asyncio.create_task(world.ask("/name")) for _ in range(2)]
            await waiting(world, 2)
            surplus = await world.ask("/name")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            answers = await asyncio.gather(*held)

        assert surplus.status == 429
        assert [answer.status for answer in answers] == [200, 200]

    run(test())


def test_large_chunked_and_streamed_requests_wait_as_they_are(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", paused(blue.address))
            body = b"x" * 5_000_000
            large = asyncio.create_task(world.ask("/large", body=body))
            await waiting(world, 1)
            async with world.connect() as stream, world.connect() as sockets:
                stream.send("/api/v1/endpoint/credit/stream", BEARER)
                upgrade = {"connection": "upgrade", "upgrade": "websocket"}
                await waiting(world, 2)
                sockets.send("/api/v1/endpoint/credit/websocket", {**BEARER, **upgrade})
                await waiting(world, 3)
                await world.plane.publish("credit", route(deployment("blue", blue.address)))
                told = (await large).json()
                assert (await stream.head())[0] == 200
                first = await read_chunk(stream.reader)
                blue.release.set()
                second = await read_chunk(stream.reader)
                assert (await sockets.head())[0] == 101
                sockets.writer.write(b"hello")
                echoed = await sockets.reader.readexactly(10)

        assert told["length"] == len(body)  # type: ignore[comparison-overlap]  # the upstream's own JSON
        assert (first, second, echoed) == (b"data: one\n\n", b"data: two\n\n", b"echo hello")

    run(test())


def test_callers_that_leave_are_forgotten(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", paused(blue.address))
            async with world.connect() as small, world.connect() as large:
                small.send("/api/v1/endpoint/credit/small", BEARER)
                large.send("/api/v1/endpoint/credit/large", BEARER, body=MORE_THAN_IS_READ)
                await waiting(world, 2)
            await waiting(world, 0)
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            await world.ask("/name")

        assert blue.paths == ["/name"]

    run(test())


def test_a_caller_who_left_behind_a_huge_body_is_forgotten_when_its_time_is_over(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", paused(blue.address, hold=Hold(2, 10)))
            async with world.connect() as huge:
                huge.send("/api/v1/endpoint/credit/huge", BEARER, body=MORE_THAN_FITS)
                await waiting(world, 1)
            await waiting(world, 0)
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            await world.ask("/name")

        assert blue.paths == ["/name"]

    run(test())


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_http2_callers_wait_too(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", paused(blue.address))
            curl = await asyncio.create_subprocess_exec(
                *("curl", "-sS", "--http2", "--cacert", str(world.home / "certs" / "ca.pem")),
                *("-H", f"Authorization: {BEARER['Authorization']}", "-d", "x" * 100_000),
                *("-w", "\n%{http_code} %{http_version}", f"https://localhost:{world.port}{SCORE}"),
                stdout=asyncio.subprocess.PIPE,
            )
            await waiting(world, 1)
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            output, _ = await asyncio.wait_for(curl.communicate(), 20)

        assert output == b"blue\n200 2"

    run(test())


def test_what_waits_survives_the_control_plane_and_another_one_lets_it_pass(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", paused(blue.address))
            asked = asyncio.create_task(world.ask("/name"))
            await waiting(world, 1)
            await world.plane.detach()
            later = asyncio.create_task(world.ask("/name"))
            world.plane = plane_at(tmp_path, world.port)
            world.stack.push_async_callback(world.plane.stop)
            await world.plane.start()
            await waiting(world, 2)
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            answers = await asyncio.gather(asked, later)

        assert [answer.status for answer in answers] == [200, 200]

    run(test())


def test_a_killed_activator_comes_back_and_goes_away_when_nothing_is_paused(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with World.open(tmp_path, look_seconds=0.05) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", paused(blue.address))
            first = _activator(tmp_path)
            os.kill(first, signal.SIGKILL)
            await eventually(lambda: _activator(tmp_path) not in {0, first})
            second = _activator(tmp_path)
            await waiting(world, 0)
            asked = asyncio.create_task(world.ask("/name"))
            await waiting(world, 1)
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            answer = await asked
            await eventually(lambda: not _activator(tmp_path))

        assert answer.status == 200
        assert not processes.birth(second)

    run(test())


def test_instances_may_change_while_requests_wait(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue, green = await world.upstream("blue"), await world.upstream("green")
            await world.plane.publish("credit", paused(blue.address))
            asked = asyncio.create_task(world.ask("/name"))
            await waiting(world, 1)
            await world.plane.publish("credit", paused())
            await world.plane.publish("credit", route(deployment("blue")))
            await world.plane.publish("credit", route(deployment("blue", green.address)))
            answer = await asked

        assert (answer.status, answer.body, blue.served) == (200, b"green", 0)

    run(test())


def test_a_deleted_endpoint_lets_nobody_wait(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", paused(blue.address))
            asked = asyncio.create_task(world.ask("/name"))
            await waiting(world, 1)
            await world.plane.publish("credit", None)
            answer = await asked

        assert (answer.status, answer.code) == (503, "ModelNotReady")

    run(test())


def test_a_model_that_is_too_slow_or_wrong_after_the_pause_is_told_as_ever(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            held = paused(blue.address, timeout_ms=300)
            await world.plane.publish("credit", held)
            asked = [asyncio.create_task(world.ask(path)) for path in ("/wait", "/status/500")]
            await waiting(world, 2)
            await world.plane.publish("credit", replace(held, hold=None))
            slow, wrong = await asyncio.gather(*asked)

        assert (slow.status, slow.code) == (408, "RequestTimeout")
        assert (wrong.status, wrong.headers["ms-azureml-model-error-statuscode"]) == (424, "500")

    run(test())


def test_no_request_is_lost_while_it_is_paused_and_resumed_again_and_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            plain = route(deployment("blue", blue.address))
            await world.plane.publish("credit", plain)
            is_over = False
            answers: list[Answer] = []

            async def ask() -> None:
                while not is_over:
                    answers.append(await world.ask("/name"))

            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(ask())
                for _ in range(6):
                    await world.plane.publish("credit", replace(plain, hold=HOLD))
                    await waiting(world, 3)
                    await world.plane.publish("credit", plain)
                    await _more(answers)
                is_over = True

        assert {answer.status for answer in answers} == {200}

    run(test())


async def _more(answers: list[Answer]) -> None:
    before = len(answers)
    await eventually(lambda: len(answers) > before + 10)


def _activator(home: Path) -> int:
    record = processes.read_record(home / ACTIVATOR)
    return record.pid if record and processes.is_alive(record) else 0


@pytest.mark.parametrize("is_paused_before", [False, True])
def test_a_request_whose_body_comes_after_a_pause_or_resume_is_lost_by_neither(
    tmp_path: Path,
    is_paused_before: bool,  # noqa: FBT001
) -> None:
    """Its route was chosen before, so where that leads must still be there."""

    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            plain = route(deployment("blue", blue.address))
            held = replace(plain, hold=HOLD)
            await world.plane.publish("credit", held if is_paused_before else plain)
            async with world.connect() as connection:
                key = BEARER["Authorization"]
                head = f"POST {SCORE} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n"
                connection.writer.write(f"{head}Content-Length: 2\r\n\r\nx".encode())
                await connection.writer.drain()
                assert (await world.ask("/score", {})).status == 401  # so the head was read
                await world.plane.publish("credit", plain if is_paused_before else held)
                connection.writer.write(b"x")
                status, _ = await connection.head()

        assert status == 200

    run(test())
