"""What run() is called with: an HTTP request becomes keyword arguments.

A script is called in one of three ways, so there are three builders, used once at boot; what they
return is used for each request, and raises BadInput where the request is at fault. Flask is needed
by `raw` only. Texts and oddities are those of Azure's server.
"""

from __future__ import annotations

import inspect
import json
from codecs import register_error
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote

from verdazul_serve import trace
from verdazul_serve.answers import INTERNAL, Answer, error
from verdazul_serve.reading import Request

HEADERS = "request_headers"
Arguments = Callable[[Request], dict[str, Any]]
_QUERY_MAY_HOLD = "!#$%&'()*+,-./:;<=>?@[]^_`{|}~\\\" "  # all of ASCII: only other bytes are quoted


class BadInput(Exception):
    """run() cannot be called; the answer tells the client why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body.decode())
        self.answer = answer


def plain(data_name: str, *, wants_headers: bool) -> Arguments:
    """run(data): the body as text, whatever its type says; for GET the query as a JSON object."""

    def arguments(request: Request) -> dict[str, Any]:
        if request.method == "GET":
            found: dict[str, Any] = {data_name: json.dumps(_query_of(request))}
        else:
            try:
                found = {data_name: request.body.decode()}
            except UnicodeDecodeError as reason:
                raise _bad(400, f"Input cannot be decoded as UTF-8: {reason}") from None
        if wants_headers:
            found[HEADERS] = shown_headers(request)
        return found

    return arguments


def schema(parameters: Sequence[inspect.Parameter], *, wants_headers: bool) -> Arguments:
    """run(a, b=2): each parameter from the body's JSON object, or from the query for GET.

    Defaults are passed too: inference-schema looks at nothing but what is passed by name.
    """

    def arguments(request: Request) -> dict[str, Any]:
        given = _query_of(request) if request.method == "GET" else _json_object(request)
        found = {each.name: given.get(each.name, each.default) for each in parameters}
        for name, value in found.items():
            if value is inspect.Parameter.empty:
                raise _bad(400, f"A value is not provided for the {name!r} parameter.")
        if wants_headers:
            found[HEADERS] = shown_headers(request)
        return found

    return arguments


def raw(data_name: str, *, wants_headers: bool) -> Arguments:
    """run(request): a Flask request, and the context it belongs to. Raises ImportError."""
    from verdazul_serve.compat import contexts

    def arguments(request: Request) -> dict[str, Any]:
        context = contexts.context_of(request)
        found: dict[str, Any] = {data_name: context.request, contexts.CONTEXT: context}
        if wants_headers:
            found[HEADERS] = shown_headers(request)
        return found

    return arguments


def split_target(target: str) -> tuple[str, str]:
    """Path and query, as sent, of `/score?a=1` or of the absolute form that proxies use."""
    target = target.partition("#")[0]
    if not target.startswith("/"):
        authority = target.partition("://")[2]
        at = min((i for i in map(authority.find, "/?") if i >= 0), default=len(authority))
        target = authority[at:] if authority else target
    path, _, query = target.partition("?")
    return path or "/", query


def query_pairs(query: str) -> list[tuple[str, str]]:
    """Names and values in order. Bytes that are no UTF-8 stay percent-encoded."""
    quoted = quote(query.encode("latin-1"), safe=_QUERY_MAY_HOLD)
    return parse_qsl(quoted, keep_blank_values=True, errors="verdazul.percent")


def query_object(query: str) -> dict[str, Any]:
    """`a=1&c=x&c=2` -> {"a": 1, "c": ["x", 2]}: JSON where it is, strings where not."""
    values: dict[str, list[Any]] = {}
    for name, text in query_pairs(query):
        values.setdefault(name, []).append(_json_or_text(text))
    return {name: each if len(each) > 1 else each[0] for name, each in values.items()}


def shown_headers(request: Request) -> dict[str, str]:
    """As run(request_headers) gets them: Title-Case names, repeated ones joined by a comma."""
    shown: dict[str, str] = {}
    for name, value in request.pairs:
        title, text = _title(name), value.decode("latin-1")
        if title:
            shown[title] = f"{shown[title]},{text}" if title in shown else text
    return shown


@lru_cache(maxsize=256)
def _title(name: bytes) -> str:
    """Empty for a name with an underscore, which could pose as its twin with a dash."""
    return "" if b"_" in name else name.decode("latin-1").title()


def _query_of(request: Request) -> dict[str, Any]:
    return query_object(split_target(request.target)[1])


def _json_object(request: Request) -> Mapping[str, Any]:
    if not _is_json(request.header("content-type") or ""):
        raise _bad(415, "Expects Content-Type to be application/json")
    try:
        body = json.loads(request.body)
    except json.JSONDecodeError as reason:
        if not request.body:
            raise _bad(400, "POST body is empty. Expecting a JSON dictionary.") from None
        raise _bad(400, f"POST body could not be decoded as JSON: {reason}") from None
    except (ValueError, RecursionError) as reason:  # no UTF-8, a number of 5000 digits
        trace.log(reason)
        raise _bad(500, INTERNAL) from None
    if not isinstance(body, dict):
        raise _bad(400, "POST body should be a JSON dictionary.")
    return body


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    is_variant = kind.startswith("application/") and kind.endswith("+json")
    return kind == "application/json" or is_variant


def _bad(status: int, message: str) -> BadInput:
    return BadInput(error(status, message))


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _percent(problem: UnicodeError) -> tuple[str, int]:
    if not isinstance(problem, UnicodeDecodeError):
        raise problem
    bad = problem.object[problem.start : problem.end]
    return "".join(f"%{byte:02X}" for byte in bad), problem.end


register_error("verdazul.percent", _percent)
