"""Medians over rounds, and tables in which every ratio says how many times better Verdazul is.

Above 1 Verdazul is better, below 1 the other one: for requests per second the ratio is ours /
theirs, for all else theirs / ours.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Figures = Mapping[str, float]
MORE_IS_BETTER = "requests_per_second"


@dataclass(frozen=True)
class Column:
    """A figure to show, with its ratio to ours beside it."""

    key: str
    heading: str
    ratio: str


class Place(NamedTuple):
    """Where figures belong; without a payload they are those of a start."""

    workers: int
    payload: str = ""
    callers: int = 0

    def __str__(self) -> str:
        text = f"workers: {self.workers}"
        return f"{text}, {self.payload}, callers: {self.callers}" if self.payload else text


STARTED = (
    Column("start_seconds", "start s", "start x"),
    Column("memory_mb", "memory MB", "memory x"),
)
LOADED = (
    Column("requests_per_second", "requests/s", "requests x"),
    Column("p50_ms", "p50 ms", "p50 x"),
    Column("p99_ms", "p99 ms", "p99 x"),
    Column("cpu_us", "CPU µs/request", "CPU x"),
)


def medians(rounds: Sequence[Figures]) -> dict[str, float]:
    """Figure by figure; errors are added up, as one is too many."""
    middle = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
    errors = {"errors": sum(one["errors"] for one in rounds)} if "errors" in middle else {}
    return middle | errors


def better(key: str, *, ours: Figures, theirs: Figures) -> float | None:
    """How many times better ours is; None where nothing was counted."""
    above, below = (ours, theirs) if key == MORE_IS_BETTER else (theirs, ours)
    return above[key] / below[key] if below[key] else None


def row(
    name: str, figures: Figures, ours: Figures | None, columns: Sequence[Column]
) -> dict[str, Any]:
    """One line of a table."""
    line: dict[str, Any] = {"server": name}
    for column in columns:
        ratio = better(column.key, ours=ours, theirs=figures) if ours else None
        line[column.heading] = digits(figures[column.key])
        line[column.ratio] = "" if ratio is None else digits(ratio)
    errors = figures.get("errors", 0)
    return line | {"wrong": f"{errors:.0f} NOT ANSWERED WELL" if errors else "0"}


def digits(value: float) -> str:
    """Three digits that count, without an exponent."""
    return f"{value:,.0f}" if round(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004
