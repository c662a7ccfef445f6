"""`verdazul ad user`: people who can log in, and `ad signed-in-user`: who is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.secret_input import secret_of
from verdazul.cli.session import Session, Work
from verdazul.model.errors import UserError

if TYPE_CHECKING:
    from verdazul.client.directory import Directory

_COLUMNS: tuple[render.Column, ...] = (
    ("UserPrincipalName", lambda user: user["userPrincipalName"]),
    ("DisplayName", lambda user: user["displayName"]),
    ("Id", lambda user: user["id"]),
)
_PASSWORD = "VERDAZUL_NEW_PASSWORD"  # noqa: S105 - a variable's name
_OLD_PASSWORD = "VERDAZUL_PASSWORD"  # noqa: S105 - a variable's name
_FALSE = ("false", "f", "0", "no", "n")


def register(groups: grammar.Subparsers[Any]) -> None:
    """Declare both nouns."""
    commands = grammar.add_noun(groups, "user", "People who can log in.")
    _declare_create(commands)
    _declare_list(commands)
    _declare_others(commands)
    signed_in = grammar.add_noun(groups, "signed-in-user", "Whoever is logged in.")
    grammar.add_command(
        signed_in,
        "show",
        show_signed_in,
        summary="Print who is logged in; `id` is what role assignments name.",
        examples=("verdazul ad signed-in-user show --query id -o tsv",),
    )
    grammar.add_command(
        signed_in,
        "change-password",
        change_password,
        summary="Give yourself a new password. Both are asked for, or read from stdin, a line each "
        f"(or from {_OLD_PASSWORD} and {_PASSWORD}). All your logins end, this one too.",
        examples=("verdazul ad signed-in-user change-password",),
    )


def create(session: Session, arguments: Arguments) -> None:
    """Make a person."""
    body = {
        "userPrincipalName": arguments.user_principal_name,
        "displayName": arguments.display_name,
        "mailNickname": arguments.mail_nickname,
        "passwordProfile": {"password": _password(session, arguments)},
    }
    with session.work() as work:
        made = _directory(work).create_user(body)
    render.show(made, session.how, columns=_COLUMNS)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all, or those of a name."""
    with session.work() as work:
        found = _directory(work).users()
    wanted = {"userPrincipalName": arguments.upn, "displayName": arguments.display_name}
    for key, value in wanted.items():
        found = [one for one in found if value is None or one[key].lower() == value.lower()]
    render.show(found, session.how, columns=_COLUMNS)


def show(session: Session, arguments: Arguments) -> None:
    """Show one."""
    with session.work() as work:
        found = _directory(work).user(arguments.id).get().body
    render.show(found, session.how, columns=_COLUMNS)


def update(session: Session, arguments: Arguments) -> None:
    """Give a new password."""
    password = _password(session, arguments)
    with session.work() as work:
        work.workspace.connection.request(
            "PATCH",
            _directory(work).user(arguments.id).path,
            body={"passwordProfile": {"password": password}},
        )
    session.note("the password is changed; what the old one began has ended")


def delete(session: Session, arguments: Arguments) -> None:
    """Delete one."""
    with session.work() as work:
        _directory(work).user(arguments.id).delete()


def show_signed_in(session: Session, arguments: Arguments) -> None:
    """Read it from the token that is shown to the server."""
    del arguments
    from verdazul.client.issuer import claims_of
    from verdazul.core.trust import HOME_OWNER

    with session.work() as work:
        connection = work.workspace.connection
        claims = claims_of(connection.token_for(connection.address)[0])
    render.show(
        {
            "id": claims.get("oid", HOME_OWNER),
            "displayName": claims.get("name", "owner"),
            "userPrincipalName": claims.get("upn", claims.get("appid", "owner")),
        },
        session.how,
        columns=_COLUMNS,
    )


def change_password(session: Session, arguments: Arguments) -> None:
    """Change the password of whoever is logged in, who has to log in again then."""
    del arguments
    from verdazul.client.login import PERSON, forget_login

    login = session.login
    if login is None or login.kind != PERSON:
        raise UserError(
            "no person is logged in; only people have passwords",
            code="NotLoggedIn",
            fix="log in first: verdazul login; an owner resets one by `verdazul ad user update`",
        )
    old = secret_of(session, None, flag="", variable=_OLD_PASSWORD, what="Current password")
    new = secret_of(session, None, flag="", variable=_PASSWORD, what="New password")
    with session.work() as work:
        body = {"currentPassword": old, "newPassword": new}
        work.workspace.connection.request("POST", "/v1.0/me/changePassword", body=body)
    forget_login(session.settings.home)
    session.note("the password is changed; log in again: verdazul login")


def _directory(work: Work) -> Directory:
    from verdazul.client.directory import Directory

    return Directory(work.workspace.connection)


def _password(session: Session, arguments: Arguments) -> str:
    return secret_of(
        session, arguments.password, flag="--password", variable=_PASSWORD, what="Password"
    )


def _declare_create(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_command(
        commands,
        "create",
        create,
        summary="Make a person who can log in. The password is asked for, or read from stdin or "
        f"{_PASSWORD}.",
        examples=(
            "verdazul ad user create --display-name Alice --user-principal-name alice@example.com",
        ),
    )
    parser.add_argument("--display-name", required=True, metavar="NAME", help="(required)")
    parser.add_argument(
        "--user-principal-name", required=True, metavar="NAME", help="to log in by (required)"
    )
    parser.add_argument("--mail-nickname", metavar="NAME", help="taken for az; there is no mail")
    _add_password(parser)


def _declare_list(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_command(
        commands,
        "list",
        list_all,
        summary="List people.",
        examples=("verdazul ad user list -o table",),
    )
    parser.add_argument("--upn", metavar="NAME", help="only this user name")
    parser.add_argument("--display-name", metavar="NAME", help="only of this name")
    grammar.not_yet(parser, "--filter", why="--upn and --display-name choose", takes=1)


def _declare_others(commands: grammar.Subparsers[Any]) -> None:
    for name, run, summary in (
        ("show", show, "Show a person, by id or user name."),
        ("delete", delete, "Delete a person with all roles; their tokens are refused at once."),
        ("update", update, "Give a person a new password; what the old one began ends."),
    ):
        parser = grammar.add_command(
            commands,
            name,
            run,
            summary=summary,
            examples=(f"verdazul ad user {name} --id alice@example.com",),
        )
        parser.add_argument("--id", required=True, metavar="ID", help="id or name (required)")
        if name == "update":
            _add_password(parser)


def _add_password(parser: Any) -> None:
    parser.add_argument("--password", metavar="SECRET", help="better: asked for when left out")
    parser.add_argument(
        "--force-change-password-next-sign-in",
        type=str.lower,
        choices=_FALSE,
        metavar="false",
        help="only false: nobody is made to change it",
    )
