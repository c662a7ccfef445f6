"""Who guesses waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from verdazul.control import guesses
from verdazul.control.guesses import Failures


def test_after_the_free_ones_each_failure_doubles_the_wait() -> None:
    failures = Failures(free=2)
    waits = []
    for _ in range(10):
        failures.failed("alice", 100.0)
        waits.append(failures.wait("alice", 100.0))

    assert waits == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert failures.wait("alice", 130.0) == 30.0
    assert failures.wait("bob", 100.0) == 0


def test_success_and_time_forgive() -> None:
    failures = Failures(free=1)
    for name in ("alice", "bob"):
        failures.failed(name, 0.0)
        failures.failed(name, 0.0)

    failures.succeeded("alice")

    assert failures.wait("alice", 0.0) == 0
    assert failures.wait("bob", 3600.0) == 0
    failures.failed("bob", 3600.0)
    assert failures.wait("bob", 3600.0) == 1.0


@given(st.lists(st.integers(0, 30)))
def test_what_is_remembered_is_bounded(keys: list[int]) -> None:
    failures = Failures(free=0)
    most, guesses._MOST_KEYS = guesses._MOST_KEYS, 10
    try:
        for time, key in enumerate(keys):
            failures.failed(str(key), float(time))
    finally:
        guesses._MOST_KEYS = most

    assert len(failures._known) <= 10
    assert not keys or failures.wait(str(keys[-1]), float(len(keys) - 1)) > 0
