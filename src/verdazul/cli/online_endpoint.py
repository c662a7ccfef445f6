"""`verdazul online-endpoint`: the stable address that deployments stand behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from verdazul.cli import credentials, grammar, invoke, pause, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session, Work
from verdazul.model.errors import Conflict, NotFound, UserError

if TYPE_CHECKING:
    from verdazul.client.connection import Answer
    from verdazul.client.workspace import Resource

_COLUMNS: tuple[render.Column, ...] = (
    ("Name", lambda endpoint: endpoint["name"]),
    ("State", lambda endpoint: state_text(endpoint)),  # noqa: PLW0108 - defined below
    ("Traffic", lambda endpoint: traffic_text(endpoint.get("traffic") or {})),
    ("ScoringUri", lambda endpoint: endpoint.get("scoring_uri")),
)


def state_text(endpoint: Mapping[str, Any]) -> str:
    """Tell the provisioning state, and whether requests wait."""
    paused = ", paused" if endpoint.get("is_paused") else ""
    return f"{endpoint.get('provisioning_state')}{paused}"


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the noun and its commands."""
    commands = grammar.add_noun(nouns, "online-endpoint", "Manage online endpoints.")
    _declare_create(commands)
    _declare_update(commands)
    _declare_readers(commands)
    _declare_delete(commands)
    credentials.declare(commands)
    pause.declare(commands)
    invoke.declare(commands)


def traffic_text(traffic: dict[str, int]) -> str:
    """Write traffic the way --traffic reads it."""
    return " ".join(f"{name}={percent}" for name, percent in traffic.items())


def create(session: Session, arguments: Arguments) -> None:
    """Create one; refuse when it exists."""
    from verdazul.cli import specs

    spec = specs.new_endpoint(arguments)
    with session.work() as work:
        endpoint = work.workspace.endpoint(spec.name)
        if endpoint.find():
            raise Conflict(
                f'endpoint "{spec.name}" exists already',
                code="EndpointExists",
                fix=f"change it with `verdazul online-endpoint update -n {spec.name}`",
            )
        body = specs.endpoint_body(spec, session.settings)
        result = _settle(work, endpoint, endpoint.create(body), arguments, session)
    _show(session, result)


def update(session: Session, arguments: Arguments) -> None:
    """Replace it by what a file says, or change single values of what is there."""
    from verdazul.cli import specs

    _refuse_nothing_to_do(arguments)
    fresh = specs.new_endpoint(arguments) if arguments.file else None
    name = fresh.name if fresh else required_name(arguments.name)
    with session.work() as work:
        endpoint = work.workspace.endpoint(name)
        now = _existing(endpoint, name)
        spec = fresh or specs.changed_endpoint(now.body, arguments)
        body = specs.endpoint_body(spec, session.settings)
        answer = endpoint.put(body) if fresh else endpoint.replace(body, etag=now.etag)
        result = _settle(work, endpoint, answer, arguments, session)
    if fresh and not arguments.traffic:
        _warn_of_lost_traffic(session, now.body, result)
    _show(session, result)


def show(session: Session, arguments: Arguments) -> None:
    """Show one."""
    with session.work() as work:
        result = work.workspace.endpoint(arguments.name).get().body
    _show(session, result)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all of the workspace."""
    from verdazul.cli import specs

    del arguments
    with session.work() as work:
        found = [specs.endpoint_entity(body) for body in work.workspace.endpoints().list()]
    render.show(found, session.how, columns=_COLUMNS)


def delete(session: Session, arguments: Arguments) -> None:
    """Delete it with all its deployments."""
    name = arguments.name
    if not arguments.yes and not render.confirm(
        f'Delete endpoint "{name}" and all its deployments?'
    ):
        raise UserError(f'endpoint "{name}" was not deleted: you said no', code="NotConfirmed")
    with session.work() as work:
        answer = work.workspace.endpoint(name).delete()
        finish_delete(work, session, answer, arguments, what=f'endpoint "{name}"')


def required_name(name: str | None) -> str:
    """Refuse a missing --name where a file could have named it."""
    if not name:
        raise UserError(
            "no name was given", code="InvalidArguments", fix="pass --name, or a --file that has it"
        )
    return name


def finish_delete(
    work: Work, session: Session, answer: Answer, arguments: Arguments, *, what: str
) -> None:
    """Wait for a delete, and say how it stands."""
    if not answer.operation:
        session.note(f"{what} does not exist; there was nothing to delete")
    elif arguments.no_wait:
        session.note(f"{what} is being deleted")
    else:
        work.finish(answer)
        session.note(f"{what} is deleted")


def _settle(
    work: Work, endpoint: Resource, answer: Answer, arguments: Arguments, session: Session
) -> dict[str, Any]:
    if not arguments.no_wait:
        return work.settled(endpoint, answer)
    session.note("accepted; see how far it is with `verdazul online-endpoint show`")
    body: dict[str, Any] = answer.body
    return body


def _show(session: Session, body: dict[str, Any]) -> None:
    from verdazul.cli import specs

    render.show(specs.endpoint_entity(body), session.how, columns=_COLUMNS)


def _existing(endpoint: Resource, name: str) -> Answer:
    found = endpoint.find()
    if not found:
        raise NotFound(
            f'endpoint "{name}" does not exist; update changes what is there',
            fix=f"create it with `verdazul online-endpoint create -n {name}`",
        )
    return found


def _refuse_nothing_to_do(arguments: Arguments) -> None:
    flags = arguments.file, arguments.traffic, arguments.mirror_traffic
    if not any((*flags, arguments.sets, arguments.adds, arguments.removes)):
        raise UserError(
            "update was not told what to change",
            code="InvalidArguments",
            fix="pass --traffic, --mirror-traffic, --set, --add, --remove or --file",
        )


def _warn_of_lost_traffic(session: Session, old: dict[str, Any], new: dict[str, Any]) -> None:
    before = (old.get("properties") or {}).get("traffic") or {}
    after = (new.get("properties") or {}).get("traffic") or {}
    if any(before.values()) and not any(after.values()):
        session.note(
            f"warning: traffic was {traffic_text(before)} and is 0 now: requests that name no "
            f'deployment are answered 404. Undo: --traffic "{traffic_text(before)}"'
        )


def _declare_create(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_resource_command(
        commands,
        "create",
        create,
        summary="Create an endpoint. Needs a file, or just a name.",
        examples=[
            "verdazul online-endpoint create -n credit",
            "verdazul online-endpoint create -f endpoint.yml",
            "verdazul online-endpoint create -f endpoint.yml -n credit2 --set tags.team=risk",
        ],
    )
    _name(parser, required=False)
    parser.add_argument("-f", "--file", metavar="YAML", help="the endpoint's YAML file")
    parser.add_argument("--auth-mode", metavar="MODE", help="key (default), aml_token or aad_token")
    grammar.add_set(parser)
    grammar.add_wait(parser)
    grammar.add_local(parser, "endpoints", "create")
    _refuse_web(parser)


def _declare_update(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_resource_command(
        commands,
        "update",
        update,
        summary="Change an endpoint. With --file it becomes what the file says; without, only "
        "what the flags name changes, and never over somebody else's change.",
        examples=[
            'verdazul online-endpoint update -n credit --traffic "blue=90 green=10"',
            'verdazul online-endpoint update -n credit --mirror-traffic "green=10"',
            "verdazul online-endpoint update -n credit --set tags.team=risk",
            "verdazul online-endpoint update -f endpoint.yml",
        ],
    )
    _name(parser, required=False)
    parser.add_argument("-f", "--file", metavar="YAML", help="the endpoint's YAML file")
    parser.add_argument(
        "-r",
        "--traffic",
        nargs="+",
        metavar="NAME=PERCENT",
        help="percentages of all deployments; who is not named gets 0",
    )
    parser.add_argument(
        "--mirror-traffic",
        nargs="+",
        metavar="NAME=PERCENT",
        help="send a copy of so many percent (at most 50) of the requests to one deployment that "
        "takes no traffic; its answers are dropped. 0 ends it",
    )
    grammar.add_set(parser)
    grammar.add_add_and_remove(parser)
    grammar.add_wait(parser)
    grammar.add_local(parser, "endpoints", "update")
    _refuse_web(parser)


def _declare_readers(commands: grammar.Subparsers[Any]) -> None:
    one = grammar.add_resource_command(
        commands,
        "show",
        show,
        summary="Show an endpoint.",
        examples=[
            "verdazul online-endpoint show -n credit",
            "verdazul online-endpoint show -n credit --query scoring_uri -o tsv",
        ],
    )
    _name(one)
    grammar.add_local(one, "endpoints", "show")
    _refuse_web(one)
    every = grammar.add_resource_command(
        commands,
        "list",
        list_all,
        summary="List all endpoints.",
        examples=["verdazul online-endpoint list -o table"],
    )
    grammar.add_local(every, "endpoints", "list_all")


def _declare_delete(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_resource_command(
        commands,
        "delete",
        delete,
        summary="Delete an endpoint and all its deployments. Asks first.",
        examples=["verdazul online-endpoint delete -n credit --yes"],
    )
    _name(parser)
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    grammar.add_wait(parser)
    grammar.add_local(parser, "endpoints", "delete")


def _name(parser: Any, *, required: bool = True) -> None:
    parser.add_argument(
        "-n",
        "--name",
        required=required,
        metavar="NAME",
        help="the endpoint's name" + " (required)" * required,
    )


def _refuse_web(parser: Any) -> None:
    grammar.not_yet(parser, "--web", "-e", why=grammar.WEB)
