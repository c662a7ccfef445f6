"""One request and its answer, as the parent's application sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from verdazul_serve.answers import Answer
from verdazul_serve.reading import Request

if TYPE_CHECKING:
    from verdazul_serve.connection import Connection


class Exchange:
    """One request and the right to answer it: by `send`, or by lending the connection to a worker.

    The application may set what is called when the client leaves before that (`gone`).
    """

    def __init__(self, request: Request, connection: Connection, arrived: float) -> None:
        self.request = request
        self.arrived = arrived  # monotonic seconds
        self.connection = connection
        self.gone: Callable[[], None] = lambda: None
        self._is_open = True

    def send(self, answer: Answer) -> None:
        if self._take():
            self.connection.answer(answer, self.request)

    def lose(self) -> None:
        """The client is gone; called by the connection."""
        if self._take():
            self.gone()

    def _take(self) -> bool:
        was_open, self._is_open = self._is_open, False
        return was_open
