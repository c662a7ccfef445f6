"""The real clock: the only place that asks the system for the time."""

from __future__ import annotations

import time


class SystemClock:
    """Unix seconds from the operating system."""

    def now(self) -> float:
        """Return the current time."""
        return time.time()  # noqa: TID251 - this is the adapter
