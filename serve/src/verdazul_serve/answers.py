"""What is sent back, before request ids and connection headers are added."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import NamedTuple

JSON = ("content-type", "application/json")
RUN_FAILED = "x-ms-run-function-failed"
INTERNAL = "An unexpected internal error occurred. Check the logs for more info."


class Answer(NamedTuple):
    """Status, headers in order, body. Content-Length, Date and Connection are the connection's."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class Stream:
    """An answer whose body comes item by item; `length` is its size where the script knows it.

    `items` must be closed (close or aclose) unless they were read to their end or failed.
    """

    head: Answer
    items: Iterator[bytes] | AsyncIterator[bytes]
    length: int | None = None


def error(status: int, message: str, *, run_failed: bool = False) -> Answer:
    """Every error is JSON with one message."""
    failed = (RUN_FAILED, str(run_failed))
    return Answer(status, (JSON, failed), json.dumps({"message": message}).encode())
