"""What one instance is: its deterministic name, what it needs to start, and how it was last seen.

An id is derived (`endpoint.deployment.revision-ordinal`), never drawn: a start that is repeated
collides with itself instead of making a twin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from verdazul.model.errors import Problem

_ID = re.compile(r"(?P<endpoint>[^.]+)\.(?P<deployment>[^.]+)\.(?P<revision>[0-9a-f]+)-(?P<n>\d+)")


@dataclass(frozen=True, slots=True, order=True)
class InstanceId:
    """Names are stored as the deployment spells them; `revision` is lower-case hex."""

    endpoint: str
    deployment: str
    revision: str
    ordinal: int

    def __str__(self) -> str:
        return f"{self.endpoint}.{self.deployment}.{self.revision}-{self.ordinal}"

    @classmethod
    def parse(cls, text: str) -> InstanceId:
        """Raise ValueError when `text` is not an instance id."""
        match = _ID.fullmatch(text)
        if not match:
            raise ValueError(f"{text!r} is not an instance id (endpoint.deployment.revision-n)")
        return cls(match["endpoint"], match["deployment"], match["revision"], int(match["n"]))


class Phase(StrEnum):
    """Where an instance is in its life. Only READY instances are routed to."""

    STARTING = "starting"  # the process runs, no readiness probe has succeeded yet
    READY = "ready"
    UNREADY = "unready"  # was ready; the readiness probe has failed failure_threshold times
    DRAINING = "draining"  # told to go: not to be routed to, finishes what it holds
    STOPPING = "stopping"  # the process was told to end and has not ended yet
    EXITED = "exited"  # the process is gone; `exit` says how


LIVE = frozenset({Phase.STARTING, Phase.READY, Phase.UNREADY})
"""Phases of an instance that is meant to stay; the others are on their way out."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: `code` when it exited by itself, `signal` when it was killed."""

    code: int | None
    signal: int | None
    problem: Problem


@dataclass(frozen=True, slots=True)
class Instance:
    """One observed instance. Times are unix seconds.

    `attempt` counts consecutive starts of this id, 1 for the first. `ready_seconds` is how long it
    was ready before it exited (0.0: never was), which tells a crash loop from a one-off. `began` is
    when this start was.
    `address` is how the gateway reaches it: `unix:<path relative to home>` or `host:port`.
    """

    id: InstanceId
    phase: Phase
    address: str
    since: float
    attempt: int = 1
    pid: int | None = None
    ready_seconds: float = 0.0
    exit: Exit | None = None
    began: float | None = None

    def began_before(self, time: float) -> bool:
        """Whether this start is older than `time`; where unknown, `since` stands in."""
        return (self.since if self.began is None else self.began) < time


@dataclass(frozen=True, slots=True)
class Probe:
    """A liveness or readiness probe; delays and periods in seconds (Azure's defaults)."""

    path: str = "/"
    initial_delay: int = 10
    period: int = 10
    timeout: int = 2
    success_threshold: int = 1
    failure_threshold: int = 30


@dataclass(frozen=True, slots=True)
class Limits:
    """What an instance may use at most: cores (may be a fraction) and memory in bytes.

    What is `requested` is its share when instances want more than the machine has.
    """

    cpus: float
    memory_bytes: int
    requested_cpus: float | None = None
    requested_memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """All that a scoring-script instance needs to start. Paths are absolute.

    `variables` are the user's environment variables; the compute adapter adds its own
    (AZUREML_MODEL_DIR, AML_APP_ROOT, ...), and the user's win where both name one.
    """

    python: str
    serve_path: str  # appended to sys.path: holds verdazul_serve and what it needs
    code_dir: str
    scoring_script: str
    model_dir: str | None
    variables: tuple[tuple[str, str], ...]
    limits: Limits
    liveness: Probe
    readiness: Probe
    grace_seconds: float  # between SIGTERM and SIGKILL, for what is in flight
    is_isolated: bool = False  # reached by requests, it reaches nothing itself
