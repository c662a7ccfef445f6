"""Secrets that people give to a command: asked for at a terminal, read from a pipe or a variable.

On a command line everybody on the machine can read them; scripts written for Azure put them there,
so that is taken, and said.
"""

from __future__ import annotations

import getpass
import os
import sys

from verdazul.cli.session import Session
from verdazul.model.errors import UserError


def secret_of(session: Session, given: str | None, *, flag: str, variable: str, what: str) -> str:
    """The secret from the flag, the variable, the terminal or stdin. Raises UserError for none."""
    if given is not None:
        session.note(
            f"others on this machine can read {flag} in the list of processes; leave it out to be "
            f"asked, or set {variable}"
        )
        found = given
    elif os.environ.get(variable):
        found = os.environ[variable]
    elif sys.stdin.isatty():
        found = getpass.getpass(f"{what}: ")
    else:
        found = sys.stdin.readline().rstrip("\r\n")
    if not found:
        raise UserError(
            f"no {what.lower()} was given",
            code="SecretMissing",
            fix=f"type it when asked, pipe it in, or set {variable}",
        )
    return found
