"""What is sent back, before request ids and connection headers are added."""

from __future__ import annotations

import json
from dataclasses import dataclass

JSON = ("content-type", "application/json")
RUN_FAILED = "x-ms-run-function-failed"


@dataclass(frozen=True)
class Answer:
    """Status, headers in order, body. Content-Length, Date and Connection are the connection's."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def error(status: int, message: str, *, run_failed: bool = False) -> Answer:
    """Every error is JSON with one message."""
    failed = (RUN_FAILED, str(run_failed))
    return Answer(status, (JSON, failed), json.dumps({"message": message}).encode())
