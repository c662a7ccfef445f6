"""Azure Resource Manager's manners: paths, envelopes, headers. No use case is known here.

Paths match case-insensitively, the api-version is ignored, errors are `{"error": {...}}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.control.endpoints import Accepted, Precondition
from verdazul.core.records import Operation
from verdazul.core.versions import Page
from verdazul.model.actions import action_of
from verdazul.model.errors import NotFound, Problem, UserError, VerdazulError
from verdazul.model.jsonc import plain_json
from verdazul.model.show import shown
from verdazul.settings import Settings

PROVIDER = "providers/Microsoft.MachineLearningServices"
BODY_LIMIT_BYTES = 4 * 2**20
PAGE_SIZE = 100
"""Most entries of one answer to a list; `nextLink` leads to the rest."""
RETRY_AFTER = "1"
"""Seconds; the SDK takes 0 for absent and then polls every 30."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_GENERATION = re.compile(r"[0-9]{1,18}")
_JSON = re.compile(r"(application|text)/([\w.-]+\+)?json")

Handler = Callable[[Request, Mapping[str, str]], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One method and path; `{name}` segments are given to the handler as they were sent.

    `{name*}` at the end takes all segments that are left, as one path. `named` is what the route
    does where its path does not tell it in Azure's way.
    """

    method: str
    path: str
    handler: Handler
    named: str = ""

    @property
    def action(self) -> str:
        """What it does, as roles permit it (model/actions.py)."""
        return self.named or action_of(self.method, self.path)

    def match(self, segments: list[str]) -> dict[str, str] | None:
        """The values of the path's names, or None when it is another path."""
        pattern = self.path.split("/")
        rest = len(pattern) - 1
        if pattern[-1].endswith("*}") and len(segments) > rest:
            pattern[-1] = pattern[-1].replace("*", "")
            segments = [*segments[:rest], "/".join(segments[rest:])]
        if len(pattern) != len(segments):
            return None
        values: dict[str, str] = {}
        for expected, sent in zip(pattern, segments, strict=True):
            if expected.startswith("{"):
                values[expected[1:-1]] = sent
            elif expected.lower() != sent.lower():
                return None
        return values

    def place(self, values: Mapping[str, str]) -> str:
        """The path with its names filled in."""
        return self.path.format(**values)


def workspace_path(settings: Settings) -> str:
    """The ARM id of the one workspace that a home is."""
    return (
        f"/subscriptions/{settings.subscription}/resourceGroups/{settings.resource_group}"
        f"/{PROVIDER}/workspaces/{settings.workspace}"
    )


def operation_path(
    settings: Settings, operation_id: str, *, kind: str = "mfeOperationsStatus"
) -> str:
    """Where an operation is polled."""
    return (
        f"/subscriptions/{settings.subscription}/{PROVIDER}/locations/{settings.location}"
        f"/{kind}/{operation_id}"
    )


def check_workspace(settings: Settings, values: Mapping[str, str]) -> None:
    """Raise NotFound when the path names another workspace than this home's."""
    ours = (settings.subscription, settings.resource_group, settings.workspace)
    sent = (values["subscription"], values["group"], values["workspace"])
    if [part.lower() for part in sent] != [part.lower() for part in ours]:
        raise NotFound(
            f"workspace {'/'.join(sent)} is not here; this home is {'/'.join(ours)} "
            "(subscription/resource group/workspace)",
            code="WorkspaceNotFound",
        )


def check_location(settings: Settings, values: Mapping[str, str]) -> None:
    """Raise NotFound when the path names another subscription or location than this home's."""
    for what, here in (("subscription", settings.subscription), ("location", settings.location)):
        if values[what].lower() != here.lower():
            raise NotFound(f"{what} {values[what][:80]} is not here; this home is in {here}")


class TooLarge(UserError):
    """The body is longer than any that is meant. Do not send it again."""

    default_code = "BodyTooLarge"
    http_status = 413


class UnsupportedMediaType(UserError):
    """The body is said to be something else than JSON."""

    default_code = "UnsupportedMediaType"
    http_status = 415


async def json_body(request: Request) -> dict[str, Any]:
    r"""The request's JSON object; an empty body is an empty object. Raises UserError.

    Line ends inside texts are taken, as Azure does: scripts paste conda files into JSON. So is
    \' for ', which is left of a shell's quotes.
    """
    return _object(await _json_text(request))


async def template_body(request: Request) -> dict[str, Any]:
    """The same for templates, which are JSON with comments, put in as the file is.

    Raises UserError.
    """
    text = await _json_text(request)
    try:
        return _object(plain_json(text.decode()).encode())
    except UnicodeDecodeError:
        return _object(text)  # says what is wrong


async def _json_text(request: Request) -> bytes:
    text = await read_body(request, BODY_LIMIT_BYTES)
    if text:
        _check_media_type(request.headers.get("content-type", ""))
    return text


def _object(text: bytes) -> dict[str, Any]:
    try:
        body = json.loads(
            _ESCAPE.sub(_unquoted, text) or b"{}",
            strict=False,
            parse_constant=_no_constant,
            object_pairs_hook=_once_each,
        )
        json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise UserError(f"the body is not JSON: {error}", code="InvalidJson") from None
    if not isinstance(body, dict):
        raise UserError(f"the body is a {type(body).__name__}, not an object", code="InvalidJson")
    return body


def _unquoted(escape: re.Match[bytes]) -> bytes:
    return b"'" if escape[0] == b"\\'" else escape[0]


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. Raises TooLarge for one that nobody would write by hand."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"the body is over {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def properties_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The object in which ARM bodies say everything. Raises UserError (MissingKey)."""
    properties = body.get("properties")
    if not isinstance(properties, dict):
        raise UserError("properties is missing; it must be an object", code="MissingKey")
    return properties


def merged(
    resource: Mapping[str, Any], patch: Mapping[str, Any], *, allowed: frozenset[str]
) -> dict[str, Any]:
    """A resource with a JSON merge patch (RFC 7396) applied, as far as Azure lets one go.

    Raises UserError for a key that only a PUT changes.
    """
    for key in patch.keys() - allowed:
        raise UserError(
            f"PATCH cannot change {key[:80]}; it can change {', '.join(sorted(allowed))}",
            code="NotPatchable",
            fix="read the resource, change it and PUT it",
        )
    return _merged(resource, patch)


def _merged(known: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(known)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            inner = result.get(key)
            result[key] = _merged(inner if isinstance(inner, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def asset_name(what: str, text: str) -> str:
    """A name or version that stands in ids, so it holds what ids can hold."""
    if not _NAME.fullmatch(text):
        raise UserError(
            f"{what} {text[:80]!r} cannot be: letters, digits, `-`, `_`, `.` are possible, "
            "the first a letter or digit, 255 at most",
            code="InvalidName",
        )
    return text


def _check_media_type(told: str) -> None:
    """Nothing told is fine: what arrives has to be JSON anyhow."""
    kind = told.partition(";")[0].strip().lower()
    if kind and not _JSON.fullmatch(kind):
        raise UnsupportedMediaType(
            f"Content-Type is {shown(told)}; the body has to be application/json",
            fix="send the header Content-Type: application/json",
        )


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {shown(twice)} is there twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number in JSON")


def precondition(request: Request) -> Precondition:
    """What If-Match and If-None-Match demand."""
    wanted = request.headers.get("if-match", "").strip().strip('"')
    if wanted not in {"", "*"} and not _GENERATION.fullmatch(wanted):
        raise UserError(
            f"If-Match is {wanted[:40]!r}; it must be an ETag of this API", code="BadETag"
        )
    return Precondition(
        generation=int(wanted) if wanted not in {"", "*"} else None,
        must_exist=wanted == "*",
        must_be_new=request.headers.get("if-none-match", "").strip() == "*",
    )


@dataclass(frozen=True, slots=True)
class Links:
    """How clients reach us: `address` like https://localhost:8443."""

    settings: Settings
    address: str

    def headers(self, accepted: Accepted, location: str) -> dict[str, str]:
        """What tells a client where to wait."""
        return {
            "Azure-AsyncOperation": self._operation_address(accepted.operation),
            "Location": f"{self.address}{location}?api-version=2023-04-01",
            "Retry-After": RETRY_AFTER,
            "x-ms-async-operation-timeout": "PT30M",
        }

    def put_answer(
        self, accepted: Accepted, resource: dict[str, Any], *, generation: int
    ) -> Response:
        """201 or 200 with the resource as declared, and where to wait."""
        headers = self.headers(accepted, resource["id"]) | {"ETag": f'"{generation}"'}
        self._tell_operation(resource, accepted.operation)
        return JSONResponse(resource, 201 if accepted.created else 200, headers)

    def found(
        self, resource: dict[str, Any], *, generation: int, latest: Operation | None
    ) -> Response:
        """200 with an ETag, and the operation that made it what it is."""
        if latest:
            self._tell_operation(resource, latest)
        return JSONResponse(resource, headers={"ETag": f'"{generation}"'})

    def _tell_operation(self, resource: dict[str, Any], operation: Operation) -> None:
        """Scripts read it here, whether they put the resource or a template did."""
        free = resource["properties"].setdefault("properties", {})
        free["AzureAsyncOperationUri"] = self._operation_address(operation)

    def _operation_address(self, operation: Operation) -> str:
        path = operation_path(self.settings, operation.id)
        return f"{self.address}{path}?api-version=2023-04-01"

    def page(
        self,
        request: Request,
        things: Sequence[dict[str, Any]],
        *,
        begin: int = 0,
        most: int = PAGE_SIZE,
    ) -> Response:
        """The part of a list that is asked for, and where the next one is; as `Page.cut`."""
        part, following = asked_page(request).cut(things, most=most, begin=begin)
        body: dict[str, Any] = {"value": list(part)}
        if following is not None:
            words = {**request.query_params, "$skip": str(following)}
            body["nextLink"] = f"{self.address}{quote(request.url.path)}?{urlencode(words)}"
        return JSONResponse(body)

    def whole(self, things: Sequence[dict[str, Any]]) -> Response:
        """A list on one page, however long."""
        return JSONResponse({"value": list(things)})

    def later(self, accepted: Accepted | None) -> Response:
        """202 and where to wait; 204 when there was nothing to do."""
        if accepted is None:
            return Response(status_code=204)
        # What is deleted cannot be read at the end, so the result has a place of its own.
        result = operation_path(self.settings, accepted.operation.id, kind="mfeOperationResults")
        return Response(status_code=202, headers=self.headers(accepted, result))


def asked_page(request: Request) -> Page:
    """Which part of a list a caller wants."""
    asked = request.query_params
    return Page(count("$skip", asked.get("$skip")) or 0, count("$top", asked.get("$top")))


def count(name: str, text: str | None) -> int | None:
    """A number of things in a query, such as $top; absent is None."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - fits any list
        raise UserError(
            f"{name} is {text[:40]!a}; it must be a whole number", code="InvalidQueryParameter"
        )
    return int(text)


def failure(error: VerdazulError) -> Response:
    """The error envelope."""
    return problem_answer(error.problem, error.http_status)


def problem_answer(problem: Problem, status: int) -> Response:
    """The error envelope with a status of one's own."""
    return JSONResponse({"error": problem.to_arm()}, status)
