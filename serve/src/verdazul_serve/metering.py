"""What is counted about requests, and where on a worker's board each figure stands.

A worker adds to its own board; the parent sums the boards and prints them in Prometheus' text
format (metrics.py). Queue, model and serialisation are told apart: `queue` is from the complete
request to the call of run(), `run` is run() itself, `serialise` makes an answer of its value.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager

from verdazul_serve.board import Board

_SHORT = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5)
SECONDS: tuple[float, ...] = (*_SHORT, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
SIZES: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)

# where on the board: a count for each class of status, then histograms as sum and bucket counts
ANSWERS = 0  # + status // 100
TIMEOUTS = 6
CALLERS_LEFT = 7
INIT_SECONDS = 8
_WIDTH = len(SECONDS) + 2
QUEUE = 9
RUN = QUEUE + _WIDTH
SERIALISE = RUN + _WIDTH
BATCH = SERIALISE + _WIDTH
END = BATCH + len(SIZES) + 2


class Meter:
    """A worker's hand on its own counters."""

    def __init__(self, board: Board) -> None:
        self._counters = board.counters

    def answered(self, status: int) -> None:
        self._counters[ANSWERS + min(status // 100, 5)] += 1.0  # from 600 on they mean the same

    def queued(self, seconds: float) -> None:
        counters = self._counters
        counters[QUEUE] += seconds
        counters[QUEUE + 1 + bisect_left(SECONDS, seconds)] += 1.0

    def ran(self, seconds: float, serialising: float) -> None:
        """One run() that returned, and what it took to make an answer of that."""
        counters = self._counters
        counters[RUN] += seconds
        counters[RUN + 1 + bisect_left(SECONDS, seconds)] += 1.0
        counters[SERIALISE] += serialising
        counters[SERIALISE + 1 + bisect_left(SECONDS, serialising)] += 1.0

    def batched(self, size: int) -> None:
        counters = self._counters
        counters[BATCH] += size
        counters[BATCH + 1 + bisect_left(SIZES, size)] += 1.0

    def count(self, where: int) -> None:
        self._counters[where] += 1.0

    def initialised(self, seconds: float) -> None:
        self._counters[INIT_SECONDS] = seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens inside leaves no trace in the figures."""
        before = self._counters.tobytes()
        try:
            yield
        finally:
            self._counters[:] = memoryview(before).cast("d")
