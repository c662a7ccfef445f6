"""What else passes: browsers of other sites, host names, gRPC, streams of both directions."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.gateway.gateway_upstream import read_chunk
from tests.gateway.gateway_world import BEARER, World, deployment, route, run
from tests.gateway.grpc_kit import curl_grpc, grpc_server
from verdazul.core.limits import DeploymentLimits, Limits
from verdazul.core.route import Route

pytestmark = pytest.mark.e2e

PATH = "/api/v1/endpoint/credit"
SITE = "https://app.example.com"
PREFLIGHT = {"origin": SITE, "access-control-request-method": "POST"}
HOST = "credit.local.inference.ml.test"


def test_a_preflight_is_answered_without_a_key_where_its_origin_is_named(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            plain = route(deployment("blue", blue.address))
            open_ = replace(plain, endpoint="open", cors_origins=("*",))
            await world.plane.publish("credit", replace(plain, cors_origins=(SITE.upper(),)))
            await world.plane.publish("open", open_)
            await world.plane.publish("plain", replace(plain, endpoint="plain"))

            async with world.connect() as one:
                path = "/api/v1/endpoint/{}/name"
                allowed = await one.ask(path.format("credit"), PREFLIGHT, method="OPTIONS")
                anyone = await one.ask(path.format("open"), PREFLIGHT, method="OPTIONS")
                other = {**PREFLIGHT, "origin": "https://app.example.com.evil.example"}
                foreign = await one.ask(path.format("credit"), other, method="OPTIONS")
                unnamed = await one.ask(path.format("plain"), PREFLIGHT, method="OPTIONS")
                asked = {"origin": SITE}
                served = await one.ask(path.format("credit"), {**BEARER, **asked})
                keyless = await one.ask(path.format("credit"), asked)

        assert (allowed.status, anyone.status) == (200, 200)
        assert allowed.headers["access-control-allow-origin"] == SITE
        assert "authorization" in allowed.headers["access-control-allow-headers"]
        assert "POST" in allowed.headers["access-control-allow-methods"]
        assert (foreign.status, unnamed.status, keyless.status) == (401, 401, 401)
        assert "access-control-allow-origin" not in foreign.headers
        assert served.headers["access-control-allow-origin"] == SITE
        assert "ms-azureml-model-time" in served.headers["access-control-expose-headers"]
        assert keyless.headers["access-control-allow-origin"] == SITE  # else scripts see no 401
        assert blue.paths == ["/name"]

    run(test())


def test_a_preflight_is_answered_while_no_deployment_takes_traffic(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            sites = (SITE, "https://b.example")
            idle = replace(route(), cors_origins=sites, host=HOST)
            await world.plane.publish("credit", idle)

            async with world.connect() as one:
                here = await one.ask(f"{PATH}/score", PREFLIGHT, method="OPTIONS")
                by_host = await one.ask("/", {**PREFLIGHT, "host": HOST}, method="OPTIONS")
                second = {**PREFLIGHT, "origin": "HTTPS://B.example"}
                other = await one.ask(f"{PATH}/score", second, method="OPTIONS")
                refused = [
                    await one.ask(f"{PATH}/score", {**BEARER, **headers}, method=method)
                    for method, headers in (
                        ("OPTIONS", {**PREFLIGHT, "origin": "https://c.example"}),
                        ("OPTIONS", {**PREFLIGHT, "access-control-request-method": ""}),
                        ("OPTIONS", {"origin": SITE}),
                        ("GET", PREFLIGHT),
                    )
                ]

        assert [one.status for one in (here, by_host, other)] == [200, 200, 200]
        assert here.headers["access-control-allow-origin"] == SITE
        assert [(one.status, one.code) for one in refused] == [(404, "NotFound")] * 4

    run(test())


def test_an_endpoint_is_reached_by_its_host_name_and_every_path_there_is_its_own(
    tmp_path: Path,
) -> None:
    paths = ["/score", "/", "/v2/models/m/infer?a=b", "/api/v1/endpoint/other/score"]

    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue, green = await world.upstream("blue"), await world.upstream("green")
            both = (deployment("blue", blue.address), deployment("green", green.address, weight=0))
            await world.plane.publish("credit", replace(route(*both), host=HOST))

            async with world.connect() as one:
                for path in paths:
                    for host in (HOST, HOST.upper(), f"{HOST}:{world.port}"):
                        assert (await one.ask(path, {**BEARER, "host": host})).status == 200
                pinned = {**BEARER, "host": HOST, "azureml-model-deployment": "green"}
                named = await one.ask("/name", pinned)
                keyless = await one.ask("/name", {"host": HOST})
                elsewhere = await one.ask("/score", {**BEARER, "host": f"x.{HOST}"})
                by_path = await one.ask(f"{PATH}/score", BEARER)

        assert blue.paths == [path for path in paths for _ in range(3)] + ["/score"]
        assert (named.body, keyless.status, by_path.status) == (b"green", 401, 200)
        assert elsewhere.code == "ControlPlaneUnavailable"

    run(test())


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_grpc_passes_with_its_trailers_to_a_deployment_that_speaks_http2(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world, grpc_server(world) as seen:
            made = replace(deployment("blue", "unix:run/grpc.sock"), http2=True)
            await world.plane.publish("credit", _everything(route(made)))

            answer = await curl_grpc(
                world, f"https://localhost:{world.port}{PATH}/inference.Service/Infer"
            )

        assert "HTTP/2 200" in answer
        assert "azureml-model-deployment: blue" in answer
        assert "grpc-status: 0" in answer
        assert b"hello" in seen[-1]

    run(test())


def _everything(plain: Route) -> Route:
    """With all limits on, far away."""
    limits = DeploymentLimits(10_000, 10_000_000, 10_000_000)
    (only,) = plain.deployments
    return replace(
        plain,
        deployments=(replace(only, limits=limits),),
        limits=Limits(10_000, 1_000_000, 10_000_000, 10_000_000, 10_000),
        cors_origins=("*",),
    )


@pytest.mark.azure(101)
def test_streams_and_websockets_pass_at_once_with_all_limits_on(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path) as world:
            blue = await world.upstream("blue")
            made = _everything(route(deployment("blue", blue.address)))
            await world.plane.publish("credit", made)

            async with world.connect() as one:
                one.send(f"{PATH}/stream", BEARER)
                await one.head()
                assert await read_chunk(one.reader) == b"data: one\n\n"
                blue.release.set()
                assert await read_chunk(one.reader) == b"data: two\n\n"
            async with world.connect() as one:
                up = {**BEARER, "connection": "upgrade", "upgrade": "websocket"}
                one.send(f"{PATH}/websocket", up)
                assert (await one.head())[0] == 101
                for word in (b"one", b"two"):
                    one.writer.write(word)
                    assert await one.reader.readexactly(8) == b"echo " + word

    run(test())
