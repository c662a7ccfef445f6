"""The `Passwords` port: scrypt, so that whoever steals the database guesses slowly.

One computation at a time, beside the event loop: it takes 32 MiB and a tenth of a second, and
many callers at once must not take the machine from the models.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os

from verdazul.model.errors import Retryable

_COST = 15  # 2**15 blocks of 1 KiB, three times: OWASP's advice for 32 MiB
_BLOCKS, _PASSES = 8, 3
_SALT_BYTES, _DIGEST_BYTES = 16, 32
_MOST_MEMORY = 256 * 2**20
_MOST_WAITING = 16


class ScryptPasswords:
    """Digests carry their own cost: a later version may raise it, old ones are still read."""

    def __init__(self, *, cost: int = _COST) -> None:
        self._cost = cost
        self._turn = asyncio.Semaphore(1)
        self._waiting = 0

    async def digest(self, password: str) -> str:
        """See ports.Passwords."""
        salt = os.urandom(_SALT_BYTES)
        found = await self._computed(password, self._cost, _BLOCKS, _PASSES, salt)
        numbers = f"{self._cost}${_BLOCKS}${_PASSES}"
        return f"scrypt${numbers}${_text(salt)}${_text(found)}"

    async def matches(self, password: str, digest: str) -> bool:
        """See ports.Passwords."""
        kind, cost, blocks, passes, salt, wanted = (digest or self._nobody()).split("$")
        if kind != "scrypt":
            return False
        found = await self._computed(
            password, int(cost), int(blocks), int(passes), base64.b64decode(salt)
        )
        return bool(digest) and hmac.compare_digest(found, base64.b64decode(wanted))

    def _nobody(self) -> str:
        """Takes as long as a real one, so that nobody learns who exists."""
        salt = _text(bytes(_SALT_BYTES))
        return f"scrypt${self._cost}${_BLOCKS}${_PASSES}${salt}${salt}"

    async def _computed(
        self, password: str, cost: int, blocks: int, passes: int, salt: bytes
    ) -> bytes:
        if self._waiting >= _MOST_WAITING:
            raise Retryable(
                "too many logins at once; try again in some seconds", code="TooManyRequests"
            )
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(
                    hashlib.scrypt,
                    password.encode(),
                    salt=salt,
                    n=2**cost,
                    r=blocks,
                    p=passes,
                    maxmem=_MOST_MEMORY,
                    dklen=_DIGEST_BYTES,
                )
        finally:
            self._waiting -= 1


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
