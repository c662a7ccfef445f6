"""Versions of assets as the YAML that `az ml model|environment|data create` takes, and back.

What ARM says of a version and YAML cannot (whether it is archived) stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from verdazul.model.asset_bodies import (
    VERSIONS,
    data_to_arm,
    environment_to_arm,
    model_to_arm,
)
from verdazul.model.assets import InlineData, InlineEnvironment, InlineModel
from verdazul.model.declared import Declared
from verdazul.model.errors import UserError
from verdazul.model.wire import read, validated

FILES_AT: Mapping[str, str] = {"models": "modelUri", "data": "dataUri"}
"""Where a body says that files are."""
CONDA = "conda.yml"
_INLINE: Mapping[str, type[Declared]] = {
    "models": InlineModel,
    "environments": InlineEnvironment,
    "data": InlineData,
}
_OF_YAML = frozenset({"name", "version"})


def version_to_arm(spec: Declared, uri: str = "") -> dict[str, Any]:
    """The ARM properties of what a YAML file says; files are at `uri`."""
    match spec:
        case InlineModel():
            body = model_to_arm(spec, uri)
        case InlineData():
            body = data_to_arm(spec, uri)
        case InlineEnvironment():
            body = environment_to_arm(spec)
        case _:
            raise TypeError(spec)
    found = body["properties"]
    assert isinstance(found, dict)  # noqa: S101 - as all bodies
    return found


def normalised(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The ARM properties as they come back from YAML: with what is left to its default."""
    uri = str(properties.get(FILES_AT.get(kind, "")))
    return {**properties, **version_to_arm(_spec_of(kind, properties), uri)}


def version_to_yaml(
    kind: str, properties: Mapping[str, Any], path: str = ""
) -> tuple[dict[str, object], dict[str, Any]]:
    """A YAML mapping that says the same, with files at `path`; and what it cannot say.

    The text of a conda file stays in it, as `conda_text`. Raises UserError for what no registry
    can hold.
    """
    if kind == "environments" and properties.get("build"):
        raise UserError(
            "an environment with `build` cannot lie in a registry: images are not built from a "
            "Dockerfile",
            code="NotSupportedYet",
            fix="use `image` and `conda_file`",
        )
    spec = _spec_of(kind, properties)
    mapping = {key: one for key, one in spec.to_mapping().items() if key not in _OF_YAML}
    again = version_to_arm(spec, str(properties.get(FILES_AT.get(kind, ""))))
    beside = {key: one for key, one in properties.items() if one != again.get(key)}
    return {**mapping, **({"path": path} if path else {})}, beside


def _spec_of(kind: str, properties: Mapping[str, Any]) -> Declared:
    _, table = VERSIONS[kind]
    found = read({"properties": properties}, table)
    model = _INLINE[kind]
    told = {name: value for name, value in found.mapping.items() if name in model.model_fields}
    return validated(model, {**told, "name": "-", "version": "-"}, found, table)
