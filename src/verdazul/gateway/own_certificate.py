"""The certificate that people bring: read, checked against its key, its dates and its use.

Whatever is wrong is said with the file that it is wrong in. Nothing is served that is not whole, so
a pair that is being replaced file by file is refused until both halves are there.
"""

from __future__ import annotations

import itertools
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from verdazul.model.errors import UserError

_LEAST_RSA_BITS = 2048
_CURVES = ("secp256r1", "secp384r1", "secp521r1")


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """A pair that fits: the chain (leaf first) and the leaf's key, as they stand in the files."""

    chain: tuple[x509.Certificate, ...]
    chain_pem: str
    key_pem: str

    @property
    def leaf(self) -> x509.Certificate:
        """The server's own."""
        return self.chain[0]


def read_pair(certificate: Path, key: Path, *, now: datetime) -> OwnCertificate:
    """Both files. Raises UserError (TlsCertificateUnusable, ...) naming the file."""
    chain, chain_pem = _read_chain(certificate)
    key_pem = _read_key(key)
    _check_dates(chain[0], certificate, now)
    _check_order(chain, certificate)
    _check_use(chain[0], certificate)
    _check_fit(chain[0], key_pem, certificate, key)
    return OwnCertificate(chain, chain_pem, key_pem)


def read_authorities(path: Path, *, now: datetime) -> str:
    """The PEM text of authorities that callers' certificates must be under. Raises UserError."""
    authorities, pem = _read_chain(path)
    for one in authorities:
        _check_dates(one, path, now)
        if not _is_authority(one):
            raise _unusable(
                path,
                f'"{_name(one)}" is no certificate authority (basicConstraints)',
                "name a file with the authority that signs your callers' certificates",
            )
    return pem


def names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Hosts that it speaks for: names and addresses of its subjectAltName."""
    try:
        told = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    found = told.get_values_for_type(x509.DNSName)
    return (*found, *map(str, told.get_values_for_type(x509.IPAddress)))


def _read_chain(path: Path) -> tuple[tuple[x509.Certificate, ...], str]:
    pem = _read(path, "TlsCertificateUnusable")
    try:
        chain = tuple(x509.load_pem_x509_certificates(pem.encode()))
    except ValueError:
        raise _unusable(
            path,
            "it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)",
            "name the certificate's file, with the chain below it; `openssl x509 -in FILE`"
            " must be able to read it",
        ) from None
    return chain, pem


def _read_key(path: Path) -> str:
    pem = _read(path, "TlsKeyUnusable")
    if path.stat().st_mode & stat.S_IRWXO:
        raise UserError(
            f"the TLS key {path} can be read by every user of this machine",
            code="TlsKeyExposed",
            where=str(path),
            fix=f"chmod 600 {path}",
        )
    return pem


def _read(path: Path, code: str) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in PEM form"
        raise UserError(
            f"cannot read {path}: {why}",
            code=code,
            where=str(path),
            fix="name a PEM file that this user may read",
        ) from None


def _check_dates(one: x509.Certificate, path: Path, now: datetime) -> None:
    begins, ends = one.not_valid_before_utc, one.not_valid_after_utc
    if not begins <= now < ends:
        word = "is not valid before" if now < begins else "ended on"
        when = begins if now < begins else ends
        raise UserError(
            f'the certificate "{_name(one)}" in {path} {word} {when:%Y-%m-%d %H:%M} UTC',
            code="TlsCertificateExpired",
            where=str(path),
            fix="put a valid one in its place; it is then served without a restart",
        )


def _check_order(chain: tuple[x509.Certificate, ...], path: Path) -> None:
    for below, above in itertools.pairwise(chain):
        try:
            below.verify_directly_issued_by(above)
        except (InvalidSignature, ValueError, TypeError):
            raise _unusable(
                path,
                f'"{_name(above)}", which follows "{_name(below)}", has not signed it',
                "order the chain: the server's certificate first, each followed by its issuer",
            ) from None


def _check_use(leaf: x509.Certificate, path: Path) -> None:
    if not names(leaf):
        raise _unusable(
            path,
            f'"{_name(leaf)}" names no host (subjectAltName); callers would refuse it',
            "have one made that names the hosts by which callers reach this machine",
        )
    try:
        uses = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if ExtendedKeyUsageOID.SERVER_AUTH not in uses:
        raise _unusable(
            path,
            f'"{_name(leaf)}" is not for servers (extendedKeyUsage)',
            "have one made for TLS servers (serverAuth)",
        )


def _check_fit(leaf: x509.Certificate, key_pem: str, path: Path, key_path: Path) -> None:
    try:
        key = serialization.load_pem_private_key(key_pem.encode(), password=None)
    except TypeError:
        raise _key_unusable(key_path, "it is encrypted", "store it without a passphrase") from None
    except ValueError:
        raise _key_unusable(
            key_path, "it holds no private key in PEM form", "name the certificate's key"
        ) from None
    is_rsa = isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _LEAST_RSA_BITS
    is_curve = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES
    if not (is_rsa or is_curve):
        raise _key_unusable(
            key_path,
            "it is neither RSA of at least 2048 bits nor of the curve P-256, P-384 or P-521",
            "make a key of one of these kinds, and a certificate for it",
        )
    if key.public_key() != leaf.public_key():
        raise UserError(
            f"the key {key_path} does not belong to the first certificate in {path}",
            code="TlsPairMismatch",
            where=str(key_path),
            fix="name the key that the certificate was made for; in a chain, the server's"
            " certificate stands first",
        )


def _is_authority(one: x509.Certificate) -> bool:
    try:
        return one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _name(one: x509.Certificate) -> str:
    return one.subject.rfc4514_string() or f"serial {one.serial_number:x}"


def _unusable(path: Path, why: str, fix: str) -> UserError:
    return UserError(
        f"the certificate file {path} cannot be used: {why}",
        code="TlsCertificateUnusable",
        where=str(path),
        fix=fix,
    )


def _key_unusable(path: Path, why: str, fix: str) -> UserError:
    return UserError(
        f"the TLS key {path} cannot be used: {why}",
        code="TlsKeyUnusable",
        where=str(path),
        fix=fix,
    )
