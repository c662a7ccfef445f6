"""For whom the present task works: a context variable, set at the API's door, read by the store.

Between the two lie use cases that neither know nor pass on who asked. Work that outlives a request
(the loop, an upload that is tidied) must not inherit it: it starts in a context of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from verdazul.core.audit import Origin


@dataclass(slots=True)
class Request:
    """`is_told` is set once the store has written down what the request changed."""

    origin: Origin
    is_told: bool = False


_present: ContextVar[Request | None] = ContextVar("request", default=None)


@contextmanager
def on_behalf_of(origin: Origin) -> Iterator[Request]:
    """What is committed inside is this request's."""
    request = Request(origin)
    token = _present.set(request)
    try:
        yield request
    finally:
        _present.reset(token)


def present() -> Request | None:
    """None for work that nobody asked for just now."""
    return _present.get()
