"""One request on its way through a worker: what is to be answered where, and how that went."""

from __future__ import annotations

import socket
from typing import NamedTuple

from verdazul_serve import context
from verdazul_serve.ids import Pairs
from verdazul_serve.reading import Request

TIME_LEFT = b"x-envoy-expected-rq-timeout-ms"  # Envoy tells how long it will wait
NO_LIMIT = float("inf")
_MOST_DIGITS = 9  # over a month of milliseconds


class Order:
    """One request to be answered on a socket.

    `close`: the connection ends with it; `is_last`: no other is known to follow; `due`: when its
    caller stops waiting; `is_unwanted`: it has stopped already.
    """

    __slots__ = (
        "arrived",
        "close",
        "due",
        "ids",
        "is_last",
        "is_unwanted",
        "marks",
        "request",
        "slot",
        "sock",
        "started",
    )

    def __init__(
        self,
        request: Request,
        sock: socket.socket,
        slot: int,
        *,
        arrived: float,
        close: bool,
        is_last: bool = True,
    ) -> None:
        self.request = request
        self.sock = sock
        self.slot = slot
        self.arrived = arrived
        self.close = close
        self.is_last = is_last
        self.is_unwanted = False
        self.ids: Pairs = ()
        self.marks = context.NOTHING
        self.started = arrived
        left = request.fields.get(TIME_LEFT)
        self.due = NO_LIMIT if left is None else arrived + _seconds(left)


class Done(NamedTuple):
    """`unsent` bytes did not fit the socket; `is_broken`: the client must see that it broke."""

    keep: bool
    unsent: bytes = b""
    is_broken: bool = False


def _seconds(milliseconds: bytes) -> float:
    """0 and nonsense mean no limit."""
    is_number = milliseconds.isdigit() and len(milliseconds) <= _MOST_DIGITS
    return (int(milliseconds) / 1000 if is_number else 0.0) or NO_LIMIT
