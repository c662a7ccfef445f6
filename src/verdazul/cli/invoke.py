"""`verdazul online-endpoint invoke`: call an endpoint as its users would, and explain failures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from verdazul.cli import grammar, render
from verdazul.cli.credentials import bearer
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session, Work
from verdazul.model.errors import NotFound, UserError


def declare(commands: grammar.Subparsers[Any]) -> None:
    """Declare the command."""
    parser = grammar.add_resource_command(
        commands,
        "invoke",
        invoke,
        summary="Send a request to an endpoint and print the answer as a JSON string (-o tsv: as "
        "it is).",
        examples=[
            "verdazul online-endpoint invoke -n credit --request-file request.json",
            "verdazul online-endpoint invoke -n credit -d green -r request.json -o tsv",
        ],
    )
    parser.add_argument(
        "-n", "--name", required=True, metavar="NAME", help="the endpoint's name (required)"
    )
    parser.add_argument("-r", "--request-file", metavar="FILE", help="what to send, as it is")
    parser.add_argument(
        "-d", "--deployment-name", metavar="NAME", help="this one, whatever the traffic says"
    )
    grammar.add_local(parser, "endpoints", "invoke")


def invoke(session: Session, arguments: Arguments) -> None:
    """Send a request file as the endpoint's users would."""
    from verdazul.client.scoring import ScoringRequest, score

    body = request_text(arguments.request_file)
    with session.work() as work:
        endpoint = work.workspace.endpoint(arguments.name)
        url = str((endpoint.get().body["properties"] or {}).get("scoringUri") or "")
        _check_deployment(work, arguments.name, arguments.deployment_name)
        credential = bearer(session, endpoint)
        request = ScoringRequest(url, credential, body, arguments.deployment_name or "")
        text = score(work.workspace.connection, request)
    render.show(text, session.how)


def request_text(file: str | None) -> str:
    """What a request file holds. Raises UserError."""
    if not file:
        raise UserError(
            "invoke needs a request to send", code="InvalidArguments", fix="pass --request-file"
        )
    try:
        return Path(file).read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"request file {file} is not UTF-8 text (byte {error.start}); invoke sends text",
            code="InvalidRequestFile",
        ) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(
            f"cannot read request file {file!r}: {why}", code="InvalidRequestFile"
        ) from None


def _check_deployment(work: Work, endpoint: str, wanted: str | None) -> None:
    names = [str(found["name"]) for found in work.workspace.deployments(endpoint).list()]
    if not names:
        raise NotFound(
            "No deployment exists for this endpoint",
            fix=f"create one with `verdazul online-deployment create -e {endpoint} -f FILE`",
        )
    if wanted and wanted.lower() not in {name.lower() for name in names}:
        raise NotFound(
            f"Deployment name {wanted} not found for this endpoint",
            fix=f"it has: {', '.join(names)}",
        )
