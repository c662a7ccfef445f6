"""One post of azureml-ai-monitoring as one line of JSON: a CloudEvent, with Azure's names.

`{"specversion": "1.0", "id": "...", "type": "azureml.inference.model_inputs", "data": [...], ...}`
Nothing here touches a file or the clock. The records are checked but not built anew: what was sent
is what is kept, byte for byte, save that line ends between values become spaces.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LARGEST_LINE_BYTES = 4 * 2**20  # a larger body lies in a file beside its line, as in Azure

_TYPE_PREFIX = "azureml.inference."
_LONGEST_NAME = 100
_KEYS = {
    "ce-x-request-id": ("correlationid", "xrequestid"),
    "ce-model-version": ("modelversion",),
    "ce-collect-data-type": ("collectdatatype",),
    "ce-agent": ("agent",),
}
_USED = frozenset({*_KEYS, "ce-type", "ce-time"})
_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True)
class Post:
    """What came in; names of headers in lower case."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Event:
    """`line` ends its line; `beside` is the body as a file of that name, when it is large."""

    collection: str
    line: bytes
    beside: tuple[str, bytes] | None = None


class BadPost(Exception):
    """The post cannot be kept as it is; the message tells the sender why."""


def event(post: Post, *, source: str, now: float, number: str) -> Event:
    """Raises BadPost. `now` and `number` stand in where the sender gives no time and no id."""
    kind = post.headers.get("ce-type", "")
    if not kind.startswith(_TYPE_PREFIX) or kind == _TYPE_PREFIX:
        raise BadPost(f"ce-type is {kind!r}; it must be {_TYPE_PREFIX}<collection>")
    content_type = post.headers.get("content-type", "")
    fields: dict[str, Any] = {
        "specversion": "1.0",
        "id": post.headers.get("trace-id") or number,
        "source": source,
        "type": kind,
        "datacontenttype": content_type,
        "time": _time(post.headers.get("ce-time", ""), now=now),
        **_context(post.headers),
        "contentrange": f"bytes 0-{max(len(post.body) - 1, 0)}/{len(post.body)}",
    }
    collection = safe_name(kind[len(_TYPE_PREFIX) :])
    is_json = content_type.partition(";")[0].strip().lower() == "application/json"
    if len(post.body) > LARGEST_LINE_BYTES:
        name = f"{number}.{'json' if is_json else 'bin'}"
        fields.update(data=name, datainblob="true")
        return Event(collection, _line(fields), (name, post.body))
    data = _records(post.body) if is_json else None
    if data is None:
        fields.update(_binary(post.body))
    return Event(collection, _line(fields, data))


def safe_name(name: str) -> str:
    """A file name that stays in its folder, whatever was asked for."""
    kept = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:_LONGEST_NAME]
    return re.sub(r"^\.+", "_", kept) or "_"


def _time(text: str, *, now: float) -> str:
    """`2026-11-25T19:50:33Z` of seconds since 1970, with a fraction when there is one."""
    for seconds in (text, now):
        try:
            number = float(seconds)
            whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(number))
        except (ValueError, OverflowError, OSError):
            continue
        micros = int(number % 1 * 1_000_000)
        return f"{whole}.{micros:06d}Z" if micros else f"{whole}Z"
    raise AssertionError(now)


def _context(headers: Mapping[str, str]) -> dict[str, str]:
    """Azure's keys, and the sender's own `ce-` headers by the name that the script gave them."""
    own = {
        name[len("ce-") :]: value
        for name, value in headers.items()
        if name.startswith("ce-") and name not in _USED
    }
    known = {key: headers[name] for name, keys in _KEYS.items() if name in headers for key in keys}
    return {**own, **known}


def _records(body: bytes) -> str:
    """The body as it is, once it is known to be one JSON value. Raises BadPost."""
    try:
        text = body.decode()
        _check(text)
    except (ValueError, RecursionError) as error:
        raise BadPost(f"the body is not JSON in UTF-8: {error}") from None
    return text.replace("\r", " ").replace("\n", " ") if "\n" in text or "\r" in text else text


def _check(text: str) -> None:
    """Record by record, so that another thread may run between two of them."""
    decoder = json.JSONDecoder(parse_constant=_refuse)
    start = _skip(text, 0)
    if text[start : start + 1] != "[":
        decoder.decode(text)
        return
    place = _skip(text, start + 1)
    is_end = text[place : place + 1] == "]"
    while not is_end:
        place = _skip(text, _end_of_value(decoder, text, place))
        is_end = text[place : place + 1] == "]"
        if not is_end:
            place = _skip(text, _after_comma(text, place))
    if _skip(text, place + 1) != len(text):
        raise json.JSONDecodeError("Extra data", text, place + 1)


def _end_of_value(decoder: json.JSONDecoder, text: str, place: int) -> int:
    try:
        return decoder.raw_decode(text, place)[1]
    except StopIteration:
        raise json.JSONDecodeError("Expecting value", text, place) from None


def _after_comma(text: str, place: int) -> int:
    if text[place : place + 1] != ",":
        raise json.JSONDecodeError("Expecting ',' delimiter", text, place)
    return place + 1


def _skip(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return match.end() if match else place


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON value")


def _binary(body: bytes) -> dict[str, str]:
    """The compact format is text; whatever is not goes in CloudEvents' base64 key."""
    try:
        return {"data": body.decode()}
    except UnicodeDecodeError:
        return {"data_base64": base64.b64encode(body).decode("ascii")}


def _line(fields: Mapping[str, Any], data: str | None = None) -> bytes:
    text = json.dumps(fields)
    if data is not None:
        text = f'{text[:-1]}, "data": {data}}}'
    return text.encode() + b"\n"
