"""Where a worker tells Application Insights something: what is told, and when.

The exporter has threads, so it is opened in each worker after the fork; what init() prints before
is kept until then. Without Application Insights nothing of this costs more than a question.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from verdazul_serve import context
from verdazul_serve.answers import Answer, Stream
from verdazul_serve.ids import Pairs
from verdazul_serve.reading import Request
from verdazul_serve.settings import Settings

if TYPE_CHECKING:
    from verdazul_serve.telemetry import Telemetry

_MOST_KEPT = 1000  # printed lines


class Insights(logging.Handler):
    """One worker's; `open` returns whether there is anybody to tell."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._telemetry: Telemetry | None = None
        self._printed: list[str] = []
        if settings.app_insights_enabled:
            logging.getLogger("azmlinfsrv.print").addHandler(self)

    def open(self) -> bool:
        if not self._settings.app_insights_enabled:
            return False
        from verdazul_serve.telemetry import open_telemetry

        self._telemetry = open_telemetry(self._settings)
        printed, self._printed = self._printed, []
        if self._telemetry is None:
            return False
        for text in printed:
            self._telemetry.printed(text)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Something was printed."""
        if self._telemetry:
            self._telemetry.printed(record.getMessage())
        elif len(self._printed) < _MOST_KEPT:
            self._printed.append(record.getMessage())

    def answered(
        self, request: Request, answer: Answer | Stream, ids: Pairs, *, seconds: float
    ) -> None:
        if self._telemetry is None:
            return
        named = dict(ids)
        head = answer.head if isinstance(answer, Stream) else answer
        body = None if isinstance(answer, Stream) else answer.body
        wall = time.time() - seconds  # noqa: TID251  # a wall clock time is asked for
        self._telemetry.requested(
            request, head.status, body, started=wall, seconds=seconds, ids=named
        )
        if self._settings.model_dc_storage_enabled and body is not None:
            given = request.body.decode("utf-8", "replace")
            self._telemetry.collected(
                given,
                body.decode("utf-8", "replace"),
                named,
                traceparent=request.header("traceparent"),
            )

    def failed(self, reason: BaseException) -> None:
        """run() raised or took too long."""
        if self._telemetry:
            self._telemetry.failed(reason, {"x-request-id": context.current()[0]})

    def init_failed(self, reason: BaseException) -> None:
        """The process is about to end, and opens the line just for this."""
        if self.open() and self._telemetry:
            self._telemetry.failed(reason, {})
            self.close()

    def close(self) -> None:
        """Send the rest."""
        if self._telemetry:
            self._telemetry.close()
            self._telemetry = None
        super().close()
