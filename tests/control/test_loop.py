"""The laws of `Loop`: one look at a time for a name, no wake lost, nobody stopped by another."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verdazul.compute.fake import ManualClock
from verdazul.control import loop as loop_module
from verdazul.control.loop import Gone, LookAgain, Loop
from verdazul.model.errors import Retryable

LATER = LookAgain(None)
LONG = 3600.0


class Looks:
    """A reconcile that tests hold open, and that counts."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.began: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.open: Counter[str] = Counter()
        self.most_at_once: Counter[str] = Counter()
        self.gates: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.answers: dict[str, list[LookAgain | Gone | Exception]] = {}
        self._changed = asyncio.Event()

    async def reconcile(self, name: str) -> LookAgain | Gone:
        self._count(self.began, name)
        self.open[name] += 1
        self.most_at_once[name] = max(self.most_at_once[name], self.open[name])
        try:
            await self.gates[name].wait()
        finally:
            self.open[name] -= 1
            self._count(self.ended, name)
        queued = self.answers.get(name)
        answer = queued.pop(0) if queued else LATER
        if isinstance(answer, Exception):
            raise answer
        return answer

    def let(self, *names: str) -> None:
        """From now on looks at these end at once."""
        for name in names:
            self.gates[name].set()

    async def until(self, claim: Callable[[], bool]) -> None:
        """Wait until it holds."""
        async with asyncio.timeout(5):
            while not claim():
                self._changed.clear()
                await self._changed.wait()

    def _count(self, counter: Counter[str], name: str) -> None:
        counter[name] += 1
        self._changed.set()


def run(story: Callable[[Loop, Looks], Awaitable[None]], *, resync: float = LONG) -> Looks:
    async def main() -> Looks:
        looks = Looks()
        async with Loop(looks.reconcile, clock=looks.clock, resync_seconds=resync) as loop:
            await story(loop, looks)
        return looks

    return asyncio.run(main())


async def turns(number: int = 20) -> None:
    """Let everything happen that waits for nothing."""
    for _ in range(number):
        await asyncio.sleep(0)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries after almost no time."""
    monkeypatch.setattr(loop_module, "FIRST_RETRY_SECONDS", 0.001)
    monkeypatch.setattr(loop_module, "LAST_RETRY_SECONDS", 0.004)
    monkeypatch.setattr(loop_module, "SHORTEST_PAUSE_SECONDS", 0.001)


def test_a_name_is_looked_at_once_it_is_woken() -> None:
    async def story(loop: Loop, looks: Looks) -> None:
        looks.let("credit")
        await turns()
        assert not looks.began

        loop.wake("credit")
        await looks.until(lambda: looks.ended["credit"] == 1)
        await turns()

        assert looks.began == {"credit": 1}

    run(story)


def test_many_wakes_during_a_look_lead_to_one_more() -> None:
    async def story(loop: Loop, looks: Looks) -> None:
        loop.wake("credit")
        await looks.until(lambda: looks.began["credit"] == 1)

        for _ in range(10):
            loop.wake("credit")
        await turns()
        assert looks.began["credit"] == 1
        looks.let("credit")
        await looks.until(lambda: looks.ended["credit"] == 2)
        await turns()

        assert looks.began["credit"] == 2

    run(story)


def test_a_wake_before_the_worker_had_its_turn_is_one_look() -> None:
    async def story(loop: Loop, looks: Looks) -> None:
        looks.let("credit")

        loop.wake("credit")
        loop.wake("credit")
        await looks.until(lambda: looks.ended["credit"] == 1)
        await turns()

        assert looks.began["credit"] == 1

    run(story)


def test_spellings_of_a_name_share_a_worker() -> None:
    async def story(loop: Loop, looks: Looks) -> None:
        loop.wake("Credit")
        await looks.until(lambda: looks.began["Credit"] == 1)

        loop.wake("CREDIT")
        loop.wake("credit")
        await turns()

        assert looks.began == {"Credit": 1}
        looks.let("Credit")

    run(story)


def test_one_name_does_not_wait_for_another() -> None:
    async def story(loop: Loop, looks: Looks) -> None:
        looks.let("fast")
        loop.wake("slow")
        loop.wake("fast")
        await looks.until(lambda: looks.ended["fast"] == 1)

        assert (looks.began["slow"], looks.ended["slow"]) == (1, 0)

    run(story)


def test_a_name_is_looked_at_again_when_it_asked_to_be() -> None:
    async def story(loop: Loop, looks: Looks) -> None:
        looks.let("credit")
        looks.answers["credit"] = [LookAgain(looks.clock.now() + 0.01), LATER]

        loop.wake("credit")
        await looks.until(lambda: looks.ended["credit"] == 2)

    run(story)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("seconds", [0.0, -100.0])
def test_a_time_that_is_over_means_now(seconds: float) -> None:
    async def story(loop: Loop, looks: Looks) -> None:
        looks.let("credit")
        looks.answers["credit"] = [LookAgain(looks.clock.now() + seconds), LATER]

        loop.wake("credit")
        await looks.until(lambda: looks.ended["credit"] == 2)

    run(story)


@pytest.mark.parametrize("answer", [LATER, LookAgain(9e9)])
def test_every_name_is_looked_at_again_after_the_resync(answer: LookAgain) -> None:
    async def story(loop: Loop, looks: Looks) -> None:
        looks.let("credit")
        looks.answers["credit"] = [answer] * 3

        loop.wake("credit")
        await looks.until(lambda: looks.ended["credit"] == 3)

    run(story, resync=0.005)


@pytest.mark.usefixtures("hasty")
def test_trouble_is_told_until_a_look_succeeds() -> None:
    async def story(loop: Loop, looks: Looks) -> None:
        looks.let("bad")
        looks.answers["bad"] = [OSError("disk full"), LATER]

        loop.wake("bad")
        await looks.until(lambda: loop.trouble("BAD") is not None)
        trouble = loop.trouble("bad")
        await looks.until(lambda: loop.trouble("bad") is None)

        assert trouble is not None
        assert "disk full" in trouble.message

    run(story)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("failure", [Retryable("the gateway is silent"), ValueError("a bug")])
def test_a_failed_look_is_repeated_and_the_others_go_on(failure: Exception) -> None:
    async def story(loop: Loop, looks: Looks) -> None:
        looks.let("bad", "good")
        looks.answers["bad"] = [failure, failure, failure, LATER]

        loop.wake("bad")
        await looks.until(lambda: looks.ended["bad"] == 1)
        loop.wake("good")
        await looks.until(lambda: looks.ended["good"] == 1 and looks.ended["bad"] == 4)

    run(story)


def test_retries_wait_longer_each_time_up_to_a_bound_and_start_anew_after_a_success() -> None:
    async def main() -> None:
        looks = Looks()
        looks.let("credit")
        failures = [Retryable("no")] * 10
        looks.answers["credit"] = [*failures, LATER, Retryable("no")]
        loop = Loop(looks.reconcile, clock=looks.clock, resync_seconds=LONG)
        worker = loop_module._Worker()

        pauses = [await loop._look("credit", worker) for _ in range(12)]

        assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0, LONG, 0.5]

    asyncio.run(main())


def test_a_wake_ends_the_wait_after_a_failure() -> None:
    async def story(loop: Loop, looks: Looks) -> None:
        looks.let("credit")
        looks.answers["credit"] = [*[Retryable("no")] * 8, LATER]
        for number in range(1, 10):
            loop.wake("credit")
            await looks.until(lambda number=number: looks.ended["credit"] == number)  # type: ignore[misc]  # bound now

    run(story)


def test_nothing_left_ends_the_worker_and_a_later_wake_begins_another() -> None:
    async def story(loop: Loop, looks: Looks) -> None:
        looks.let("credit", "Credit")
        looks.answers["credit"] = [Gone()]
        loop.wake("credit")
        await looks.until(lambda: looks.ended["credit"] == 1)
        await turns()
        assert not loop._workers
        assert not loop._tasks

        loop.wake("Credit")
        await looks.until(lambda: looks.ended["Credit"] == 1)

    run(story, resync=LONG)


def test_a_wake_during_the_last_look_is_not_lost() -> None:
    async def story(loop: Loop, looks: Looks) -> None:
        looks.answers["credit"] = [Gone(), Gone()]
        loop.wake("credit")
        await looks.until(lambda: looks.began["credit"] == 1)

        loop.wake("credit")
        looks.let("credit")
        await looks.until(lambda: looks.ended["credit"] == 2)
        await turns()

        assert not loop._workers

    run(story)


def test_closing_cancels_what_is_under_way() -> None:
    async def story(loop: Loop, looks: Looks) -> None:
        for name in ("one", "two"):
            loop.wake(name)
        await looks.until(lambda: looks.began.total() == 2)

    looks = run(story)

    assert looks.ended == {"one": 1, "two": 1}
    assert looks.open.total() == 0


def test_closing_before_the_first_turn_looks_at_nothing() -> None:
    async def story(loop: Loop, _: Looks) -> None:
        loop.wake("credit")

    assert not run(story).open.total()


def test_a_wake_outside_of_its_life_is_ignored() -> None:
    async def main() -> None:
        looks = Looks()
        looks.let("credit")
        loop = Loop(looks.reconcile, clock=looks.clock, resync_seconds=LONG)
        loop.wake("credit")
        async with loop:
            await turns()
        loop.wake("credit")
        await turns()

        assert not looks.began

    asyncio.run(main())


def test_a_failure_inside_of_its_block_comes_out_as_it_is() -> None:
    async def story(loop: Loop, looks: Looks) -> None:
        loop.wake("credit")
        await looks.until(lambda: looks.began["credit"] == 1)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run(story)


Step = tuple[str, str]
steps = st.lists(
    st.tuples(st.sampled_from(["wake", "open", "shut", "turn"]), st.sampled_from("abc")),
    max_size=40,
)


@given(steps)
@settings(max_examples=60, deadline=None)
def test_never_two_looks_at_one_name_and_every_wake_is_followed_by_a_look(
    steps: list[Step],
) -> None:
    async def story(loop: Loop, looks: Looks) -> None:
        before: dict[str, int] = {}  # looks begun when the name was woken last
        for what, name in steps:
            match what:
                case "wake":
                    before[name] = looks.began[name]
                    loop.wake(name)
                case "open":
                    looks.gates[name].set()
                case "shut":
                    looks.gates[name].clear()
                case _:
                    await turns(3)
        looks.let("a", "b", "c")
        await looks.until(lambda: all(looks.began[n] > b for n, b in before.items()))
        await looks.until(lambda: not looks.open.total())

    looks = run(story)

    assert all(most == 1 for most in looks.most_at_once.values())
