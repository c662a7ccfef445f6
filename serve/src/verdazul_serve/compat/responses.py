"""A response object of Flask as an answer: read through its methods, without importing Flask.

Headers keep their order and their repetitions. Those that belong to the connection are left out,
and one that could not be written on the wire as it is makes the whole answer an internal error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from verdazul_serve.answers import RUN_FAILED, Answer, Stream
from verdazul_serve.results import Items, encoded

if TYPE_CHECKING:
    from flask import Response

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[ \t\x21-\x7e\x80-\xff]*")
_OF_THE_CONNECTION = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "server",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    }
)
_FINAL = range(200, 1000)
_ENVIRON = {
    "REQUEST_METHOD": "POST",
    "wsgi.url_scheme": "http",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
}


def answer(response: Response, exec_ms: tuple[str, str]) -> Answer | Stream:
    """The response itself is not changed: a script may return the same one again. Raises ValueError
    where HTTP could not say it.
    """
    status = response.status_code
    if status not in _FINAL:
        raise ValueError(f"a response cannot have the status {status}; 200 to 999 end a request")
    sent = response.get_wsgi_headers(_ENVIRON)
    if status >= 500:  # noqa: PLR2004
        sent[RUN_FAILED] = "True"
    headers = (*_checked(sent.to_wsgi_list()), exec_ms)
    if status in {204, 304}:  # these have no body
        response.close()
        return Answer(status, headers, b"")
    if not response.is_streamed:
        body = b"".join(map(encoded, response.response))
        response.close()
        return Answer(status, headers, body)
    items = Items(iter(response.response), response.close)
    return Stream(Answer(status, headers, b""), items, response.content_length)


def _checked(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Raises ValueError: a line break in a header would end it, and begin another."""
    kept = []
    for name, value in pairs:
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise ValueError(
                f"the header {name!r} cannot be sent: its name or value has a character"
            )
        if name.lower() not in _OF_THE_CONNECTION:
            kept.append((name, value.strip(" \t")))
    return kept
