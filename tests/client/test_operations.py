"""Waiting: each message once, patience with a restart, and an honest end."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from tests.cli.arm_server import Api, Reply

from verdazul.client.connection import Connection
from verdazul.client.operations import NotReady, Patience, wait
from verdazul.client.workspace import Workspace
from verdazul.model.errors import Problem, Retryable


@dataclass
class HandMovedClock:
    """Time passes only while somebody sleeps."""

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def patience(self, seconds: float = 1800.0) -> Patience:
        return Patience(seconds, clock=lambda: self.now, sleep=self.sleep)


def an_operation(workspace: Workspace) -> str:
    return workspace.endpoint("credit").put({"properties": {}}).operation


def followed(connection: Connection, url: str, clock: HandMovedClock) -> list[str]:
    told: list[str] = []
    wait(connection, url, patience=clock.patience(), on_progress=told.append)
    return told


def test_each_progress_message_is_told_once(
    api: Api, connection: Connection, workspace: Workspace
) -> None:
    api.progress = ["a", "b", "c"]

    told = followed(connection, an_operation(workspace), HandMovedClock())

    assert told == ["a", "b", "c"]


def test_the_first_seconds_are_watched_closely_then_as_the_server_asks(
    api: Api, connection: Connection, workspace: Workspace
) -> None:
    api.progress = [str(n) for n in range(30)]
    clock = HandMovedClock()

    followed(connection, an_operation(workspace), clock)

    assert set(clock.pauses[:25]) == {0.2}
    assert set(clock.pauses[26:]) == {1.0}


def test_a_failed_operation_raises_its_cause_with_the_log(
    api: Api, connection: Connection, workspace: Workspace
) -> None:
    problem = Problem("ResourceNotReady", "init() failed", "repair it", "score.py:3", ("a", "b"))
    api.next_problem = problem

    with pytest.raises(NotReady) as caught:
        followed(connection, an_operation(workspace), HandMovedClock())

    assert caught.value.problem == problem


def test_patience_ends_and_says_that_the_server_goes_on(
    api: Api, connection: Connection, workspace: Workspace
) -> None:
    api.endless = True
    url = an_operation(workspace)
    clock = HandMovedClock()

    with pytest.raises(NotReady, match="not ready after 7 s; the server goes on"):
        wait(connection, url, patience=clock.patience(7), on_progress=lambda _: None)

    assert clock.now == pytest.approx(7)


def test_a_server_that_restarts_meanwhile_is_borne(
    api: Api, connection: Connection, workspace: Workspace
) -> None:
    url = an_operation(workspace)
    for _ in range(5):
        api.answer_next("GET", "/operations/0", Reply(503))

    told = followed(connection, url, HandMovedClock())

    silence = [message for message in told if "does not answer" in message]
    assert len(silence) == 1
    assert [message for message in told if message not in silence] == api.progress


def test_a_server_that_stays_away_is_given_up(
    api: Api, connection: Connection, workspace: Workspace
) -> None:
    url = an_operation(workspace)
    for _ in range(200):
        api.answer_next("GET", "/operations/0", Reply(503))
    clock = HandMovedClock()

    with pytest.raises(Retryable):
        followed(connection, url, clock)

    assert 60 < clock.now < 65


@pytest.mark.parametrize("body", [{"status": "Canceled"}, {"status": "Failed", "error": "what?"}])
def test_an_end_without_cause_says_so(
    api: Api, connection: Connection, workspace: Workspace, body: object
) -> None:
    url = an_operation(workspace)
    api.answer_next("GET", "/operations/0", Reply(200, body))

    with pytest.raises(NotReady, match="gave no cause"):
        followed(connection, url, HandMovedClock())
