"""Passwords that people write into URLs of package indexes never reach a log or a message."""

from __future__ import annotations

import re

_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")


def redact(text: str) -> str:
    """Replace `user:password@` after a scheme by `***@`."""
    return _CREDENTIALS.sub("***@", text)
