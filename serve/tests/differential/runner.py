"""Runs groups of cases against both servers, two groups at a time, and keeps what came back.

All that the session's tests will ask for is begun in the background at once, so that one group's
servers boot while another's answer; a test only waits for its own group.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

from serve.tests.differential import oracle, servers
from serve.tests.differential.client import ask
from serve.tests.differential.outcome import Outcome, outcome
from serve.tests.differential.servers import Original, Ours, Room, Started
from serve.tests.differential.sink import Sink
from serve.tests.differential.table import Boot, Group, World

_AT_A_TIME = 2
_SECONDS = 300.0

Answer = TypeVar("Answer")
Outcomes = dict[str, Outcome]


class Answers(NamedTuple):
    """What each server answered to each case of a group."""

    original: Outcomes
    ours: Outcomes


class Ended(NamedTuple):
    """How a server ended; no code: it serves."""

    code: int | None
    log: str


class Ends(NamedTuple):
    """How each server ended."""

    original: Ended
    ours: Ended


class Runner:
    """Owns the interpreters and the background threads."""

    def __init__(self, interpreters: oracle.Interpreters, template: Path) -> None:
        self._interpreters = interpreters
        self._template = template
        self._threads = ThreadPoolExecutor(_AT_A_TIME)
        self._groups: dict[str, Future[Answers]] = {}
        self._boots: dict[str, Future[Ends]] = {}

    def begin(self, things: Iterable[Group | Boot]) -> None:
        """Start what was not started yet."""
        for thing in things:
            if isinstance(thing, Group) and thing.name not in self._groups:
                self._groups[thing.name] = self._threads.submit(self._run, thing)
            if isinstance(thing, Boot) and thing.name not in self._boots:
                self._boots[thing.name] = self._threads.submit(self._boot, thing)

    def answers(self, group: Group) -> Answers:
        """Waits for the group's end."""
        self.begin([group])
        return self._groups[group.name].result(_SECONDS)

    def ends(self, boot: Boot) -> Ends:
        """Waits for both servers' end."""
        self.begin([boot])
        return self._boots[boot.name].result(_SECONDS)

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def _run(self, group: Group) -> Answers:
        return Answers(*_both(lambda is_ours: self._ask(group, is_ours=is_ours)))

    def _boot(self, boot: Boot) -> Ends:
        return Ends(*_both(lambda is_ours: self._await_end(boot.world, is_ours=is_ours)))

    def _ask(self, group: Group, *, is_ours: bool) -> Outcomes:
        with (
            Sink() as sink,
            self._room(group.world, sink=sink.port) as room,
            self._server(room, group.world, is_ours=is_ours) as (server, address),
        ):
            code = servers.await_start(server, address, room)
            assert code is None, f"it ended with {code}:\n{room.log}"
            return {
                case.name: outcome(case, ask(address, case.request), sink.take(case.posts))
                for case in group.cases
            }

    def _await_end(self, world: World, *, is_ours: bool) -> Ended:
        with (
            self._room(world, sink=0) as room,
            self._server(room, world, is_ours=is_ours) as (server, address),
        ):
            code = servers.await_start(server, address, room)
            return Ended(code, room.log)

    @contextlib.contextmanager
    def _room(self, world: World, *, sink: int) -> Iterator[Room]:
        with tempfile.TemporaryDirectory(prefix="vzd", ignore_cleanup_errors=True) as folder:
            yield Room(world, Path(folder), sink=sink)

    @contextlib.contextmanager
    def _server(
        self, room: Room, world: World, *, is_ours: bool
    ) -> Iterator[tuple[Started, tuple[str, int]]]:
        with servers.listen() as listener:
            address = listener.getsockname()
            server: Started
            if is_ours:
                beside = world.beside_original
                python = self._interpreters.original if beside else self._interpreters.ours
                server = Ours(python, room, listener)
            else:
                server = Original(self._template, room, listener)
        try:
            yield server, address
        finally:
            server.end()


@contextlib.contextmanager
def runner() -> Iterator[Runner]:
    """Prepares the interpreters when they are not there."""
    interpreters = oracle.prepare()
    with servers.template(interpreters) as template:
        made = Runner(interpreters, template)
        try:
            yield made
        finally:
            made.close()


def _both(act: Callable[[bool], Answer]) -> list[Answer]:
    """`act` for the original and for ours, side by side."""
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(act, (False, True)))
