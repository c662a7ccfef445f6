"""Code, models and environments as ARM bodies: what is put before a deployment can name them."""

from __future__ import annotations

from verdazul.model.assets import InlineData, InlineEnvironment, InlineModel, OsType
from verdazul.model.wire import Row, Table, read, validated, words, write

HASH_VERSION = "verdazul-tree-1"
"""Our tree digest; the server checks what arrived against it. The SDK's own hash is 202208."""


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
    return validated(InlineEnvironment, found.mapping, found, _ENVIRONMENT)


def _marked(body: dict[str, object], *, is_anonymous: bool) -> dict[str, object]:
    properties = body["properties"]
    assert isinstance(properties, dict)  # noqa: S101 - every row of these tables is in properties
    return {"properties": {**properties, "isAnonymous": is_anonymous, "isArchived": False}}


_MODEL = Table(
    rows=(
        Row("properties.modelType", "type"),
        Row("properties.modelUri", "path"),
        Row("properties.description", "description"),
        Row("properties.tags", "tags"),
        Row("properties.properties", "properties"),
        Row("properties.stage", "stage"),
    )
)

_DATA = Table(
    rows=(
        Row("properties.dataType", "type"),
        Row("properties.dataUri", "path"),
        Row("properties.description", "description"),
        Row("properties.tags", "tags"),
        Row("properties.properties", "properties"),
    )
)

_SERVER = ("isAnonymous", "isArchived", "provisioningState", "environmentType", "stage")
_ENVIRONMENT = Table(
    rows=(
        Row("properties.image", "image"),
        Row("properties.condaFile", "conda_text"),
        Row("properties.build.contextUri", "build.path"),
        Row("properties.build.dockerfilePath", "build.dockerfile_path"),
        Row("properties.osType", "os_type", words(OsType)),
        Row("properties.description", "description"),
        Row("properties.tags", "tags"),
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
    dropped=frozenset({"id", "name", "type", "systemData"})
    | {f"properties.{name}" for name in (*_SERVER, "properties", "autoRebuild")},
)
