"""The agent: takes posts of azureml-ai-monitoring and writes them to the spool, all or with a no.

The event loop reads and answers; one thread checks and writes. What comes in while it writes is its
next batch. 200 is said once the event is in its file, so what was answered so survives our end. The
package only logs other answers: 400 for what is no post of its kind, 429 when more comes in than is
written, 507 when nothing more can be kept; each is counted, and logged at most once a minute.
"""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from verdazul_serve.agent_connection import AgentConnection, Limits, Reply, Verdict
from verdazul_serve.cloud_events import BadPost, Event, Post, event
from verdazul_serve.logs import server as log
from verdazul_serve.settings import Settings
from verdazul_serve.spool import Spool

_MOST_WAITING = 1000
_QUIET_SECONDS = 60.0
_CLOSE_SECONDS = 5.0
_KEPT = Verdict(200, "kept")


@dataclass
class _Complaint:
    """What is said next about one kind of refusal, and how many were not said since."""

    at: float
    unsaid: int = 0


class Agent:
    """Open it once, close it once. `counters` are for /metrics."""

    def __init__(
        self,
        spool: Spool,
        settings: Settings,
        *,
        source: str,
        clock: Callable[[], float] = time.time,  # noqa: TID251  # an hour's file is of the wall clock
    ) -> None:
        names = ("received", "spooled", "dropped", "dropped_bytes", "refused")
        self.counters = dict.fromkeys(names, 0)
        self._spool = spool
        self._source = source
        self._clock = clock
        self._limits = Limits(
            max_body_bytes=settings.max_body_bytes,
            max_header_bytes=settings.max_header_bytes,
            idle_seconds=settings.idle_timeout_seconds,
        )
        self._waiting: list[tuple[Post, Reply]] = []
        self._is_writing = False
        self._writer = ThreadPoolExecutor(1, "verdazul-spool")
        self._connections: set[AgentConnection] = set()
        self._held = 0
        self._complaints: dict[int, _Complaint] = {}

    async def open(self, listener: socket.socket) -> None:
        self._idle = asyncio.Event()
        self._idle.set()
        self._loop = asyncio.get_running_loop()
        self._listening = await self._loop.create_server(self._accept, sock=listener)

    async def close(self, *, seconds: float = _CLOSE_SECONDS) -> None:
        """Keep what was sent so far: call it when the workers are gone."""
        await self._accept_rest()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)
        late, self._waiting = self._waiting, []
        for _, reply in late:
            reply(Verdict(507, "the server ends before this could be written"))
        for connection in tuple(self._connections):
            connection.abort()
        await self._loop.run_in_executor(None, self._writer.shutdown)

    def hold(self, size: int) -> bool:
        """Room in memory for so much of a body, given back with a negative size."""
        if size > 0 and self._held + size > 2 * self._limits.max_body_bytes:
            return False
        self._held += size
        return True

    def joined(self, connection: AgentConnection) -> None:
        self._connections.add(connection)
        self._idle.clear()

    def left(self, connection: AgentConnection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._idle.set()

    def take(self, post: Post, reply: Reply) -> None:
        """`reply` is called once, later, with what became of it."""
        self.counters["received"] += 1
        if len(self._waiting) >= _MOST_WAITING:
            reply(Verdict(429, f"{_MOST_WAITING} posts wait to be written; this one is lost"))
            return
        self._waiting.append((post, reply))
        if not self._is_writing:
            self._write()

    def refused(self, verdict: Verdict) -> None:
        """Count it, and log it unless its like was logged within the minute."""
        self.counters["refused"] += 1
        now = self._loop.time()
        complaint = self._complaints.setdefault(verdict.status, _Complaint(now))
        if now < complaint.at:
            complaint.unsaid += 1
            return
        text = "data collection: refused a post: %d %s (and %d like it before)"
        log.error(text, verdict.status, verdict.message, complaint.unsaid)
        self._complaints[verdict.status] = _Complaint(now + _QUIET_SECONDS)

    def _accept(self) -> AgentConnection:
        return AgentConnection(self, self._limits)

    async def _accept_rest(self) -> None:
        """Posts that were sent before we stopped listening, by processes that may be gone."""
        for listener in self._listening.sockets:
            own = listener.dup()
            self._listening.close()
            with own, suppress(BlockingIOError):
                own.setblocking(False)  # noqa: FBT003
                while True:
                    client, _ = own.accept()
                    await self._loop.connect_accepted_socket(self._accept, client)

    def _write(self) -> None:
        batch, self._waiting = self._waiting, []
        self._is_writing = True
        writing = self._loop.run_in_executor(self._writer, self._store, [post for post, _ in batch])
        writing.add_done_callback(lambda done: self._written(batch, done))

    def _written(
        self, batch: Sequence[tuple[Post, Reply]], done: asyncio.Future[list[Verdict]]
    ) -> None:
        error = done.exception()
        verdicts = _broken(error, len(batch)) if error else done.result()
        self.counters["spooled"] += verdicts.count(_KEPT)
        self.counters["dropped"] = self._spool.dropped.events
        self.counters["dropped_bytes"] = self._spool.dropped.size
        for (_, reply), verdict in zip(batch, verdicts):
            reply(verdict)
        self._is_writing = False
        if self._waiting:
            self._write()

    def _store(self, posts: Sequence[Post]) -> list[Verdict]:
        """In the writer's thread."""
        return Batch(self._spool, self._source, self._clock()).store(posts)


def _broken(error: BaseException, number: int) -> list[Verdict]:
    """A mistake of ours: say so, go on."""
    log.error("data collection: %r", error, exc_info=error)
    return [Verdict(500, f"it cannot be kept: {error!r}")] * number


class Batch:
    """Posts of one moment, written together by collection."""

    def __init__(self, spool: Spool, source: str, now: float) -> None:
        self._spool = spool
        self._source = source
        self._now = now
        self._hour = time.strftime("%Y/%m/%d/%H", time.gmtime(now))

    def store(self, posts: Sequence[Post]) -> list[Verdict]:
        verdicts = [_KEPT] * len(posts)
        collections: dict[str, dict[int, Event]] = {}
        for index, post in enumerate(posts):
            made = self._event(post)
            if isinstance(made, Verdict):
                verdicts[index] = made
            else:
                collections.setdefault(made.collection, {})[index] = made
        for events in collections.values():
            self._write(events, verdicts)
        return verdicts

    def _event(self, post: Post) -> Event | Verdict:
        try:
            return event(post, source=self._source, now=self._now, number=str(uuid.uuid4()))
        except BadPost as bad:
            return Verdict(400, str(bad))

    def _write(self, events: dict[int, Event], verdicts: list[Verdict]) -> None:
        """All at once; where that fails, one by one until there is no more room."""
        try:
            self._spool.write(tuple(events.values()), hour=self._hour)
        except OSError as error:
            kept = list(self._kept_singly(events)) if len(events) > 1 else []
            for index in events:
                if index not in kept:
                    verdicts[index] = Verdict(507, f"it cannot be kept: {error}")

    def _kept_singly(self, events: dict[int, Event]) -> Iterator[int]:
        with suppress(OSError):
            for index, single in events.items():
                self._spool.write((single,), hour=self._hour)
                yield index
