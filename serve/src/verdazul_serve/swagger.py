"""/swagger.json: the user's own files, else documents made from what inference-schema knows.

Made once, at boot, after init(): some scripts write their swagger.json there.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from verdazul_serve import trace
from verdazul_serve.answers import JSON, RUN_FAILED, Answer, error
from verdazul_serve.failure import BootFailure
from verdazul_serve.inputs import query_pairs, split_target
from verdazul_serve.modes import is_schema_decorated
from verdazul_serve.openapi import Service, openapi_3, swagger_2
from verdazul_serve.settings import Settings

log = logging.getLogger("azmlinfsrv.swagger")

_ALIASES = {"2": "2", "2.0": "2", "3": "3", "3.0": "3", "3.1": "3.1"}
_FILES = {
    "2": ("swagger.json", "swagger2.json"),
    "3": ("swagger3.json",),
    "3.1": ("swagger3.1.json",),
}
_UNKNOWN: Any = {"type": "object", "example": {}}  # what is said of a run() without a schema


def documents(run: Callable[..., Any], settings: Settings) -> dict[str, bytes]:
    """By version; those the script's schema cannot say are left out. Raises BootFailure."""
    service, supported = _service(run, settings), _supported(run)
    found: dict[str, bytes] = {}
    for version, names in _FILES.items():
        document = _own(settings.app_root, names, version)
        if not document and version in supported:
            document = _made(service, version)
        if document:
            found.update(_encoded(document, version))
    log.info(_summary(list(found)))
    return found


def requested_version(target: str) -> str | None:
    """The version that `/swagger.json?version=3` asks for."""
    pairs = query_pairs(split_target(target)[1])
    return next((value for name, value in pairs if name == "version"), None)


def lookup(documents: Mapping[str, bytes], version: str | None) -> Answer:
    """The answer to who asks for this version; None is 2."""
    key = _ALIASES.get("2" if version is None else version)
    listed = ", ".join(documents)
    if key is None:
        return error(
            404, f"Swagger version [{version}] is not valid. Supported versions: [{listed}]."
        )
    if key not in documents:
        message = f"Swagger version [{version or key}] is not supported for the scoring script."
        return error(404, f"{message} Supported swagger versions: [{listed}].")
    return Answer(200, (JSON, (RUN_FAILED, "False")), documents[key])


def _own(root: str, names: tuple[str, ...], version: str) -> Any:
    """The first of the user's files that says anything."""
    for name in names:
        document = _read(os.path.join(root, name), version)  # noqa: PTH118
        if document:
            return document
    return None


def _read(path: str, version: str) -> Any:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            document = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as reason:
        raise BootFailure(
            "ConfigurationError",
            f"{path} cannot be read as JSON: {reason}",
            fix="correct or remove the file; without it the document is made for you",
            where=os.path.basename(path),  # noqa: PTH119
        ) from None
    log.info("Loaded user's swagger file for version [%s] from %s", version, path)
    return document


def _service(run: Callable[..., Any], settings: Settings) -> Service:
    has_schema = is_schema_decorated(run)
    prefix = settings.service_path_prefix
    return Service(
        settings.service_name,
        settings.service_version,
        f"/{prefix.strip('/')}" if prefix else "",
        _util().get_input_schema(run) if has_schema else _UNKNOWN,
        _util().get_output_schema(run) if has_schema else _UNKNOWN,
    )


def _supported(run: Callable[..., Any]) -> set[str]:
    if not is_schema_decorated(run):
        return set(_FILES)
    return {_ALIASES[each] for each in _util().get_supported_versions(run) if each in _ALIASES}


def _util() -> Any:
    return sys.modules["inference_schema.schema_util"]


def _made(service: Service, version: str) -> Any:
    if version == "2":
        return swagger_2(service)
    return openapi_3(service, "3.0.3" if version == "3" else "3.1.0")


def _encoded(document: Any, version: str) -> dict[str, bytes]:
    try:
        return {version: json.dumps(document).encode()}
    except (TypeError, ValueError) as reason:  # an example that the schema's type cannot say
        trace.log(reason)
        return {}


def _summary(prepared: list[str]) -> str:
    skipped = ", ".join(version for version in _FILES if version not in prepared)
    listed = ", ".join(prepared)
    if not prepared:
        return "No swagger is prepared."
    if not skipped:
        return f"Swaggers are prepared for the following versions: [{listed}]."
    return f"Swaggers are prepared for versions [{listed}] and skipped for versions [{skipped}]."
