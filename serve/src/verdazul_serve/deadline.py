"""Breaking off a call of run(): the parent decides when, a signal does it, this says how.

The parent writes the number of the call it means on the worker's board and sends BREAK_SIGNAL. The
handler runs between two bytecodes of the main thread and raises: that interrupts sleeps and Python
loops, not long C calls (WORKER_TIMEOUT ends those). No timer is set for each request, and SIGALRM
with its timer stays the script's own.
"""

from __future__ import annotations

import signal
import time

from verdazul_serve.board import At, Board

BREAK_SIGNAL = signal.SIGRTMIN + 6  # no library known to us uses it


class CallerLeft(BaseException):
    """Nobody waits for the answer. Not an Exception: `except Exception` in a script is no help."""


class Breaker:
    """Set `is_armed` while run() runs and at no other time."""

    def __init__(self, board: Board) -> None:
        self.is_armed = False
        self._numbers = board.numbers

    def install(self) -> None:
        """In the main thread of a worker."""
        signal.signal(BREAK_SIGNAL, self._break)

    def _break(self, _number: int, _frame: object) -> None:
        numbers = self._numbers
        if not self.is_armed or numbers[At.STOP] != numbers[At.RUNS]:
            return  # it came too late: that call is over
        self.is_armed = False
        if time.monotonic() >= numbers[At.LIMIT] > 0:
            raise TimeoutError
        raise CallerLeft
