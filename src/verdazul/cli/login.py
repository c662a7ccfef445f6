"""`verdazul login`, `verdazul logout`: as whom commands ask, with the flags of az.

Without a login, whoever can read the home's token is its owner. A login is for one server; it is
kept in the home folder, readable by its owner only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from verdazul.cli import account, grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.secret_input import secret_of
from verdazul.cli.session import Session
from verdazul.cli.subscription import refuse_other_tenant
from verdazul.model.errors import UserError
from verdazul.model.oauth import TENANT

if TYPE_CHECKING:
    from verdazul.client.connection import Connection
    from verdazul.client.login import Login

_SECRET = "AZURE_CLIENT_SECRET"  # noqa: S105 - a variable's name


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare both commands."""
    entering = grammar.add_command(
        nouns,
        "login",
        login,
        summary="Log in: a person with the browser that opens, or by a code that is typed into "
        "the page it names; a service principal by its secret. With --identity the home's own "
        "token is used again.",
        examples=(
            "verdazul login",
            "verdazul login --use-device-code",
            "verdazul login --service-principal -u APP_ID -t adfs < secret.txt",
            "verdazul login --identity",
        ),
    )
    how = entering.add_mutually_exclusive_group()
    how.add_argument("--service-principal", action="store_true", help="as a program")
    how.add_argument("-i", "--identity", action="store_true", help="as the owner of this home")
    how.add_argument(
        "--use-device-code", action="store_true", help="by a code (the default without a browser)"
    )
    entering.add_argument("-u", "--username", metavar="ID", help="the service principal's appId")
    entering.add_argument(
        "-p", "--password", metavar="SECRET", help=f"its secret (better: asked for, or {_SECRET})"
    )
    entering.add_argument("-t", "--tenant", metavar="ID", help="must be the home's")
    entering.add_argument(
        "--allow-no-subscriptions", action="store_true", help="taken for az; there is one"
    )
    for flag in ("--certificate", "--federated-token", "--client-id", "--claims-challenge"):
        grammar.not_yet(
            entering, flag, why="a secret, a browser or a code is what logs in here", takes=1
        )
    leaving = grammar.add_command(
        nouns,
        "logout",
        logout,
        summary="Forget the login. What the home's token opens, it opens still.",
        examples=("verdazul logout",),
    )
    leaving.add_argument("--username", metavar="NAME", help="only if this one is logged in")


def login(session: Session, arguments: Arguments) -> None:
    """Log in, and print the subscriptions as az does."""
    refuse_other_tenant(arguments.tenant)
    _refuse_lonely(arguments)
    if arguments.identity:
        _as_owner(session)
    elif arguments.service_principal:
        _as_program(session, arguments)
    else:
        _as_person(session, use_code=arguments.use_device_code)
    account.list_all(session, arguments)


def logout(session: Session, arguments: Arguments) -> None:
    """Forget it."""
    from verdazul.client.login import forget_login, read_login

    known = read_login(session.settings.home)
    if known is None:
        session.note("nobody is logged in")
    elif arguments.username and arguments.username.lower() != known.name.lower():
        raise UserError(
            f"{arguments.username} is not logged in; {known.name} is", code="NotLoggedIn"
        )
    else:
        forget_login(session.settings.home)
        session.note(f"{known.name} is logged out")


def _refuse_lonely(arguments: Arguments) -> None:
    """People type their password into the page; az takes it on the command line."""
    given = arguments.username or arguments.password is not None
    if given and not arguments.service_principal:
        raise UserError(
            "-u and -p are for --service-principal; people log in with a browser or by a code",
            code="InvalidArguments",
            fix="verdazul login",
        )
    if arguments.service_principal and not arguments.username:
        raise UserError("which service principal?", code="InvalidArguments", fix="pass -u APP_ID")


def _as_owner(session: Session) -> None:
    """The home's token is what counts without a login; see first that it does."""
    from verdazul.client.connection import Connection
    from verdazul.client.login import forget_login
    from verdazul.client.server import owner_of

    server = owner_of(session.settings.home, session.environ)
    with Connection(server, trace=session.trace) as connection:
        connection.token_for(connection.address)
    forget_login(session.settings.home)


def _as_program(session: Session, arguments: Arguments) -> None:
    from verdazul.client import issuer

    secret = secret_of(
        session, arguments.password, flag="-p", variable=_SECRET, what="Client secret"
    )
    with _stranger(session) as connection:
        _keep(session, issuer.as_program(connection, TENANT, arguments.username, secret))


def _as_person(session: Session, *, use_code: bool) -> None:
    from verdazul.client import browser_login, issuer
    from verdazul.client.login import CLIENT_ID, PERSON, Login

    with _stranger(session) as connection:
        try:
            code = issuer.begin(connection, TENANT)
        except issuer.NoUsers:
            if not (session.settings.home / "token").exists():
                raise
            session.note("there are no users in this home; you go on as its owner")
            _as_owner(session)
            return
        if use_code or not browser_login.can_open():
            render.say(str(code["message"]))
            tokens = issuer.wait(connection, TENANT, code)
        else:
            tokens = browser_login.by_browser(connection, TENANT, say=render.say)
        name = str(issuer.claims_of(tokens.id_token).get("preferred_username", ""))
        found = Login(connection.address, TENANT, PERSON, name, CLIENT_ID, tokens.refresh_token)
        _keep(session, found.with_access(issuer.CONTROL, tokens.access))


def _keep(session: Session, found: Login) -> None:
    from verdazul.client.login import keep_login

    keep_login(session.settings.home, found)
    session.note(f"logged in as {found.name}")


@contextmanager
def _stranger(session: Session) -> Iterator[Connection]:
    """A way to the server for who has nothing to show yet."""
    from verdazul.client.connection import Connection
    from verdazul.client.server import reach

    server = reach(session.settings.home, session.environ)
    with Connection(server, trace=session.trace) as connection:
        yield connection
