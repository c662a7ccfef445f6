"""Code, models, environments and data as ARM bodies: what is put before a deployment can name them.

What a version is asked to hold is read by one table for each kind; the rest is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from verdazul.model.assets import InlineData, InlineEnvironment, InlineModel, OsType
from verdazul.model.declared import KEY, Declared, Text, TextMap, Truth, says
from verdazul.model.errors import UserError
from verdazul.model.show import shown
from verdazul.model.wire import Row, Table, read, validated, words, write

HASH_VERSION = "verdazul-tree-1"
"""Our tree digest; the server checks what arrived against it. The SDK's own hash is 202208."""


def _only_disabled(text: str | None) -> str | None:
    if text and text.lower() != "disabled":
        raise says(
            "NotSupportedYet",
            f"{KEY}: {shown(text)} is not supported: no image is built anew when its base changes",
            fix="leave it out; a new version of the environment takes the new base",
        )
    return text


class CodeVersion(Declared):
    """A folder of code, as the wire registers it."""

    path: Text
    is_anonymous: Truth = False
    is_archived: Truth = False
    description: Text | None = None
    tags: TextMap = Field(default_factory=dict)
    properties: TextMap = Field(default_factory=dict)


class ModelVersion(InlineModel):
    """A model, as the wire registers it. `flavors` and `job` are words about it."""

    is_anonymous: Truth = False
    is_archived: Truth = False
    flavors: dict[str, Any] | None = None
    job: Text | None = None


class EnvironmentVersion(InlineEnvironment):
    """An environment, as the wire registers it."""

    is_anonymous: Truth = False
    is_archived: Truth = False
    properties: TextMap = Field(default_factory=dict)
    stage: Text | None = None
    auto_rebuild: Annotated[Text | None, AfterValidator(_only_disabled)] = None


class DataVersion(InlineData):
    """Data, as the wire registers it."""

    is_anonymous: Truth = False
    is_archived: Truth = False
    referenced: tuple[Text, ...] = ()


def code_to_arm(code_uri: str, digest: str) -> dict[str, object]:
    """The body of a code version; `digest` (`sha256:<hex>`, or the hex) is what it is found by."""
    properties = {"hash_sha256": digest.removeprefix("sha256:"), "hash_version": HASH_VERSION}
    return {"properties": {"codeUri": code_uri, "isAnonymous": True, "properties": properties}}


def model_to_arm(spec: InlineModel, uri: str) -> dict[str, object]:
    """The body of a model version whose files are at `uri`."""
    body = write({**spec.to_mapping(), "path": uri}, _MODEL)
    return _marked(body, is_anonymous=spec.name is None)


def data_to_arm(spec: InlineData, uri: str) -> dict[str, object]:
    """The body of a data version whose content is at `uri`."""
    return _marked(write({**spec.to_mapping(), "path": uri}, _DATA), is_anonymous=spec.name is None)


def environment_to_arm(spec: InlineEnvironment) -> dict[str, object]:
    """The body of an environment version."""
    return _marked(write(spec.to_mapping(), _ENVIRONMENT), is_anonymous=spec.name is None)


def environment_from_arm(body: object) -> InlineEnvironment:
    """What a body says an environment is; its name and version are in its URL, not here.

    Raises UserError naming the JSON path of each problem.
    """
    found = read(body, _ENVIRONMENT)
    about = {name: found.mapping.get(name) for name in InlineEnvironment.model_fields}
    given = {name: value for name, value in about.items() if value is not None}
    return validated(InlineEnvironment, given, found, _ENVIRONMENT)


def version_from_arm(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of the body of a version of `kind`, in the spelling that is kept.

    Raises UserError naming the JSON path of each problem.
    """
    properties = body.get("properties")
    if not isinstance(properties, Mapping):
        raise UserError("properties is missing; it must be an object", code="MissingKey")
    for name in sorted(_NOT_YET & properties.keys()):
        if properties[name] is not None:
            raise UserError(f"properties.{name} is not supported yet", code="NotSupportedYet")
    known = {name: value for name, value in properties.items() if name not in _NOT_YET}
    model, table = VERSIONS[kind]
    found = read({**body, "properties": known}, table)
    version = validated(model, found.mapping, found, table)
    said = version.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    kept = write(said, table).get("properties", {})
    assert isinstance(kept, dict)  # noqa: S101 - every row of these tables is in properties
    return kept


def _marked(body: dict[str, object], *, is_anonymous: bool) -> dict[str, object]:
    properties = body["properties"]
    assert isinstance(properties, dict)  # noqa: S101 - every row of these tables is in properties
    return {"properties": {**properties, "isAnonymous": is_anonymous, "isArchived": False}}


_NOT_YET = frozenset(
    {
        "autoDeleteSetting",
        "intellectualProperty",
        "defaultDeploymentTemplate",
        "allowedDeploymentTemplates",
    }
)
_DESCRIBED = (
    Row("properties.description", "description"),
    Row("properties.tags", "tags"),
    Row("properties.properties", "properties"),
    Row("properties.isAnonymous", "is_anonymous"),
    Row("properties.isArchived", "is_archived"),
)
_SERVER = frozenset({"id", "name", "type", "systemData", "properties.provisioningState"})

_CODE = Table((Row("properties.codeUri", "path"), *_DESCRIBED), _SERVER)

_MODEL = Table(
    (
        Row("properties.modelType", "type"),
        Row("properties.modelUri", "path"),
        *_DESCRIBED,
        Row("properties.stage", "stage"),
        Row("properties.flavors", "flavors"),
        Row("properties.jobName", "job"),
    ),
    _SERVER | {"properties.systemMetadata"},
)

_DATA = Table(
    (
        Row("properties.dataType", "type"),
        Row("properties.dataUri", "path"),
        *_DESCRIBED,
        Row("properties.referencedUris", "referenced"),
    ),
    _SERVER,
)

_ENVIRONMENT = Table(
    (
        Row("properties.image", "image"),
        Row("properties.condaFile", "conda_text"),
        Row("properties.build.contextUri", "build.path"),
        Row("properties.build.dockerfilePath", "build.dockerfile_path"),
        Row("properties.osType", "os_type", words(OsType)),
        *_DESCRIBED,
        Row("properties.stage", "stage"),
        Row("properties.autoRebuild", "auto_rebuild"),
        *(
            Row(f"properties.inferenceConfig.{wire}.{part}", f"inference_config.{spec}.{part}")
            for wire, spec in (
                ("livenessRoute", "liveness_route"),
                ("readinessRoute", "readiness_route"),
                ("scoringRoute", "scoring_route"),
            )
            for part in ("path", "port")
        ),
    ),
    _SERVER | {"properties.environmentType"},
)

VERSIONS: Mapping[str, tuple[type[Declared], Table]] = {
    "codes": (CodeVersion, _CODE),
    "models": (ModelVersion, _MODEL),
    "environments": (EnvironmentVersion, _ENVIRONMENT),
    "data": (DataVersion, _DATA),
}
"""What a version of each kind is read by."""
