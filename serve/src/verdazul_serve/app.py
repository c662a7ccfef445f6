"""The routes: `/` is answered here and at once, `/score` by a worker, the rest is an error.

Runs in the parent, so probes answer however busy the workers are. Adds what every response
carries: request ids and the server's version; and writes the one log line per request.
"""

from __future__ import annotations

import time
from urllib.parse import unquote

from verdazul_serve import __version__, frames
from verdazul_serve.answers import RUN_FAILED, Answer, error
from verdazul_serve.exchange import Exchange
from verdazul_serve.frames import Kind
from verdazul_serve.ids import TooLong, response_ids
from verdazul_serve.logs import server as log
from verdazul_serve.pool import Pool
from verdazul_serve.reading import Request

QUEUE_WAIT = "x-verdazul-max-queue-wait-ms"
_VERSION = ("x-ms-server-version", f"verdazul-serve/{__version__}")
_TOO_MANY_DIGITS = 10  # over a month
_HTML = ("content-type", "text/html; charset=utf-8")
_NOT_FOUND = (
    "The requested URL was not found on the server."
    " If you entered the URL manually please check your spelling and try again."
)
_NOT_ALLOWED = "The method is not allowed for the requested URL."


class App:
    """Called with each exchange; answers it now or has a worker do so."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.is_stopping = False

    def __call__(self, exchange: Exchange) -> None:
        request = exchange.request
        path, query = split_target(request.target)
        is_logged = path != "/"  # probes would drown the rest
        try:
            reply = Reply(exchange, response_ids(request), is_logged=is_logged)
        except TooLong as reason:
            Reply(exchange, reason.ids, is_logged=is_logged).send(error(431, str(reason)))
            return
        if path == "/score":
            self._score(reply, query)
        elif path == "/":
            reply.send(self._health(request))
        else:
            reply.send(error(404, _NOT_FOUND))

    def _health(self, request: Request) -> Answer:
        if request.method == "OPTIONS":
            return Answer(200, (_HTML, ("allow", "GET, OPTIONS, HEAD")), b"")
        if request.method not in {"GET", "HEAD"}:
            return _not_allowed("GET, OPTIONS, HEAD")
        if self.is_stopping:
            return error(503, "stopping")
        if not self._pool.has_booted:
            return error(503, "starting")
        if not self._pool.ready:
            return error(503, "every worker has died; they are being replaced")
        return Answer(200, (_HTML,), b"Healthy")

    def _score(self, reply: Reply, query: str) -> None:
        request = reply.exchange.request
        if request.method == "OPTIONS":
            reply.send(Answer(200, (_HTML, (RUN_FAILED, "False")), b""))
        elif request.method == "HEAD":
            reply.send(error(405, "Method not allowed"))
        elif request.method not in {"GET", "POST"}:
            reply.send(_not_allowed("GET, OPTIONS, POST"))
        else:
            self._run(reply, query)

    def _run(self, reply: Reply, query: str) -> None:
        text = reply.exchange.request.header(QUEUE_WAIT)
        if text is not None and not (text.isdecimal() and len(text) < _TOO_MANY_DIGITS):
            message = f"{QUEUE_WAIT} is {text!r}; it must be a whole number of milliseconds"
            reply.send(error(400, message))
            return
        call = ScoreCall(reply, query, self._pool)
        self._pool.submit(call, max_wait_ms=None if text is None else int(text))


class Reply:
    """The rest of one exchange: what every response carries, and the log line."""

    def __init__(
        self, exchange: Exchange, ids: tuple[tuple[str, str], ...], *, is_logged: bool
    ) -> None:
        self.exchange = exchange
        self._ids = ids
        self._is_logged = is_logged
        self._started = time.perf_counter()

    def send(self, answer: Answer) -> None:
        self.exchange.send(self._complete(answer))
        self.log(answer.status, str(len(answer.body)))

    def begin(self, head: Answer) -> None:
        self.exchange.begin(self._complete(head))

    def log(self, status: int, length: str) -> None:
        if self._is_logged:
            request, spent = self.exchange.request, time.perf_counter() - self._started
            target = request.target.encode("unicode_escape").decode("ascii")
            log.info("%s %s %d %.3fms %s", request.method, target, status, spent * 1000, length)

    def _complete(self, answer: Answer) -> Answer:
        return Answer(answer.status, (*answer.headers, _VERSION, *self._ids), answer.body)


class ScoreCall:
    """One run() on its way through the pool (a `link.Call`)."""

    def __init__(self, reply: Reply, query: str, pool: Pool) -> None:
        exchange = reply.exchange
        request = exchange.request
        headers = [pair for pair in request.headers if pair[0] != QUEUE_WAIT]
        meta = {"method": request.method, "query": query, "headers": headers}
        self.pieces = frames.encode(Kind.SCORE, meta, request.body)
        self._reply = reply
        self._pool = pool
        self._stream_status: int | None = None
        exchange.withdraw = lambda: pool.withdraw(self)
        exchange.gone = self._gone
        exchange.hold = lambda: pool.hold_stream(self, is_held=True)
        exchange.release = lambda: pool.hold_stream(self, is_held=False)

    def answer(self, answer: Answer) -> None:
        self._reply.send(answer)

    def begin(self, head: Answer) -> None:
        self._stream_status = head.status
        self._reply.begin(head)

    def chunk(self, data: bytes) -> None:
        self._reply.exchange.write(data)

    def end(self) -> None:
        self._reply.exchange.end()
        self._reply.log(self._stream_status or 0, "N/A")

    def broken(self) -> None:
        self._reply.exchange.abort()
        self._reply.log(self._stream_status or 0, "N/A")

    def lost(self, why: str) -> None:
        if self._stream_status is not None:
            self.broken()
            return
        message = f"The worker process died while it ran this request: {why}."
        self._reply.send(error(500, message, run_failed=True))

    def expired(self) -> None:
        size, waiting = self._pool.size, self._pool.waiting
        message = f"No worker was free in time ({size} running, {waiting} more requests waiting)."
        answer = error(429, message)
        reason = ("ms-azureml-model-error-reason", "too_many_pending_request")
        self._reply.send(Answer(429, (*answer.headers, reason), answer.body))

    def _gone(self) -> None:
        withdrawn = self._pool.withdraw(self)
        if not withdrawn and self._stream_status is not None:
            self._pool.cancel_stream(self)


def split_target(target: str) -> tuple[str, str]:
    """Path (decoded) and query of `/score?a=1`, or of the absolute form proxies send."""
    if not target.startswith("/"):
        _, _, rest = target.partition("://")
        target = "/" + rest.partition("/")[2] if rest else target
    path, _, query = target.partition("?")
    return unquote(path), query


def _not_allowed(allowed: str) -> Answer:
    answer = error(405, _NOT_ALLOWED)
    return Answer(405, (*answer.headers, ("allow", allowed)), answer.body)
