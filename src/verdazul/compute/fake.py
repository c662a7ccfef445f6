"""Compute in memory, driven by a clock that is moved by hand. Passes the real one's contract tests.

What is due happens in the order of time when somebody looks (`observe`, `tick`): instances become
ready, fail, hang, go. `Behaviour` says how each start turns out; `crash`, `hang`, `recover` and
`refuse` interfere at any moment. Nothing here waits, and nothing is random.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from verdazul.compute import probes
from verdazul.core.instance import Exit, Instance, InstanceId, Launch, Phase
from verdazul.model.errors import Problem, Retryable
from verdazul.ports import Clock


class ManualClock:
    """Time that stands still until it is moved."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        """Return the current time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


EXITED_BY_ITSELF = Problem("ResourceNotReady", "the instance ended with exit code 1", "see its log")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one start turns out; seconds after it. `ready_after=None` never gets ready."""

    ready_after: float | None = 1.0
    exit_after: float | None = None
    exit_code: int = 1
    problem: Problem = EXITED_BY_ITSELF
    stop_seconds: float = 0.5


@dataclass(frozen=True, slots=True)
class Body:
    """One instance of the world. Times are None until the thing happened."""

    id: InstanceId
    launch: Launch
    attempt: int
    began: float
    pid: int
    behaviour: Behaviour
    lines: tuple[str, ...] = ()
    first_ready: float | None = None
    ready: float | None = None
    unready: float | None = None
    hung: float | None = None
    recovered: float | None = None
    draining: float | None = None
    stopping: float | None = None
    exit: Exit | None = None
    exited: float | None = None


@dataclass(slots=True)
class World:
    """What survives a restart of the control plane. Give it to the next FakeCompute."""

    bodies: dict[InstanceId, Body] = field(default_factory=dict)
    kept_logs: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    pids: itertools.count[int] = field(default_factory=lambda: itertools.count(100))


@dataclass(frozen=True, slots=True)
class Due:
    """Something that happens by itself at a certain time; `after` None: it is gone then."""

    at: float
    before: Body
    after: Body | None


class FakeCompute:
    """The Compute port; see the module's first lines."""

    def __init__(
        self,
        clock: Clock,
        *,
        world: World | None = None,
        behave: Callable[[InstanceId, int], Behaviour] = lambda _id, _attempt: Behaviour(),
    ) -> None:
        self.world = world or World()
        self.behave = behave
        self._clock = clock
        self._refusal: str | None = None
        self._listeners: list[Callable[[str], None]] = []

    # -- the port

    def on_change(self, listener: Callable[[str], None]) -> None:
        self._listeners.append(listener)

    async def observe(self, endpoint: str) -> tuple[Instance, ...]:
        self.tick()
        bodies = sorted(self.world.bodies.values(), key=lambda body: body.id)
        return tuple(_seen(body) for body in bodies if body.id.endpoint == endpoint)

    async def endpoints(self) -> frozenset[str]:
        self.tick()
        return frozenset(instance.endpoint for instance in self.world.bodies)

    async def start(self, instance: InstanceId, launch: Launch, *, attempt: int) -> None:
        self.tick()
        last = self.world.bodies.get(instance)
        if last and (last.stopping is not None or not last.exit):
            return
        if self._refusal is not None:
            raise Retryable(f"instance {instance} could not be started: {self._refusal}")
        self.world.bodies[instance] = Body(
            instance,
            launch,
            attempt,
            began=self._clock.now(),
            pid=next(self.world.pids),
            behaviour=self.behave(instance, attempt),
            lines=(*(last.lines if last else ()), "begins"),
        )

    async def drain(self, instance: InstanceId) -> None:
        self.tick()
        body = self.world.bodies.get(instance)
        if body and body.draining is None and not body.exit:
            self._put(replace(body, draining=self._clock.now()))

    async def stop(self, instance: InstanceId) -> None:
        self.tick()
        body = self.world.bodies.get(instance)
        if body and body.stopping is None:
            self._put(replace(body, stopping=self._clock.now()))

    async def logs(self, endpoint: str, deployment: str, *, tail: int) -> str:
        self.tick()
        mine = [
            body
            for body in self.world.bodies.values()
            if (body.id.endpoint, body.id.deployment) == (endpoint, deployment)
        ]
        lines = self.world.kept_logs.get((endpoint, deployment), ())
        if mine:
            lines = max(mine, key=lambda body: (not body.exit, body.exited or body.began)).lines
        return "\n".join(lines[-tail:]) if tail > 0 else ""

    # -- the world's side, for tests

    def tick(self) -> None:
        """Let everything happen that is due by now, in the order of time."""
        while (due := self._next()) and due.at <= self._clock.now():
            if due.after is None:
                self.world.kept_logs[due.before.id.endpoint, due.before.id.deployment] = (
                    due.before.lines
                )
                del self.world.bodies[due.before.id]
            else:
                self._put(due.after)
            self._tell(due.before.id)

    def next_change(self) -> float | None:
        """When something will happen by itself; None: never, if nobody interferes."""
        due = self._next()
        return due.at if due else None

    def crash(self, instance: InstanceId, *, code: int | None = None, signal: int = 9) -> None:
        """End it now: with an exit code, or by a signal."""
        self.tick()
        body = self.world.bodies[instance]
        how = f"exit code {code}" if code is not None else f"signal {signal}"
        problem = Problem("ResourceNotReady", f"the instance ended with {how}", "see its log")
        exited = Exit(code, signal if code is None else None, problem)
        if not body.exit:
            self._put(_ended(body, exited, at=self._clock.now()))
            self._tell(instance)

    def hang(self, instance: InstanceId) -> None:
        """From now on no probe is answered."""
        self.tick()
        body = self.world.bodies[instance]
        self._put(replace(body, hung=self._clock.now(), recovered=None))

    def recover(self, instance: InstanceId) -> None:
        """Probes are answered again."""
        self.tick()
        body = self.world.bodies[instance]
        self._put(replace(body, hung=None, recovered=self._clock.now()))

    def say(self, instance: InstanceId, line: str) -> None:
        """It prints a line."""
        body = self.world.bodies[instance]
        self._put(replace(body, lines=(*body.lines, line)))

    def refuse(self, why: str | None) -> None:
        """Refuse every start (None: no longer)."""
        self._refusal = why

    def _put(self, body: Body) -> None:
        self.world.bodies[body.id] = body

    def _tell(self, instance: InstanceId) -> None:
        for listener in self._listeners:
            listener(instance.endpoint)

    def _next(self) -> Due | None:
        due = (d for body in self.world.bodies.values() for d in _due(body))
        return min(due, key=lambda d: (d.at, d.before.id), default=None)


def _seen(body: Body) -> Instance:
    phase, since = _phase(body)
    ready_seconds = 0.0
    if body.exited is not None and body.first_ready is not None:
        ready_seconds = body.exited - body.first_ready
    return Instance(
        id=body.id,
        phase=phase,
        address=f"unix:run/i/{body.id}.sock",
        since=since,
        attempt=body.attempt,
        pid=None if body.exit else body.pid,
        ready_seconds=ready_seconds,
        exit=body.exit if phase is Phase.EXITED else None,
        began=body.began,
    )


def _phase(body: Body) -> tuple[Phase, float]:
    """The first that happened wins, in the order of how final it is."""
    marks = (
        (Phase.STOPPING, body.stopping),
        (Phase.EXITED, body.exited),
        (Phase.DRAINING, body.draining),
        (Phase.UNREADY, body.unready),
        (Phase.READY, body.ready),
        (Phase.STARTING, body.began),
    )
    return next((phase, since) for phase, since in marks if since is not None)


def _due(body: Body) -> tuple[Due, ...]:
    """What will happen to it by itself, if nothing else happens before."""
    if body.stopping is not None:
        seconds = 0.0 if body.exit else body.behaviour.stop_seconds
        return (Due(body.stopping + seconds, body, None),)
    if body.exit:
        return ()
    found = [_own_end(body), _first_readiness(body), _never_ready(body)]
    found += [_unready(body), _dead(body), _ready_again(body)]
    return tuple(due for due in found if due)


def _own_end(body: Body) -> Due | None:
    if body.behaviour.exit_after is None:
        return None
    at = body.began + body.behaviour.exit_after
    return Due(
        at, body, _ended(body, Exit(body.behaviour.exit_code, None, body.behaviour.problem), at)
    )


def _first_readiness(body: Body) -> Due | None:
    if body.first_ready is not None or body.hung is not None or body.behaviour.ready_after is None:
        return None
    at = max(body.began + body.behaviour.ready_after, body.recovered or 0.0)
    return Due(at, body, replace(body, first_ready=at, ready=at))


def _never_ready(body: Body) -> Due | None:
    if body.first_ready is not None:
        return None
    probe = body.launch.readiness
    at = body.began + probes.startup_seconds(probe)
    message, fix = probes.never_ready(probe, probes.Answer(ok=False, said="HTTP 503"))
    return Due(at, body, _ended(body, _given_up(message, fix), at))


def _unready(body: Body) -> Due | None:
    if body.hung is None or body.ready is None or body.unready is not None:
        return None
    at = body.hung + body.launch.readiness.period * body.launch.readiness.failure_threshold
    return Due(at, body, replace(body, unready=at))


def _dead(body: Body) -> Due | None:
    if body.hung is None:
        return None
    probe = body.launch.liveness
    at = body.hung + max(probe.initial_delay - (body.hung - body.began), 0.0)
    at += probe.period * probe.failure_threshold
    message, fix = probes.not_alive(probe, probes.Answer(ok=False, said="no answer"))
    return Due(at, body, _ended(body, _given_up(message, fix), at))


def _ready_again(body: Body) -> Due | None:
    if body.unready is None or body.recovered is None:
        return None
    at = body.recovered + body.launch.readiness.period * body.launch.readiness.success_threshold
    return Due(at, body, replace(body, unready=None, ready=at))


def _given_up(message: str, fix: str) -> Exit:
    return Exit(0, None, Problem("ResourceNotReady", message, fix))


def _ended(body: Body, how: Exit, at: float) -> Body:
    return replace(body, exit=how, exited=at)
