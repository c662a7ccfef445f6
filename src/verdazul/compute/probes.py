"""Readiness and liveness: when an instance counts as able to serve, and when it is given up.

Readiness, until it first succeeds, asks often (every 50 ms), so that an instance takes requests the
moment it can; `initial_delay` is not waited for, it is time in which failures do not count. After
that both probes ask every `period`. Liveness counts failures from `initial_delay` on, so a slow
init() needs a liveness probe that leaves it the time, as in Azure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from verdazul.core.instance import Probe

EAGER_SECONDS = 5.0
EAGER_PAUSE = 0.05
PATIENT_PAUSE = 0.25
_BODY_BYTES = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """What one probe got: `said` is for people."""

    ok: bool
    said: str


class Timer(Protocol):
    """Time that passes; not the time of day, which may jump."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class RealTimer:
    """Seconds that the machine was awake."""

    def now(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


Ask = Callable[[], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Streak:
    """Equal answers in a row."""

    successes: int = 0
    failures: int = 0

    def after(self, answer: Answer) -> Streak:
        """One of the two is always zero."""
        return Streak(self.successes + 1) if answer.ok else Streak(0, self.failures + 1)


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is asked, how, and since when (the timer's time) it has been running."""

    ask: Ask
    probe: Probe
    timer: Timer
    started: float


async def become_ready(subject: Subject) -> Answer | None:
    """Ask until it is ready (None); or the last answer, when its time is over."""
    probe, timer = subject.probe, subject.timer
    deadline = subject.started + startup_seconds(probe)
    streak = Streak()
    while True:
        answer = await subject.ask()
        streak = streak.after(answer)
        if streak.successes >= probe.success_threshold:
            return None
        if timer.now() >= deadline:
            return answer
        eager = timer.now() - subject.started < EAGER_SECONDS
        await timer.sleep(EAGER_PAUSE if eager else PATIENT_PAUSE)


async def stay_ready(subject: Subject, *, ready: bool, tell: Callable[[bool], None]) -> None:
    """Tell each change of readiness, for ever."""
    streak = Streak()
    while True:
        await subject.timer.sleep(subject.probe.period)
        streak = streak.after(await subject.ask())
        if ready and streak.failures >= subject.probe.failure_threshold:
            tell(ready := False)
        elif not ready and streak.successes >= subject.probe.success_threshold:
            tell(ready := True)


async def stay_alive(subject: Subject) -> Answer:
    """Return the last answer once liveness has failed `failure_threshold` times in a row."""
    probe, timer = subject.probe, subject.timer
    await timer.sleep(max(0.0, subject.started + probe.initial_delay - timer.now()))
    streak = Streak()
    while True:
        answer = await subject.ask()
        streak = streak.after(answer)
        if streak.failures >= probe.failure_threshold:
            return answer
        await timer.sleep(probe.period)


def startup_seconds(probe: Probe) -> float:
    """How long an instance may take until it is ready for the first time."""
    return probe.initial_delay + probe.period * probe.failure_threshold


def never_ready(probe: Probe, answer: Answer) -> tuple[str, str]:
    """Message and fix for an instance that did not become ready in time."""
    return (
        (
            f"the instance was not ready within {startup_seconds(probe):g} s (readiness_probe: "
            f"initial_delay={probe.initial_delay}, period={probe.period}, "
            f"failure_threshold={probe.failure_threshold}); the last GET {probe.path} gave: "
            f"{answer.said}"
        ),
        "make init() faster, or raise readiness_probe.initial_delay or failure_threshold",
    )


def not_alive(probe: Probe, answer: Answer) -> tuple[str, str]:
    """Message and fix for an instance that liveness gave up."""
    return (
        (
            f"the instance failed its liveness probe {probe.failure_threshold} times in a row "
            f"(liveness_probe: initial_delay={probe.initial_delay}, period={probe.period}, "
            f"timeout={probe.timeout}); the last GET {probe.path} gave: {answer.said}"
        ),
        "see the log for what blocks it; or raise liveness_probe.timeout or failure_threshold",
    )


async def get(socket_path: str, probe: Probe) -> Answer:
    """One GET over a unix socket; any status from 200 to 399 is a yes."""
    try:
        async with asyncio.timeout(probe.timeout):
            return await _get(socket_path, probe.path)
    except TimeoutError:
        return Answer(ok=False, said=f"no answer within {probe.timeout} s")
    except (OSError, ValueError, asyncio.IncompleteReadError) as error:
        return Answer(ok=False, said=_said(error))


def _said(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return "connection refused"
    return f"no HTTP answer ({error or type(error).__name__})"


async def _get(socket_path: str, path: str) -> Answer:
    reader, writer = await asyncio.open_unix_connection(socket_path)
    try:
        target = quote("/" + path.lstrip("/"), safe="/?&=%:+,;@~!$'()*-._")
        head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: verdazul-probe\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode())
        status = _status(await reader.readline())
        if status < 400:  # noqa: PLR2004 - the classes of HTTP
            return Answer(ok=True, said=f"HTTP {status}")
        return Answer(ok=False, said=f"HTTP {status}{await _body(reader)}")
    finally:
        writer.transport.abort()


def _status(line: bytes) -> int:
    """Raise ValueError when that is no HTTP status line."""
    protocol, status, *_ = [*line.split(None, 2), b"", b""]
    if not protocol.startswith(b"HTTP/") or not 200 <= int(status or 0) < 600:  # noqa: PLR2004
        raise ValueError(f"it said {line[:60]!r}")
    return int(status)


async def _body(reader: asyncio.StreamReader) -> str:
    while (await reader.readline()).strip():
        pass
    text = (await reader.read(_BODY_BYTES)).decode(errors="replace").strip()
    return f" ({' '.join(text.split())})" if text else ""
