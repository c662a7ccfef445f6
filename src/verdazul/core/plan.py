"""plan = f(desired, observed, now). Knows no clock, no network. Reads top to bottom.

One deployment at a time: retire what is outdated, replace what died, scale to what was asked.
Make before break: an instance that serves goes only when enough others serve, and is stopped only
when the gateway has acknowledged that it no longer routes to it.

    # 3 asked, 3 old ready, surge 1 -> start 1 new
    # 3 old ready, 1 new ready     -> drain 1 old, start 1 new ... until 3 new are ready
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count

from verdazul.core.instance import LIVE, Instance, InstanceId, Phase

SETTLED_SECONDS = 60.0
"""An instance that was ready for so long and then died starts again with a clean slate."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Times in seconds."""

    drain_seconds: float = 1.0
    backoff_seconds: float = 1.0
    backoff_max_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Desired:
    """What one deployment should be. `revision` None: it should be gone.

    `startable` is False while the revision's environment is not built. Starts from before
    `declared_at` (unix seconds) count no more: declaring anew means trying anew. `one_by_one`: an
    update replaces one instance after the other, as on Kubernetes.
    """

    endpoint: str
    deployment: str
    revision: str | None
    replicas: int
    startable: bool = True
    declared_at: float = 0.0
    policy: Policy = Policy()
    one_by_one: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """All that a plan may look at: this deployment's instances, and whom the gateway routes to."""

    instances: tuple[Instance, ...]
    routed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Start:
    """Start this id, for the `attempt`-th time in a row."""

    id: InstanceId
    attempt: int
    why: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Take it out of rotation; it finishes what it holds."""

    id: InstanceId
    why: str


@dataclass(frozen=True, slots=True)
class Stop:
    """End it and forget it."""

    id: InstanceId
    why: str


Action = Start | Drain | Stop


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, and when to look again although nothing may have happened."""

    actions: tuple[Action, ...]
    look_again_at: float | None = None


def surge(replicas: int) -> int:
    """Instances that may run above `replicas` during an update: a fifth, at least one.

    Source: Azure rolls 20 % of the nodes at a time over 20 % extra capacity.
    """
    return max(1, math.ceil(replicas * 0.2))


def most_at_once(desired: Desired) -> int:
    """Instances that may run while one version replaces another."""
    return desired.replicas + (1 if desired.one_by_one else surge(desired.replicas))


def plan(desired: Desired, observed: Observed, now: float) -> Plan:
    """Actions that bring the deployment one safe step nearer to `desired`.

    Deterministic; an empty plan without `look_again_at` means that nothing is left to do.
    """
    finish, finish_at = _finish_drained(desired, observed, now)
    bury = _bury_exited(desired, observed)
    restart, restart_at = _restart_exited(desired, observed, now)
    retire = _retire(desired, observed)
    grow = _grow(desired, observed)
    times = [at for at in (finish_at, restart_at) if at is not None]
    return Plan((*finish, *bury, *retire, *restart, *grow), min(times, default=None))


def _finish_drained(
    desired: Desired, observed: Observed, now: float
) -> tuple[list[Action], float | None]:
    """Stop what is drained *and* no longer routed; otherwise say when that may be."""
    actions: list[Action] = []
    later: list[float] = []
    for instance in _in_phase(observed, Phase.DRAINING):
        ready_at = instance.since + desired.policy.drain_seconds
        if str(instance.id) in observed.routed:
            continue  # the acknowledgement wakes us
        if now < ready_at:
            later.append(ready_at)
        else:
            actions.append(Stop(instance.id, "drained and no longer routed"))
    return actions, min(later, default=None)


def _bury_exited(desired: Desired, observed: Observed) -> list[Action]:
    """Forget exited instances that will not be started again."""
    keep = _slots(desired, observed)
    return [
        Stop(instance.id, "exited and not wanted any more")
        for instance in _in_phase(observed, Phase.EXITED)
        if instance.id not in keep and str(instance.id) not in observed.routed
    ]


def _restart_exited(
    desired: Desired, observed: Observed, now: float
) -> tuple[list[Action], float | None]:
    """Start exited instances of the wanted revision again, each after its backoff."""
    actions: list[Action] = []
    later: list[float] = []
    for instance in _in_phase(observed, Phase.EXITED):
        if instance.id not in _slots(desired, observed) or not desired.startable:
            continue
        attempt, at = _next_try(instance, desired)
        if now < at:
            later.append(at)
        elif str(instance.id) not in observed.routed and len(actions) < _room(desired, observed):
            actions.append(Start(instance.id, attempt, _why_again(instance)))
    return actions, min(later, default=None)


def _next_try(instance: Instance, desired: Desired) -> tuple[int, float]:
    """Which attempt comes next, and when it may."""
    if instance.began_before(desired.declared_at):
        return 1, instance.since
    return _next_attempt(instance), instance.since + backoff(instance, desired.policy)


def backoff(instance: Instance, policy: Policy) -> float:
    """Seconds to wait before an exited instance starts again: none for its first death."""
    if instance.ready_seconds >= SETTLED_SECONDS:
        return 0.0
    if instance.ready_seconds > 0 and instance.attempt == 1:
        return 0.0
    doubled = policy.backoff_seconds * 2.0 ** min(instance.attempt - 1, 30)
    return float(min(doubled, policy.backoff_max_seconds))


def _next_attempt(instance: Instance) -> int:
    return 1 if instance.ready_seconds >= SETTLED_SECONDS else instance.attempt + 1


def _why_again(instance: Instance) -> str:
    cause = instance.exit.problem.message if instance.exit else "it is gone"
    return f"replaces itself: {cause}"


def _retire(desired: Desired, observed: Observed) -> list[Action]:
    """Drain outdated and surplus instances, as far as enough others serve."""
    live = _live(observed)
    wanted = [i for i in live if i.id.revision == desired.revision]
    outdated = [i for i in live if i.id.revision != desired.revision]
    surplus = sorted(wanted, key=_worth)[: max(0, len(wanted) - desired.replicas)]
    serving = sum(i.phase is Phase.READY for i in live)
    spare = serving - desired.replicas if desired.revision else serving
    actions: list[Action] = []
    for instance in sorted(outdated, key=_worth) + surplus:
        if instance.phase is Phase.READY:
            if spare <= 0:
                continue
            spare -= 1
        actions.append(Drain(instance.id, _why_retired(instance, desired)))
    return actions


def _why_retired(instance: Instance, desired: Desired) -> str:
    if desired.revision is None:
        return "its deployment is being deleted"
    if instance.id.revision != desired.revision:
        return f"outdated: revision {desired.revision} replaces it"
    return f"scaled down to {desired.replicas}"


def _grow(desired: Desired, observed: Observed) -> list[Action]:
    """Start missing instances of the wanted revision, within the surge.

    Exited instances that wait for their backoff keep their place.
    """
    if desired.revision is None or not desired.startable:
        return []
    live = sum(i.id.revision == desired.revision for i in _live(observed))
    waiting = len(_slots(desired, observed))
    missing = desired.replicas - live - waiting
    room = _room(desired, observed) - waiting
    return [
        Start(new_id, 1, f"missing: {desired.replicas} asked, {live + waiting} there")
        for new_id in _free_ids(desired, observed, min(missing, room))
    ]


def _room(desired: Desired, observed: Observed) -> int:
    """How many more may run now: what was asked, and the surge."""
    return most_at_once(desired) - len(_live(observed))


def _free_ids(desired: Desired, observed: Observed, number: int) -> list[InstanceId]:
    taken = {i.id for i in observed.instances}
    ids = (
        InstanceId(desired.endpoint, desired.deployment, desired.revision or "", n) for n in count()
    )
    free = (i for i in ids if i not in taken)
    return [next(free) for _ in range(max(0, number))]


def _slots(desired: Desired, observed: Observed) -> frozenset[InstanceId]:
    """Exited instances whose place is still wanted: the lowest ordinals, no more than missing."""
    if desired.revision is None:
        return frozenset()
    mine = [i for i in observed.instances if i.id.revision == desired.revision]
    live = sum(i.id.revision == desired.revision for i in _live(observed))
    exited = sorted(i.id for i in mine if i.phase is Phase.EXITED)
    return frozenset(exited[: max(0, desired.replicas - live)])


def _worth(instance: Instance) -> tuple[bool, int]:
    """Order in which instances go: those that serve last, highest ordinals first."""
    return (instance.phase is Phase.READY, -instance.id.ordinal)


def _live(observed: Observed) -> list[Instance]:
    return [i for i in observed.instances if i.phase in LIVE]


def _in_phase(observed: Observed, phase: Phase) -> list[Instance]:
    return [i for i in observed.instances if i.phase is phase]
