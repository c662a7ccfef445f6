"""Every answer of the API is held against the API's own description: status, body and headers.

The door through which all tests of the API go looks at each answer, so what `/openapi.json` says
cannot drift from what is served.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
from jsonschema_rs import Draft202012Validator

from verdazul.api.app import Api

Look = Callable[[httpx.Response], Awaitable[None]]
_known: list[Described] = []


class Described:
    """The description, ready to be asked about an answer."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._paths = [(_pattern(path), item) for path, item in document["paths"].items()]
        self.validator = cache(self._validator)

    def problems(self, response: httpx.Response) -> list[str]:
        """What of this answer the description does not know; none for undescribed routes."""
        operation = self.operation(response.request.method, str(response.request.url))
        if operation is None:
            return []
        answer = operation["responses"].get(str(response.status_code))
        if answer is None:
            return [f"{response.status_code} is not among {', '.join(operation['responses'])}"]
        answer = self._resolved(answer)
        absent = [name for name in answer.get("headers", ()) if name not in response.headers]
        return [f"no header {name}" for name in absent] + self._body(answer, response)

    def operation(self, method: str, url: str) -> dict[str, Any] | None:
        """What is said of this method at this place."""
        path = urlsplit(url).path.rstrip("/")
        for pattern, item in self._paths:
            if pattern.fullmatch(path) and method.lower() in item:
                found: dict[str, Any] = item[method.lower()]
                return found
        return None

    def _body(self, answer: dict[str, Any], response: httpx.Response) -> list[str]:
        content = answer.get("content")
        if not content:
            return [f"a body where none is described: {response.text[:80]}"] * bool(response.text)
        media = response.headers["content-type"].partition(";")[0]
        if media not in content:
            return [f"{media} is not among {', '.join(content)}"]
        if media != "application/json" or response.request.method == "HEAD":
            return []
        name = content[media]["schema"]["$ref"].rpartition("/")[2]
        errors = self.validator(name).iter_errors(response.json())
        return [f"{name}{error.instance_path}: {error.message}" for error in errors]

    def _validator(self, name: str) -> Draft202012Validator:
        return Draft202012Validator(
            {"$ref": f"#/components/schemas/{name}", "components": self.document["components"]}
        )

    def _resolved(self, answer: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in answer:
            return answer
        found: dict[str, Any] = self.document["components"]["responses"][
            answer["$ref"].rpartition("/")[2]
        ]
        return found


def described_by(api: Api) -> Look:
    """What looks at each answer of a client."""
    if not _known:
        _known.append(Described(api.description))
    described = _known[0]

    async def look(response: httpx.Response) -> None:
        await response.aread()
        problems = described.problems(response)
        request = response.request
        assert not problems, (request.method, str(request.url), problems, response.text[:500])

    return look


def _pattern(path: str) -> re.Pattern[str]:
    """Paths match in any case; the rest of a blob's path may have slashes."""
    text = re.escape(path).replace(r"\{path\}", ".*")
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]*", text), re.IGNORECASE)
