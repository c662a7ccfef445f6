"""What happened to an endpoint, one line each, with its why.

Events are for people; no code reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much an event matters."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Event:
    """`reason` is one CamelCase word that scripts may match; `message` is a sentence."""

    time: float
    endpoint: str
    deployment: str
    severity: Severity
    reason: str
    message: str
