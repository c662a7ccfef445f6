"""The parent's end of one worker process, and what it is asked to do.

Deaths are learnt from the zygote, answers from the worker's link: a process that a script left
behind holding the link open cannot hide that the worker is gone. `Owner` hears of everything.
"""

from __future__ import annotations

import asyncio
from typing import Callable, Protocol

from verdazul_serve import frames
from verdazul_serve.answers import Answer
from verdazul_serve.backoff import Backoff
from verdazul_serve.frames import Frame


class Call(Protocol):
    """One request for the pool: the bytes to send, and what to do with what comes of it."""

    pieces: tuple[bytes, ...]

    def answer(self, answer: Answer) -> None: ...

    def begin(self, head: Answer) -> None:
        """A streamed answer starts; `chunk` follows, then `end` or `broken`."""

    def chunk(self, data: bytes) -> None: ...

    def end(self) -> None: ...

    def broken(self) -> None: ...

    def lost(self, why: str) -> None:
        """The worker died while it ran this."""

    def expired(self) -> None:
        """No worker was free within the time given to `submit`."""


class Owner(Protocol):
    """Hears what a worker says."""

    def heard(self, worker: Worker, frame: Frame) -> None: ...

    def link_closed(self, worker: Worker) -> None: ...


class Worker(asyncio.Protocol):
    """Starting until `ready_at` is set, then idle or busy (`call`), gone once `status` is set."""

    def __init__(self, owner: Owner, backoff: Backoff) -> None:
        self.backoff = backoff
        self.pid: int | None = None
        self.ready_at: float | None = None
        self.call: Call | None = None
        self.status: int | None = None  # as waitpid gives it
        self.doom = ""  # why it is being killed, or why its start failed
        self.is_open = True
        self._owner = owner
        self._decoder = frames.Decoder()
        self._transport: asyncio.Transport | None = None
        self._is_held = False
        self._silence: asyncio.TimerHandle | None = None

    @property
    def is_alive(self) -> bool:
        """As far as has been heard: neither its exit nor the end of its link."""
        return self.is_open and self.status is None

    @property
    def is_ready(self) -> bool:
        return self.is_alive and self.ready_at is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # narrows the type
        self._transport = transport
        if not self.is_open:
            transport.close()

    def data_received(self, data: bytes) -> None:
        for frame in self._decoder.feed(data):
            self._owner.heard(self, frame)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.is_open = False
        self._owner.link_closed(self)

    def send(self, pieces: tuple[bytes, ...]) -> None:
        """Queue the bytes; a closed link loses them, which its owner hears of in `link_closed`."""
        if self._transport and self.is_open:
            for piece in pieces:
                self._transport.write(piece)

    def hang_up(self) -> None:
        """Close our end; an idle worker then exits by itself."""
        self.is_open = False
        if self._transport:
            self._transport.close()

    def hold(self, *, is_held: bool) -> None:
        """Read nothing for a while: the worker then waits in its next send."""
        self._is_held = is_held
        if self._transport and is_held:
            self._transport.pause_reading()
        elif self._transport:
            self._transport.resume_reading()

    def watch(self, seconds: float, silent: Callable[[Worker], None]) -> None:
        """Call `silent(self)` unless this or `unwatch` is called again in time."""
        self.unwatch()
        if not self._is_held:
            self._silence = asyncio.get_running_loop().call_later(seconds, silent, self)

    def unwatch(self) -> None:
        if self._silence:
            self._silence.cancel()
            self._silence = None
