"""The routes, in the parent: `/score` goes to a worker, everything else is answered here, at once.

So probes answer however busy the workers are. What is answered here is logged here.
"""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Mapping
from urllib.parse import unquote

from verdazul_serve import logs, metrics, swagger
from verdazul_serve.answers import RUN_FAILED, Answer, error
from verdazul_serve.board import Boards
from verdazul_serve.desk import NO_WORKER, QUEUE_WAIT, SCORE_PATH
from verdazul_serve.exchange import Exchange
from verdazul_serve.ids import Pairs, TooLong, marks, response_ids
from verdazul_serve.inputs import split_target
from verdazul_serve.orders import TIME_LEFT
from verdazul_serve.pool import Pool
from verdazul_serve.reading import Request
from verdazul_serve.replies import Replies
from verdazul_serve.settings import Settings

BUSY = "x-verdazul-busy-workers"
_SLASHES = re.compile("//+")
_NEVER = float("inf")
_TOO_MANY_DIGITS = 10  # over a month
_HTML = ("content-type", "text/html; charset=utf-8")
_DID_NOT_FAIL = (RUN_FAILED, "False")
_NOT_FOUND = (
    "The requested URL was not found on the server."
    " If you entered the URL manually please check your spelling and try again."
)
_NOT_ALLOWED = "The method is not allowed for the requested URL."


class App:
    """Called with each exchange; answers it now or has a worker do so."""

    def __init__(self, pool: Pool, boards: Boards, settings: Settings) -> None:
        self._pool = pool
        self._boards = boards
        self._replies = Replies(settings)
        self._has_metrics = settings.metrics
        self.log = logs.AccessLog(_Stdout())
        self.answered = [0] * 6  # what is answered to /score here, by status // 100
        self.extra: Mapping[str, int] = {}  # figures of the data collection agent
        self.is_stopping = False

    def __call__(self, exchange: Exchange) -> None:
        request = exchange.request
        path = _SLASHES.sub("/", unquote(split_target(request.target)[0], "latin-1"))
        try:
            reply = Reply(self, exchange, response_ids(request), path)
        except TooLong as long:
            Reply(self, exchange, long.ids, path).send(error(431, str(long)))
            return
        if path == SCORE_PATH:
            self._score(reply)
        elif path == "/":
            reply.send(self._health(request))
        elif path == "/swagger.json":
            reply.send(self._swagger(request))
        elif path == "/metrics" and self._has_metrics:
            reply.send(self._metrics(request))
        else:
            reply.send(error(404, _NOT_FOUND))

    def complete(self, answer: Answer, request: Request, ids: Pairs) -> Answer:
        return self._replies.complete(answer, request, ids)

    def no_worker(self) -> str:
        size, waiting = self._pool.size, self._pool.lending.waiting
        return f"No worker was free in time ({size} running, {waiting} more requests waiting)."

    def _health(self, request: Request) -> Answer:  # noqa: PLR0911  # each line a reason
        if request.method == "OPTIONS":
            return Answer(200, (_HTML, ("allow", "GET, OPTIONS, HEAD")), b"")
        if request.method not in {"GET", "HEAD"}:
            return _not_allowed("GET, OPTIONS, HEAD")
        if self.is_stopping:
            return error(503, "stopping")
        if self._pool.problem and not self._pool.ready:
            return error(503, str(self._pool.problem))
        if not self._pool.has_booted:
            return error(503, "starting")
        if not self._pool.ready:
            return error(503, "every worker has died; they are being replaced")
        busy = (BUSY, f"{self._pool.busy} of {self._pool.size}")
        return Answer(200, (_HTML, busy), b"Healthy")

    def _swagger(self, request: Request) -> Answer:
        if request.method == "OPTIONS":
            return Answer(200, (_HTML, ("allow", "GET, OPTIONS, HEAD")), b"")
        if request.method not in {"GET", "HEAD"}:
            return _not_allowed("GET, OPTIONS, HEAD")
        if not self._pool.has_booted:
            return error(503, "starting")
        version = swagger.requested_version(request.target)
        return swagger.lookup(self._pool.traits.swagger, version)

    def _metrics(self, request: Request) -> Answer:
        if request.method not in {"GET", "HEAD"}:
            return _not_allowed("GET, HEAD")
        pool = self._pool
        gauges = {
            "workers": pool.size,
            "workers_ready": pool.ready,
            "workers_busy": pool.busy,
            "requests_waiting": pool.lending.waiting,
            "worker_restarts_total": pool.restarts,
            **{f"collector_{name}_total": number for name, number in self.extra.items()},
        }
        boards = [self._boards[number] for number in range(len(self._boards))]
        return metrics.render(boards, gauges, answered=self.answered)

    def _score(self, reply: Reply) -> None:
        method, is_raw = reply.exchange.request.method, self._pool.traits.is_raw
        if method in {"GET", "POST"} or (is_raw and method in {"OPTIONS", "HEAD"}):
            self._run(reply)
        elif method == "OPTIONS":
            reply.send(Answer(200, (_HTML, _DID_NOT_FAIL), b""))
        elif method == "HEAD":
            reply.send(error(405, "Method not allowed"))
        else:
            reply.send(_not_allowed("GET, OPTIONS, POST"))

    def _run(self, reply: Reply) -> None:
        exchange = reply.exchange
        text = exchange.request.header(QUEUE_WAIT.decode())
        if text is not None and not (text.isdecimal() and len(text) < _TOO_MANY_DIGITS):
            message = (
                f"{QUEUE_WAIT.decode()} is {text!r}; it must be a whole number of milliseconds"
            )
            reply.send(error(400, message))
            return
        if self._pool.problem and not self._pool.ready:
            reply.send(error(503, str(self._pool.problem)))
            return
        caller = Waiting(self, reply, _NEVER if text is None else int(text) / 1000)
        exchange.gone = lambda: self._pool.lending.withdraw(caller)
        self._pool.lending.submit(caller)


class Reply:
    """The rest of one exchange that is answered here, its log line, its place in the figures."""

    def __init__(self, app: App, exchange: Exchange, ids: Pairs, path: str) -> None:
        self.exchange = exchange
        self._app = app
        self._ids = ids
        self._path = path

    def send(self, answer: Answer) -> None:
        request = self.exchange.request
        self.exchange.send(self._app.complete(answer, request, self._ids))
        if self._path == SCORE_PATH:
            self._app.answered[answer.status // 100] += 1
        if self._path != "/":
            own, trace_id = marks(request, self._ids)
            self._app.log.write(
                request.method,
                request.target,
                answer.status,
                time.monotonic() - self.exchange.arrived,
                str(len(answer.body)),
                request_id=own,
                trace_id=trace_id,
            )


class Waiting:
    """A request on its way to a worker (a `lending.Caller`)."""

    def __init__(self, app: App, reply: Reply, most_seconds: float) -> None:
        self.exchange = reply.exchange
        self._app = app
        self._reply = reply
        left = _milliseconds(reply.exchange.request.header(TIME_LEFT.decode()))
        self._is_impatient = left < most_seconds
        self.expires = reply.exchange.arrived + min(most_seconds, left)

    def expired(self) -> None:
        if self._is_impatient:
            self._reply.send(error(408, f"The caller's time was up. {self._app.no_worker()}"))
            return
        answer = error(429, self._app.no_worker())
        self._reply.send(Answer(429, (*answer.headers, NO_WORKER), answer.body))

    def refused(self, why: str) -> None:
        self._reply.send(error(503, why))

    def lost(self, why: str, exchange: Exchange) -> None:
        reply = self._reply
        if exchange is not self.exchange:
            reply = Reply(self._app, exchange, response_ids(exchange.request), SCORE_PATH)
        message = f"The worker process died while it ran this request: {why}."
        reply.send(error(500, message, run_failed=True))


class _Stdout:
    """Lines of the parent are few: each is written at once."""

    def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # a log that cannot be written stops nothing
            sys.stdout.write(data.decode())


def _milliseconds(text: str | None) -> float:
    is_number = text is not None and text.isdecimal() and len(text) < _TOO_MANY_DIGITS
    return int(text or 0) / 1000 if is_number and int(text or 0) else _NEVER


def _not_allowed(allowed: str) -> Answer:
    answer = error(405, _NOT_ALLOWED)
    return Answer(405, (*answer.headers, ("allow", allowed)), answer.body)
