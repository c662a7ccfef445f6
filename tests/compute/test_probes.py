"""The probe machine on a clock that is moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul.compute import probes
from verdazul.compute.probes import Answer, Subject
from verdazul.core.instance import Probe


class Over(Exception):
    """The script of answers has ended."""


class HandTimer:
    """Sleeping moves the time at once."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        await asyncio.sleep(0)


def subject(answers: Iterable[bool], probe: Probe, *, cost: float = 0.0) -> Subject:
    timer = HandTimer()
    script: Iterator[bool] = iter(answers)

    async def ask() -> Answer:
        timer.time += cost
        try:
            ok = next(script)
        except StopIteration:
            raise Over from None
        return Answer(ok, "HTTP 200" if ok else "HTTP 503")

    return Subject(ask, probe, timer, 0.0)


def readiness(answers: Iterable[bool], probe: Probe, *, ready: bool) -> list[tuple[float, bool]]:
    told: list[tuple[float, bool]] = []
    asked = subject(answers, probe)
    with pytest.raises(Over):
        asyncio.run(
            probes.stay_ready(
                asked, ready=ready, tell=lambda now: told.append((asked.timer.now(), now))
            )
        )
    return told


def test_instance_is_ready_the_moment_it_answers_not_after_the_initial_delay() -> None:
    asked = subject([False, False, True], Probe(initial_delay=10))

    assert asyncio.run(probes.become_ready(asked)) is None

    assert asked.timer.now() == pytest.approx(0.1)


def test_success_threshold_counts_successes_in_a_row() -> None:
    asked = subject([True, False, True, True], Probe(success_threshold=2))

    assert asyncio.run(probes.become_ready(asked)) is None


def test_startup_is_given_up_after_delay_and_period_times_threshold() -> None:
    probe = Probe(initial_delay=5, period=2, failure_threshold=10)
    asked = subject(iter(lambda: False, None), probe)

    answer = asyncio.run(probes.become_ready(asked))

    assert answer == Answer(ok=False, said="HTTP 503")
    assert 25 <= asked.timer.now() <= 25 + probes.PATIENT_PAUSE


def test_waiting_gets_calmer_after_some_seconds() -> None:
    probe = Probe(initial_delay=1, period=9, failure_threshold=1)
    calls: list[float] = []
    timer = HandTimer()

    async def ask() -> Answer:
        calls.append(timer.time)
        return Answer(ok=False, said="no")

    asyncio.run(probes.become_ready(Subject(ask, probe, timer, 0.0)))

    assert len([c for c in calls if c < 5]) == pytest.approx(100, abs=1)
    assert len([c for c in calls if c >= 5]) == pytest.approx(21, abs=2)


@pytest.mark.azure(71)
def test_unready_after_threshold_failures_and_ready_after_threshold_successes() -> None:
    probe = Probe(period=10, failure_threshold=3, success_threshold=2)
    answers = [False, False, True, False, False, False, False, True, False, True, True, True]

    told = readiness(answers, probe, ready=True)

    assert told == [(60.0, False), (110.0, True)]


@given(st.lists(st.booleans()), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_readiness_is_told_in_turns_and_never_without_a_full_streak(
    answers: list[bool],
    failures: int,
    successes: int,
    ready: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    probe = Probe(period=1, failure_threshold=failures, success_threshold=successes)

    told = readiness(answers, probe, ready=ready)

    assert [now for _, now in told] == [ready ^ (n % 2 == 0) for n in range(len(told))]
    for at, now in told:
        streak = answers[int(at) - (successes if now else failures) : int(at)]
        assert set(streak) == {now}


@pytest.mark.azure(72)
def test_liveness_counts_from_the_initial_delay_and_gives_up_after_threshold() -> None:
    probe = Probe(initial_delay=30, period=10, failure_threshold=3)
    asked = subject([False, True, False, False, False], probe)

    answer = asyncio.run(probes.stay_alive(asked))

    assert not answer.ok
    assert asked.timer.now() == 30 + 4 * 10


def test_adopted_old_instance_is_probed_for_liveness_at_once() -> None:
    probe = Probe(initial_delay=30, period=10, failure_threshold=1)
    asked = subject([False], probe)
    asked.timer.time = 100.0  # type: ignore[attr-defined]  # the HandTimer of this file

    asyncio.run(probes.stay_alive(asked))

    assert asked.timer.now() == 100.0


ANSWERS = [
    (b"HTTP/1.1 200 OK\r\n\r\n", True, "HTTP 200"),
    (b"HTTP/1.1 399 Odd\r\n\r\n", True, "HTTP 399"),
    (b"HTTP/1.1 503 No\r\nA: b\r\n\r\nstill\nloading", False, "HTTP 503 (still loading)"),
    (b"HTTP/1.1 404 No\r\n\r\n", False, "HTTP 404"),
    (b"", False, "no HTTP answer"),
    (b"SSH-2.0-x\r\n", False, "SSH-2.0"),
    (b"HTTP/1.1 abc\r\n", False, "no HTTP answer"),
    (b"x" * 200_000, False, "no HTTP answer"),
]


@pytest.mark.parametrize(("sent", "ok", "said"), ANSWERS)
def test_probe_reads_the_status_and_survives_nonsense(
    tmp_path: object, *, sent: bytes, ok: bool, said: str
) -> None:
    answer = asyncio.run(_probe_a_server(f"{tmp_path}/s", sent, Probe(timeout=1)))

    assert answer.ok is ok
    assert said in answer.said


def test_probe_of_a_silent_server_ends_with_its_timeout(tmp_path: object) -> None:
    answer = asyncio.run(_probe_a_server(f"{tmp_path}/s", None, Probe(timeout=1)))

    assert answer == Answer(ok=False, said="no answer within 1 s")


def test_probe_of_nobody_is_refused(tmp_path: object) -> None:
    answer = asyncio.run(probes.get(f"{tmp_path}/nobody", Probe()))

    assert answer == Answer(ok=False, said="connection refused")


def test_probe_path_cannot_smuggle_a_second_request(tmp_path: object) -> None:
    seen: list[bytes] = []
    probe = Probe(path="/a b\r\nX: y?z=1", timeout=1)

    asyncio.run(_probe_a_server(f"{tmp_path}/s", b"HTTP/1.1 200 OK\r\n\r\n", probe, seen=seen))

    assert seen == [b"GET /a%20b%0D%0AX:%20y?z=1 HTTP/1.1\r\n"]


async def _probe_a_server(
    path: str, sent: bytes | None, probe: Probe, *, seen: list[bytes] | None = None
) -> Answer:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            if seen is not None:
                seen.append(line)
            if sent is None:
                await reader.read()
            else:
                writer.write(sent)
        finally:
            writer.close()

    async with await asyncio.start_unix_server(serve, path):
        return await probes.get(path, probe)
