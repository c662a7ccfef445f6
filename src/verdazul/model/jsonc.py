"""JSON as people write templates: with comments, and keys without quotes. It becomes plain JSON.

`az deployment` sends a template as its file is, behind a key `template` without quotes, so a server
has to read that. Each pattern takes the text to its end rather than fail, which keeps one pass one
pass, whatever is sent.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*+(?:"|\Z|\\)|//[^\n]*|/\*.*?(?:\*/|\Z)|[A-Za-z_$]\w*', re.DOTALL
)
_COLON = re.compile(r"\s*:")


def plain_json(text: str) -> str:
    """The same without comments, and with all keys in quotes.

    {"a": 1, // one
     template: {}}     {"a": 1,
                        "template": {}}
    """
    return _TOKEN.sub(_plain, text)


def _plain(match: re.Match[str]) -> str:
    token = match[0]
    if token.startswith("/"):
        return " "
    is_key = not token.startswith('"') and _COLON.match(match.string, match.end())
    return f'"{token}"' if is_key else token
