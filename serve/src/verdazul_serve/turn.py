"""Whose turn it is to touch a worker's connections: a token that lies in a pipe, or does not.

A worker has the turn. It lays it down before it calls run() and takes it up again afterwards. While
it lies there the parent may take it, and so knows that the worker cannot be reading from, or
accepting, any connection: it moves what it wants and lays the turn down again. Two system calls a
request; no lock that a dying process could keep, since the parent replaces dead workers' pipes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from verdazul_serve import polling
from verdazul_serve.messages import LinkLost

_TOKEN = b"t"


class Turn:
    """Both ends of one non-blocking pipe. It starts empty: the worker has the turn."""

    def __init__(self, ends: tuple[int, int] | None = None) -> None:
        self.ends = ends or os.pipe()
        self._read_end, self._write_end = self.ends
        for end in self.ends:
            os.set_blocking(end, False)

    def lay_down(self) -> None:
        """The worker enters run()."""
        try:
            os.write(self._write_end, _TOKEN)
        except OSError as error:  # a script that closes what it does not own
            raise LinkLost from error

    def take_up(self) -> None:
        """The worker comes back; waits while the parent has the turn (microseconds)."""
        try:
            while True:
                try:
                    os.read(self._read_end, 1)
                except BlockingIOError:  # noqa: PERF203  # rare
                    polling.readable(self._read_end)
                else:
                    return
        except OSError as error:
            raise LinkLost from error

    @contextmanager
    def borrowed(self) -> Iterator[bool]:
        """For the parent: true inside when the worker is in run() and cannot leave it."""
        has_it = self._take()
        try:
            yield has_it
        finally:
            if has_it:
                self.lay_down()

    def close(self) -> None:
        for end in self.ends:
            os.close(end)

    def _take(self) -> bool:
        try:
            return bool(os.read(self._read_end, 1))
        except BlockingIOError:
            return False
        except OSError as error:
            raise LinkLost from error
