"""What opens an endpoint, by its auth_mode: shown by get-credentials, used by invoke.

key         two keys, told by the server
aml_token   a token that the server makes each time
aad_token   the token of an identity: in VERDAZUL_ACCESS_TOKEN, else of whoever is logged in, else
            of the home's owner
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import ACCESS_TOKEN, Session
from verdazul.model.errors import UserError

if TYPE_CHECKING:
    from verdazul.client.workspace import Resource

_AUDIENCE = "https://ml.azure.com"


def declare(commands: grammar.Subparsers[Any]) -> None:
    """Declare get-credentials and regenerate-keys."""
    get = grammar.add_resource_command(
        commands,
        "get-credentials",
        get_credentials,
        summary="Print what opens an endpoint: both of its keys, each of which opens it, or a "
        "token, by its auth_mode.",
        examples=[
            "verdazul online-endpoint get-credentials -n credit --query primaryKey -o tsv",
            "verdazul online-endpoint get-credentials -n credit --query accessToken -o tsv",
        ],
    )
    _name(get)
    renew = grammar.add_resource_command(
        commands,
        "regenerate-keys",
        regenerate_keys,
        summary="Replace one key of an endpoint. The other goes on working, so that callers can "
        "move over without a break. The new key is shown by get-credentials.",
        examples=["verdazul online-endpoint regenerate-keys -n credit --key-type secondary"],
    )
    _name(renew)
    renew.add_argument(
        "--key-type",
        type=str.lower,
        choices=("primary", "secondary"),
        default="primary",
        help="which one (default: primary)",
    )
    grammar.add_wait(renew)


def get_credentials(session: Session, arguments: Arguments) -> None:
    """Print them: the one command whose purpose that is."""
    with session.work() as work:
        found = credentials(session, work.workspace.endpoint(arguments.name))
    render.show(found, session.how, columns=())


def regenerate_keys(session: Session, arguments: Arguments) -> None:
    """Replace one key by a new one."""
    kind = arguments.key_type.capitalize()
    with session.work() as work:
        endpoint = work.workspace.endpoint(arguments.name)
        answer = endpoint.act("regenerateKeys", {"keyType": kind})
        if not arguments.no_wait:
            work.finish(answer)
    done = "being replaced" if arguments.no_wait else "new"
    session.note(f'the {arguments.key_type} key of endpoint "{arguments.name}" is {done}')


def credentials(session: Session, endpoint: Resource) -> dict[str, Any]:
    """What opens this endpoint, with Azure's field names."""
    mode = str((endpoint.get().body["properties"] or {}).get("authMode") or "Key").lower()
    if mode == "key":
        return dict(endpoint.act("listKeys").body)
    if mode == "amltoken":
        return dict(endpoint.act("token").body)
    if session.access_token:
        return _given(session.access_token)
    token, expires = endpoint.connection.token_for(_AUDIENCE)
    return {"accessToken": token, "expiryTimeUtc": expires}


def bearer(session: Session, endpoint: Resource) -> str:
    """The one of them that a request carries."""
    found = credentials(session, endpoint)
    return str(found.get("primaryKey") or found["accessToken"])


def _given(token: str) -> dict[str, Any]:
    """The token with its expiry, which is read and not verified: the gateway does that."""
    try:
        claims = token.split(".")[1]
        padded = claims + "=" * (-len(claims) % 4)
        expiry = int(json.loads(base64.urlsafe_b64decode(padded))["exp"])
    except (ValueError, IndexError, KeyError, TypeError):
        raise UserError(
            f"{ACCESS_TOKEN} holds no JSON Web Token with an expiry",
            code="InvalidToken",
            fix="put the access token itself there, without `Bearer`",
        ) from None
    return {"accessToken": token, "expiryTimeUtc": expiry}


def _name(parser: Any) -> None:
    parser.add_argument(
        "-n", "--name", required=True, metavar="NAME", help="the endpoint's name (required)"
    )
