"""Parameters and bodies of the Engine API, as Docker reads them; what has no effect is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from verdazul.model.errors import UserError

LONGEST_BODY = 1 << 20
_FALSE = frozenset(("", "0", "no", "false", "none", "null", "{}", "[]"))


class TooLarge(UserError):
    """More than is read."""

    default_code = "RequestTooLarge"
    http_status = 413


class Parameters:
    """Those of one request."""

    def __init__(self, request: Request) -> None:
        self._query = request.query_params

    def only(self, *served: str, values: Mapping[str, str] | None = None) -> None:
        """Refuse others, unless they say no; and `values` other than the one that is served."""
        for name, value in self._query.items():
            is_other = name not in served or (values or {}).get(name, value) != value
            if is_other and value.lower() not in _FALSE:
                raise UserError(
                    f"the parameter {name}={value[:200]} has no effect in Verdazul's local engine",
                    code="NotServed",
                    fix="leave it out, or start Docker or podman and set DOCKER_HOST to it",
                )

    def text(self, name: str) -> str:
        return self._query.get(name, "")

    def truth(self, name: str) -> bool:
        return self.text(name).lower() not in _FALSE

    def number(self, name: str, default: int) -> int:
        """Raises UserError for what is none."""
        text = self.text(name)
        try:
            return int(text) if text else default
        except ValueError:
            raise UserError(
                f"{name} is {text[:100]!r}; it must be a whole number", code="InvalidValue"
            ) from None

    def filters(self, *known: str) -> dict[str, list[str]]:
        """Both forms that clients use: {"label": ["a=b"]} and {"label": {"a=b": true}}."""
        text = self.text("filters")
        try:
            found = json.loads(text) if text else {}
            read = {name: [str(value) for value in values] for name, values in found.items()}
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise UserError(f"invalid filters: {text[:200]!r}", code="InvalidValue") from None
        for name in set(read) - set(known):
            raise UserError(f"invalid filter '{name[:100]}'", code="InvalidValue")
        return read


async def json_body(request: Request) -> dict[str, Any]:
    """The body, of a bounded size. Raises UserError when it is no JSON object."""
    parts: list[bytes] = []
    async for part in request.stream():
        parts.append(part)
        if sum(map(len, parts)) > LONGEST_BODY:
            raise TooLarge(
                f"the body is longer than {LONGEST_BODY} bytes; labels and variables together have "
                "to be shorter"
            )
    try:
        body = json.loads(b"".join(parts))
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise UserError("the body is no JSON object", code="InvalidBody")
    return body
