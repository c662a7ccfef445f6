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

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

_MOST = 1024
_LONGEST_MS = 60_000
_NO_LISTS = (str, bytes, Mapping, set, frozenset)  # which can be gone through, but not item by item
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


def call(
    run: Callable[[list[Any]], Any],
    items: list[Any],
    *,
    is_over: Callable[[], bool] = lambda: False,
) -> list[Any]:
    """One result for each item, exceptions in the place of results that failed.

    `is_over` says whether an exception came since the time is up, which it then is for all of them.
    BaseExceptions that are no Exceptions (the caller left, the process shall end) pass through.
    """
    try:
        return _checked(run(list(items)), len(items))
    except BadBatch as reason:
        return [reason] * len(items)
    except Exception as reason:  # noqa: BLE001  # a script may raise anything
        if len(items) == 1 or is_over():
            return [reason] * len(items)
    half = len(items) // 2
    return call(run, items[:half], is_over=is_over) + call(run, items[half:], is_over=is_over)


def _checked(results: Any, wanted: int) -> list[Any]:
    kind = type(results).__name__
    if isinstance(results, _NO_LISTS) or not isinstance(results, Iterable):
        raise BadBatch(f"a batched run() returned {kind}; it must return a list")
    listed = list(results)
    if len(listed) != wanted:
        raise BadBatch(f"a batched run() returned {len(listed)} results for {wanted} items")
    return listed
