"""What Application Insights is told of a request: names and forms as Azure's server has them.

Pure, so that it is tested without the exporter. Long values are cut here already, to the length the
exporter keeps: what waits to be sent must not hold whole bodies in memory.
"""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from verdazul_serve.reading import Request
from verdazul_serve.settings import Settings

LONGEST = 8192  # characters; the exporter cuts there

_NOT_TEXT = json.dumps(
    "Scoring request response payload is a non serializable object or raw binary"
)
_ROUTES = {
    "/score": ("GET", "POST", "OPTIONS", "HEAD"),
    "/swagger.json": ("GET", "OPTIONS", "HEAD"),
}
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # the form has a Z of its own
_FAILED = 400

Ids = Mapping[str, str]  # headers of the response: x-request-id, x-ms-client-request-id


def path(request: Request) -> str:
    """`/score` of `/score?a=1`."""
    return unquote(request.target.partition("?")[0])


def is_told(request: Request) -> bool:
    """Whether Azure's server would: not of probes, nor of paths and methods it does not have."""
    return request.method in _ROUTES.get(path(request), ())


def of_request(
    settings: Settings,
    request: Request,
    status: int,
    answer: str | None,
    *,
    took: tuple[float, float],
    ids: Ids,
) -> dict[str, str | bool]:
    """A request's span; `took`: when it began (seconds since 1970) and for how many seconds."""
    started, seconds = took
    shown = {} if answer is None else {"Response Value": answer}
    return {
        **_ids(settings, ids),
        **shown,
        "name": path(request),
        "url": f"http://{request.header('host') or ''}{request.target}",
        "start_time": (_EPOCH + timedelta(seconds=started)).isoformat() + "Z",
        "duration": duration(seconds),
        "resultCode": str(status),
        "success": status < _FAILED,
        "http_method": request.method,
        **_service(settings),
    }


def of_failure(settings: Settings, ids: Ids) -> dict[str, str]:
    """`custom_dimensions` of an exception; before there is any request its id is `Unknown`."""
    return _dimensions(_ids(settings, {"x-request-id": "Unknown", **ids}))


def of_collection(
    settings: Settings, ids: Ids, *, models: tuple[str, ...], given: Any, prediction: Any
) -> dict[str, str]:
    """`custom_dimensions` of what `run()` was given and what it returned."""
    return _dimensions(
        {
            **_ids(settings, ids),
            **_service(settings),
            "Models": models,
            "Input": _json(given),
            "Prediction": _json(prediction),
        }
    )


def text(body: bytes | None) -> str:
    """The beginning of a body; a fixed sentence for a stream (None) and for what is no text."""
    if body is None:
        return _NOT_TEXT
    piece = body[: 4 * LONGEST]
    try:
        decoded = codecs.getincrementaldecoder("utf-8")().decode(piece, len(piece) == len(body))
    except UnicodeDecodeError:
        return _NOT_TEXT
    return decoded[:LONGEST]


def duration(seconds: float) -> str:
    """`00:00:01.250`, and `2.03:00:00.000` from one day on."""
    rest, millis = divmod(int(seconds * 1000), 1000)
    rest, second = divmod(rest, 60)
    rest, minute = divmod(rest, 60)
    days, hour = divmod(rest, 24)
    clock = f"{hour:02}:{minute:02}:{second:02}.{millis:03}"
    return f"{days}.{clock}" if days else clock


def models(model_dir: str | None) -> tuple[str, ...]:
    """`credit:3` for a folder `credit/3`, or for each such folder below."""
    if not model_dir:
        return ()
    name, version = os.path.split(os.path.abspath(model_dir))  # noqa: PTH100  # see failure.py
    if version.isdigit():
        return (f"{os.path.basename(name)}:{version}",)  # noqa: PTH119
    return tuple(
        f"{model}:{version}"
        for model in _names(model_dir)
        for version in _names(os.path.join(model_dir, model))  # noqa: PTH118
        if version.isdigit()
    )


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return []


def _ids(settings: Settings, ids: Ids) -> dict[str, str]:
    return {
        "Container Id": settings.hostname,
        "Request Id": ids.get("x-request-id", ""),
        "Client Request Id": ids.get("x-ms-client-request-id", ""),
    }


def _service(settings: Settings) -> dict[str, str]:
    return {"Workspace Name": settings.workspace_name, "Service Name": settings.service_name}


def _dimensions(values: Mapping[str, Any]) -> dict[str, str]:
    """One property with all of them in it, which is how they arrive from Azure's server."""
    return {"custom_dimensions": str(dict(values))}


def _json(value: Any) -> str:
    try:
        return json.dumps(value)[:LONGEST]
    except (TypeError, ValueError, RecursionError):
        return _NOT_TEXT
