"""`verdazul ad sp`: programs that can log in, with the flags of `az ad sp`.

A secret is printed when it is made, and never again.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from verdazul.cli import grammar, grants, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session, Work
from verdazul.clock import SystemClock
from verdazul.model.errors import UserError
from verdazul.model.oauth import TENANT

if TYPE_CHECKING:
    from verdazul.client.directory import Directory

_COLUMNS: tuple[render.Column, ...] = (
    ("DisplayName", lambda one: one["displayName"]),
    ("AppId", lambda one: one["appId"]),
    ("Id", lambda one: one["id"]),
)
_MOST_YEARS = 100
_KEEP = "the output holds a secret that is not shown again: keep it where only its user can read it"


def register(groups: grammar.Subparsers[Any]) -> None:
    """Declare the noun and its commands."""
    commands = grammar.add_noun(groups, "sp", "Programs that can log in (service principals).")
    _declare_create(commands)
    _declare_list(commands)
    _declare_show_and_delete(commands)
    _declare_credentials(grammar.add_noun(commands, "credential", "The secrets of one."))


def create_for_rbac(session: Session, arguments: Arguments) -> None:
    """Make one, or find the one of that name; give it a secret and the role."""
    places = _places(session, arguments)
    name = arguments.name or f"verdazul-{_now():%Y-%m-%d-%H-%M-%S}"
    with session.work() as work:
        directory = _directory(work)
        principal = _found_or_made(session, directory, name)
        secret = directory.add_secret(principal["appId"], _credential(arguments, "rbac"))
        for place in places:
            grants.give(session, work, place, arguments.role, principal["id"])
    session.note(_KEEP)
    told = {
        "appId": principal["appId"],
        "displayName": principal["displayName"],
        "password": secret["secretText"],
        "tenant": TENANT,
    }
    render.show(told, session.how)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all, or those of a name."""
    wanted = arguments.display_name
    with session.work() as work:
        found = _directory(work).principals()
    chosen = [one for one in found if wanted is None or one["displayName"].startswith(wanted)]
    render.show(chosen, session.how, columns=_COLUMNS)


def show(session: Session, arguments: Arguments) -> None:
    """Show one."""
    with session.work() as work:
        found = _directory(work).principal(arguments.id).get().body
    render.show(found, session.how, columns=_COLUMNS)


def delete(session: Session, arguments: Arguments) -> None:
    """Delete one."""
    with session.work() as work:
        _directory(work).principal(arguments.id).delete()


def reset(session: Session, arguments: Arguments) -> None:
    """Make a new secret; without --append the others end."""
    with session.work() as work:
        directory = _directory(work)
        one = directory.principal(arguments.id)
        before = one.get().body
        ending = [] if arguments.append else before["passwordCredentials"]
        for old in ending[1:]:  # one is left until the new one is there
            one.act("removePassword", {"keyId": old["keyId"]})
        secret = directory.add_secret(before["appId"], _credential(arguments, "reset"))
        for old in ending[:1]:
            one.act("removePassword", {"keyId": old["keyId"]})
    session.note(_KEEP)
    told = {"appId": before["appId"], "password": secret["secretText"], "tenant": TENANT}
    render.show(told, session.how)


def list_credentials(session: Session, arguments: Arguments) -> None:
    """Show when secrets end, and how they begin."""
    with session.work() as work:
        found = _directory(work).principal(arguments.id).get().body
    render.show(found["passwordCredentials"], session.how)


def delete_credential(session: Session, arguments: Arguments) -> None:
    """Make one secret worthless."""
    with session.work() as work:
        one = _directory(work).principal(arguments.id)
        one.act("removePassword", {"keyId": arguments.key_id})


def _found_or_made(session: Session, directory: Directory, name: str) -> dict[str, Any]:
    """As az does: a name that is there is used again, so that scripts can be run twice."""
    same = [one for one in directory.principals() if one["displayName"] == name]
    if not same:
        return directory.create_principal(name)
    if len(same) > 1:
        raise UserError(
            f"{len(same)} service principals are called {name!r}",
            code="AmbiguousName",
            fix="delete all but one (`verdazul ad sp delete --id`), or choose another --name",
        )
    session.note(f"found an existing service principal of that name: {same[0]['appId']}")
    return same[0]


def _places(session: Session, arguments: Arguments) -> list[str]:
    if bool(arguments.role) != bool(arguments.scopes):
        raise UserError(
            "--role and --scopes go together: which role, and where",
            code="InvalidArguments",
            fix=f'--role "AzureML Data Scientist" --scopes {session.workspace_id}',
        )
    return [grants.place_of(session, scope) for scope in arguments.scopes or ()]


def _credential(arguments: Arguments, otherwise: str) -> dict[str, Any]:
    told: dict[str, Any] = {"displayName": getattr(arguments, "display_name", None) or otherwise}
    if arguments.years:
        told["endDateTime"] = f"{_now() + timedelta(days=365 * arguments.years):%Y-%m-%dT%H:%M:%SZ}"
    if getattr(arguments, "end_date", None):
        told["endDateTime"] = arguments.end_date
    return told


def _now() -> datetime:
    return datetime.fromtimestamp(SystemClock().now(), UTC)


def _directory(work: Work) -> Directory:
    from verdazul.client.directory import Directory

    return Directory(work.workspace.connection)


def _declare_create(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_command(
        commands,
        "create-for-rbac",
        create_for_rbac,
        summary="Make a service principal with a secret, and give it a role. The secret is shown "
        "this once. One of that name gets a further secret.",
        examples=(
            "verdazul ad sp create-for-rbac -n ci",
            'verdazul ad sp create-for-rbac -n ci --role "AzureML Data Scientist" --scopes SCOPE',
        ),
    )
    parser.add_argument("-n", "--name", metavar="NAME", help="default: verdazul-DATE")
    parser.add_argument("--role", metavar="ROLE", help="a role to give; needs --scopes")
    parser.add_argument("--scopes", nargs="+", metavar="ID", help="ids of places where it is given")
    _add_years(parser)
    for flag in ("--create-cert", "--json-auth", "--sdk-auth"):
        grammar.not_yet(parser, flag, why="there are secrets, printed as az prints them")
    for flag in ("--cert", "--keyvault", "--service-management-reference"):
        grammar.not_yet(parser, flag, why="there are secrets only", takes=1)


def _declare_list(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_command(
        commands,
        "list",
        list_all,
        summary="List service principals.",
        examples=('verdazul ad sp list --display-name ci --query "[].appId" -o tsv',),
    )
    parser.add_argument("--display-name", metavar="NAME", help="only of names that begin so")
    parser.add_argument("--all", action="store_true", help="taken for az; all are listed")
    grammar.not_yet(parser, "--filter", why="--display-name chooses", takes=1)
    grammar.not_yet(parser, "--show-mine", why="service principals have no owner here")


def _declare_show_and_delete(commands: grammar.Subparsers[Any]) -> None:
    for name, run, summary in (
        ("show", show, "Show a service principal, by id or appId. No secret is shown."),
        ("delete", delete, "Delete one with all roles; its tokens are refused at once."),
    ):
        parser = grammar.add_command(
            commands,
            name,
            run,
            summary=summary,
            examples=(f"verdazul ad sp {name} --id APP_ID",),
        )
        _add_id(parser)


def _declare_credentials(commands: grammar.Subparsers[Any]) -> None:
    resetting = grammar.add_command(
        commands,
        "reset",
        reset,
        summary="Make a new secret, shown this once. The others end, unless --append is given.",
        examples=("verdazul ad sp credential reset --id APP_ID --append",),
    )
    _add_id(resetting)
    resetting.add_argument("--append", action="store_true", help="the others stay")
    resetting.add_argument("--display-name", metavar="NAME", help="what to call it")
    resetting.add_argument("--end-date", metavar="TIME", help="when it ends, like 2030-01-31")
    _add_years(resetting)
    listing = grammar.add_command(
        commands,
        "list",
        list_credentials,
        summary="List the secrets: when they end, and how they begin.",
        examples=("verdazul ad sp credential list --id APP_ID",),
    )
    _add_id(listing)
    deleting = grammar.add_command(
        commands,
        "delete",
        delete_credential,
        summary="Make one secret worthless.",
        examples=("verdazul ad sp credential delete --id APP_ID --key-id KEY_ID",),
    )
    _add_id(deleting)
    deleting.add_argument("--key-id", required=True, metavar="ID", help="which one (required)")


def _add_id(parser: Any) -> None:
    parser.add_argument("--id", required=True, metavar="ID", help="id or appId (required)")


def _add_years(parser: Any) -> None:
    parser.add_argument("--years", type=_years, metavar="N", help="how long it lasts (default: 1)")


def _years(text: str) -> int:
    """Read a number of years."""
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_YEARS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of years (1 to {_MOST_YEARS})")
    return int(text)
