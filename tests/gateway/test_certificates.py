"""The local authority and the server's certificate: who is named, how long, when made anew."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from verdazul.gateway import certificates
from verdazul.gateway.certificates import Identity
from verdazul.gateway.disk import make_folders

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_folders(tmp_path)
    return tmp_path


def ensure(home: Path, *hosts: str, now: datetime = NOW) -> Identity:
    return certificates.ensure(home, hosts=hosts, now=now)


def names(one: Identity) -> list[object]:
    told = one.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return [name.value for name in told.value]


def test_names_are_localhost_and_the_given_hosts_without_wildcards(home: Path) -> None:
    wildcards = ("0.0.0.0", "::")

    server = ensure(home, *wildcards, "Model.Example.ORG", "10.0.0.7", "bad name", "localhost")

    addresses = [ipaddress.ip_address(text) for text in ("127.0.0.1", "::1")]
    assert names(server) == [
        "localhost",
        *addresses,
        "model.example.org",
        ipaddress.ip_address("10.0.0.7"),
    ]


def test_lifetimes_and_curve(home: Path) -> None:
    server = ensure(home).certificate
    ca = x509.load_pem_x509_certificate((home / "certs" / "ca.pem").read_bytes())

    assert server.not_valid_after_utc - server.not_valid_before_utc <= timedelta(days=398)
    assert ca.not_valid_after_utc - NOW == timedelta(days=3650)
    public = ca.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == "secp256r1"
    server.verify_directly_issued_by(ca)


def test_nothing_changes_while_it_is_good(home: Path) -> None:
    first = ensure(home, "a.example")
    files = {path: path.read_bytes() for path in (home / "certs").iterdir()}

    second = ensure(home, "a.example", now=NOW + timedelta(days=366))

    assert first.certificate == second.certificate
    assert {path: path.read_bytes() for path in (home / "certs").iterdir()} == files


@pytest.mark.parametrize("change", ["late", "host", "damaged", "foreign key", "missing"])
def test_the_servers_certificate_is_made_anew_under_the_same_authority(
    home: Path, change: str
) -> None:
    first = ensure(home)
    ca = (home / "certs" / "ca.pem").read_bytes()
    server, key = home / "certs" / "server.pem", home / "certs" / "server-key.pem"
    if change == "damaged":
        server.write_text("not PEM")
    if change == "foreign key":
        key.write_bytes((home / "certs" / "ca-key.pem").read_bytes())
    if change == "missing":
        key.unlink()

    later = NOW + timedelta(days=368 if change == "late" else 0)
    second = ensure(home, *(["b.example"] if change == "host" else []), now=later)

    assert first.certificate != second.certificate
    assert (home / "certs" / "ca.pem").read_bytes() == ca
    assert second.certificate.not_valid_after_utc > later + timedelta(days=390)


def test_the_authority_never_ends_before_what_it_signs(home: Path) -> None:
    ensure(home)
    old = (home / "certs" / "ca.pem").read_bytes()

    server = ensure(home, now=NOW + timedelta(days=3649))

    ca = x509.load_pem_x509_certificate((home / "certs" / "ca.pem").read_bytes())
    assert (home / "certs" / "ca.pem").read_bytes() != old
    server.certificate.verify_directly_issued_by(ca)
    assert ca.not_valid_after_utc > server.certificate.not_valid_after_utc


def test_private_keys_are_for_the_owner_and_the_bundle_holds_ours_once(home: Path) -> None:
    ensure(home)
    ensure(home)

    modes = {path.name: path.stat().st_mode & 0o777 for path in (home / "certs").iterdir()}
    bundle = (home / "certs" / "ca-bundle.pem").read_text()
    ca = (home / "certs" / "ca.pem").read_text()
    assert modes["ca-key.pem"] == modes["server-key.pem"] == 0o600
    assert bundle.count(ca) == 1
    assert bundle.count("BEGIN CERTIFICATE") > 50
