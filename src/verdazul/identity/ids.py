"""The `Ids` port: UUIDs and keys from the operating system's randomness."""

from __future__ import annotations

import secrets
import uuid

_KEY_BYTES = 32


class RandomIds:
    """Stateless."""

    def new(self) -> str:
        """See ports.Ids."""
        return str(uuid.uuid4())

    def new_key(self) -> str:
        """See ports.Ids: as url-safe text."""
        return secrets.token_urlsafe(_KEY_BYTES)
