"""Calling run(): a request becomes an answer, whatever the script does; what it took is counted.

Azure's contract to the letter (status, body and headers). One request (`score`), several in one
call (`score_batch`), or as a task (`score_async`); how the answer gets out is no concern here.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from verdazul_serve import batching, metering, results, trace
from verdazul_serve.answers import INTERNAL, Answer, Stream, error
from verdazul_serve.deadline import Breaker, CallerLeft
from verdazul_serve.inputs import BadInput
from verdazul_serve.metering import Meter
from verdazul_serve.reading import Request
from verdazul_serve.script import Script


class Scorer:
    """A script ready to be called. CallerLeft passes through every method: nobody waits."""

    def __init__(self, script: Script, breaker: Breaker, meter: Meter, *, timeout_ms: int) -> None:
        self.script = script
        self._arguments, self._function = script.arguments, script.function
        self.timeout_ms = timeout_ms
        self.on_failure: Callable[[BaseException], None] | None = None
        self._breaker = breaker
        self._meter = meter

    def score(self, request: Request) -> Answer | Stream:
        """Run the script on one request."""
        try:
            arguments = self._arguments(request)
        except BadInput as bad:
            return bad.answer
        breaker = self._breaker
        started = time.monotonic()
        try:
            breaker.is_armed = True
            try:
                result = self._function(**arguments)
                if type(result) not in results.COMMON:
                    result = results.begin(self._finished(result))
            finally:
                breaker.is_armed = False
        except CallerLeft:
            raise
        except BaseException as reason:  # noqa: BLE001  # sys.exit() in run() costs this request only
            return self._failed(reason)
        ended = time.monotonic()
        answer = results.render(result, exec_ms=(ended - started) * 1000)
        self._meter.ran(ended - started, time.monotonic() - ended)
        return answer

    @contextmanager
    def breakable(self) -> Iterator[None]:
        """For what run() left to be done, its stream: it can be broken off inside."""
        self._breaker.is_armed = True
        try:
            yield
        finally:
            self._breaker.is_armed = False

    def score_batch(self, requests: list[Request]) -> list[Answer | Stream]:
        """Run the script once on all of them; one answer each, in order."""
        answers: dict[int, Answer | Stream] = {}
        given: dict[int, dict[str, Any]] = {}
        for index, request in enumerate(requests):
            try:
                given[index] = self.script.arguments(request)
            except BadInput as bad:  # noqa: PERF203  # each on its own
                answers[index] = bad.answer
        started = time.monotonic()
        for index, result in zip(given, self._call_batch(list(given.values()))):
            is_wrong = isinstance(result, BaseException)
            answers[index] = self._failed(result) if is_wrong else self._rendered(result, started)
        return [answers[index] for index in range(len(requests))]

    async def score_async(
        self, request: Request, *, is_unwanted: Callable[[], bool] = lambda: False
    ) -> Answer | Stream:
        """Await the script on one request, for as long as the scoring timeout allows.

        `is_unwanted` tells a task that is cancelled since nobody waits from one that fails so.
        """
        import asyncio  # loaded for scripts that need it only

        try:
            arguments = self.script.arguments(request)
        except BadInput as bad:
            return bad.answer
        started = time.monotonic()
        try:
            call = self._awaited(arguments)
            result = await asyncio.wait_for(call, self.timeout_ms / 1000 or None)
        except asyncio.CancelledError as reason:
            if is_unwanted():
                raise CallerLeft from None
            return self._failed(reason)
        except asyncio.TimeoutError as reason:  # a class of its own before Python 3.11
            return self._failed(TimeoutError(*reason.args))
        except _Exit as wrapped:
            return self._failed(wrapped.reason)
        except BaseException as reason:  # noqa: BLE001
            return self._failed(reason)
        return self._rendered(result, started)

    async def _awaited(self, arguments: dict[str, Any]) -> Any:
        try:
            result = self.script.function(**arguments)
            if inspect.isawaitable(result):
                result = await result
            return await results.begin_async(result)
        except (SystemExit, KeyboardInterrupt) as reason:
            raise _Exit(reason) from reason

    def _call_batch(self, given: list[dict[str, Any]]) -> list[Any]:
        if not given:
            return []
        self._meter.batched(len(given))
        names = list(given[0])

        def run(items: list[dict[str, Any]]) -> Any:
            columns = {name: [item[name] for item in items] for name in names}
            return self._finished(self.script.function(**columns))

        try:
            self._breaker.is_armed = True
            try:
                return batching.call(run, given, is_over=lambda: not self._breaker.is_armed)
            finally:
                self._breaker.is_armed = False
        except CallerLeft:
            raise
        except BaseException as reason:  # noqa: BLE001
            return [reason] * len(given)

    def _finished(self, result: Any) -> Any:
        return self.script.coroutines.finish(result) if inspect.iscoroutine(result) else result

    def _rendered(self, result: Any, started: float) -> Answer | Stream:
        ended = time.monotonic()
        answer = results.render(result, exec_ms=(ended - started) * 1000)
        self._meter.ran(ended - started, time.monotonic() - ended)
        return answer

    def _failed(self, reason: BaseException) -> Answer:
        """Details are for the log only: a client learns that it failed."""
        trace.log(reason)
        if self.on_failure:
            self.on_failure(reason)
        if isinstance(reason, batching.BadBatch):
            return error(500, INTERNAL, run_failed=True)
        if isinstance(reason, TimeoutError):
            self._meter.count(metering.TIMEOUTS)
            return error(500, f"Scoring timeout after {self.timeout_ms} ms", run_failed=True)
        return error(500, results.SCRIPT_FAILED, run_failed=True)


class _Exit(Exception):
    """What would end the loop, and every request with it, if a task of its own raised it."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__(reason)
        self.reason = reason
