"""Who is logged in, in a private file: one login, for one server.

A person's login holds a refresh token, a program's its id and secret; access tokens are kept until
they end and got anew by themselves. A login is never shown to another server than its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from verdazul.model.errors import UserError
from verdazul.private_files import check_private, replace_private

CLIENT_ID = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
"""The program that people allow: Azure's command line, whose grammar this is."""
PERSON, PROGRAM = "user", "servicePrincipal"
"""az's words for what is logged in."""


@dataclass(frozen=True, slots=True)
class Access:
    """An access token and when it ends."""

    token: str = field(repr=False)
    expires_at: float


@dataclass(frozen=True, slots=True)
class Login:
    """`secret` is a refresh token or a client secret, by `kind`; `access` is by resource."""

    address: str
    tenant: str
    kind: str
    name: str
    client_id: str
    secret: str = field(repr=False)
    access: Mapping[str, Access] = field(default_factory=dict, repr=False)

    def with_access(self, resource: str, access: Access, secret: str = "") -> Login:
        """The same with a newer token, and a newer secret where one came along."""
        return replace(self, access={**self.access, resource: access}, secret=secret or self.secret)


def file_of(home: Path) -> Path:
    """Where a home's login is kept."""
    return home / "login.json"


def read_login(home: Path) -> Login | None:
    """Who is logged in. Raises UserError when others may read the file."""
    file = file_of(home)
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        access = {name: Access(**one) for name, one in told.pop("access").items()}
        login = Login(**told, access=access)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    check_private(file, fix="and log in again if others had access")
    return login


def keep_login(home: Path, login: Login) -> None:
    """On disk when this returns; nobody else may read it. Raises UserError (HomeNotWritable)."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_private(file_of(home), json.dumps(asdict(login)))
    except OSError as error:
        raise UserError(
            f"the login cannot be kept in {home}: {error.strerror}",
            code="HomeNotWritable",
            fix="choose another folder with --home or VERDAZUL_HOME",
        ) from None


def forget_login(home: Path) -> bool:
    """Whether there was one."""
    file = file_of(home)
    is_there = file.exists()
    with suppress(FileNotFoundError):
        file.unlink()
    return is_there
