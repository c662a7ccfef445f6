"""Certificates as people bring them: an authority, what it signs, and what is wrong with some."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER_USE = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT_USE = ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True)
class Signed:
    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return key_pem(self.key)

    def write(self, certificate: Path, key: Path, *, above: bytes = b"") -> None:
        replace(certificate, self.pem + above)
        replace(key, self.key_pem)


def key_pem(key: Any, password: bytes | None = None) -> bytes:
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    pem: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    return pem


def replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(content)
    fresh.chmod(0o600)
    fresh.replace(path)


def authority(name: str = "Our CA") -> Signed:
    return signed(None, name, is_authority=True)


def signed(
    by: Signed | None,
    name: str,
    *hosts: str,
    key: Any = None,
    is_authority: bool = False,
    use: x509.ObjectIdentifier | None = None,
    begins: timedelta = timedelta(days=-1),
    ends: timedelta = timedelta(days=90),
) -> Signed:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if hosts:
        names = x509.SubjectAlternativeName([_name(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    if use:
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    return Signed(builder.sign(by.key if by else key, hashes.SHA256()), key)


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
