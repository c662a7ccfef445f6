"""An own certificate is checked before it is served, and what is wrong is said with the file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from tests.gateway.tls_files import CLIENT_USE, SERVER_USE, authority, key_pem, replace, signed
from verdazul.gateway.own_certificate import names, read_authorities, read_pair
from verdazul.gateway.tls import tls_of
from verdazul.model.errors import UserError
from verdazul.settings import Settings

pytestmark = pytest.mark.azure(44)

CA = authority()
GOOD = signed(CA, "good", "models.example.com", "10.0.0.7", use=SERVER_USE)
SHORT_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - refused
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    files = tmp_path / "server.pem", tmp_path / "server.key"
    GOOD.write(*files, above=CA.pem)
    return files


def refusal(pair: tuple[Path, Path]) -> UserError:
    with pytest.raises(UserError) as refused:
        read_pair(*pair, now=datetime.now(UTC))
    return refused.value


def test_a_pair_that_fits_is_taken_with_its_chain(pair: tuple[Path, Path]) -> None:
    own = read_pair(*pair, now=datetime.now(UTC))

    assert names(own.leaf) == ("models.example.com", "10.0.0.7")
    assert len(own.chain) == 2
    assert own.chain_pem.encode() == GOOD.pem + CA.pem


def test_rsa_keys_are_taken_too(pair: tuple[Path, Path]) -> None:
    signed(CA, "rsa", "a.example", key=RSA).write(*pair)

    assert names(read_pair(*pair, now=datetime.now(UTC)).leaf) == ("a.example",)


SHORT = timedelta(hours=1)
BAD = {
    "ended": (signed(CA, "old", "a", ends=-SHORT), "TlsCertificateExpired", "ended on"),
    "early": (signed(CA, "new", "a", begins=SHORT), "TlsCertificateExpired", "not valid before"),
    "nameless": (signed(CA, "nameless"), "TlsCertificateUnusable", "names no host"),
    "for clients": (
        signed(CA, "client", "a", use=CLIENT_USE),
        "TlsCertificateUnusable",
        "not for servers",
    ),
    "short key": (
        signed(CA, "short", "a", key=SHORT_RSA),
        "TlsKeyUnusable",
        "2048 bits",
    ),
    "odd key": (
        signed(CA, "odd", "a", key=ed25519.Ed25519PrivateKey.generate()),
        "TlsKeyUnusable",
        "P-256",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_served_is_refused_with_its_file(pair: tuple[Path, Path], kind: str) -> None:
    bad, code, why = BAD[kind]
    bad.write(*pair)

    problem = refusal(pair).problem

    assert problem.code == code
    assert why in problem.message
    assert problem.where in {str(path) for path in pair}
    assert problem.where in problem.message
    assert problem.fix


def test_files_that_are_no_pair_are_told_apart(pair: tuple[Path, Path]) -> None:
    certificate, key = pair
    found = {}
    replace(key, signed(CA, "other", "a").key_pem)
    found["foreign"] = refusal(pair).problem.code
    replace(key, key_pem(GOOD.key, b"secret"))
    found["encrypted"] = refusal(pair).problem.message
    replace(key, b"nonsense")
    found["no key"] = refusal(pair).problem.code
    GOOD.write(*pair)
    key.chmod(0o604)
    found["exposed"] = refusal(pair).problem.code
    GOOD.write(*pair, above=authority("Another").pem)
    found["chain"] = refusal(pair).problem.message
    replace(certificate, b"\xff\xfe")
    found["binary"] = refusal(pair).problem.code
    replace(certificate, b"plain text")
    found["text"] = refusal(pair).problem.code
    certificate.unlink()
    found["missing"] = refusal(pair).problem.message

    assert found["foreign"] == "TlsPairMismatch"
    assert "encrypted" in found["encrypted"]
    assert found["no key"] == "TlsKeyUnusable"
    assert found["exposed"] == "TlsKeyExposed"
    assert "has not signed it" in found["chain"]
    assert found["binary"] == found["text"] == "TlsCertificateUnusable"
    assert "No such file" in found["missing"]


def test_authorities_of_callers_must_be_authorities(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    replace(path, CA.pem)
    taken = read_authorities(path, now=datetime.now(UTC))
    replace(path, GOOD.pem)

    with pytest.raises(UserError, match="no certificate authority") as refused:
        read_authorities(path, now=datetime.now(UTC))

    assert taken.encode() == CA.pem
    assert refused.value.problem.where == str(path)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"TLS_CERTIFICATE": "/c.pem"}, "VERDAZUL_TLS_KEY is not"),
        ({"TLS_KEY": "/c.key"}, "VERDAZUL_TLS_CERTIFICATE is not"),
        ({"PLAIN_HTTP": "yes", "TLS_CLIENT_CA": "/ca.pem"}, "VERDAZUL_PLAIN_HTTP is yes"),
    ],
)
def test_settings_that_contradict_are_refused(environ: dict[str, str], said: str) -> None:
    settings = Settings.read({f"VERDAZUL_{name}": value for name, value in environ.items()})

    with pytest.raises(UserError, match=said) as refused:
        tls_of(settings)

    assert refused.value.problem.code == "InvalidSetting"
