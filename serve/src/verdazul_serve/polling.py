"""Waiting for one descriptor, without select's limit of 1024 descriptors."""

from __future__ import annotations

import select


def readable(descriptor: int, seconds: float | None = None) -> bool:
    """Also true at the end and on errors; None waits for ever."""
    return _wait(descriptor, select.POLLIN, seconds)


def writable(descriptor: int, seconds: float | None = None) -> bool:
    """Also true on errors; None waits for ever."""
    return _wait(descriptor, select.POLLOUT, seconds)


def _wait(descriptor: int, event: int, seconds: float | None) -> bool:
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(None if seconds is None else seconds * 1000))
