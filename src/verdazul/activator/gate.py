"""One gate: connections wait here in order while it is closed, and go on once it is open.

It works on bytes, not on requests: what waits is a connection of Envoy's with one request on it. A
body larger than a socket's buffer waits where it is, at Envoy and its caller, so that memory is
bounded without a limit on bodies; streams, WebSockets and chunked uploads pass as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import select
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from verdazul.activator import frames

BUFFER_BYTES = 65536
_CONNECT_SECONDS = 2.0
_AGAIN_SECONDS = 0.1
_FAREWELL_SECONDS = 1.0
_SWITCHED = b"HTTP/1.1 101"


@dataclass(eq=False)
class Held:
    """One connection that waits, or passes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    expiry: asyncio.TimerHandle | None = None

    @property
    def has_left(self) -> bool:
        """Whether its caller has gone, also when more of its body waits than is read.

        A body that fills every buffer on the way, about 2 MB, hides this: TCP tells of an end only
        behind what came before it. Such a caller is dropped when its time to wait is over.
        """
        if self.reader.at_eof() or self.writer.is_closing():
            return True
        link = self.writer.get_extra_info("socket")
        if link is None or link.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(link.fileno(), select.POLLRDHUP | select.POLLHUP)
        return bool(poll.poll(0))


@dataclass(eq=False)
class Gate:
    """`spec` is its entry in activator.json; it changes, the queue stays."""

    spec: dict[str, Any]
    waiting: deque[Held] = field(default_factory=deque)
    busy: dict[str, int] = field(default_factory=dict)
    passing: set[asyncio.Task[None]] = field(default_factory=set)
    server: asyncio.Server | None = None

    @property
    def counts(self) -> dict[str, int]:
        """What it holds now, and what passes through it."""
        return {"held": len(self.waiting), "passing": len(self.passing)}

    def become(self, spec: dict[str, Any]) -> None:
        """Be told anew: closed or open, and to which instances."""
        self.spec = spec
        self.release()

    async def arrive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Envoy connects."""
        held = Held(reader, writer)
        seconds = float(self.spec["hold_seconds"])
        held.expiry = asyncio.get_running_loop().call_later(seconds, self._expire, held)
        self.waiting.append(held)
        self.release()

    def release(self) -> None:
        """Let on as many as the instances take at once, first come, first served."""
        while self.waiting and self.spec["is_open"] and len(self.passing) < self.spec["pace"]:
            if not self.spec["backends"]:
                return
            held = self.waiting.popleft()
            self._cancel_expiry(held)
            if held.has_left:
                held.writer.close()
                continue
            self._begin(self._pass(held))

    def forget_who_left(self) -> None:
        """Drop connections whose callers have gone."""
        for held in [one for one in self.waiting if one.has_left]:
            self.waiting.remove(held)
            self._cancel_expiry(held)
            held.writer.close()

    def refuse_all(self) -> None:
        """The gate goes away: whoever waits is told so."""
        while self.waiting:
            held = self.waiting.popleft()
            self._cancel_expiry(held)
            self._begin(self._refuse(held, "unready"))

    def _expire(self, held: Held) -> None:
        if held in self.waiting:
            self.waiting.remove(held)
            word = "unready" if self.spec["is_open"] else "paused"
            self._begin(self._refuse(held, word))

    def _cancel_expiry(self, held: Held) -> None:
        if held.expiry:
            held.expiry.cancel()

    def _begin(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self.passing.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.passing.discard(task)
        if not task.cancelled():
            task.exception()  # a broken connection concerns nobody else
        self.release()

    async def _pass(self, held: Held) -> None:
        backend, link = await self._connect(held)
        if link is None:
            await self._refuse(held, "unready")
            return
        try:
            seconds, is_http2 = float(self.spec["answer_seconds"]), self.spec.get("http2", False)
            if not await _join(held, link, seconds, is_http2=is_http2):
                await self._refuse(held, "late")
        finally:
            self.busy[backend] -= 1
            link[1].close()
            held.writer.close()

    async def _refuse(self, held: Held, word: str) -> None:
        """Answer in the gateway's name, and listen on until Envoy has taken it."""
        refusal = self.spec["refusals"][word]
        body = json.dumps(refusal["body"]).encode()
        answer = (
            frames.refusal(refusal["status"], refusal["headers"].items(), body)
            if self.spec.get("http2")
            else _http1(refusal, body)
        )
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                held.writer.write(answer)
                await held.writer.drain()
                while await held.reader.read(BUFFER_BYTES):
                    pass
        held.writer.close()

    async def _connect(
        self, held: Held
    ) -> tuple[str, tuple[asyncio.StreamReader, asyncio.StreamWriter] | None]:
        """To the least busy instance that takes it; they may be just coming."""
        until = asyncio.get_running_loop().time() + float(self.spec["answer_seconds"])
        while asyncio.get_running_loop().time() < until and not held.has_left:
            for backend in sorted(self.spec["backends"], key=lambda one: self.busy.get(one, 0)):
                self.busy[backend] = self.busy.get(backend, 0) + 1
                try:
                    async with asyncio.timeout(_CONNECT_SECONDS):
                        return backend, await _open(backend)
                except OSError:  # a timeout is one, too
                    self.busy[backend] -= 1
            await asyncio.sleep(_AGAIN_SECONDS)
        return "", None


async def _open(backend: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if backend.startswith("unix:"):
        path = backend.removeprefix("unix:")
        return await asyncio.open_unix_connection(path, limit=BUFFER_BYTES)
    host, _, port = backend.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port), limit=BUFFER_BYTES)


async def _join(
    held: Held,
    link: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    answer_seconds: float,
    *,
    is_http2: bool,
) -> bool:
    """Copy both ways until one side ends, or the time is over; False: over without an answer.

    The time begins anew with every part of the request, as it does at Envoy, which counts from
    the request's end; a connection that was switched to another protocol has none.
    """
    has_begun = False
    answered = frames.Answered()

    async def up() -> None:
        while data := await held.reader.read(BUFFER_BYTES):
            limit.reschedule(_later(limit, answer_seconds))
            link[1].write(data)
            await link[1].drain()

    async def down() -> None:
        nonlocal has_begun
        while data := await link[0].read(BUFFER_BYTES):
            if not has_begun and data.startswith(_SWITCHED):
                limit.reschedule(None)
            if is_http2:
                answered.see(data)
            has_begun = bool(answered) if is_http2 else True
            held.writer.write(data)
            await held.writer.drain()

    try:
        async with asyncio.timeout(answer_seconds) as limit:
            await _first_of(up(), down())
    except TimeoutError:
        return has_begun
    return True


def _later(limit: asyncio.Timeout, seconds: float) -> float | None:
    return None if limit.when() is None else asyncio.get_running_loop().time() + seconds


async def _first_of(*work: Any) -> None:
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _http1(refusal: dict[str, Any], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {refusal['status']} Held", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in refusal["headers"].items()]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode() + body
