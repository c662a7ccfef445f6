"""`online-deployment ... --local`: one container (or process) for each deployment, on this machine.

The story of a creation: read, fetch what is registered, build; only then the old container goes and
the new one comes, and it is watched until it answers or has ended.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from verdazul.cli import render, specs
from verdazul.cli.grammar import Arguments
from verdazul.cli.local import artifacts, cards, debug, image, places, records
from verdazul.cli.local.engines import engine
from verdazul.cli.progress import progress
from verdazul.cli.session import Session
from verdazul.client.engine import ENGINE_REFUSED, Container, Engine
from verdazul.client.local import answers
from verdazul.client.operations import NotReady
from verdazul.model.assets import InlineEnvironment, InlineModel, ModelType
from verdazul.model.deployment import DeploymentSpec
from verdazul.model.errors import Conflict, Fatal, UserError
from verdazul.model.load import deployment_from_mapping
from verdazul.model.supported import refuse_unsupported_locally

_PAUSE_SECONDS = 0.1
_TAIL_LINES = 20
_COLUMNS: tuple[render.Column, ...] = (
    ("Name", lambda found: found["name"]),
    ("Endpoint", lambda found: found.get("endpoint_name")),
    ("State", lambda found: found.get("provisioning_state")),
)


def create(session: Session, arguments: Arguments) -> None:
    """Create one from a file; one of that name is replaced once the new image is built."""
    _refuse(arguments, "all_traffic", "--all-traffic: local endpoints do not split traffic")
    spec = specs.new_deployment(arguments, refuse_keys=refuse_unsupported_locally)
    _bring(session, spec, arguments)


def update(session: Session, arguments: Arguments) -> None:
    """Replace it by what a file says, or change single values of what is there."""
    if not (arguments.file or arguments.sets or arguments.adds or arguments.removes):
        raise UserError(
            "update was not told what to change",
            code="InvalidArguments",
            fix="pass --set, --add, --remove or --file",
        )
    if arguments.file:
        spec = specs.new_deployment(arguments, refuse_keys=refuse_unsupported_locally)
    else:
        spec = _changed(session, arguments)
    with engine(session) as found:
        _find(found, spec.endpoint_name, spec.name)
    _bring(session, spec, arguments)


def show(session: Session, arguments: Arguments) -> None:
    """Show one."""
    with engine(session) as found:
        container = _find(found, arguments.endpoint_name, arguments.name)
    _show(session, container)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all of an endpoint."""
    with engine(session) as found:
        mine = found.containers(records.wanted(arguments.endpoint_name))
    render.show([records.deployment_entity(c) for c in mine], session.how, columns=_COLUMNS)


def delete(session: Session, arguments: Arguments) -> None:
    """End and forget one."""
    endpoint, name = arguments.endpoint_name, arguments.name
    what = f'local deployment "{name}" of endpoint "{endpoint}"'
    with engine(session) as found:
        container = _find(found, endpoint, name)
        if not arguments.yes and not render.confirm(f"Delete {what}?"):
            raise UserError(f"{what} was not deleted: you said no", code="NotConfirmed")
        _end(found, container)
    places.forget(endpoint, name)
    session.note(f"{what} is deleted")


def get_logs(session: Session, arguments: Arguments) -> None:
    """Print the end of what it printed."""
    if arguments.container != "inference-server":
        raise UserError(
            f"--container {arguments.container}: a local deployment has no storage initializer; "
            "code, model and environment are on this machine",
            code="InvalidArguments",
            fix="leave out --container",
        )
    with engine(session) as found:
        container = _find(found, arguments.endpoint_name, arguments.name)
        text = found.logs(container, tail=arguments.lines)
    render.show_text(text, session.how)


def _changed(session: Session, arguments: Arguments) -> DeploymentSpec:
    with engine(session) as found:
        container = _find(found, arguments.endpoint_name or "", arguments.name or "")
    spec = deployment_from_mapping(
        records.deployment_data(container),
        base=Path.cwd(),
        refuse_keys=refuse_unsupported_locally,
        **specs.changes(arguments),
    )
    specs.refuse_rename(arguments.name, spec.name)
    specs.refuse_rename(arguments.endpoint_name, spec.endpoint_name)
    return spec


def _bring(session: Session, spec: DeploymentSpec, arguments: Arguments) -> None:
    """Make it so, and show what came of it."""
    _refuse_without_code(spec)
    if keys := image.without_effect(spec):
        session.note(f"without effect locally, as in Azure: {', '.join(keys)}")
    spec = artifacts.fetched(session, spec)
    with engine(session) as found:
        devices = cards.request(found) if arguments.local_enable_gpu else []
        port = debug.port(found) if arguments.vscode_debug else None
        plan = image.plan(spec, debug_port=port)
        endpoint = _declared_endpoint(found, spec.endpoint_name)
        plan.write()
        _prepare_image(session, found, plan)
        labels = records.labels(spec, endpoint, port=plan.port)
        if port and not found.is_processes:
            debug.open_container(session, plan, labels)
            return
        _replace(session, found, plan, plan.body(labels, devices=devices))
        if port:
            debug.await_debugger(session, plan, port, seconds=arguments.timeout)
        container = _started(session, found, arguments, spec)
    _show(session, container)


def _declared_endpoint(found: Engine, name: str) -> dict[str, Any]:
    """As it was created; a deployment without one makes its own, as in Azure."""
    others = found.containers(records.wanted(name))
    kept = records.endpoint_data(others[0]) if others else None
    return places.stored(name) or kept or {"name": name}


def _prepare_image(session: Session, found: Engine, plan: image.Plan) -> None:
    with progress(quiet=session.quiet) as on:
        if plan.dockerfile:
            lines = found.build(plan.archive(), tag=plan.image, dockerfile=plan.dockerfile_name)
        elif found.is_processes:
            raise _no_engine(plan)
        elif not found.has_image(plan.image):
            lines = found.pull(plan.image)
        else:
            return
        for line in lines:
            if line.startswith("NOTE: "):
                session.note(line.removeprefix("NOTE: "))
            else:
                on.happened(line)


def _no_engine(plan: image.Plan) -> UserError:
    return UserError(
        f"image {plan.image!r} with its own inference_config needs a container engine, and none "
        "answers on this machine",
        code="DockerEngineNotAvailable",
        fix="start Docker or podman (and set DOCKER_HOST), or deploy a scoring script",
    )


def _replace(session: Session, found: Engine, plan: image.Plan, body: dict[str, Any]) -> None:
    """End the old one, start the new one. Raises NotReady when the engine cannot start it."""
    spec = plan.spec
    for old in found.containers(records.wanted(spec.endpoint_name, spec.name)):
        _end(found, old)
    name = f"{spec.endpoint_name}.{spec.name}"
    try:
        _, warnings = found.create(name, body)
        found.start(name)
    except Conflict as taken:
        taken.add_note(f"docker rm {name} removes it, if nobody needs it")
        raise
    except (UserError, Fatal) as refusal:
        if refusal.problem.code != ENGINE_REFUSED:
            raise
        if body["HostConfig"].get("DeviceRequests") and cards.are_meant(refusal):
            raise cards.missing(refusal) from None
        raise NotReady.of(records.not_started(spec, refusal.problem.message).problem) from None
    for warning in warnings:
        session.detail(warning)


def _started(
    session: Session, found: Engine, arguments: Arguments, spec: DeploymentSpec
) -> Container:
    """Watch it start. Raises NotReady (LocalEndpointInFailedState) when it ends."""
    with progress(quiet=session.quiet) as on:
        on.happened(f"starting {spec.endpoint_name} / {spec.name}")
        end = time.monotonic() + arguments.timeout
        while True:
            container = _find(found, spec.endpoint_name, spec.name)
            if container.has_ended:
                tail = found.logs(container, tail=_TAIL_LINES).splitlines()
                raise NotReady.of(records.failed(container, tuple(tail)).problem)
            if arguments.no_wait or answers(records.readiness_uri(container)):
                return container
            if time.monotonic() > end:
                raise _too_late(container, arguments.timeout)
            time.sleep(_PAUSE_SECONDS)


def _too_late(container: Container, seconds: float) -> NotReady:
    return NotReady(
        f"{container.name} runs, but {records.readiness_uri(container)} did not answer in "
        f"{seconds:g} s",
        code="LocalEndpointNotReady",
        fix="see its log with get-logs --local; wait longer with --timeout",
    )


def _find(found: Engine, endpoint: str, name: str) -> Container:
    places.checked(endpoint)
    places.checked(name, what="deployment")
    mine = found.containers(records.wanted(endpoint, name))
    if not mine:
        raise records.missing(endpoint, name)
    return mine[0]


def _end(found: Engine, container: Container) -> None:
    found.stop(container.id)
    found.remove(container.id)


def _show(session: Session, container: Container) -> None:
    render.show(records.deployment_entity(container), session.how, columns=_COLUMNS)


def _refuse(arguments: Arguments, flag: str, why: str) -> None:
    if getattr(arguments, flag):
        raise UserError(f"{why}", code="InvalidArguments", fix="leave it out with --local")


def _refuse_without_code(spec: DeploymentSpec) -> None:
    environment, model = spec.environment, spec.model
    is_own = isinstance(environment, InlineEnvironment) and environment.inference_config
    if spec.code_configuration or is_own:
        return
    kind = model.type.value if isinstance(model, InlineModel) else ModelType.CUSTOM.value
    raise UserError(
        f"deployment {spec.name} of a {kind} has no code_configuration: deployments without code "
        "are not supported locally",
        code="RequiredLocalArtifactsNotFound",
        fix="add `code_configuration` with `code` and `scoring_script`",
    )
