"""JSON Web Key Sets: which keys of one may be trusted.

Public signing keys only. A shared secret in a set would let whoever reads the set sign tokens.
"""

from __future__ import annotations

import json
from typing import Any

_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_ABOUT = ("kty", "kid", "alg", "use")


def usable_keys(text: str) -> str:
    """The same text for equal sets; "" when no key is usable, or it is no such set."""
    try:
        found = [_usable(key) for key in json.loads(text)["keys"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""
    public = {json.dumps(key, sort_keys=True): key for key in found if key}
    return key_set([public[text] for text in sorted(public)]) if public else ""


def key_set(keys: list[dict[str, str]]) -> str:
    """The text of a set."""
    return json.dumps({"keys": keys}, sort_keys=True)


def _usable(key: Any) -> dict[str, str] | None:
    members = _MEMBERS.get(key["kty"] if isinstance(key.get("kty"), str) else "")
    if members is None or key.get("use", "sig") != "sig":
        return None
    kept = {name: key[name] for name in (*_ABOUT, *members) if isinstance(key.get(name), str)}
    return kept if all(member in kept for member in members) else None
