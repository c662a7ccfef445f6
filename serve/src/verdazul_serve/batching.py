"""Micro-batching: many requests, one call of run().

    from verdazul_serve import batch

    @batch(max_size=32, max_delay_ms=5)
    def run(items):              # a list of request bodies, as text
        return [...]             # one result for each, in order

A result that is an exception fails its own request only. When the call itself raises, the batch is
halved until the bad items stand alone, so that their neighbours are answered; run() must therefore
bear being called again with items it has seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

_MOST = 1024
_LONGEST_MS = 60_000
ATTRIBUTE = "__verdazul_batch__"
_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Rule:
    """At most so many items, and none waits longer for company."""

    max_size: int
    max_delay_ms: float


def batch(*, max_size: int = 32, max_delay_ms: float = 5.0) -> Callable[[_F], _F]:
    """Have run() called with a list. Raises ValueError for sizes below 1 and negative delays."""
    if isinstance(max_size, bool) or not isinstance(max_size, int) or not 1 <= max_size <= _MOST:
        raise ValueError(f"max_size is {max_size!r}; it must be a whole number from 1 to {_MOST}")
    if not 0 <= max_delay_ms <= _LONGEST_MS:
        raise ValueError(f"max_delay_ms is {max_delay_ms!r}; it must be from 0 to {_LONGEST_MS}")

    def mark(run: _F) -> _F:
        setattr(run, ATTRIBUTE, Rule(max_size, float(max_delay_ms)))
        return run

    return mark


class BadBatch(Exception):
    """run() did not return one result for each item."""


def call(run: Callable[[list[Any]], Any], items: list[Any]) -> list[Any]:
    """One result for each item, exceptions in the place of results that failed.

    BaseExceptions that are no Exceptions (the caller left, the process shall end) pass through.
    """
    try:
        return _checked(run(list(items)), len(items))
    except BadBatch as reason:
        return [reason] * len(items)
    except TimeoutError as reason:  # the time is up for all of them
        return [reason] * len(items)
    except Exception as reason:  # noqa: BLE001  # a script may raise anything
        if len(items) == 1:
            return [reason]
        half = len(items) // 2
        return call(run, items[:half]) + call(run, items[half:])


def _checked(results: Any, wanted: int) -> list[Any]:
    try:
        listed = list(results)
    except TypeError:
        kind = type(results).__name__
        raise BadBatch(f"a batched run() returned {kind}; it must return a list") from None
    if len(listed) != wanted:
        raise BadBatch(f"a batched run() returned {len(listed)} results for {wanted} items")
    return listed
