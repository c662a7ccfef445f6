"""`AMLResponse`. Imported under Azure's names (see compat/__init__.py)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flask import Response

_NONE: Mapping[str, str] = MappingProxyType({})
_TYPE = "content-type"


class AMLResponse(Response):
    """A Flask response: `message` is sent as it is, or as JSON.

    Each header's value is split at commas into repeated headers, as Azure's server does; only the
    content type is taken whole, and replaces the default one.
    """

    def __init__(
        self,
        message: Any,
        status_code: Any,
        response_headers: Mapping[str, str] = _NONE,
        json_str: bool = False,  # noqa: FBT001, FBT002  # scripts may pass it by position
        run_function_failed: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        is_json = json_str or message is None
        body = json.dumps({} if message is None else message) if is_json else message
        kind = "application/json" if is_json else None
        super().__init__(body, status=status_code, mimetype=kind)
        self.headers["x-ms-run-function-failed"] = str(run_function_failed)
        for name, value in response_headers.items():
            if name.lower() == _TYPE:
                self.headers.remove(_TYPE)
                self.headers.add(name, value)
                continue
            for part in value.split(","):
                self.headers.add(name, part.strip())
