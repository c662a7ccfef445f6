"""Waiting for what a PUT, DELETE or regenerateKeys began.

An accepted request is only a promise; its operation says whether it was kept. The server may
restart meanwhile: the operation survives, so a lost connection is borne for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from verdazul.client.connection import Connection, problem_of
from verdazul.model.errors import Problem, Retryable, VerdazulError

_QUICK_SECONDS = 5.0  # small changes are done by then: look often, so that nobody waits
_QUICK_PAUSE = 0.2
_LONGEST_PAUSE = 30.0
_SILENCE_SECONDS = 60.0  # how long a restarting server may be away


class NotReady(VerdazulError):
    """The request was accepted, but its goal was not reached: it failed, or not in time."""

    default_code = "ResourceNotReady"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, and by which clock."""

    timeout_seconds: float = 1800.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def wait(
    connection: Connection,
    url: str,
    *,
    patience: Patience,
    on_progress: Callable[[str], None],
) -> None:
    """Return when the operation succeeded. Raises NotReady, or Retryable when contact was lost."""
    started = patience.clock()
    watch = _Watch(connection, url, patience, on_progress)
    while True:
        state = watch.look()
        status = str(state.get("status", ""))
        if status.lower() == "succeeded":
            return
        if status.lower() in {"failed", "canceled"}:
            raise NotReady.of(_cause(state, status))
        elapsed = patience.clock() - started
        if elapsed >= patience.timeout_seconds:
            raise _too_late(patience.timeout_seconds)
        pause = _QUICK_PAUSE if elapsed < _QUICK_SECONDS else watch.asked_pause
        patience.sleep(min(pause, patience.timeout_seconds - elapsed))


class _Watch:
    """Looks at one operation; tells each progress message once."""

    def __init__(
        self,
        connection: Connection,
        url: str,
        patience: Patience,
        on_progress: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._url = url
        self._patience = patience
        self._on_progress = on_progress
        self._told: set[tuple[str, str]] = set()
        self._last_contact = patience.clock()
        self.asked_pause = 1.0
        self._is_silent = False

    def look(self) -> Mapping[str, Any]:
        try:
            answer = self._connection.follow(self._url)
        except Retryable:
            if self._patience.clock() - self._last_contact > _SILENCE_SECONDS:
                raise
            self._tell_of_silence()
            return {}
        self._last_contact = self._patience.clock()
        self._is_silent = False
        self.asked_pause = _pause(answer.headers.get("retry-after", ""))
        state: Mapping[str, Any] = answer.body if isinstance(answer.body, dict) else {}
        self._tell((state.get("properties") or {}).get("progress") or ())
        return state

    def _tell_of_silence(self) -> None:
        if not self._is_silent:
            self._is_silent = True
            self._on_progress(
                f"the control plane does not answer; trying for {_SILENCE_SECONDS:.0f} s "
                "(what it has accepted is not lost)"
            )

    def _tell(self, progress: Iterable[Mapping[str, Any]]) -> None:
        for entry in progress:
            key = (str(entry.get("time")), str(entry.get("message")))
            if key not in self._told:
                self._told.add(key)
                self._on_progress(key[1])


def _pause(retry_after: str) -> float:
    try:
        return min(max(float(retry_after), _QUICK_PAUSE), _LONGEST_PAUSE)
    except ValueError:
        return 1.0


def _cause(state: Mapping[str, Any], status: str) -> Problem:
    plain = Problem("OperationFailed", f"the operation ended as {status}; the server gave no cause")
    return problem_of(state.get("error"), otherwise=plain)


def _too_late(seconds: float) -> NotReady:
    return NotReady(
        f"not ready after {seconds:g} s; the server goes on working at it",
        code="NotReadyInTime",
        fix="wait longer with --timeout SECONDS, or look later with `show`",
    )
