"""The API described for tools (OpenAPI 3.1), derived from the rules that serve it.

Bodies are ARM resources: their keys are those of Azure's own descriptions and of docs/http.md, so
they are objects here and no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from verdazul import __version__
from verdazul.api.arm import Rule

_NAME = re.compile(r"\{(\w+)\*?\}")
_OBJECT = {"application/json": {"schema": {"type": "object"}}}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "details": {"type": "array", "items": {"type": "object"}},
                "additionalInfo": {"type": "array", "items": {"type": "object"}},
            },
        }
    },
}


def document(public: Iterable[Rule], guarded: Iterable[Rule]) -> dict[str, Any]:
    """Every path and method; `guarded` ones need a bearer token."""
    paths: dict[str, dict[str, Any]] = {}
    for is_guarded, rules in ((False, public), (True, guarded)):
        for rule in rules:
            path = "/" + rule.path.replace("*}", "}")
            described = _operation(rule, guarded=is_guarded)
            paths.setdefault(path, {})[rule.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "Verdazul's control API", "version": __version__},
        "paths": {path: paths[path] for path in sorted(paths)},
        "components": {
            "schemas": {"Error": _ERROR},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(rule: Rule, *, guarded: bool) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(rule),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in _NAME.findall(rule.path)
        ],
        "responses": {
            "2XX": {"description": "done, or accepted"},
            "4XX": {
                "description": "what was wrong, by a stable code",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
        "security": [{"bearer": []}] if guarded else [],
    }
    if rule.method in {"PUT", "PATCH", "POST"} and guarded:
        operation["requestBody"] = {"content": _OBJECT}
    return operation


def _operation_id(rule: Rule) -> str:
    """The last words of the path say what it is: `put_models_name_versions_version`."""
    below = rule.path.rpartition("workspaces/{workspace}/")[2]
    return re.sub(r"\W+", "_", f"{rule.method.lower()}_{below}").strip("_")
