"""Settings of ours that Azure's YAML has no key for: entries `verdazul.<name>` of `properties`.

    properties:
      verdazul.requests_per_second: "200"

One table says which there are, where they may stand and what they must look like. An entry that
begins so and is not in the table is refused: it would have no effect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from verdazul.model.declared import KEY, read_integer, says
from verdazul.model.nearest import nearest
from verdazul.model.show import shown

PREFIX = "verdazul."
REQUESTS_PER_SECOND = PREFIX + "requests_per_second"
CONNECTIONS_PER_SECOND = PREFIX + "connections_per_second"
BANDWIDTH = PREFIX + "bandwidth_kib_per_second"
MAX_REQUEST_BYTES = PREFIX + "max_request_bytes"
MAX_RESPONSE_BYTES = PREFIX + "max_response_bytes"
CORS_ALLOW_ORIGINS = PREFIX + "cors_allow_origins"
UPSTREAM_PROTOCOL = PREFIX + "upstream_protocol"
HTTP1, HTTP2 = "http1", "http2"

_ORIGIN = re.compile(
    r"\*|https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?|https?://\[[0-9A-Fa-f:.]+\](:\d+)?"
)


@dataclass(frozen=True, slots=True)
class Property:
    """`must_be` says what `is_right` tests."""

    name: str
    must_be: str
    is_right: Callable[[str], bool]


def _count(name: str, most: int) -> Property:
    def is_right(text: str) -> bool:
        number = read_integer(text)
        return number is not None and 0 <= number <= most

    return Property(name, f"a whole number from 0 (no limit) to {most}", is_right)


_RATE = _count(REQUESTS_PER_SECOND, 1_000_000)
_SIZES = (_count(MAX_REQUEST_BYTES, 2**32 - 1), _count(MAX_RESPONSE_BYTES, 2**32 - 1))
_CORS = Property(
    CORS_ALLOW_ORIGINS,
    'origins with a space between, such as "https://app.example.com", or "*" for any',
    lambda text: bool(text.split()) and all(_ORIGIN.fullmatch(word) for word in text.split()),
)
_PROTOCOL = Property(UPSTREAM_PROTOCOL, f"{HTTP1} or {HTTP2}", lambda text: text in {HTTP1, HTTP2})

_WHOLE = (_count(BANDWIDTH, 10_000_000), _count(CONNECTIONS_PER_SECOND, 1_000_000))
OF_ENDPOINTS = {one.name: one for one in (_RATE, *_WHOLE, *_SIZES, _CORS)}
OF_DEPLOYMENTS = {one.name: one for one in (_RATE, *_SIZES, _PROTOCOL)}


def checked(known: Mapping[str, Property]) -> Callable[[dict[str, str]], dict[str, str]]:
    """A validator of `properties`; what does not begin with our prefix is nobody's concern."""

    def check(found: dict[str, str]) -> dict[str, str]:
        for name, text in found.items():
            if name.lower().startswith(PREFIX):
                _check(name, text, known)
        return found

    return check


def _check(name: str, text: str, known: Mapping[str, Property]) -> None:
    if name not in known:
        close = nearest(name, known)
        fix = f"did you mean {close}?" if close else f"there are: {', '.join(known)}"
        raise says("UnknownProperty", f"{KEY}: there is no such property", at=(name,), fix=fix)
    if not known[name].is_right(text):
        raise says(
            "InvalidValue", f"{KEY} is {shown(text)}; it must be {known[name].must_be}", at=(name,)
        )


def count(properties: Mapping[str, str], name: str) -> int | None:
    """The number that a checked property gives; None when it is not given."""
    return read_integer(properties.get(name))
