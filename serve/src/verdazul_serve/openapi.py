"""The API of a scoring script, described as Swagger 2 and OpenAPI 3, as Azure's server words it.

Pure data; the order of keys is theirs, so the documents are the same to the byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

_PROBE = "Simple health check endpoint to ensure the service is up at any given point."
_HEALTHY = "If service is up and running, this response will be returned with the content 'Healthy'"
_RUN = "Run web service's model and get the prediction output"
_INPUT = "The input payload for executing the real-time machine learning service."
_OUTPUT = (
    "The service processed the input correctly and provided a result prediction, if applicable."
)
_FAILED = "The service failed to execute due to an error."
_SECURITY: list[Json] = [{"Bearer": []}]
_VERSIONS: Json = {"type": "integer", "enum": [2, 3]}
_TEXT: Json = {"type": "string"}
_ERROR: Json = {"type": "object", "properties": {"message": _TEXT}}
_SCHEME: Json = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    "description": "For example: Bearer abc123",
}


@dataclass(frozen=True)
class Service:
    """What is described; `prefix` is "" or "/some/path"."""

    name: str
    version: str
    prefix: str
    input: Any
    output: Any


def swagger_2(service: Service) -> Json:
    """Swagger 2.0."""
    return {
        "swagger": "2.0",
        "info": _info(service),
        "schemes": ["https"],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": {"Bearer": _SCHEME},
        "paths": {
            f"{service.prefix}/": {"get": _probe_2()},
            f"{service.prefix}/score": {"post": _score_2()},
            f"{service.prefix}/swagger.json": {"get": _document_2()},
        },
        "definitions": _schemas(service),
    }


def openapi_3(service: Service, version: str) -> Json:
    """OpenAPI; `version` is the format's own, such as 3.0.3."""
    return {
        "openapi": version,
        "info": _info(service),
        "security": _SECURITY,
        "paths": {
            f"{service.prefix}/": {"get": _probe_3()},
            f"{service.prefix}/score": {"post": _score_3()},
            f"{service.prefix}/swagger.json": {"get": _document_3()},
        },
        "components": {"schemas": _schemas(service), "securitySchemes": {"Bearer": _SCHEME}},
    }


def _info(service: Service) -> Json:
    return {
        "title": service.name,
        "description": f"API specification for the Azure Machine Learning service {service.name}",
        "version": service.version,
    }


def _schemas(service: Service) -> Json:
    return {
        "ServiceInput": service.input,
        "ServiceOutput": service.output,
        "ErrorResponse": _ERROR,
    }


def _operation(identity: str, description: str, **rest: Any) -> Json:
    return {"operationId": identity, "description": description, **rest}


def _probe_2() -> Json:
    ok = {"schema": _TEXT, "examples": {"application/json": "Healthy"}}
    return _operation("ServiceHealthCheck", _PROBE, responses=_responses_2(_HEALTHY, ok))


def _score_2() -> Json:
    payload = {
        "name": "serviceInputPayload",
        "in": "body",
        "description": _INPUT,
        "schema": _defined("ServiceInput"),
    }
    ok = {"schema": _defined("ServiceOutput")}
    return _operation(
        "RunMLService",
        _RUN,
        security=_SECURITY,
        parameters=[payload],
        responses=_responses_2(_OUTPUT, ok),
    )


def _document_2() -> Json:
    parameter = {"name": "version", "in": "query", "required": False, **_VERSIONS}
    return _document([parameter], _responses_2("The Swagger specification.", {"schema": _TEXT}))


def _probe_3() -> Json:
    ok = _content("text/plain", {**_TEXT, "example": "Healthy"})
    return _operation("ServiceHealthCheck", _PROBE, responses=_responses_3(_HEALTHY, ok))


def _score_3() -> Json:
    payload = {"description": _INPUT, **_content("application/json", _component("ServiceInput"))}
    ok = _content("application/json", _component("ServiceOutput"))
    return _operation(
        "RunMLService",
        _RUN,
        security=_SECURITY,
        requestBody=payload,
        responses=_responses_3(_OUTPUT, ok),
    )


def _document_3() -> Json:
    parameter = {"name": "version", "in": "query", "required": False, "schema": _VERSIONS}
    ok = _content("text/plain", _TEXT)
    return _document([parameter], _responses_3("The Swagger specification.", ok))


def _document(parameters: list[Json], responses: Json) -> Json:
    description = "Get the Swagger specification."
    return _operation("GetSwaggerSpec", description, parameters=parameters, responses=responses)


def _responses_2(description: str, ok: Json) -> Json:
    return _responses(description, ok, {"schema": _defined("ErrorResponse")})


def _responses_3(description: str, ok: Json) -> Json:
    return _responses(description, ok, _content("application/json", _component("ErrorResponse")))


def _responses(description: str, ok: Json, failed: Json) -> Json:
    return {
        "200": {"description": description, **ok},
        "default": {"description": _FAILED, **failed},
    }


def _content(kind: str, schema: Json) -> Json:
    return {"content": {kind: {"schema": schema}}}


def _defined(name: str) -> Json:
    return {"$ref": f"#/definitions/{name}"}


def _component(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
