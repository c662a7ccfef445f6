"""The file that says whose tokens open endpoints of `auth_mode: aad_token`, and the control API.

    issuers:
      - issuer: https://login.microsoftonline.com/TENANT/v2.0
        audiences: [https://ml.azure.com]

Keys are had by OpenID Connect discovery, or from a file of JSON Web Keys.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from verdazul.model.declared import KEY, Declared, Filled, must_be, read_text, says, whole
from verdazul.model.declared_file import read_declared

WELL_KNOWN = "/.well-known/openid-configuration"
_DIRECTORY = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_OURS = "home"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_safe_url(text: str) -> bool:
    """Whether keys may be had from there: https, or plain http of this very machine."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _url(value: object) -> str:
    text = read_text(value)
    if not is_safe_url(text):
        raise must_be("an https:// address (http:// on this machine only)")
    return text


def _directory(value: object) -> str:
    text = read_text(value)
    if text and not _DIRECTORY.fullmatch(text):
        raise must_be("lower-case letters, digits and '-', at most 32")
    if text == _OURS:
        raise must_be("another word: `home` has the identities that this home itself names")
    return text


class Issuer(Declared):
    """One issuer. Ids of its identities are names in `directory` ("" is the first directory).

    `control_audiences`: for whom tokens are that open the control API (None: its own address and
    Azure's; none: no token of this issuer does).
    """

    issuer: Filled
    audiences: Annotated[tuple[Filled, ...], Field(min_length=1)]
    control_audiences: tuple[Filled, ...] | None = None
    discovery: Annotated[str, BeforeValidator(_url)] | None = None
    jwks_file: Filled | None = None
    ca_file: Filled | None = None
    clock_skew_seconds: Annotated[int, whole(1, 600)] = 60
    directory: Annotated[str, BeforeValidator(_directory)] = ""

    @model_validator(mode="after")
    def _keys_can_be_had(self) -> Self:
        if self.jwks_file and (self.discovery or self.ca_file):
            raise says(
                "InvalidValue",
                f"{KEY} has a jwks_file, and discovery or ca_file beside it; give one of them",
            )
        if not self.jwks_file and not self.discovery and not is_safe_url(self.issuer):
            raise says(
                "InvalidValue",
                f"{KEY}.issuer is {self.issuer!r}: its keys cannot be found there",
                fix="give `discovery` (an https:// address) or `jwks_file`",
            )
        return self

    @property
    def discovery_url(self) -> str:
        """Where its OpenID Connect configuration is."""
        return self.discovery or self.issuer.rstrip("/") + WELL_KNOWN


class Issuers(Declared):
    """The whole file."""

    issuers: tuple[Issuer, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [one.issuer for one in self.issuers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise says("InvalidValue", f"issuer {twice[0]!r} is there twice; list it once")
        return self


def load_issuers(path: Path) -> Sequence[Issuer]:
    """Raise UserError naming file:line for what is wrong. Relative paths start at the file."""
    found = read_declared(path, Issuers)
    return [_resolved(one, path.parent) for one in found.issuers]


def _resolved(issuer: Issuer, base: Path) -> Issuer:
    paths = {name: getattr(issuer, name) for name in ("jwks_file", "ca_file")}
    found = {name: str(base / path) for name, path in paths.items() if path}
    return issuer.model_copy(update=found)
