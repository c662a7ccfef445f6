"""What is true of an endpoint or deployment right now, said so that people and scripts can read it.

Status is derived and written by the control loop only; it never lives in a spec. A status speaks
for one generation (`observed_generation`): an older one means "not looked at yet".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from verdazul.model.errors import Problem


class ProvisioningState(StrEnum):
    """Azure's words for where the last operation on a resource stands."""

    CREATING = "Creating"
    UPDATING = "Updating"
    DELETING = "Deleting"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


class Truth(StrEnum):
    """A claim's standing: unknown is not false."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """One claim about a resource, with the reason it holds or not. `since` is unix seconds."""

    type: str
    truth: Truth
    reason: str
    message: str
    since: float
    observed_generation: int


@dataclass(frozen=True, slots=True)
class Status:
    """The outcome of the last operation, and what holds now.

    `problem` is set while `state` is FAILED.
    """

    state: ProvisioningState
    observed_generation: int
    problem: Problem | None = None
    conditions: tuple[Condition, ...] = ()
    ready_instances: int = 0
