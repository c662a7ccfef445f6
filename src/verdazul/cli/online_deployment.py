"""`verdazul online-deployment`: what answers behind an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.online_endpoint import finish_delete, required_name
from verdazul.cli.session import Session, Work
from verdazul.model import packages
from verdazul.model.errors import NotFound, UserError, VerdazulError

if TYPE_CHECKING:
    from verdazul.client.connection import Answer
    from verdazul.client.workspace import Resource
    from verdazul.model.deployment import DeploymentSpec

_CONTAINERS = {
    "inference-server": "InferenceServer",
    "storage-initializer": "StorageInitializer",
}
_COLUMNS: tuple[render.Column, ...] = (
    ("Name", lambda deployment: deployment["name"]),
    ("State", lambda deployment: deployment.get("provisioning_state")),
    ("Instances", lambda deployment: deployment.get("instance_count")),
    ("InstanceType", lambda deployment: deployment.get("instance_type")),
)


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the noun and its commands."""
    commands = grammar.add_noun(nouns, "online-deployment", "Manage deployments of endpoints.")
    _declare_create(commands)
    _declare_update(commands)
    _declare_readers(commands)
    _declare_delete(commands)
    _declare_get_logs(commands)


def create(session: Session, arguments: Arguments) -> None:
    """Create one from a file; one of that name becomes what the file says, as in Azure."""
    from verdazul.cli import specs

    if arguments.all_traffic and arguments.no_wait:
        raise UserError(
            "--all-traffic moves traffic once the deployment is ready, --no-wait does not wait",
            code="InvalidArguments",
            fix="leave out one of them",
        )
    _refuse_local_flags(arguments)
    spec = specs.new_deployment(arguments)
    with session.work() as work:
        result = _put_from_file(session, work, spec, arguments)
        if arguments.all_traffic:
            _take_all_traffic(session, work, spec)
    _show(session, result)


def update(session: Session, arguments: Arguments) -> None:
    """Replace it by what a file says, or change single values of what is there."""
    from verdazul.cli import specs

    if not (arguments.file or arguments.sets or arguments.adds or arguments.removes):
        raise UserError(
            "update was not told what to change",
            code="InvalidArguments",
            fix="pass --set, --add, --remove or --file",
        )
    _refuse_local_flags(arguments)
    fresh = specs.new_deployment(arguments) if arguments.file else None
    with session.work() as work:
        if fresh:
            _existing(work, fresh.endpoint_name, fresh.name)
            result = _put_from_file(session, work, fresh, arguments)
        else:
            result = _change(session, work, arguments)
    _show(session, result)


def show(session: Session, arguments: Arguments) -> None:
    """Show one."""
    with session.work() as work:
        result = work.workspace.deployment(arguments.endpoint_name, arguments.name).get().body
    _show(session, result)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all of an endpoint."""
    from verdazul.cli import specs

    with session.work() as work:
        endpoint = work.workspace.endpoint(arguments.endpoint_name).get().body
        bodies = list(work.workspace.deployments(arguments.endpoint_name).list())
    traffic = {k.lower(): v for k, v in (endpoint["properties"].get("traffic") or {}).items()}
    share = ("Traffic", lambda found: f"{traffic.get(found['name'].lower(), 0)} %")
    found = [specs.deployment_entity(body) for body in bodies]
    render.show(found, session.how, columns=(*_COLUMNS, share))


def delete(session: Session, arguments: Arguments) -> None:
    """Delete one."""
    endpoint, name = arguments.endpoint_name, arguments.name
    what = f'deployment "{name}" of endpoint "{endpoint}"'
    if not arguments.yes and not render.confirm(f"Delete {what}?"):
        raise UserError(f"{what} was not deleted: you said no", code="NotConfirmed")
    with session.work() as work:
        answer = work.workspace.deployment(endpoint, name).delete()
        finish_delete(work, session, answer, arguments, what=what)


def get_logs(session: Session, arguments: Arguments) -> None:
    """Print the last lines of one instance's log."""
    _check_container(arguments.container)
    with session.work() as work:
        deployment = work.workspace.deployment(arguments.endpoint_name, arguments.name)
        asked = {"tail": arguments.lines, "containerType": _CONTAINERS[arguments.container]}
        content = str(deployment.act("getLogs", asked).body["content"])
    render.show_text(content, session.how)


def _put_from_file(
    session: Session, work: Work, spec: DeploymentSpec, arguments: Arguments
) -> dict[str, Any]:
    from verdazul.cli import specs

    work.workspace.endpoint(spec.endpoint_name).get()  # missing: say so before uploading anything
    registered = specs.registered(spec, work)
    deployment = work.workspace.deployment(spec.endpoint_name, spec.name)
    body = specs.deployment_body(registered, session.settings)
    return _settle(session, work, deployment, deployment.put(body), arguments, spec=spec)


def _change(session: Session, work: Work, arguments: Arguments) -> dict[str, Any]:
    from verdazul.cli import specs

    endpoint = required_name(arguments.endpoint_name)
    now = _existing(work, endpoint, required_name(arguments.name))
    spec = specs.registered(specs.changed_deployment(now.body, endpoint, arguments), work)
    deployment = work.workspace.deployment(endpoint, spec.name)
    answer = deployment.replace(specs.deployment_body(spec, session.settings), etag=now.etag)
    return _settle(session, work, deployment, answer, arguments, spec=spec)


def _settle(
    session: Session,
    work: Work,
    deployment: Resource,
    answer: Answer,
    arguments: Arguments,
    *,
    spec: DeploymentSpec,
) -> dict[str, Any]:
    names = f"-e {spec.endpoint_name} -n {spec.name}"
    if not arguments.no_wait:
        logs = f"verdazul online-deployment get-logs {names}"
        return work.settled(deployment, answer, more=logs)
    session.note(f"accepted; see how far it is with `verdazul online-deployment show {names}`")
    body: dict[str, Any] = answer.body
    return body


def _take_all_traffic(session: Session, work: Work, spec: DeploymentSpec) -> None:
    from verdazul.cli import specs

    endpoint = work.workspace.endpoint(spec.endpoint_name)
    work.progress.happened(f'all traffic of endpoint "{spec.endpoint_name}" to {spec.name}')
    try:
        now = endpoint.get()
        body = specs.endpoint_body(specs.with_traffic(now.body, {spec.name: 100}), session.settings)
        work.finish(endpoint.replace(body, etag=now.etag))
    except VerdazulError as error:
        error.add_note(
            f"the deployment is ready, only the traffic is not moved: verdazul online-endpoint "
            f"update -n {spec.endpoint_name} --traffic {spec.name}=100"
        )
        raise


def _existing(work: Work, endpoint: str, name: str) -> Answer:
    found = work.workspace.deployment(endpoint, name).find()
    if not found:
        raise NotFound(
            f'endpoint "{endpoint}" has no deployment "{name}"; update changes what is there',
            fix="create it with `verdazul online-deployment create`",
        )
    return found


def _show(session: Session, body: dict[str, Any]) -> None:
    from verdazul.cli import specs

    render.show(specs.deployment_entity(body), session.how, columns=_COLUMNS)


def _refuse_local_flags(arguments: Arguments) -> None:
    if arguments.vscode_debug:
        raise UserError(
            "VSCode Debug is only support for local endpoints. Please set local to True.",
            code="InvalidVSCodeRequest",
            fix="add --local",
        )
    if arguments.local_enable_gpu:
        raise UserError(
            "--local-enable-gpu is for local endpoints; here the instance_type decides",
            code="InvalidArguments",
            fix="add --local, or leave it out",
        )


def _check_container(container: str) -> None:
    if container not in _CONTAINERS:
        raise UserError(
            f"Invalid container type '{container}'. Supported container types are "
            f"{' and '.join(_CONTAINERS)}",
            code="InvalidArguments",
        )


def _declare_create(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_resource_command(
        commands,
        "create",
        create,
        summary="Create a deployment from a YAML file, and wait until it is ready. One of that "
        "name becomes what the file says.",
        examples=[
            "verdazul online-deployment create -f blue.yml --all-traffic",
            "verdazul online-deployment create -e credit -n green -f blue.yml --set tags.a=b",
        ],
    )
    _file_flags(parser, "create", file_required=True)
    parser.add_argument(
        "--all-traffic",
        action="store_true",
        help="once it is ready, all requests go to it (not with --no-wait)",
    )
    grammar.not_yet(parser, "--package-model", "--with-package", why=packages.WHY)


def _declare_update(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_resource_command(
        commands,
        "update",
        update,
        summary="Change a deployment. With --file it becomes what the file says; without, only "
        "what the flags name changes, and never over somebody else's change.",
        examples=[
            "verdazul online-deployment update -e credit -n blue --set instance_count=3",
            "verdazul online-deployment update -f blue.yml",
        ],
    )
    _file_flags(parser, "update", file_required=False)
    grammar.add_add_and_remove(parser)


def _file_flags(parser: Any, verb: str, *, file_required: bool) -> None:
    _names(parser, required=False)
    parser.add_argument(
        "-f",
        "--file",
        required=file_required,
        metavar="YAML",
        help="the YAML file" + " (required)" * file_required,
    )
    parser.add_argument(
        "--skip-script-validation",
        action="store_true",
        help="do not look for init() and run() in the scoring script beforehand",
    )
    grammar.add_set(parser)
    grammar.add_wait(parser)
    grammar.add_local(parser, "deployments", verb)
    parser.add_argument(
        "--local-enable-gpu", action="store_true", help="with --local: it sees the graphics cards"
    )
    parser.add_argument(
        "--vscode-debug",
        action="store_true",
        help="with --local: open VS Code, and let its debugger attach to the scoring script",
    )
    grammar.not_yet(parser, "--web", why=grammar.WEB)


def _declare_readers(commands: grammar.Subparsers[Any]) -> None:
    one = grammar.add_resource_command(
        commands,
        "show",
        show,
        summary="Show a deployment.",
        examples=[
            "verdazul online-deployment show -e credit -n blue",
            "verdazul online-deployment show -e credit -n blue --query provisioning_state -o tsv",
        ],
    )
    _names(one)
    grammar.add_local(one, "deployments", "show")
    grammar.not_yet(one, "--web", why=grammar.WEB)
    every = grammar.add_resource_command(
        commands,
        "list",
        list_all,
        summary="List an endpoint's deployments.",
        examples=["verdazul online-deployment list -e credit -o table"],
    )
    _endpoint_name(every)
    grammar.add_local(every, "deployments", "list_all")


def _declare_delete(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_resource_command(
        commands,
        "delete",
        delete,
        summary="Delete a deployment. Asks first; one that has traffic is refused.",
        examples=["verdazul online-deployment delete -e credit -n blue --yes"],
    )
    _names(parser)
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    grammar.add_wait(parser)
    grammar.add_local(parser, "deployments", "delete")


def _declare_get_logs(commands: grammar.Subparsers[Any]) -> None:
    parser = grammar.add_resource_command(
        commands,
        "get-logs",
        get_logs,
        summary="Print the last log lines of one instance: as a JSON string, or as they are at a "
        "terminal and with -o tsv.",
        examples=[
            "verdazul online-deployment get-logs -e credit -n blue",
            "verdazul online-deployment get-logs -e credit -n blue -l 50 -o tsv | grep ERROR",
        ],
    )
    _names(parser)
    parser.add_argument(
        "-l", "--lines", type=grammar.lines, default=5000, metavar="N", help="(default: 5000)"
    )
    parser.add_argument(
        "-c",
        "--container",
        default="inference-server",
        metavar="TYPE",
        help="inference-server (default); storage-initializer: code, model and environment",
    )
    grammar.add_local(parser, "deployments", "get_logs")


def _names(parser: Any, *, required: bool = True) -> None:
    parser.add_argument(
        "-n",
        "--name",
        required=required,
        metavar="NAME",
        help="the deployment's name" + " (required)" * required,
    )
    _endpoint_name(parser, required=required)


def _endpoint_name(parser: Any, *, required: bool = True) -> None:
    parser.add_argument(
        "-e",
        "--endpoint-name",
        required=required,
        metavar="NAME",
        help="the endpoint's name" + " (required)" * required,
    )
