"""`AMLRequest` and `@rawhttp`. Imported under Azure's names (see compat/__init__.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Request

Run = TypeVar("Run", bound=Callable[..., Any])

_rawHttpRequested = False  # noqa: N816  # the original's flag has this name, and we ask either


def rawhttp(run: Run) -> Run:
    """Have run() called with the HTTP request itself, and for GET and OPTIONS as well as POST."""
    global _rawHttpRequested  # noqa: PLW0603  # the mode is the script's, whatever is decorated
    _rawHttpRequested = True
    return run


class AMLRequest(Request):
    """For annotations. What run() gets is a plain Flask request."""
