"""TLS as callers meet it: versions, ciphers, own and client certificates, reload, plain HTTP."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from tests.gateway.gateway_upstream import eventually, read_chunk
from tests.gateway.gateway_world import BEARER, World, deployment, free_port, plane_at, route, run
from tests.gateway.tls_files import CLIENT_USE, Signed, authority, signed
from verdazul.client.connection import Connection
from verdazul.client.server import Server
from verdazul.gateway.tls import Tls
from verdazul.model.errors import NotFound, UserError

pytestmark = [pytest.mark.e2e, pytest.mark.azure(44)]

OUR_CA = authority()


def own(folder: Path, *hosts: str, name: str = "own") -> Tls:
    files = folder / "own.pem", folder / "own.key"
    folder.mkdir(exist_ok=True)
    signed(OUR_CA, name, *hosts).write(*files, above=OUR_CA.pem)
    return Tls(certificate=files[0], key=files[1])


def served(port: int, server_name: str | None = None) -> str:
    """The common name of the certificate that is served to who asks for this host."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=server_name) as link,
    ):
        told = x509.load_der_x509_certificate(link.getpeercert(binary_form=True) or b"")
    return told.subject.rfc4514_string().removeprefix("CN=")


def version_with(port: int, **settings: object) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    ciphers = settings.pop("ciphers", "DEFAULT@SECLEVEL=0")
    context.set_ciphers(str(ciphers))
    for name, value in settings.items():
        setattr(context, name, value)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain) as link,
    ):
        return link.version()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_and_weak_ciphers_are_refused(tmp_path: Path) -> None:
    old, two = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2

    async def test() -> None:
        async with World.open(tmp_path) as world:
            assert version_with(world.port) == "TLSv1.3"
            assert version_with(world.port, maximum_version=two) == "TLSv1.2"
            with pytest.raises((ssl.SSLError, ConnectionError)):
                version_with(world.port, minimum_version=old, maximum_version=old)
            for weak in ("ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-CCM"):
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    version_with(world.port, maximum_version=two, ciphers=f"{weak}:@SECLEVEL=0")

    run(test())


def test_the_oldest_version_can_be_raised(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path, tls=Tls(minimum="1.3")) as world:
            assert version_with(world.port) == "TLSv1.3"
            with pytest.raises((ssl.SSLError, ConnectionError)):
                version_with(world.port, maximum_version=ssl.TLSVersion.TLSv1_2)

    run(test())


def test_an_own_certificate_is_served_by_its_names_and_ours_stays_for_localhost(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        tls = own(tmp_path / "own", "models.example.com")
        async with World.open(tmp_path / "home", tls=tls) as world:
            by_name = {
                name: served(world.port, name)
                for name in ("models.example.com", "localhost", "unknown.example", None)
            }
            ours = (await world.ask("/x")).status
            trust = ssl.create_default_context(cafile=str(world.home / "certs/ca-bundle.pem"))
            url = f"https://127.0.0.1:{world.port}/api/v1/endpoint/x"
            async with httpx.AsyncClient(verify=trust, trust_env=False) as client:
                extensions = {"sni_hostname": "models.example.com"}
                theirs = (await client.get(url, extensions=extensions)).status_code
            about = world.plane.about

        assert by_name == {
            "models.example.com": "own",
            "localhost": "Verdazul gateway",
            "unknown.example": "own",
            None: "own",
        }
        assert (ours, theirs) == (404, 404)
        assert about["own_certificate"]["names"] == ["models.example.com"]  # type: ignore[index]  # JSON

    run(test())


def test_an_own_certificate_for_localhost_is_served_there_and_trusted_by_our_commands(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        tls = own(tmp_path / "own", "localhost")
        async with World.open(tmp_path / "home", tls=tls) as world:
            trust = ssl.create_default_context(cafile=str(world.home / "certs/trust.pem"))
            url = f"https://localhost:{world.port}/api/v1/endpoint/x"
            async with httpx.AsyncClient(verify=trust, trust_env=False) as client:
                answer = await client.get(url)
            name = served(world.port, "localhost")

        assert (answer.status_code, name) == (404, "own")

    run(test())


def test_new_files_are_served_without_a_restart_and_streams_go_on(tmp_path: Path) -> None:
    async def test() -> None:
        tls = own(tmp_path / "own", "models.example.com")
        async with World.open(tmp_path / "home", tls=tls, look_seconds=0.05) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            pid = world.plane.pid
            async with world.connect() as stream:
                stream.send("/api/v1/endpoint/credit/stream", BEARER)
                await stream.head()
                first = await read_chunk(stream.reader)
                own(tmp_path / "own", "models.example.com", name="newer")
                await eventually(lambda: served(world.port) == "newer")
                blue.release.set()
                second = await read_chunk(stream.reader)

            assert (first, second) == (b"data: one\n\n", b"data: two\n\n")
            assert world.plane.pid == pid
            assert world.plane.problems == ()

    run(test())


def test_bad_new_files_keep_the_last_good_ones_and_are_said_until_they_are_right(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        tls = own(tmp_path / "own", "models.example.com")
        assert tls.key
        async with World.open(tmp_path / "home", tls=tls, look_seconds=0.05) as world:
            tls.key.write_text("half written")
            await eventually(lambda: world.plane.problems)
            (problem,) = world.plane.problems
            name = served(world.port)
            own(tmp_path / "own", "models.example.com", name="right")
            await eventually(lambda: served(world.port) == "right")
            await eventually(lambda: not world.plane.problems)

        assert (problem.code, problem.where, name) == ("TlsKeyUnusable", str(tls.key), "own")

    run(test())


def test_an_own_certificate_that_ends_soon_is_said(tmp_path: Path) -> None:
    class Later:
        def now(self) -> float:
            import time

            return time.time() + 80 * 86400

    async def test() -> None:
        tls = own(tmp_path / "own", "models.example.com")
        async with World.open(tmp_path / "home", tls=tls, clock=Later()) as world:
            (problem,) = world.plane.problems

        assert problem.code == "TlsCertificateEnds"
        assert str(tls.certificate) in problem.message

    run(test())


def test_a_bad_certificate_at_the_start_is_an_error_and_starts_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        tls = own(tmp_path / "own", "models.example.com")
        assert tls.certificate
        tls.certificate.unlink()
        plane = plane_at(tmp_path / "home", free_port(), tls=tls)
        with pytest.raises(UserError, match=r"own\.pem"):
            await plane.start()

        assert plane.pid is None

    run(test())


def test_keys_are_for_the_owner_only(tmp_path: Path) -> None:
    async def test() -> None:
        tls = own(tmp_path / "own", "models.example.com")
        async with World.open(tmp_path / "home", tls=tls) as world:
            holding = [
                path
                for path in world.home.rglob("*")
                if path.is_file() and "PRIVATE KEY" in path.read_text(errors="replace")
            ]

        names = {path.name for path in holding}
        assert names == {"ca-key.pem", "server-key.pem", "server.json", "local.json"}
        assert {stat.S_IMODE(path.stat().st_mode) for path in holding} == {0o600}

    run(test())


class Caller:
    """A client with a certificate, or without."""

    def __init__(self, world: World, folder: Path, identity: Signed | None) -> None:
        self.context = ssl.create_default_context(cafile=str(world.home / "certs/ca.pem"))
        if identity:
            files = folder / "client.pem", folder / "client.key"
            identity.write(*files)
            self.context.load_cert_chain(*files)
        self.url = f"https://localhost:{world.port}/api/v1/endpoint/x"

    async def status(self) -> int:
        async with httpx.AsyncClient(verify=self.context, trust_env=False) as client:
            return (await client.get(self.url)).status_code

    async def is_refused(self) -> bool:
        try:
            await self.status()
        except (
            httpx.TransportError,
            ssl.SSLError,
        ):  # during the handshake; with TLS 1.3 at the first read
            return True
        return False


@pytest.mark.parametrize("clients", ["required", "optional"])
def test_client_certificates(tmp_path: Path, clients: str) -> None:
    clients_ca = authority("Clients")
    known = signed(clients_ca, "caller", use=CLIENT_USE)
    foreign = signed(authority("Foreign"), "stranger", use=CLIENT_USE)
    ca_file = tmp_path / "clients.pem"
    ca_file.write_bytes(clients_ca.pem)

    async def test() -> None:
        tls = Tls(client_ca=ca_file, clients="required" if clients == "required" else "optional")
        async with World.open(tmp_path / "home", tls=tls) as world:
            assert await Caller(world, tmp_path, known).status() == 404
            assert await Caller(world, tmp_path, foreign).is_refused()
            bare = Caller(world, tmp_path, None)
            assert await bare.is_refused() == (clients == "required")

    run(test())


def test_our_commands_show_their_certificate_and_say_when_one_is_wanted(tmp_path: Path) -> None:
    clients_ca, pair = authority("Clients"), (tmp_path / "client.pem", tmp_path / "client.key")
    signed(clients_ca, "caller", use=CLIENT_USE).write(*pair)
    ca_file = tmp_path / "clients.pem"
    ca_file.write_bytes(clients_ca.pem)

    def ask(world: World, identity: tuple[Path, Path] | None) -> None:
        ca = world.home / "certs" / "trust.pem"
        server = Server(f"https://localhost:{world.port}", "token", ca, identity)
        with Connection(server) as connection:
            connection.request("GET", "/api/v1/endpoint/x")

    async def test() -> None:
        async with World.open(tmp_path / "home", tls=Tls(client_ca=ca_file)) as world:
            with pytest.raises(NotFound):
                await asyncio.to_thread(ask, world, pair)
            with pytest.raises(UserError) as refused:
                await asyncio.to_thread(ask, world, None)

        assert refused.value.problem.code == "ClientCertificateRefused"

    run(test())


def test_an_own_certificate_of_an_unknown_authority_is_trusted_by_our_commands(
    tmp_path: Path,
) -> None:
    files = tmp_path / "own.pem", tmp_path / "own.key"
    signed(OUR_CA, "own", "localhost").write(*files)

    def ask(world: World) -> None:
        ca = world.home / "certs" / "trust.pem"
        with Connection(Server(f"https://localhost:{world.port}", "token", ca)) as connection:
            connection.request("GET", "/api/v1/endpoint/x")

    async def test() -> None:
        tls = Tls(certificate=files[0], key=files[1])
        async with World.open(tmp_path / "home", tls=tls) as world:
            with pytest.raises(NotFound):
                await asyncio.to_thread(ask, world)
            assert served(world.port, "localhost") == "own"

    run(test())


def test_plain_http_where_it_was_asked_for(tmp_path: Path) -> None:
    async def test() -> None:
        async with World.open(tmp_path, tls=Tls(plain=True)) as world:
            blue = await world.upstream("blue")
            await world.plane.publish("credit", route(deployment("blue", blue.address)))
            url = f"http://127.0.0.1:{world.port}/api/v1/endpoint/credit/name"
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.get(url, headers=BEARER)
            about = world.plane.about

        assert (answer.status_code, answer.text) == (200, "blue")
        assert about == {"tls": "none", "held": {}}
        assert not list((tmp_path / "gateway" / "sds").iterdir())

    run(test())
