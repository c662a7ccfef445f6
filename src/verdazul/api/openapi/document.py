"""The API described for tools (OpenAPI 3.1), put together from the rules that serve it.

What a route is called, takes and answers is in operations.py; what bodies hold comes from the
tables and types by which requests are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from verdazul import __version__
from verdazul.api.arm import Rule
from verdazul.api.openapi.answers import answer_schemas, page, ref
from verdazul.api.openapi.glossary import described
from verdazul.api.openapi.identities import IDENTITY_SCHEMAS
from verdazul.api.openapi.operation import JSON, Answer, Operation
from verdazul.api.openapi.operations import OPERATIONS
from verdazul.api.openapi.parameters import HEADERS, QUERY, REQUEST_HEADERS, header, parameter
from verdazul.api.openapi.requests import request_schemas
from verdazul.api.openapi.subscriptions import SUBSCRIPTION_SCHEMAS
from verdazul.model.schema import Schema

_NAME = re.compile(r"\{(\w+)\*?\}")
_BELOW = "workspaces/{workspace}"
_ERRORS = {
    400: ("BadRequest", "What was sent cannot be; the code and the message say why."),
    401: ("Unauthorized", "No token, or one that is wrong, expired or for something else."),
    403: ("Forbidden", "The credential does not allow this."),
    404: ("NotFound", "There is no such thing."),
    409: ("Conflict", "Another change is open, it is locked or in use, or it exists."),
    412: ("PreconditionFailed", "If-Match names another generation than there is."),
    413: ("TooLarge", "The body is too long."),
    415: ("UnsupportedMediaType", "The body is not said to be JSON."),
    416: ("RangeNotSatisfiable", "The range lies outside of the blob."),
    503: ("Unavailable", "Nothing is wrong with the request; try again later."),
}
_UNAUTHORIZED = 401
_CHANGES = frozenset({"PUT", "PATCH", "POST", "DELETE"})
_SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The home's token, or one that was made for its holder.",
    },
    "signature": {
        "type": "apiKey",
        "in": "query",
        "name": "sig",
        "description": "Part of the addresses that startPendingUpload and listSecrets give.",
    },
    "client": {
        "type": "http",
        "scheme": "basic",
        "description": "A program's id and secret; they may stand in the form instead.",
    },
    "identityHeader": {
        "type": "apiKey",
        "in": "header",
        "name": "X-IDENTITY-HEADER",
        "description": "The home's token.",
    },
}


def document(public: Iterable[Rule], guarded: Iterable[Rule]) -> dict[str, Any]:
    """Every path and method; `guarded` ones need a bearer token.

    Raises LookupError for a route that operations.py does not describe.
    """
    paths: dict[str, dict[str, Any]] = {}
    for is_guarded, rules in ((False, public), (True, guarded)):
        for rule in rules:
            path = "/" + rule.path.replace("*}", "}")
            paths.setdefault(path, {})[rule.method.lower()] = _operation(rule, guarded=is_guarded)
    schemas = {**answer_schemas(), **request_schemas(), **IDENTITY_SCHEMAS}
    schemas |= {
        **SUBSCRIPTION_SCHEMAS,
        **{f"{name}List": page(name) for name in SUBSCRIPTION_SCHEMAS},
    }
    schemas["Blob"] = {"type": "string"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Verdazul's control API",
            "version": __version__,
            "description": "Azure Resource Manager's shape, for Azure Machine Learning's online "
            "endpoints. Paths match in any case. In bodies null counts as absent, words are read "
            "in any case and numbers also as texts.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in sorted({one.tag for one in OPERATIONS.values()})],
        "paths": {path: paths[path] for path in sorted(paths)},
        "components": {
            "schemas": {name: described(schemas[name]) for name in sorted(schemas)},
            "responses": {
                name: _refusal(says, *(["WWW-Authenticate"] if status == _UNAUTHORIZED else []))
                for status, (name, says) in _ERRORS.items()
            },
            "parameters": dict(_parameters()),
            "headers": {name: header(name) for name in HEADERS},
            "securitySchemes": _SECURITY,
        },
    }


def key_of(rule: Rule) -> str:
    """Under what a rule is described: its method, and its path below the workspace if it is.

    What is at the root and at the workspace alike begins with a slash at the root.
    """
    _, is_below, rest = rule.path.partition(_BELOW)
    root = f"/{rule.path}" if rule.path.startswith("providers/") else rule.path
    return f"{rule.method} {rest.lstrip('/') if is_below else root}"


def _operation(rule: Rule, *, guarded: bool) -> dict[str, Any]:
    key = key_of(rule)
    if key not in OPERATIONS:
        raise LookupError(
            f'the route "{key}" is not described; add it to api/openapi/operations.py'
        )
    one = OPERATIONS[key]
    named = [("query", name) for name in (*one.query, *(["api-version"] if guarded else []))]
    named += [("header", name) for name in one.headers]
    described_: dict[str, Any] = {
        "operationId": one.id,
        "tags": [one.tag],
        "summary": one.says,
        "parameters": [
            *(parameter("path", name) for name in _NAME.findall(rule.path)),
            *({"$ref": f"#/components/parameters/{name.lstrip('$')}"} for _, name in named),
        ],
        "responses": {
            **{str(status): _answer(answer) for status, answer in sorted(one.answers.items())},
            **{
                str(status): _refused(one, status)
                for status in sorted(_refusals(rule, one, guarded=guarded) - one.answers.keys())
            },
        },
        "security": [{"bearer": []}] if guarded else [{name: []} for name in one.security],
    }
    if one.body:
        described_["requestBody"] = {"content": {one.media: {"schema": ref(one.body)}}}
    return described_


def _refusals(rule: Rule, one: Operation, *, guarded: bool) -> set[int]:
    found = set(one.errors)
    if guarded:
        found |= {400, 401, 403, 404}
    if guarded and rule.method in _CHANGES:
        found |= {409, 503}
    if "If-Match" in one.headers:
        found.add(412)
    if one.body and one.media == JSON:
        found |= {413, 415}
    return found


def _answer(answer: Answer) -> Schema:
    found: Schema = {"description": answer.says}
    if answer.headers:
        found["headers"] = {
            name: {"$ref": f"#/components/headers/{name}"} for name in answer.headers
        }
    if answer.schema:
        found["content"] = {answer.media: {"schema": ref(answer.schema)}}
    return found


def _refused(one: Operation, status: int) -> Schema:
    """Blobs say the code in a header, too: a HEAD has no body."""
    if "signature" in one.security:
        return _refusal(_ERRORS[status][1], "x-ms-error-code")
    return {"$ref": f"#/components/responses/{_ERRORS[status][0]}"}


def _refusal(says: str, *headers: str) -> Schema:
    return _answer(Answer(says, "Error", headers))


def _parameters() -> Iterator[tuple[str, Schema]]:
    for where, known in (("query", QUERY), ("header", REQUEST_HEADERS)):
        for name in known:
            yield name.lstrip("$"), parameter(where, name)
