"""TLS without a public authority: a CA of this home folder, and a server certificate under it.

The CA lasts ten years, so people trust it once; the server's certificate is made anew when it runs
out, or when the host's names change. `ca-bundle.pem` holds the machine's authorities and ours, for
clients whose setting (REQUESTS_CA_BUNDLE) replaces what they trust instead of adding to it.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from verdazul.gateway import disk

CA_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
_BACKDATED = timedelta(hours=1)  # clocks differ
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def certificate_pem(self) -> str:
        """PEM text."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def key_pem(self) -> str:
        """PEM text, not encrypted: the file's mode guards it."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()


def ensure(home: Path, *, hosts: Iterable[str], now: datetime) -> Identity:
    """The server's identity, made or renewed where needed, with all files under home/certs.

    `hosts` are names and addresses that clients use besides localhost. `now` is aware (UTC).
    """
    names = _names(hosts)
    ca = _load(home, "ca")
    if ca is None or not _lasts(ca, now, LEAF_LIFE):
        ca = _new_ca(now)
        _save(home, "ca", ca)
    server = _load(home, "server")
    if server is None or not _serves(server, ca, names, now):
        server = _new_server(ca, names, now)
        _save(home, "server", server)
    _save_bundle(home, ca)
    return server


def trust_too(home: Path, pem: str) -> None:
    """Write down what clients of this home trust besides the local authority: an own certificate.

    `trust.pem` is for our own commands, `ca-bundle.pem` for others.
    """
    blocks = [block.strip() for block in _PEM.findall(pem)]
    for name, known in (("trust.pem", "ca.pem"), ("ca-bundle.pem", "ca-bundle.pem")):
        before = _PEM.findall(disk.read(home / "certs" / known))
        _write(home, name, "\n".join(dict.fromkeys([*before, *blocks])) + "\n", 0o644)


def _names(hosts: Iterable[str]) -> list[x509.GeneralName]:
    wanted = dict.fromkeys(["localhost", "127.0.0.1", "::1", *hosts])
    return [name for host in wanted if (name := _name(host)) is not None]


def _name(host: str) -> x509.GeneralName | None:
    text = host.strip("[]").lower()
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        is_name = re.fullmatch(r"[a-z0-9_]([a-z0-9._-]{0,251}[a-z0-9_])?", text)
        return x509.DNSName(text) if is_name else None
    return None if address.is_unspecified else x509.IPAddress(address)


def _lasts(one: Identity, now: datetime, at_least: timedelta) -> bool:
    certificate = one.certificate
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return begins <= now and now + at_least < ends


def _serves(server: Identity, ca: Identity, names: list[x509.GeneralName], now: datetime) -> bool:
    try:
        server.certificate.verify_directly_issued_by(ca.certificate)
    except (InvalidSignature, ValueError, TypeError):
        return False
    told = server.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return list(told.value) == names and _lasts(server, now, RENEW_BEFORE)


def _new_ca(now: datetime) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # The serial in the name keeps the CAs of two home folders apart in a trust store.
    name = _subject(f"Verdazul local CA {serial:x}"[:40])
    certificate = (
        _builder(name, name, key, serial, now, now + CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Identity(certificate, key)


def _new_server(ca: Identity, names: list[x509.GeneralName], now: datetime) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    serial = x509.random_serial_number()
    certificate = (
        _builder(
            _subject("Verdazul gateway"), ca.certificate.subject, key, serial, now, now + LEAF_LIFE
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(issuer_key, critical=False)
        .sign(ca.key, hashes.SHA256())
    )
    return Identity(certificate, key)


def _builder(  # noqa: PLR0917 - the fields of every certificate, in the order X.509 has them
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    serial: int,
    now: datetime,
    until: datetime,
) -> x509.CertificateBuilder:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(until)
        .add_extension(identifier, critical=False)
    )


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _load(home: Path, name: str) -> Identity | None:
    """None when a file is missing or damaged, or the two do not belong together."""
    try:
        pem = (home / "certs" / f"{name}.pem").read_bytes()
        key_pem = (home / "certs" / f"{name}-key.pem").read_bytes()
        certificate = x509.load_pem_x509_certificate(pem)
        key = serialization.load_pem_private_key(key_pem, password=None)
    except (OSError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    return Identity(certificate, key) if key.public_key() == certificate.public_key() else None


def _save(home: Path, name: str, one: Identity) -> None:
    _write(home, f"{name}-key.pem", one.key_pem(), 0o600)
    _write(home, f"{name}.pem", one.certificate_pem(), 0o644)


def _save_bundle(home: Path, ca: Identity) -> None:
    system = ssl.get_default_verify_paths().cafile
    texts = [disk.read(Path(path)) for path in (certifi.where(), system) if path]
    blocks = dict.fromkeys(
        block.strip() for text in (*texts, ca.certificate_pem()) for block in _PEM.findall(text)
    )
    _write(home, "ca-bundle.pem", "\n".join(blocks) + "\n", 0o644)


def _write(home: Path, name: str, text: str, mode: int) -> None:
    path = home / "certs" / name
    if disk.read(path) != text:
        disk.replace(path, text, staging=home / "gateway" / "new", mode=mode)
