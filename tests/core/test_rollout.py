"""The laws of a rollout: first scaled, then changed; capacity never falls; it always ends."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.records import bundle, deployment, instance

from verdazul.core.environment import Recipe
from verdazul.core.instance import LIVE, Instance, InstanceId, Phase
from verdazul.core.plan import Desired, Drain, Observed, Start, Stop, plan, surge
from verdazul.core.records import Memory
from verdazul.core.rollout import next_bundle

OLD, NEW = bundle("sha256:old"), bundle("sha256:new", recipe=Recipe("an/image", "other"))
BUILT = {OLD.recipe, NEW.recipe}
counts = st.integers(1, 8)

pytestmark = pytest.mark.azure(64, 65)


@dataclass
class Rollout:
    """A deployment of `before` old instances, told to become `after` new ones."""

    before: int
    after: int
    memory: Memory = field(default_factory=lambda: Memory(last_good=OLD))
    now: float = 1000.0
    instances: dict[InstanceId, Instance] = field(default_factory=dict)
    started: list[InstanceId] = field(default_factory=list)

    def __post_init__(self) -> None:
        olds = [instance(OLD.revision, ordinal=n) for n in range(self.before)]
        self.instances = {each.id: each for each in olds}
        self.record = deployment(instance_count=self.after, bundle=NEW, generation=2)

    def count(self, revision: str, *phases: Phase) -> int:
        seen = self.instances.values()
        return sum(i.id.revision == revision and i.phase in phases for i in seen)

    def step(self) -> bool:
        """Look, plan and act once; False when nothing is left to do."""
        seen = tuple(sorted(self.instances.values(), key=lambda i: i.id))
        target = next_bundle(self.record, self.memory, seen, built=BUILT)
        routed = frozenset(str(i.id) for i in seen if i.phase is Phase.READY)
        wish = Desired("credit", "blue", target.revision, self.after)
        planned = plan(wish, Observed(seen, routed), self.now)
        for action in planned.actions:
            match action:
                case Start(id=which):
                    self.started.append(which)
                    self.instances[which] = Instance(which, Phase.STARTING, "", self.now)
                case Drain(id=which):
                    self.move(which, Phase.DRAINING)
                case Stop(id=which):
                    del self.instances[which]
        self.now += 0.6
        return bool(planned.actions) or planned.look_again_at is not None

    def move(self, which: InstanceId, phase: Phase) -> None:
        self.instances[which] = replace(self.instances[which], phase=phase, since=self.now)

    def starting(self) -> list[InstanceId]:
        return sorted(i.id for i in self.instances.values() if i.phase is Phase.STARTING)

    def serving(self) -> int:
        return sum(i.phase is Phase.READY for i in self.instances.values())

    def live(self) -> int:
        return sum(i.phase in LIVE for i in self.instances.values())

    def check(self) -> None:
        """What holds at each moment of an update in which nothing dies."""
        assert self.serving() >= min(self.before, self.after), "capacity fell by our doing"
        assert self.live() <= max(self.before, self.after + surge(self.after)), "over the surge"
        new = [which for which in self.started if which.revision == NEW.revision]
        old = [which for which in self.started if which.revision == OLD.revision]
        assert len(old) <= max(0, self.after - self.before), "old ones only to scale"
        if new:
            first = self.started.index(new[0])
            assert all(which.revision == NEW.revision for which in self.started[first:])

    def run(self, readiness: list[int]) -> None:
        """Until nothing is left to do; `readiness` says who becomes ready in which order."""
        for number in range(1000):
            is_busy = self.step()
            self.check()
            if waiting := self.starting():
                chosen = readiness[number % len(readiness)] % len(waiting)
                self.move(waiting[chosen], Phase.READY)
                self.check()
            elif not is_busy:
                return
        pytest.fail(f"it does not end: {self.instances}")


orders = st.lists(st.integers(0, 9), min_size=1, max_size=20)


@given(counts, counts, orders)
@settings(deadline=None)
def test_an_update_scales_then_rolls_and_never_serves_with_less(
    before: int, after: int, readiness: list[int]
) -> None:
    rollout = Rollout(before, after)

    rollout.run(readiness)

    assert rollout.count(NEW.revision, Phase.READY) == after == len(rollout.instances)


@given(counts, counts, orders)
@settings(deadline=None)
def test_new_ones_come_only_once_the_old_ones_are_as_many_as_asked_for(
    before: int, after: int, readiness: list[int]
) -> None:
    rollout = Rollout(before, after)
    for number in range(1000):
        rollout.step()
        if any(which.revision == NEW.revision for which in rollout.started):
            break
        if waiting := rollout.starting():
            rollout.move(waiting[readiness[number % len(readiness)] % len(waiting)], Phase.READY)

    assert rollout.count(OLD.revision, Phase.READY) == after
    assert rollout.count(NEW.revision, Phase.STARTING) == min(after, surge(after))


@pytest.mark.azure(67)
@given(counts, counts, st.integers(0, 30), orders)
@settings(deadline=None)
def test_given_up_at_any_moment_the_old_version_serves_in_full_again(
    before: int, after: int, steps: int, readiness: list[int]
) -> None:
    rollout = Rollout(before, after)
    for number in range(steps):
        rollout.step()
        if waiting := rollout.starting():
            rollout.move(waiting[readiness[number % len(readiness)] % len(waiting)], Phase.READY)

    rollout.memory = Memory(last_good=OLD, failed_generation=2)
    for _ in range(1000):
        is_busy = rollout.step()
        assert rollout.serving() >= min(before, after)
        waiting = rollout.starting()
        for which in waiting:
            rollout.move(which, Phase.READY)
        if not is_busy and not waiting:
            break

    assert rollout.count(OLD.revision, Phase.READY) == after == len(rollout.instances)


@pytest.mark.parametrize("ailing", [Phase.EXITED, Phase.UNREADY])
def test_an_ailing_old_version_is_not_waited_for(ailing: Phase) -> None:
    record = deployment(instance_count=3, bundle=NEW, generation=2)
    seen = (instance(OLD.revision), instance(OLD.revision, ailing, ordinal=1))

    target = next_bundle(record, Memory(last_good=OLD), seen, built=BUILT)

    assert target == NEW


def test_the_old_version_serves_on_in_full_while_the_environment_is_built() -> None:
    record = deployment(bundle=NEW, generation=2)
    dead = (instance(OLD.revision, Phase.EXITED),)

    target = next_bundle(record, Memory(last_good=OLD), dead, built={OLD.recipe})

    assert target == OLD


@pytest.mark.parametrize("memory", [Memory(), Memory(last_good=NEW), Memory(last_good=OLD)])
def test_what_cannot_be_started_or_is_the_same_is_not_gone_back_to(memory: Memory) -> None:
    record = deployment(bundle=NEW, generation=2)

    assert next_bundle(record, memory, (), built={NEW.recipe}) == NEW
