"""The fake's own laws: time alone decides, and tests can interfere."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.compute_worlds import instance_id, launch
from verdazul.compute.fake import Behaviour, FakeCompute, ManualClock, World
from verdazul.core.instance import Instance, InstanceId, Launch, Limits, Phase, Probe
from verdazul.model.errors import Retryable

A = instance_id()
PROBE = Probe(initial_delay=1, period=1, failure_threshold=3)
LAUNCH = Launch("", "", "", "", None, (), Limits(1, 1), PROBE, PROBE, 1.0)


def observed(fake: FakeCompute) -> tuple[Instance, ...]:
    return asyncio.run(fake.observe("credit"))


@given(
    st.one_of(st.none(), st.floats(0, 10)),
    st.one_of(st.none(), st.floats(0, 10)),
    st.lists(st.floats(0, 5), min_size=1),
)
def test_many_small_steps_and_one_leap_lead_to_the_same_world(
    ready_after: float | None, exit_after: float | None, steps: list[float]
) -> None:
    worlds = []
    for moves in (steps, [sum(steps)]):
        clock = ManualClock(0.0)
        fake = FakeCompute(clock, behave=lambda _i, _n: Behaviour(ready_after, exit_after))
        asyncio.run(fake.start(A, LAUNCH, attempt=1))
        for move in moves:
            clock.advance(move)
            fake.tick()
        worlds.append(observed(fake))

    assert worlds[0] == worlds[1]


def test_next_change_tells_when_to_look_again() -> None:
    clock = ManualClock(0.0)
    fake = FakeCompute(clock)
    assert fake.next_change() is None
    asyncio.run(fake.start(A, LAUNCH, attempt=1))

    assert fake.next_change() == 1.0

    clock.advance(1.0)
    assert observed(fake)[0].phase is Phase.READY
    assert fake.next_change() is None


def test_refused_start_changes_nothing() -> None:
    fake = FakeCompute(ManualClock())
    fake.refuse("no processes left")

    with pytest.raises(Retryable, match="no processes left"):
        asyncio.run(fake.start(A, LAUNCH, attempt=1))

    assert observed(fake) == ()
    fake.refuse(None)
    asyncio.run(fake.start(A, LAUNCH, attempt=1))
    assert len(observed(fake)) == 1


def test_behaviour_may_differ_by_attempt() -> None:
    def second_try_works(_id: InstanceId, attempt: int) -> Behaviour:
        return Behaviour(exit_after=0.5) if attempt == 1 else Behaviour()

    clock = ManualClock()
    fake = FakeCompute(clock, behave=second_try_works)
    for attempt, phase in ((1, Phase.EXITED), (2, Phase.READY)):
        asyncio.run(fake.start(A, LAUNCH, attempt=attempt))
        clock.advance(1.0)
        assert observed(fake)[0].phase is phase


def test_hanging_instance_is_given_up_by_liveness() -> None:
    clock = ManualClock()
    fake = FakeCompute(clock)
    asyncio.run(fake.start(A, LAUNCH, attempt=1))
    clock.advance(5.0)

    fake.hang(A)
    clock.advance(3.0)

    ended = observed(fake)[0].exit
    assert ended is not None
    assert "liveness" in ended.problem.message


def test_crash_and_printed_lines_are_told(tmp_path: Path) -> None:
    fake = FakeCompute(ManualClock(), world=World())
    asyncio.run(fake.start(A, launch(tmp_path), attempt=1))

    fake.say(A, "boom")
    fake.crash(A, code=4)

    ended = observed(fake)[0].exit
    assert ended is not None
    assert (ended.code, ended.signal) == (4, None)
    assert asyncio.run(fake.logs("credit", "blue", tail=1)) == "boom"
