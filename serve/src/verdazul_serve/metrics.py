"""`GET /metrics`: the figures of all workers and of the parent, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from verdazul_serve import metering
from verdazul_serve.answers import Answer
from verdazul_serve.board import Board

_TYPE = ("content-type", "text/plain; version=0.0.4; charset=utf-8")
_HISTOGRAMS = (
    ("queue_seconds", metering.QUEUE, metering.SECONDS, "from complete request to run()"),
    ("run_seconds", metering.RUN, metering.SECONDS, "inside run()"),
    ("serialise_seconds", metering.SERIALISE, metering.SECONDS, "from run()'s value to an answer"),
    ("batch_size", metering.BATCH, metering.SIZES, "requests in one call of a batched run()"),
)


def render(
    boards: Sequence[Board], gauges: Mapping[str, float], *, answered: Sequence[int] = ()
) -> Answer:
    """`gauges` are the parent's own figures by name, those named _total counters; `answered` is
    what it answered itself, by status // 100.
    """
    totals = [sum(column) for column in zip(*(board.counters for board in boards))]
    for digit, number in enumerate(answered):
        totals[metering.ANSWERS + digit] += number
    lines = list(_plain("requests_total", _by_class(totals), "answers to /score by status class"))
    lines += _plain("timeouts_total", {"": totals[metering.TIMEOUTS]}, "over SCORING_TIMEOUT_MS")
    left = totals[metering.CALLERS_LEFT]
    lines += _plain("callers_left_total", {"": left}, "calls broken off: nobody waited any more")
    inits = [board.counters[metering.INIT_SECONDS] for board in boards]
    lines += _plain("init_seconds", {"": max(inits)}, "what init() took, the slowest worker")
    for name, value in gauges.items():
        lines += _plain(name, {"": value}, name.replace("_", " "))
    for name, where, bounds, story in _HISTOGRAMS:
        lines += _histogram(name, totals[where:], bounds, story)
    return Answer(200, (_TYPE,), ("\n".join(lines) + "\n").encode())


def _by_class(totals: list[float]) -> dict[str, float]:
    return {f'{{code="{digit}xx"}}': totals[metering.ANSWERS + digit] for digit in range(1, 6)}


def _plain(name: str, values: Mapping[str, float], story: str) -> Iterable[str]:
    kind = "counter" if name.endswith("_total") else "gauge"
    yield f"# HELP verdazul_{name} {story}"
    yield f"# TYPE verdazul_{name} {kind}"
    for labels, value in values.items():
        yield f"verdazul_{name}{labels} {_number(value)}"


def _histogram(
    name: str, numbers: list[float], bounds: tuple[float, ...], story: str
) -> Iterable[str]:
    yield f"# HELP verdazul_{name} {story}"
    yield f"# TYPE verdazul_{name} histogram"
    count = 0.0
    for bound, here in zip(bounds, numbers[1:]):
        count += here
        yield f'verdazul_{name}_bucket{{le="{bound:g}"}} {count:.0f}'
    count += numbers[1 + len(bounds)]
    yield f'verdazul_{name}_bucket{{le="+Inf"}} {count:.0f}'
    yield f"verdazul_{name}_sum {_number(numbers[0])}"
    yield f"verdazul_{name}_count {count:.0f}"


def _number(value: float) -> str:
    """Never rounded: a counter that moves in steps of ten cannot be told from one that stands."""
    return f"{value:.0f}" if value == int(value) else repr(value)
