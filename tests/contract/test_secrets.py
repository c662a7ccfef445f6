"""What Secrets promises: what is sealed opens again, and only with the key file, and unchanged."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul.identity.ids import RandomIds
from verdazul.model.errors import Fatal, UserError
from verdazul.ports import Secrets
from verdazul.secrets.sealed import SealedSecrets


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Secrets:
    return SealedSecrets(tmp_path_factory.mktemp("home"))


@given(plain=st.text())
def test_what_is_sealed_opens_again_and_does_not_show(secrets: Secrets, plain: str) -> None:
    sealed = secrets.seal(plain)

    assert secrets.open(sealed) == plain
    assert secrets.seal(plain) != sealed
    assert len(plain) < 4 or plain not in sealed


@given(st.data())
def test_a_changed_seal_does_not_open(secrets: Secrets, data: st.DataObject) -> None:
    body = bytearray(base64.urlsafe_b64decode(secrets.seal("key").removeprefix("v1.")))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= data.draw(st.integers(1, 255))

    with pytest.raises(Fatal) as failed:
        secrets.open("v1." + base64.urlsafe_b64encode(bytes(body)).decode())

    assert failed.value.problem.code == "SecretsUnreadable"


@pytest.mark.parametrize(
    "text", ["", "plain-key", "v1.", "v1.AAAA", "v2.AAAA", "v1.\u00e9", "v1.A"]
)
def test_what_is_no_seal_is_refused_and_not_repeated(secrets: Secrets, text: str) -> None:
    with pytest.raises(Fatal) as failed:
        secrets.open(text)

    assert failed.value.problem.code == "SecretsUnreadable"
    assert len(text) < 3 or text not in failed.value.problem.message


def test_the_same_home_opens_and_another_does_not(tmp_path: Path) -> None:
    sealed = SealedSecrets(tmp_path / "one").seal("key")

    assert SealedSecrets(tmp_path / "one").open(sealed) == "key"
    with pytest.raises(Fatal, match="another key"):
        SealedSecrets(tmp_path / "two").open(sealed)


def test_the_key_file_is_for_the_owner_only_and_alone(tmp_path: Path) -> None:
    SealedSecrets(tmp_path)

    (file,) = tmp_path.iterdir()
    assert file.name == "secrets.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(file.read_bytes()) == 32


def test_a_key_file_that_others_may_read_is_refused_with_the_fix(tmp_path: Path) -> None:
    SealedSecrets(tmp_path)
    (tmp_path / "secrets.key").chmod(0o644)

    with pytest.raises(UserError) as refused:
        SealedSecrets(tmp_path)

    assert refused.value.problem.code == "InsecureKeyFile"
    assert "0644" in refused.value.problem.message
    assert f"chmod 600 {tmp_path / 'secrets.key'}" in refused.value.problem.fix


def test_a_key_file_of_another_length_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "secrets.key"
    path.touch(0o600)

    with pytest.raises(Fatal, match="holds 0 bytes"):
        SealedSecrets(tmp_path)

    assert path.read_bytes() == b""


def test_new_keys_are_long_url_safe_and_never_the_same() -> None:
    keys = {RandomIds().new_key() for _ in range(100)}

    assert len(keys) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43,}", key) for key in keys)
