"""What TokenSigner promises, and when keys are replaced: the last token never outlives its key."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from verdazul.compute.fake import ManualClock
from verdazul.identity.fake import FakeSigner
from verdazul.model.errors import Fatal, UserError
from verdazul.ports import TokenSigner
from verdazul.secrets.signing import FileSigner

pytestmark = pytest.mark.azure(38)
DAY = 86400.0


def signer(home: Path, clock: ManualClock, **settings: float) -> FileSigner:
    default = {"rotate_days": 30.0, "token_seconds": 3600.0}
    return FileSigner(home, clock=clock, **(default | settings))


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def is_verified(token: str, keys: str) -> bool:
    """As RFC 7515 says, by the key that the token names."""
    head, claims, signature = token.split(".")
    kid = json.loads(decoded(head))["kid"]
    raw = decoded(signature)
    for key in json.loads(keys)["keys"]:
        if key["kid"] != kid:
            continue
        x, y = (int.from_bytes(decoded(key[name])) for name in "xy")
        public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        try:
            public.verify(der, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True
    return False


def kids(keys: str) -> list[str]:
    return [key["kid"] for key in json.loads(keys)["keys"]]


@pytest.mark.parametrize("kind", ["fake", "file"])
def test_claims_come_back_and_keys_are_a_public_set(tmp_path: Path, kind: str) -> None:
    one: TokenSigner = FakeSigner() if kind == "fake" else signer(tmp_path, ManualClock())

    token = one.sign({"sub": "credit", "exp": 7})

    claims = token if kind == "fake" else decoded(token.split(".")[1])
    assert json.loads(claims) == {"sub": "credit", "exp": 7}
    assert not [key for key in json.loads(one.public_keys())["keys"] if "d" in key]
    assert one.public_keys() == one.public_keys()


def test_what_is_signed_is_verified_by_the_published_keys_only(tmp_path: Path) -> None:
    here, there = (signer(tmp_path / name, ManualClock()) for name in ("here", "there"))

    token = here.sign({"sub": "credit"})

    assert is_verified(token, here.public_keys())
    assert not is_verified(token, there.public_keys())
    changed = token.replace(token.split(".")[1], token.split(".")[1][::-1])
    assert not is_verified(changed, here.public_keys())


def test_a_restart_changes_no_key_and_nobody_else_may_read_them(tmp_path: Path) -> None:
    clock = ManualClock()
    before = signer(tmp_path, clock)

    after = signer(tmp_path, clock)

    assert after.public_keys() == before.public_keys()
    assert is_verified(before.sign({}), after.public_keys())
    assert (tmp_path / "signing.json").stat().st_mode & 0o777 == 0o600


def test_each_key_is_published_before_it_signs_and_until_its_last_token_expired(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    one = signer(tmp_path, clock, token_seconds=4 * 3600.0)
    published = [one.public_keys()]
    tokens: list[tuple[float, str]] = []
    signed_by = set()
    for _ in range(24 * 65):  # every hour of 65 days
        clock.advance(3600)
        tokens = [(at, token) for at, token in tokens if clock.now() < at + 4 * 3600]
        token = one.sign({"at": clock.now()})
        assert is_verified(token, published[-1])  # nobody had to hear of a new key first
        if kids(one.public_keys()) != kids(published[-1]):
            published.append(one.public_keys())
        tokens.append((clock.now(), token))
        signed_by.add(json.loads(decoded(token.split(".")[0]))["kid"])
        assert is_verified(tokens[0][1], published[-1])
    clock.advance(4 * 3600)

    assert len(signed_by) == 3
    assert len(kids(one.public_keys())) == 2


def test_without_the_file_all_tokens_end(tmp_path: Path) -> None:
    clock = ManualClock()
    token = signer(tmp_path, clock).sign({})
    (tmp_path / "signing.json").unlink()

    assert not is_verified(token, signer(tmp_path, clock).public_keys())


@pytest.mark.parametrize("text", ["", "{}", '{"next": 1}', "damaged"])
def test_a_damaged_file_is_told_and_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "signing.json"
    file.write_text(text)
    file.chmod(0o600)

    with pytest.raises(Fatal, match="no keys for signing") as failed:
        signer(tmp_path, ManualClock())

    assert failed.value.problem.code == "SecretsUnreadable"
    assert file.read_text() == text


def test_keys_of_another_kind_or_for_all_to_read_are_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    signer(tmp_path, ManualClock())
    file = tmp_path / "signing.json"
    ring: dict[str, Any] = json.loads(file.read_text())
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_text(json.dumps({**ring, "next": {"pem": pem.decode(), "signs_since": 0}}))
    with pytest.raises(Fatal):
        signer(tmp_path, ManualClock())

    file.chmod(0o644)
    with pytest.raises(UserError) as refused:
        signer(tmp_path, ManualClock())

    assert refused.value.problem.code == "InsecureKeyFile"
