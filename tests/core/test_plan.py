"""The laws of `plan`: SAFETY (never by our doing) and LIVENESS (left alone, it gets there)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from verdazul.core.instance import Exit, Instance, InstanceId, Phase
from verdazul.core.plan import (
    Desired,
    Drain,
    Observed,
    Plan,
    Policy,
    Start,
    Stop,
    backoff,
    most_at_once,
    plan,
    surge,
)
from verdazul.model.errors import Problem

CRASH = Exit(3, None, Problem("UserScriptInitFailed", "init() raised ValueError"))
LIVE = {Phase.STARTING, Phase.READY, Phase.UNREADY}


@dataclass
class TinyWorld:
    """Instances and a gateway, moved by hand."""

    now: float = 1000.0
    instances: dict[InstanceId, Instance] = field(default_factory=dict)
    acked: frozenset[str] = frozenset()

    def observed(self) -> Observed:
        return Observed(tuple(sorted(self.instances.values(), key=lambda i: i.id)), self.acked)

    def do(self, planned: Plan) -> None:
        for action in planned.actions:
            match action:
                case Start(instance, attempt, _):
                    self.instances[instance] = Instance(
                        instance, Phase.STARTING, "", self.now, attempt
                    )
                case Drain(instance, _):
                    self.set_phase(instance, Phase.DRAINING)
                case Stop(instance, _):
                    del self.instances[instance]

    def set_phase(self, instance: InstanceId, phase: Phase) -> None:
        self.instances[instance] = replace(self.instances[instance], phase=phase, since=self.now)

    def ack(self) -> None:
        ready = (i for i in self.instances.values() if i.phase is Phase.READY)
        self.acked = frozenset(str(i.id) for i in ready)

    def crash(self, instance: InstanceId) -> None:
        seen = self.instances[instance]
        ready_for = self.now - seen.since if seen.phase is Phase.READY else 0.0
        self.instances[instance] = replace(
            seen, phase=Phase.EXITED, since=self.now, ready_seconds=ready_for, exit=CRASH
        )

    def serving(self) -> int:
        return sum(i.phase is Phase.READY for i in self.instances.values())

    def live(self) -> list[Instance]:
        return [i for i in self.instances.values() if i.phase in LIVE]


def desired(replicas: int = 1, revision: str | None = "aa", *, startable: bool = True) -> Desired:
    return Desired("credit", "blue", revision, replicas, startable)


def settle(world: TinyWorld, wish: Desired, *, rounds: int = 400) -> None:
    """Let time pass kindly: what starts becomes ready, the gateway follows."""
    for _ in range(rounds):
        world.ack()
        planned = plan(wish, world.observed(), world.now)
        world.do(planned)
        starting = [i for i in world.instances.values() if i.phase is not Phase.READY]
        for instance in starting:
            if instance.phase in {Phase.STARTING, Phase.UNREADY}:
                world.set_phase(instance.id, Phase.READY)
        if planned == Plan(()) and not starting:
            return
        world.now = max(world.now + 0.5, planned.look_again_at or 0.0)
    pytest.fail(f"did not settle: {world.instances}")


class Deployments(RuleBasedStateMachine):
    """Anything may happen in any order; the invariants hold after each step."""

    @initialize(replicas=st.integers(1, 5), one_by_one=st.booleans())
    def begin(self, replicas: int, one_by_one: bool) -> None:  # noqa: FBT001 - hypothesis calls by keyword
        self.world = TinyWorld()
        self.wish = replace(desired(replicas), one_by_one=one_by_one)

    @rule(seconds=st.floats(0.0, 100.0))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    @rule(replicas=st.integers(1, 6))
    def scale(self, replicas: int) -> None:
        self.wish = replace(self.wish, replicas=replicas)

    @rule(revision=st.sampled_from(["aa", "bb", "cc", None]))
    def change_revision(self, revision: str | None) -> None:
        self.wish = replace(self.wish, revision=revision)

    @rule(built=st.booleans())
    def environment(self, built: bool) -> None:  # noqa: FBT001 - hypothesis calls by keyword
        self.wish = replace(self.wish, startable=built)

    @rule()
    def declared_again(self) -> None:
        self.wish = replace(self.wish, declared_at=self.world.now)

    @rule()
    def gateway_follows(self) -> None:
        self.world.ack()

    @precondition(lambda self: self.world.live())
    @rule(data=st.data(), phase=st.sampled_from([Phase.READY, Phase.UNREADY]))
    def probe(self, data: st.DataObject, phase: Phase) -> None:
        self.world.set_phase(data.draw(st.sampled_from(self.world.live())).id, phase)

    @precondition(lambda self: self.world.instances)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        alive = [i for i in self.world.instances.values() if i.phase is not Phase.EXITED]
        if alive:
            self.world.crash(data.draw(st.sampled_from(sorted(alive, key=lambda i: i.id))).id)

    @rule()
    def act(self) -> None:
        world, wish = self.world, self.wish
        planned = plan(wish, world.observed(), world.now)
        assert planned == plan(wish, world.observed(), world.now), "deterministic"
        self.check_stops(planned)
        serving, live = world.serving(), len(world.live())
        world.do(planned)
        if wish.revision is not None:
            assert world.serving() >= min(serving, wish.replicas), "capacity fell by our doing"
        limit = most_at_once(wish)
        assert len(world.live()) <= max(limit, live), "more than replicas + surge"
        again = plan(wish, world.observed(), world.now)
        assert not [a for a in again.actions if a in planned.actions], "acted twice"

    def check_stops(self, planned: Plan) -> None:
        for action in planned.actions:
            assert (action.id.endpoint, action.id.deployment) == ("credit", "blue")
            if isinstance(action, Stop):
                assert str(action.id) not in self.world.acked, "stopped while routed"
                phase = self.world.instances[action.id].phase
                assert phase in {Phase.DRAINING, Phase.EXITED}, "stopped without draining"
            if isinstance(action, Start):
                assert self.wish.startable
                assert action.id.revision == self.wish.revision

    @invariant()
    def nothing_waits_for_ever(self) -> None:
        """Whatever state it is in, kind times lead to exactly what was asked."""
        world = TinyWorld(self.world.now, dict(self.world.instances), self.world.acked)
        wish = replace(self.wish, startable=True)
        settle(world, wish)
        expected = wish.replicas if wish.revision else 0
        assert world.serving() == expected == len(world.instances)
        assert all(i.revision == wish.revision for i in world.instances)
        assert plan(wish, world.observed(), world.now) == Plan(())


TestDeployments = Deployments.TestCase
TestDeployments.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_first_deployment_starts_all_instances_within_the_surge() -> None:
    planned = plan(desired(3), Observed((), frozenset()), 0.0)

    assert [str(a.id) for a in planned.actions] == [f"credit.blue.aa-{n}" for n in range(3)]


@pytest.mark.azure(65, 66)
def test_outdated_instance_stays_until_its_replacement_is_ready() -> None:
    world = TinyWorld()
    settle(world, desired(1, "aa"))

    world.do(plan(desired(1, "bb"), world.observed(), world.now))

    assert {str(i.id): i.phase for i in world.instances.values()} == {
        "credit.blue.aa-0": Phase.READY,
        "credit.blue.bb-0": Phase.STARTING,
    }


@pytest.mark.azure(66)
@given(st.integers(1, 50))
def test_one_by_one_a_single_replica_is_added_before_an_old_one_goes(replicas: int) -> None:
    world = TinyWorld()
    old = replace(desired(replicas, "aa"), one_by_one=True)
    settle(world, old)
    new = replace(old, revision="bb")

    while {i.id.revision for i in world.live()} != {"bb"}:
        world.ack()
        world.do(plan(new, world.observed(), world.now))
        assert replicas <= len(world.live()) <= replicas + 1
        starting = [i for i in world.live() if i.phase is Phase.STARTING]
        for one in starting:
            world.set_phase(one.id, Phase.READY)
        world.now += 5.0

    assert len(world.live()) == replicas


def test_instance_that_was_ready_starts_again_at_once_after_its_first_death() -> None:
    world = TinyWorld()
    settle(world, desired(1))
    (only,) = world.instances
    world.now += 1
    world.crash(only)
    world.ack()

    (action,) = plan(desired(1), world.observed(), world.now).actions

    assert action == Start(only, 2, "replaces itself: init() raised ValueError")


def test_failed_start_waits_for_its_backoff() -> None:
    world = TinyWorld()
    world.do(plan(desired(1), world.observed(), world.now))
    (only,) = world.instances
    world.crash(only)

    planned = plan(desired(1), world.observed(), world.now)

    assert planned == Plan((), world.now + 1.0)


def test_declaring_anew_forgets_earlier_crashes() -> None:
    world = TinyWorld()
    world.do(plan(desired(1), world.observed(), world.now))
    (only,) = world.instances
    world.crash(only)
    world.now += 0.1
    wish = replace(desired(1), declared_at=world.now)

    (action,) = plan(wish, world.observed(), world.now).actions

    assert action == Start(only, 1, "replaces itself: init() raised ValueError")


def test_drained_instance_waits_for_the_acknowledgement_and_its_drain_time() -> None:
    world = TinyWorld()
    settle(world, desired(1))
    world.ack()
    gone = desired(0, None)
    world.do(plan(gone, world.observed(), world.now))

    still_routed = plan(gone, world.observed(), world.now + 60)
    world.ack()
    too_early = plan(gone, world.observed(), world.now + 0.5)
    then = plan(gone, world.observed(), world.now + 1.0)

    assert still_routed == Plan(())
    assert too_early == Plan((), world.now + 1.0)
    assert [type(a) for a in then.actions] == [Stop]


@given(attempt=st.integers(1, 10_000), ready_seconds=st.floats(0.0, 59.0))
def test_backoff_never_shrinks_with_attempts_and_is_bounded(
    attempt: int, ready_seconds: float
) -> None:
    dead = Instance(
        InstanceId("credit", "blue", "aa", 0),
        Phase.EXITED,
        "",
        0.0,
        attempt,
        ready_seconds=ready_seconds,
    )
    policy = Policy()

    now, later = backoff(dead, policy), backoff(replace(dead, attempt=attempt + 1), policy)

    assert 0.0 <= now <= later <= policy.backoff_max_seconds


@pytest.mark.azure(65)
@given(st.integers(1, 50))
def test_surge_is_a_fifth_but_at_least_one(replicas: int) -> None:
    assert max(1, replicas / 5) <= surge(replicas) <= replicas / 5 + 1


def test_dead_instance_that_is_still_routed_to_is_not_started_yet() -> None:
    world = TinyWorld()
    settle(world, desired(1))
    world.ack()
    (only,) = world.instances
    world.crash(only)

    planned = plan(desired(1), world.observed(), world.now + 600)

    assert planned == Plan(())
