"""How long to wait before a worker that died is replaced: 0.1 s, doubling to 30 s.

A worker that was ready for a minute has proved itself: the next wait is the first one again.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 30.0
HEALTHY_SECONDS = 60.0


@dataclass(frozen=True)
class Backoff:
    """`next_seconds` is the wait that the next death costs."""

    next_seconds: float = FIRST_SECONDS

    def after(self, ready_seconds: float) -> tuple[float, Backoff]:
        """The wait for a worker that had been ready so long, and the backoff from then on."""
        wait = FIRST_SECONDS if ready_seconds >= HEALTHY_SECONDS else self.next_seconds
        return wait, Backoff(min(wait * 2, LONGEST_SECONDS))
