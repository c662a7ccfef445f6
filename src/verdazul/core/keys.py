"""How an endpoint key is compared: by its digest, so that the gateway's files hold no key.

A key has 256 random bits; a plain SHA-256 of it can neither be reversed nor guessed.
"""

from __future__ import annotations

import hashlib


def digest(key: str) -> str:
    """Lower-case hex SHA-256."""
    return hashlib.sha256(key.encode()).hexdigest()
