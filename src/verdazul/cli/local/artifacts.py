"""Registered assets of a local deployment: fetched from the server, as newer SDKs do."""

from __future__ import annotations

import argparse
import re

from verdazul.cli import asset
from verdazul.cli.local import places
from verdazul.cli.session import Session, Work
from verdazul.client.assets import Telling
from verdazul.client.datastore import download_model
from verdazul.model.assets import (
    UNPACK,
    InlineEnvironment,
    InlineModel,
    is_address,
    is_reference,
    is_unpacked,
)
from verdazul.model.deployment import DeploymentSpec
from verdazul.model.errors import NotFound, Retryable, UserError
from verdazul.model.ids import RegistryReference, parse_asset

_SHORT = re.compile(r"azureml:(?P<name>[^:@/]+)(:(?P<version>[^:@/]+)|@(?P<label>[^:@/]+))")
_LONG = re.compile(
    r"(azureml:)?/subscriptions/.+/(models|environments)/(?P<name>[^/]+)/versions/(?P<version>[^/]+)",
    re.IGNORECASE,
)
_AZURES = "azureml"
"""The registry of Azure's curated environments."""
_CURATED = "mcr.microsoft.com/azureml/curated"


def fetched(session: Session, spec: DeploymentSpec) -> DeploymentSpec:
    """The deployment with everything on this machine. Raises UserError for what cannot be had."""
    code, model, environment = spec.code_configuration, spec.model, spec.environment
    if code and is_reference(code.code):
        raise _unsupported(spec, "code_configuration.code", code.code, "name the folder itself")
    if isinstance(model, InlineModel) and is_address(model.path):
        raise _unsupported(spec, "model.path", model.path, "download it and name the file")
    if isinstance(model, InlineModel) and is_unpacked(model.properties):
        raise _packed(spec)
    if not (isinstance(model, str) or isinstance(environment, str)):
        return spec
    found: dict[str, object] = {}
    try:
        with session.work() as work:
            if isinstance(model, str):
                found["model"] = _model(work, spec, model)
            if isinstance(environment, str):
                found["environment"] = _environment(work, spec, environment)
    except Retryable as error:
        error.add_note("registered models and environments are fetched from the server")
        raise
    return spec.model_copy(update=found)


def _model(work: Work, spec: DeploymentSpec, reference: str) -> InlineModel:
    named = _named(spec, "model", "models", reference)
    place = asset.place_of(work, named)
    body = asset.named_version(place, asset.Kind("model", "models", ""), named).get().body
    if is_unpacked(body["properties"].get("properties") or {}):
        raise _packed(spec)
    version = str(body["name"])
    folder = places.folder(spec.endpoint_name, spec.name) / "models" / named.name / version
    telling = Telling(work.progress.happened, work.progress.moving)
    download_model(place, body, folder, telling=telling)
    inside = next(iter(sorted(folder.iterdir())), folder / "nothing")
    return InlineModel(name=named.name, version=version, path=str(inside))


def _environment(work: Work, spec: DeploymentSpec, reference: str) -> InlineEnvironment:
    named = _named(spec, "environment", "environments", reference)
    kind = asset.Kind("environment", "environments", "")
    try:
        place = asset.place_of(work, named)
        properties = asset.named_version(place, kind, named).get().body["properties"]
    except NotFound:
        if named.registry_name != _AZURES:
            raise
        # Azure's own, which needs no folder: the image that it is
        return InlineEnvironment(image=f"{_CURATED}/{named.name}:{named.version or named.label}")
    return InlineEnvironment(
        image=properties.get("image"), conda_text=properties.get("condaFile") or None
    )


def _named(spec: DeploymentSpec, key: str, kind: str, reference: str) -> argparse.Namespace:
    found = _SHORT.fullmatch(reference) or _LONG.fullmatch(reference)
    if found:
        named = {"label": None, "registry_name": None, **found.groupdict()}
        return argparse.Namespace(**named)
    shared = _shared(reference)
    if shared is None or shared.kind != kind:
        raise _unsupported(spec, key, reference, "register it here, or describe it in place")
    return argparse.Namespace(
        name=shared.name,
        version=shared.version,
        label=shared.label,
        registry_name=shared.registry,
    )


def _shared(reference: str) -> RegistryReference | None:
    try:
        found = parse_asset(reference)
    except UserError:
        return None
    return found if isinstance(found, RegistryReference) else None


def _packed(spec: DeploymentSpec) -> UserError:
    return UserError(
        f"the model of local deployment ({spec.endpoint_name} / {spec.name}) has the property "
        f"{UNPACK}: archives are not unpacked locally",
        code="NotSupportedYet",
        fix="unpack it and name the folder as model.path",
    )


def _unsupported(spec: DeploymentSpec, key: str, value: str, fix: str) -> UserError:
    return UserError(
        f"Local endpoints only support local artifacts. '{key}' ({value}) in 'local deployment "
        f"({spec.endpoint_name} / {spec.name})' referenced cloud artifacts.",
        code="CloudArtifactsNotSupportedError",
        fix=fix,
    )
