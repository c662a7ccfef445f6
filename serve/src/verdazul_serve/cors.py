"""Which other sites may read our answers in a browser (AML_CORS_ORIGINS).

As Flask-CORS answers for Azure's server: on every route, for GET and POST. An origin with
characters of a regular expression is one; here it has to match the whole origin.
"""

from __future__ import annotations

import re
from functools import lru_cache

from verdazul_serve.logs import server as log
from verdazul_serve.reading import Request

Pairs = tuple[tuple[str, str], ...]

_METHODS = ("GET", "POST")
_REGEX_CHARACTERS = frozenset("*\\]?$^[]()")


def merged(own: Pairs, origins: tuple[str, ...], request: Request) -> Pairs:
    """An answer's own headers with these added, unless the script has spoken for itself."""
    if any(name.lower() == "access-control-allow-origin" and value for name, value in own):
        return own
    return (*own, *headers(origins, request))


def headers(origins: tuple[str, ...], request: Request) -> Pairs:
    """What to add to the answer; a preflight asks with OPTIONS. No origins: nothing."""
    origin = _origin(origins, request.header("origin"))
    if not origin:
        return ()
    preflight = _preflight(request) if request.method == "OPTIONS" else ()
    vary = (("Vary", "Origin"),) if origin != "*" and _varies(origins) else ()
    return (("Access-Control-Allow-Origin", origin), *_private_network(request), *preflight, *vary)


def _origin(origins: tuple[str, ...], asking: str | None) -> str | None:
    """Who does not say where they come from is told of any origin that may."""
    if asking:
        return asking if any(_matches(each, asking) for each in origins) else None
    if "*" in origins:
        return "*"
    return min((each for each in origins if not _is_regex(each)), default=None)


def _matches(listed: str, asking: str) -> bool:
    if listed == "*":
        return True
    if _is_regex(listed):
        pattern = _compiled(listed)
        return bool(pattern and pattern.fullmatch(asking))
    return listed.casefold() == asking.casefold()


def _varies(origins: tuple[str, ...]) -> bool:
    return len(origins) > 1 or _is_regex(origins[0])


def _is_regex(origin: str) -> bool:
    return not _REGEX_CHARACTERS.isdisjoint(origin)


@lru_cache
def _compiled(origin: str) -> re.Pattern[str] | None:
    try:
        return re.compile(origin, re.IGNORECASE)
    except re.error as reason:
        log.warning("AML_CORS_ORIGINS: %r allows nobody; as an expression: %s", origin, reason)
        return None


def _preflight(request: Request) -> Pairs:
    if (request.header("access-control-request-method") or "").upper() not in _METHODS:
        return ()
    wanted = (request.header("access-control-request-headers") or "").split(",")
    names = ", ".join(sorted(name.strip() for name in wanted))
    listed = (("Access-Control-Allow-Headers", names),) if names else ()
    return (*listed, ("Access-Control-Allow-Methods", ", ".join(_METHODS)))


def _private_network(request: Request) -> Pairs:
    if request.header("access-control-request-private-network") != "true":
        return ()
    return (("Access-Control-Allow-Private-Network", "false"),)
