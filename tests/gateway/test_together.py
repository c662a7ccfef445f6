"""Changes that wait for their turn go together; one that is refused harms nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from verdazul.core.route import Route
from verdazul.gateway.together import Changed, Together
from verdazul.model.errors import Fatal, Retryable, VerdazulError


class Gateway:
    """Takes what it is given, until it is told to `fail`; keeps the first one waiting."""

    def __init__(self, fail: Callable[[Changed], VerdazulError | None] = lambda _: None) -> None:
        self.turn = asyncio.Lock()
        self.together = Together(self.turn, self.put)
        self.puts: list[list[str]] = []
        self.go_on = asyncio.Event()
        self.fail = fail

    async def put(self, changed: Changed) -> None:
        self.puts.append(sorted(changed))
        await self.go_on.wait()
        error = self.fail(changed)
        if error:
            raise error

    def publish(self, name: str) -> asyncio.Task[None]:
        return asyncio.create_task(self.together.publish(name, Route(name, (), ())))


async def turn_round() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_what_waits_is_put_in_force_by_one_publish() -> None:
    async def story() -> None:
        gateway = Gateway()
        first = gateway.publish("a")
        await turn_round()
        others = [gateway.publish(name) for name in "bcdb"]
        await turn_round()

        gateway.go_on.set()
        await asyncio.gather(first, *others)

        assert gateway.puts == [["a"], ["b", "c", "d"], ["b"]]

    asyncio.run(story())


def test_a_refusal_is_told_to_whom_it_is_about_only() -> None:
    async def story() -> None:
        gateway = Gateway(lambda changed: Fatal("no b") if "b" in changed else None)
        gateway.go_on.set()
        async with gateway.turn:
            tasks = [gateway.publish(name) for name in "abc"]
            await turn_round()
        results = await asyncio.gather(*tasks, return_exceptions=True)

        assert gateway.puts == [["a", "b", "c"], ["a"], ["b"], ["c"]]
        assert [isinstance(result, Fatal) for result in results] == [False, True, False]

    asyncio.run(story())


def test_a_gateway_that_does_not_answer_is_told_to_all_at_once() -> None:
    async def story() -> None:
        gateway = Gateway(lambda _: Retryable("silence"))
        gateway.go_on.set()
        async with gateway.turn:
            tasks = [gateway.publish(name) for name in "abc"]
            await turn_round()
        results = await asyncio.gather(*tasks, return_exceptions=True)

        assert gateway.puts == [["a", "b", "c"]]
        assert all(isinstance(result, Retryable) for result in results)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("canceled", "puts"),
    [("a", [["a", "b", "c"], ["b", "c"]]), ("b", [["a", "b", "c"]])],
)
def test_who_is_canceled_takes_nobody_along(canceled: str, puts: list[list[str]]) -> None:
    async def story() -> None:
        gateway = Gateway()
        async with gateway.turn:
            tasks = {name: gateway.publish(name) for name in "abc"}
            await turn_round()
        await turn_round()  # "a" has it, and takes the others along

        tasks[canceled].cancel()
        await turn_round()
        gateway.go_on.set()
        results = await asyncio.gather(*tasks.values(), return_exceptions=True)

        told = dict(zip(tasks, results, strict=True))
        assert isinstance(told.pop(canceled), asyncio.CancelledError)
        assert list(told.values()) == [None, None]
        assert gateway.puts == puts

    asyncio.run(story())
