"""The scoring timeout: a TimeoutError raised inside run() by an alarm.

Interrupts sleeps and Python loops, not long C calls (WORKER_TIMEOUT ends those).
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """The result of `call`. Raises TimeoutError when it takes longer. Main thread only."""
    armed = True

    def expire(_number: int, _frame: object) -> None:
        if armed:  # an alarm that rings on the finish line must not hit what follows
            raise TimeoutError

    # Each time anew: the script may have taken SIGALRM for itself.
    signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return call()
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
