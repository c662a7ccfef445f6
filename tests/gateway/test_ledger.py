"""The record of acknowledged routes: what it must never forget, and across restarts."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verdazul.core.route import Backend, DeploymentRoute, Hold, Route
from verdazul.core.trust import Identities, OwnTokens
from verdazul.gateway.disk import make_folders
from verdazul.gateway.ledger import Ledger
from verdazul.model.errors import Fatal

endpoints = st.sampled_from(["a", "b"])


def route(endpoint: str, *instances: str) -> Route:
    backends = tuple(Backend(name, f"unix:run/{name}.sock") for name in instances)
    return Route(endpoint, ("0" * 64,), (DeploymentRoute("d", 100, 1, 2, 3, backends),))


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
        path = home / "gateway" / "routes.json"
        in_force: dict[str, set[str]] = {"a": set(), "b": set()}
        may_be: dict[str, set[str]] = {"a": set(), "b": set()}
        for endpoint, instances, outcome in history:
            new = None if instances is None else route(endpoint, *instances)
            Ledger(path).begin(endpoint, new)
            may_be[endpoint] |= set(instances or ())
            if outcome == "acknowledged":
                Ledger(path).settle(endpoint, new)
                in_force[endpoint] = set(instances or ())
            elif outcome == "refused":
                Ledger(path).restore()
            if outcome != "silence":
                may_be = {name: set(known) for name, known in in_force.items()}

            ledger = Ledger(path)
            assert {name: set(ledger.routed(name)) for name in may_be} == may_be
            assert ledger.is_settled == (outcome != "silence")


def test_an_unreadable_record_says_which_file_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "routes.json"
    path.write_text('{"routes v9": {}}')

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
    path = tmp_path / "gateway" / "routes.json"
    known = replace(route("a", "x"), door=door)

    Ledger(path).settle("a", known)

    assert Ledger(path).acknowledged() == {"a": known}


def test_a_record_from_before_there_were_tokens_is_read(tmp_path: Path) -> None:
    make_folders(tmp_path)
    path = tmp_path / "gateway" / "routes.json"
    Ledger(path).settle("a", route("a", "x"))
    path.write_text(path.read_text().replace(', "door": null', ""))

    assert "door" not in path.read_text()
    assert Ledger(path).acknowledged() == {"a": route("a", "x")}


def test_a_pause_is_remembered(tmp_path: Path) -> None:
    make_folders(tmp_path)
    path = tmp_path / "gateway" / "routes.json"
    paused = replace(route("a", "x"), hold=Hold(300, 1000))

    Ledger(path).settle("a", paused)

    assert Ledger(path).acknowledged() == {"a": paused}
