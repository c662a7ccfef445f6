"""One request and its answer, as the application sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from verdazul_serve import wire
from verdazul_serve.answers import Answer
from verdazul_serve.reading import Request


class Outlet(Protocol):
    """What an exchange needs of its connection."""

    def write_head(
        self, answer: Answer, framing: tuple[str, str] | None, request: Request, body: bytes
    ) -> None: ...

    def write(self, data: bytes) -> None: ...

    def finished(self, *, keep_alive: bool) -> None: ...

    def abort(self) -> None: ...


class Exchange:
    """One request and the right to answer it: `send`, or `begin`, `write`..., `end` (or `abort`).

    The application may set what is called when the client reads too slowly (`hold`) and again well
    (`release`), when it has left (`gone`), and when it will send no more (`withdraw`: true if the
    request had not been started and now will not be).
    """

    def __init__(self, request: Request, connection: Outlet) -> None:
        self.request = request
        self.gone: Callable[[], None] = lambda: None
        self.withdraw: Callable[[], bool] = lambda: False
        self.hold: Callable[[], None] = lambda: None
        self.release: Callable[[], None] = lambda: None
        self._connection: Outlet | None = connection
        self._chunked = False

    def send(self, answer: Answer) -> None:
        connection = self._take()
        if connection:
            body = b"" if self.request.method == "HEAD" else answer.body
            framing = ("content-length", str(len(answer.body)))
            connection.write_head(answer, framing, self.request, body)
            connection.finished(keep_alive=self.request.keep_alive)

    def begin(self, answer: Answer) -> None:
        self._chunked = self.request.http11
        if self._connection:
            framing = ("transfer-encoding", "chunked") if self._chunked else None
            self._connection.write_head(answer, framing, self.request, answer.body)

    def write(self, data: bytes) -> None:
        if self._connection:
            self._connection.write(wire.chunk(data) if self._chunked else data)

    def end(self) -> None:
        connection = self._take()
        if connection:
            connection.write(wire.LAST_CHUNK if self._chunked else b"")
            connection.finished(keep_alive=self._chunked and self.request.keep_alive)

    def abort(self) -> None:
        """Break the connection: the client must see that the answer is not whole."""
        connection = self._take()
        if connection:
            connection.abort()

    def lose(self) -> None:
        """The client is gone; called by the connection."""
        if self._take():
            self.gone()

    def _take(self) -> Outlet | None:
        connection, self._connection = self._connection, None
        return connection
