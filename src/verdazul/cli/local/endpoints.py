"""`online-endpoint ... --local`: a file that declares it, and the containers of its deployments."""

from __future__ import annotations

from typing import Any

from verdazul.cli import render, specs
from verdazul.cli.grammar import Arguments
from verdazul.cli.invoke import request_text
from verdazul.cli.local import places, records
from verdazul.cli.local.engines import engine
from verdazul.cli.session import Session
from verdazul.client.engine import Container, Engine
from verdazul.client.local import score
from verdazul.model.endpoint import EndpointSpec
from verdazul.model.errors import UserError
from verdazul.model.load import endpoint_from_mapping
from verdazul.model.supported import refuse_unsupported_locally

_COLUMNS: tuple[render.Column, ...] = (
    ("Name", lambda endpoint: endpoint["name"]),
    ("State", lambda endpoint: endpoint["provisioning_state"]),
    ("ScoringUri", lambda endpoint: endpoint["scoring_uri"]),
)


def create(session: Session, arguments: Arguments) -> None:
    """Declare one; one of that name becomes what is said now, as in Azure."""
    spec = specs.new_endpoint(arguments, refuse_keys=refuse_unsupported_locally)
    _declare(session, spec)


def update(session: Session, arguments: Arguments) -> None:
    """Declare it anew by a file, or change single values."""
    if arguments.traffic or arguments.mirror_traffic:
        raise UserError(
            "local endpoints do not split or mirror traffic; --deployment-name chooses",
            code="InvalidArguments",
            fix="leave out --traffic and --mirror-traffic with --local",
        )
    if arguments.file:
        spec = specs.new_endpoint(arguments, refuse_keys=refuse_unsupported_locally)
        name = spec.name
    else:
        name = arguments.name or ""
    with engine(session) as found:
        declared = _declared(found, name)
    if not arguments.file:
        known = {key: value for key, value in declared.items() if key in EndpointSpec.model_fields}
        spec = endpoint_from_mapping(
            known, refuse_keys=refuse_unsupported_locally, **specs.changes(arguments)
        )
        specs.refuse_rename(name, spec.name)
    _declare(session, spec)


def show(session: Session, arguments: Arguments) -> None:
    """Show one."""
    with engine(session) as found:
        entity = _entity(found, arguments.name)
    render.show(entity, session.how, columns=_COLUMNS)


def list_all(session: Session, arguments: Arguments) -> None:
    """Show all, declared or only deployed to."""
    del arguments
    with engine(session) as found:
        deployed = {c.labels.get("endpoint", "") for c in found.containers(records.wanted())}
        entities = [_entity(found, name) for name in sorted(deployed | set(places.names()))]
    render.show(entities, session.how, columns=_COLUMNS)


def delete(session: Session, arguments: Arguments) -> None:
    """Forget it, with its deployments."""
    name = arguments.name
    with engine(session) as found:
        _declared(found, name)
        what = f'local endpoint "{name}"'
        if not arguments.yes and not render.confirm(f"Delete {what} and all its deployments?"):
            raise UserError(f"{what} was not deleted: you said no", code="NotConfirmed")
        for container in found.containers(records.wanted(name)):
            found.stop(container.id)
            found.remove(container.id)
    places.forget(name)
    session.note(f"{what} is deleted")


def invoke(session: Session, arguments: Arguments) -> None:
    """Send a request file to its deployment."""
    body = request_text(arguments.request_file)
    named = arguments.deployment_name or ""
    with engine(session) as found:
        container = _called(found, arguments.name, named)
    render.show(score(records.scoring_uri(container), body, named), session.how)


def _declare(session: Session, spec: EndpointSpec) -> None:
    written = spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    declared = {**written, "name": spec.name, "auth_mode": spec.auth_mode.value}
    if spec.traffic or spec.mirror_traffic:
        session.note("without effect locally, as in Azure: traffic, mirror_traffic")
    places.store(spec.name, declared)
    with engine(session) as found:
        entity = _entity(found, spec.name)
    render.show(entity, session.how, columns=_COLUMNS)


def _entity(found: Engine, name: str) -> dict[str, Any]:
    declared = _declared(found, name)
    mine = found.containers(records.wanted(name))
    return records.endpoint_entity(declared, mine[0] if mine else None)


def _declared(found: Engine, name: str) -> dict[str, Any]:
    """What its file says, or the label of a deployment. Raises NotFound."""
    if declared := places.stored(places.checked(name)):
        return {**declared, "name": name}
    mine = found.containers(records.wanted(name))
    if not mine:
        raise records.missing(name)
    return {**records.endpoint_data(mine[0]), "name": name}


def _called(found: Engine, endpoint: str, deployment: str) -> Container:
    """The one deployment that is meant, alive. Raises UserError."""
    mine = found.containers(records.wanted(places.checked(endpoint), deployment))
    if not mine:
        _declared(found, endpoint)
        raise records.missing(endpoint, deployment or "any")
    if len(mine) > 1:
        names = ", ".join(sorted(c.labels.get("deployment", "") for c in mine))
        raise UserError(
            f"Multiple deployments found for local endpoint ({endpoint}), please specify "
            "deployment name.",
            code="MultipleLocalDeploymentsFound",
            fix=f"pass --deployment-name with one of {names}",
        )
    if mine[0].has_ended:
        raise records.failed(mine[0])
    return mine[0]
