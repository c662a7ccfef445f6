"""`verdazul account get-access-token`: a token that opens the control API, or an endpoint.

Scripts that call Azure's REST API by curl begin with it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session, Work
from verdazul.cli.subscription import add_flag, refuse_other, refuse_other_tenant
from verdazul.model.oauth import TENANT

_MANAGEMENT = "https://management.azure.com"
_DEFAULT_SCOPE = "/.default"


def declare(commands: grammar.Subparsers[Any]) -> None:
    """Declare the command."""
    parser = grammar.add_command(
        commands,
        "get-access-token",
        get_access_token,
        summary="Print a token for the REST API, which expires after an hour.",
        examples=("verdazul account get-access-token --query accessToken -o tsv",),
    )
    add_flag(parser, required=False)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--resource",
        metavar="URL",
        help="this server (default), or https://ml.azure.com: endpoints of auth_mode aad_token",
    )
    what.add_argument("--scope", metavar="SCOPE", help="this server's, as URL/.default")
    what.add_argument(
        "--resource-type", choices=("arm",), help="arm: this server stands for Azure's"
    )
    parser.add_argument("-t", "--tenant", metavar="ID", help="must be the home's")


def get_access_token(session: Session, arguments: Arguments) -> None:
    """Ask for one and print it as az does."""
    refuse_other(session.settings, arguments.subscription)
    refuse_other_tenant(arguments.tenant)
    with session.work() as work:
        token, expires = work.workspace.connection.token_for(_resource(work, arguments))
    local = datetime.fromtimestamp(expires, UTC).astimezone()
    render.show(
        {
            "accessToken": token,
            "expiresOn": f"{local:%Y-%m-%d %H:%M:%S.%f}",
            "expires_on": expires,
            "subscription": session.settings.subscription,
            "tenant": TENANT,
            "tokenType": "Bearer",
        },
        session.how,
    )


def _resource(work: Work, arguments: Arguments) -> str:
    """Azure's management is this server; whatever else is asked for, the server judges."""
    asked: str = arguments.resource or arguments.scope or _MANAGEMENT
    resource = asked.removesuffix(_DEFAULT_SCOPE).rstrip("/")
    return work.workspace.connection.address if resource.lower() == _MANAGEMENT else resource
