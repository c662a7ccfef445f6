"""From files, flags and what is stored to specs, and from specs to bodies.

The model's side of every command, in one place. Imported inside commands only: pydantic takes
longer to import than `--help` may take.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Work
from verdazul.client import assets
from verdazul.client.assets import Telling
from verdazul.client.registering import fetched_model
from verdazul.model.arm import (
    deployment_from_arm,
    deployment_to_arm,
    endpoint_from_arm,
    endpoint_to_arm,
)
from verdazul.model.assets import InlineEnvironment, InlineModel, is_address, is_reference
from verdazul.model.deployment import DeploymentSpec
from verdazul.model.endpoint import EndpointSpec
from verdazul.model.entity import deployment_entity, endpoint_entity
from verdazul.model.errors import UserError
from verdazul.model.load import (
    RefuseKeys,
    check_scoring_script,
    deployment_from_mapping,
    endpoint_from_mapping,
    load_deployment,
    load_endpoint,
)
from verdazul.model.supported import refuse_unsupported
from verdazul.model.traffic import parse_traffic
from verdazul.settings import Settings

__all__ = ["deployment_entity", "endpoint_entity"]


def new_endpoint(
    arguments: Arguments, *, refuse_keys: RefuseKeys = refuse_unsupported
) -> EndpointSpec:
    """Read the endpoint that a file, or flags alone, describe."""
    said = {**changes(arguments), "refuse_keys": refuse_keys}
    if arguments.file:
        spec = load_endpoint(Path(arguments.file), name=arguments.name, **said)
    else:
        named = {"name": arguments.name} if arguments.name else {}
        spec = endpoint_from_mapping(named, **said)
    return _with_own_flags(spec, arguments, refuse_keys)


def changed_endpoint(body: Mapping[str, Any], arguments: Arguments) -> EndpointSpec:
    """Apply flags to a stored endpoint."""
    stored = endpoint_from_arm(str(body["name"]), body)
    spec = endpoint_from_mapping(stored.to_mapping(), **changes(arguments))
    refuse_rename(stored.name, spec.name)
    return _with_own_flags(spec, arguments, refuse_unsupported)


def with_traffic(body: Mapping[str, Any], traffic: Mapping[str, int]) -> EndpointSpec:
    """Give a stored endpoint another traffic rule."""
    stored = endpoint_from_arm(str(body["name"]), body)
    return endpoint_from_mapping({**stored.to_mapping(), "traffic": dict(traffic)})


def endpoint_body(spec: EndpointSpec, settings: Settings) -> dict[str, Any]:
    """Write the endpoint as the API takes it."""
    return endpoint_to_arm(spec, location=settings.location)


def new_deployment(
    arguments: Arguments, *, refuse_keys: RefuseKeys = refuse_unsupported
) -> DeploymentSpec:
    """Read the deployment that a file and flags describe, and look through its script."""
    names = {"name": arguments.name, "endpoint_name": arguments.endpoint_name}
    said = {**changes(arguments), "refuse_keys": refuse_keys}
    spec = load_deployment(Path(arguments.file), **names, **said)
    return _script_checked(spec, arguments)


def changed_deployment(
    body: Mapping[str, Any], endpoint: str, arguments: Arguments
) -> DeploymentSpec:
    """Apply flags to a stored deployment; relative paths in them start where we are."""
    stored = deployment_from_arm(endpoint, str(body["name"]), body)
    spec = deployment_from_mapping(stored.to_mapping(), base=Path.cwd(), **changes(arguments))
    refuse_rename(stored.name, spec.name)
    refuse_rename(stored.endpoint_name, spec.endpoint_name)
    return _script_checked(spec, arguments)


def deployment_body(spec: DeploymentSpec, settings: Settings) -> dict[str, Any]:
    """Write a deployment, all of whose parts are registered, as the API takes it."""
    return deployment_to_arm(spec, location=settings.location)


def registered(spec: DeploymentSpec, work: Work) -> DeploymentSpec:
    """Bring code, model and environment to the server; the spec then names them by id."""
    telling = Telling(work.progress.happened, work.progress.moving)
    code, model, environment = spec.code_configuration, spec.model, spec.environment
    found: dict[str, object] = {}
    if code and not is_reference(code.code):
        parcel = assets.pack_code(Path(code.code))
        id_ = assets.register_code(work.workspace, parcel, telling=telling)
        found["code_configuration"] = code.model_copy(update={"code": id_})
    if isinstance(model, InlineModel):
        found["model"] = (
            fetched_model(work.workspace, model, telling=telling)["id"]
            if is_address(model.path)
            else assets.register_model(work.workspace, model, telling=telling)
        )
    if isinstance(environment, InlineEnvironment):
        found["environment"] = assets.register_environment(work.workspace, environment)
    return spec.model_copy(update=found)


def changes(arguments: Arguments) -> dict[str, Any]:
    """What --set, --add and --remove say."""
    return {
        "sets": arguments.sets,
        "adds": getattr(arguments, "adds", ()),
        "removes": getattr(arguments, "removes", ()),
        "force_string": getattr(arguments, "force_string", False),
    }


def _script_checked(spec: DeploymentSpec, arguments: Arguments) -> DeploymentSpec:
    if not arguments.skip_script_validation:
        check_scoring_script(spec)
    return spec


def _with_own_flags(
    spec: EndpointSpec, arguments: Arguments, refuse_keys: RefuseKeys
) -> EndpointSpec:
    own: dict[str, object] = {}
    if getattr(arguments, "auth_mode", None):
        own["auth_mode"] = arguments.auth_mode
    if getattr(arguments, "traffic", None):
        own["traffic"] = parse_traffic(arguments.traffic)
    if getattr(arguments, "mirror_traffic", None):
        own["mirror_traffic"] = parse_traffic(arguments.mirror_traffic, what="mirror_traffic")
    if not own:
        return spec
    return endpoint_from_mapping({**spec.to_mapping(), **own}, refuse_keys=refuse_keys)


def refuse_rename(old: str, new: str) -> None:
    """Raise UserError when a change would change the name."""
    if old.lower() != new.lower():
        raise UserError(
            f"the name of {old!r} cannot become {new!r}: names never change",
            code="InvalidArguments",
            fix="create a new one, then delete the old one",
        )
