"""Form bodies (application/x-www-form-urlencoded), as OAuth and browsers send them. Strict.

Each field once, text only, and not too much of it: what is read twice or in two ways is how
requests are smuggled.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from verdazul.api.arm import read_body
from verdazul.model.errors import UserError
from verdazul.model.show import shown

_MOST_BYTES = 32 * 1024
_MOST_FIELDS = 40
_TYPE = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields of the body; {} for none. Raises UserError (InvalidForm, BodyTooLarge)."""
    body = await read_body(request, _MOST_BYTES)
    kind = request.headers.get("content-type", _TYPE).partition(";")[0].strip().lower()
    if kind != _TYPE:
        raise _invalid(f"the content-type is {shown(kind)}; it must be {_TYPE}")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            encoding="utf-8",
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError as error:
        raise _invalid(f"the body is no form: {error}") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _invalid("the body says a field twice")
    for name, value in pairs:
        if not (name + value.replace("\r\n", "")).isprintable():
            raise _invalid(f"the field {shown(name)} holds a control character")
    return fields


def source_of(request: Request) -> str:
    """The caller's address, as the gateway saw it; what callers claim stands before it."""
    return request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()


def _invalid(why: str) -> UserError:
    return UserError(why, code="InvalidForm")
