"""What an authorization server answers when it gives no token (RFC 6749, RFC 8628).

`error` is the word that programs act on; the number is Entra's for the same thing, because that is
what people search for.
"""

from __future__ import annotations

from verdazul.model.errors import UserError

TENANT = "adfs"
"""What the one tenant of a home is called where people and programs name it.

It is the name by which Azure's libraries know an authority that is not Microsoft's: of any other
tenant they first ask Microsoft whether the authority may be trusted.
"""
TENANT_ID = "00000000-0000-0000-0000-000000000000"
"""As `tid` says it in tokens."""


class TokenRefused(UserError):
    """No token. The caller sends something else, or waits where `error` says so."""

    def __init__(self, error: str, number: int, message: str, *, status: int = 400) -> None:
        super().__init__(message, code=f"AADSTS{number}")
        self.error = error
        self.number = number
        self.status = status
