"""What an authorization server answers when it gives no token (RFC 6749, RFC 8628).

`error` is the word that programs act on; the number is Entra's for the same thing, because that is
what people search for.
"""

from __future__ import annotations

from verdazul.model.errors import UserError


class TokenRefused(UserError):
    """No token. The caller sends something else, or waits where `error` says so."""

    def __init__(self, error: str, number: int, message: str, *, status: int = 400) -> None:
        super().__init__(message, code=f"AADSTS{number}")
        self.error = error
        self.number = number
        self.status = status
