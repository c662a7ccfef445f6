"""The `Secrets` port: AES-256-GCM under a random key that lies in a file of the home folder only.

Whoever takes the database without that file has nothing. Also here: the digest of a key, which is
all the gateway ever sees of it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from verdazul.model.errors import Fatal
from verdazul.private_files import check_private

_FORMAT = "v1."
_ABOUT = b"verdazul sealed v1"
_KEY_BYTES = 32
_NONCE_BYTES = 12


class SealedSecrets:
    """Seals under the key in home/secrets.key, which is made when it is missing.

    Raises UserError (InsecureKeyFile) when others may read the file, Fatal (SecretsUnreadable)
    when it is no key or something was sealed under another one.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / "secrets.key"
        self._cipher = AESGCM(_key(self._path))

    def seal(self, plain: str) -> str:
        """Sealing the same text twice gives two different seals."""
        nonce = os.urandom(_NONCE_BYTES)
        body = nonce + self._cipher.encrypt(nonce, plain.encode(), _ABOUT)
        return _FORMAT + base64.urlsafe_b64encode(body).decode()

    def open(self, sealed: str) -> str:
        """The text again. Raises Fatal (SecretsUnreadable) when it was changed or is foreign."""
        try:
            encoded = sealed.split(_FORMAT, 1)[1]
            body = base64.b64decode(encoded, altchars=b"-_", validate=True)
            nonce, rest = body[:_NONCE_BYTES], body[_NONCE_BYTES:]
            return self._cipher.decrypt(nonce, rest, _ABOUT).decode()
        except (ValueError, IndexError, InvalidTag):
            raise Fatal(
                "a stored secret cannot be opened: it was damaged, or sealed under another key",
                code="SecretsUnreadable",
                where=str(self._path),
                fix="put the key file back that belongs to this database, or regenerate the keys",
            ) from None


def key_digest(key: str) -> str:
    """Lower-case hex SHA-256, as in `Route.key_digests`. A key is too random to be guessed."""
    return hashlib.sha256(key.encode()).hexdigest()


def _key(path: Path) -> bytes:
    _create(path)
    check_private(path, fix="and regenerate the endpoints' keys if others had access")
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise Fatal(
            f"the key file holds {len(key)} bytes; it must hold {_KEY_BYTES}",
            code="SecretsUnreadable",
            where=str(path),
            fix="put the key file back that belongs to this database",
        )
    return key


def _create(path: Path) -> None:
    """Make the key once, whole: of two processes that try, one wins and both read the same."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
