"""The record of acknowledged routes: what it must never forget, and across restarts."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verdazul.core.route import Backend, DeploymentRoute, Hold, Route
from verdazul.core.trust import Identities, OwnTokens
from verdazul.gateway.disk import make_folders
from verdazul.gateway.ledger import Ledger
from verdazul.model.errors import Fatal, Retryable

endpoints = st.sampled_from(["a", "b"])


def route(endpoint: str, *instances: str) -> Route:
    backends = tuple(Backend(name, f"unix:run/{name}.sock") for name in instances)
    return Route(endpoint, ("0" * 64,), (DeploymentRoute("d", 100, 1, 2, 3, backends),))


@contextmanager
def opened(path: Path) -> Iterator[Ledger]:
    with closing(Ledger(path)) as ledger:
        yield ledger


steps = st.lists(
    st.tuples(
        endpoints,
        st.none() | st.lists(st.sampled_from("xyz"), unique=True),
        st.sampled_from(["acknowledged", "refused", "silence"]),
    ),
    max_size=8,
)


@settings(max_examples=40, deadline=None)  # each step writes to the disk
@given(steps)
def test_routed_holds_all_that_may_be_in_force_also_after_each_restart(
    history: list[tuple[str, list[str] | None, str]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        make_folders(home)
        path = home / "gateway" / "routes.db"
        in_force: dict[str, set[str]] = {"a": set(), "b": set()}
        may_be: dict[str, set[str]] = {"a": set(), "b": set()}
        for endpoint, instances, outcome in history:
            new = None if instances is None else route(endpoint, *instances)
            with opened(path) as ledger:
                ledger.begin({endpoint: new})
            may_be[endpoint] |= set(instances or ())
            with opened(path) as ledger:
                if outcome == "acknowledged":
                    ledger.settle({endpoint: new})
                    in_force[endpoint] = set(instances or ())
                elif outcome == "refused":
                    ledger.restore()
            if outcome != "silence":
                may_be = {name: set(known) for name, known in in_force.items()}

            with opened(path) as ledger:
                assert {name: set(ledger.routed(name)) for name in may_be} == may_be
                assert ledger.is_settled == (outcome != "silence")


def test_an_unreadable_record_says_which_file_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "routes.db"
    path.write_text("no database")

    with pytest.raises(Fatal) as failed:
        Ledger(path)

    assert failed.value.problem.code == "GatewayRecordUnreadable"
    assert failed.value.problem.where == str(path)
    assert "move the file away" in failed.value.problem.fix


@pytest.mark.parametrize(
    "door", [OwnTokens("urn:x"), Identities(("alice",), ("team", "//partner/crew")), None]
)
def test_what_opens_an_endpoint_is_remembered(
    tmp_path: Path, door: OwnTokens | Identities | None
) -> None:
    make_folders(tmp_path)
    path = tmp_path / "gateway" / "routes.db"
    known = replace(route("a", "x"), door=door)

    with opened(path) as ledger:
        ledger.settle({"a": known})

    with opened(path) as ledger:
        assert ledger.acknowledged() == {"a": known}


OLDER = {
    "endpoint": "a",
    "key_digests": ["0" * 64],
    "deployments": [
        {
            "name": "d",
            "weight": 100,
            "request_timeout_ms": 1,
            "max_queue_wait_ms": 2,
            "max_requests": 3,
            "backends": [{"instance": "x", "address": "unix:run/x.sock"}],
        }
    ],
}


def test_the_one_file_of_older_homes_is_taken_over(tmp_path: Path) -> None:
    make_folders(tmp_path)
    older = tmp_path / "gateway" / "routes.json"
    going = {**OLDER, "endpoint": "b"}
    body = {"acknowledged": {"a": OLDER}, "unsettled": [going]}
    older.write_text(json.dumps({"routes v1": body}))

    for _ in range(2):  # and it is kept
        with opened(older.with_suffix(".db")) as ledger:
            assert ledger.acknowledged() == {"a": route("a", "x")}
            assert ledger.routed("b") == {"x"}
            assert not ledger.is_settled
    assert not older.exists()


def test_an_unreadable_older_record_says_which_file(tmp_path: Path) -> None:
    make_folders(tmp_path)
    older = tmp_path / "gateway" / "routes.json"
    older.write_text('{"routes v9": {}}')

    with pytest.raises(Fatal) as failed:
        Ledger(older.with_suffix(".db"))

    assert failed.value.problem.where == str(older)


@pytest.mark.parametrize("others", [0, 50])
def test_a_change_is_three_rows_however_many_endpoints_there_are(
    tmp_path: Path, others: int
) -> None:
    make_folders(tmp_path)
    path = tmp_path / "gateway" / "routes.db"
    with opened(path) as ledger:
        ledger.settle({f"e{n}": route(f"e{n}", "x") for n in range(others)})

        before = ledger.rows_written
        ledger.begin({"a": route("a", "x")})
        ledger.settle({"a": route("a", "x")})

        assert ledger.rows_written - before == 3  # noted, acknowledged, struck off


def test_what_is_tried_for_ever_is_noted_once(tmp_path: Path) -> None:
    make_folders(tmp_path)
    with opened(tmp_path / "gateway" / "routes.db") as ledger:
        for name in ("x", "y", "x", "y", "x"):
            ledger.begin({"a": route("a", name), "b": None})

        assert ledger.rows_written == 3
        assert ledger.routed("a") == {"x", "y"}


def test_what_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    make_folders(tmp_path)
    with opened(tmp_path / "gateway" / "routes.db") as ledger:
        ledger.close()  # as unwritable as a full disk

        with pytest.raises(Retryable) as failed:
            ledger.begin({"a": route("a", "x")})

    assert failed.value.problem.code == "GatewayRecordUnwritable"
    assert ledger.is_settled


def test_a_pause_is_remembered(tmp_path: Path) -> None:
    make_folders(tmp_path)
    path = tmp_path / "gateway" / "routes.db"
    paused = replace(route("a", "x"), hold=Hold(300, 1000))

    with opened(path) as ledger:
        ledger.settle({"a": paused})

    with opened(path) as ledger:
        assert ledger.acknowledged() == {"a": paused}
