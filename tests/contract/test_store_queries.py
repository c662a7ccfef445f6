"""What every Store answers: operations, events, assets, and what is forgotten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.contract.store_subjects import (
    KINDS,
    STATUS,
    Ask,
    asker,
    declared,
    ended,
)
from tests.core.records import (
    asset,
    bundle,
    deployment,
    endpoint,
    event,
    operation,
    role_assignment,
)

from verdazul.core.changes import (
    AddEvent,
    BeginOperation,
    DescribeAsset,
    ForgetAsset,
    ForgetDeployment,
    ForgetEndpoint,
    ForgetItem,
    ForgetRoleAssignment,
    PutAsset,
    PutDeployment,
    PutEndpoint,
    PutItem,
    PutRoleAssignment,
    RememberDeployment,
    RememberEndpoint,
)
from verdazul.core.records import Item, Memory, OperationState
from verdazul.model.errors import Conflict, VerdazulError
from verdazul.ports import Store


@pytest.fixture(params=KINDS)
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    return asker(request.param, tmp_path)


# -- operations


def test_one_operation_at_a_time_holds_a_resource(ask: Ask) -> None:
    async def story(store: Store) -> None:
        await store.commit(BeginOperation(operation("op-1", deployment="blue")))

        with pytest.raises(Conflict) as caught:
            await store.commit(
                BeginOperation(operation("op-2", endpoint="CREDIT", deployment="Blue"))
            )

        assert caught.value.problem.code == "OperationInProgress"
        assert "op-1" in caught.value.problem.message
        assert await store.operation("op-2") is None

    ask(story)


def test_operations_on_other_resources_go_on_beside_it(ask: Ask) -> None:
    async def story(store: Store) -> None:
        others = [
            operation("op-2", deployment="green"),
            operation("op-3"),
            operation("op-4", endpoint="other", deployment="blue"),
        ]
        await store.commit(BeginOperation(operation("op-1", deployment="blue")))

        for other in others:
            await store.commit(BeginOperation(other))

        held = {o.id for o in await store.open_operations("credit")}
        assert held == {"op-1", "op-2", "op-3"}

    ask(story)


def test_an_ended_operation_holds_nothing_and_keeps_its_outcome(ask: Ask) -> None:
    async def story(store: Store) -> None:
        first = operation("op-1")
        await store.commit(BeginOperation(first))

        await store.commit(ended(first, OperationState.FAILED))
        await store.commit(ended(first, OperationState.SUCCEEDED))
        await store.commit(BeginOperation(operation("op-2")))

        found = await store.operation("op-1")
        assert found is not None
        assert found.state is OperationState.FAILED
        assert [o.id for o in await store.open_operations("credit")] == ["op-2"]

    ask(story)


def test_ending_what_never_began_does_nothing(ask: Ask) -> None:
    async def story(store: Store) -> None:
        await store.commit(ended(operation("op-1")))

        assert await store.operation("op-1") is None

    ask(story)


def test_one_commit_may_end_an_operation_and_begin_the_next(ask: Ask) -> None:
    async def story(store: Store) -> None:
        first = operation("op-1")
        await store.commit(BeginOperation(first))

        await store.commit(ended(first), BeginOperation(operation("op-2")))

        assert [o.id for o in await store.open_operations("credit")] == ["op-2"]

    ask(story)


def test_open_operations_come_oldest_first(ask: Ask) -> None:
    async def story(store: Store) -> None:
        for name, started in (("blue", 30.0), ("green", 10.0), ("red", 20.0)):
            begun = operation(name, deployment=name, started_at=started)
            await store.commit(BeginOperation(begun))

        found = [o.id for o in await store.open_operations("credit")]
        assert found == ["green", "red", "blue"]

    ask(story)


def test_the_latest_operation_of_just_one_resource_is_found(ask: Ask) -> None:
    async def story(store: Store) -> None:
        first, blue = operation("op-1", started_at=10.0), operation("op-2", started_at=30.0)
        blue = replace(blue, deployment="Blue")
        await store.commit(BeginOperation(first), BeginOperation(blue))
        await store.commit(ended(first), BeginOperation(operation("op-3", started_at=20.0)))

        assert (await store.latest_operation("CREDIT")) == operation("op-3", started_at=20.0)
        assert (await store.latest_operation("credit", "blue")) == blue
        assert await store.latest_operation("credit", "green") is None

    ask(story)


# -- events


def test_events_come_oldest_first_the_last_ones_only(ask: Ask) -> None:
    async def story(store: Store) -> None:
        for number in range(250):
            await store.commit(AddEvent(event(number)))

        assert [e.time for e in await store.events("credit", last=3)] == [1247.0, 1248.0, 1249.0]
        assert len(await store.events("credit")) == 200
        assert len(await store.events("credit", last=1000)) == 250
        late = await store.events("credit", since=1248.0)
        assert [e.time for e in late] == [1248.0, 1249.0]

    ask(story)


def test_events_of_the_same_time_stay_in_order(ask: Ask) -> None:
    async def story(store: Store) -> None:
        told = [event(0, message=str(number)) for number in range(20)]
        await store.commit(*[AddEvent(each) for each in told])

        assert await store.events("credit") == tuple(told)

    ask(story)


def test_events_are_told_apart_by_deployment(ask: Ask) -> None:
    async def story(store: Store) -> None:
        told = [event(n, deployment=name) for n, name in enumerate(("", "blue", "green", "blue"))]
        elsewhere = event(9, endpoint="other", deployment="blue")
        await store.commit(*[AddEvent(each) for each in (*told, elsewhere)])

        assert await store.events("credit") == tuple(told)
        assert await store.events("credit", "blue") == (told[1], told[3])
        assert await store.events("credit", "") == (told[0],)
        assert await store.events("credit", "blue", last=1) == (told[3],)

    ask(story)


def test_asking_for_no_events_gives_none(ask: Ask) -> None:
    async def story(store: Store) -> None:
        await store.commit(AddEvent(event(1)))

        assert await store.events("credit", last=0) == ()

    ask(story)


# -- forgetting


def test_a_forgotten_endpoint_takes_deployments_and_events_along_not_operations(ask: Ask) -> None:
    async def story(store: Store) -> None:
        await declared(store, "blue", "green")
        done = operation("op-1", deployment="blue")
        await store.commit(
            PutEndpoint(endpoint("other"), None),
            PutDeployment(deployment("blue", "other"), None),
            AddEvent(event(1)),
            AddEvent(event(2, deployment="blue")),
            AddEvent(event(3, endpoint="other")),
            BeginOperation(done),
            ended(done),
        )

        await store.commit(ForgetEndpoint("CREDIT"))

        assert await store.endpoint("credit") is None
        assert await store.deployments("credit") == ()
        assert await store.events("credit") == ()
        assert await store.operation("op-1") is not None
        assert len(await store.deployments("other")) == 1
        assert len(await store.events("other")) == 1

    ask(story)


def test_a_name_that_was_forgotten_starts_anew(ask: Ask) -> None:
    async def story(store: Store) -> None:
        await declared(store, "blue")
        await store.commit(
            RememberEndpoint("credit", STATUS),
            RememberDeployment("credit", "blue", STATUS, Memory(bundle())),
        )

        await store.commit(ForgetDeployment("credit", "Blue"))
        await store.commit(PutDeployment(deployment(), None))
        again = await store.deployment("credit", "blue")
        await store.commit(ForgetEndpoint("credit"), PutEndpoint(endpoint("Credit"), None))

        assert again is not None
        assert (again.status, again.memory) == (None, Memory())
        assert await store.endpoint_status("credit") is None
        assert await store.deployments("credit") == ()

    ask(story)


def test_a_deployment_of_no_endpoint_is_refused(ask: Ask) -> None:
    async def story(store: Store) -> None:
        with pytest.raises(VerdazulError, match='endpoint "credit"'):
            await store.commit(PutDeployment(deployment(), None))

    ask(story)


# -- assets


def test_assets_are_found_by_name_and_by_tree_newest_first(ask: Ask) -> None:
    async def story(store: Store) -> None:
        old = asset("1", created_at=10.0, tree_hash="t1")
        new = asset("2", created_at=30.0, tree_hash="t2")
        middle = asset("3", created_at=20.0, tree_hash="t1")
        other = asset("1", name="other", created_at=40.0, tree_hash="t1")
        await store.commit(*[PutAsset(each) for each in (old, new, middle, other)])

        assert await store.assets("codes") == (other, new, middle, old)
        assert await store.assets("codes", name="code") == (new, middle, old)
        assert await store.assets("codes", tree_hash="t1") == (other, middle, old)
        assert await store.assets("codes", name="code", tree_hash="t2") == (new,)
        assert await store.assets("codes", name="nobody") == ()
        assert await store.assets("models") == ()

    ask(story)


def test_assets_of_the_same_time_come_last_registered_first(ask: Ask) -> None:
    async def story(store: Store) -> None:
        for version in ("1", "2", "3"):
            await store.commit(PutAsset(asset(version)))

        assert [a.key.version for a in await store.assets("codes")] == ["3", "2", "1"]

    ask(story)


def test_the_same_content_again_is_fine_and_changes_nothing(ask: Ask) -> None:
    async def story(store: Store) -> None:
        first = asset(created_at=10.0)
        await store.commit(PutAsset(first))

        await store.commit(PutAsset(replace(first, created_at=20.0)))

        assert await store.assets("codes") == (first,)

    ask(story)


@pytest.mark.parametrize("change", [{"digest": "sha256:other"}, {"body": '{"a": 2}'}])
def test_other_content_under_the_same_version_is_a_conflict(
    ask: Ask, change: dict[str, Any]
) -> None:
    async def story(store: Store) -> None:
        await store.commit(PutAsset(asset()))

        with pytest.raises(Conflict) as caught:
            await store.commit(PutAsset(asset(**change)))

        assert caught.value.problem.code == "AssetVersionExists"
        assert await store.asset(asset().key) == asset()

    ask(story)


def test_a_forgotten_asset_is_gone_and_its_version_free(ask: Ask) -> None:
    async def story(store: Store) -> None:
        await store.commit(PutAsset(asset("1")), PutAsset(asset("2")))

        await store.commit(ForgetAsset(asset("1").key), ForgetAsset(asset("9").key))
        await store.commit(PutAsset(asset("1", digest="sha256:other")))

        assert [a.digest for a in await store.assets("codes")] == ["sha256:other", "sha256:2"]

    ask(story)


# -- role assignments


def test_roles_are_given_replaced_and_taken_oldest_first(ask: Ask) -> None:
    async def story(store: Store) -> None:
        old, new = role_assignment("b", created_at=1.0), role_assignment("a", created_at=2.0)
        again = role_assignment("b", principal="bob", created_at=1.0)
        await store.commit(PutRoleAssignment(new), PutRoleAssignment(old))

        assert await store.role_assignments() == (old, new)
        await store.commit(PutRoleAssignment(again), ForgetRoleAssignment("a"))
        await store.commit(ForgetRoleAssignment("never-was"))
        assert await store.role_assignments() == (again,)

    ask(story)


def test_roles_that_hold_at_an_endpoint_are_its_own_and_the_workspaces(ask: Ask) -> None:
    async def story(store: Store) -> None:
        places = {"1": "Credit", "2": "", "3": "credit2"}
        given = [role_assignment(id_, endpoint=place) for id_, place in places.items()]
        await store.commit(*map(PutRoleAssignment, given))

        assert {a.id for a in await store.role_assignments(at="CREDIT")} == {"1", "2"}
        assert {a.id for a in await store.role_assignments(at="")} == {"2"}

    ask(story)


def test_roles_at_an_endpoint_go_with_it_and_others_stay(ask: Ask) -> None:
    async def story(store: Store) -> None:
        await declared(store)
        places = {"1": "CREDIT", "2": "", "3": "credit2"}
        given = [role_assignment(id_, endpoint=place) for id_, place in places.items()]
        await store.commit(*map(PutRoleAssignment, given))

        await store.commit(ForgetEndpoint("Credit"))

        assert {a.id for a in await store.role_assignments()} == {"2", "3"}

    ask(story)


def test_what_is_said_about_an_asset_is_replaced(ask: Ask) -> None:
    async def story(store: Store) -> None:
        known = asset("1", body='{"a": 1}', created_at=10.0)
        said = replace(known, body='{"a": 2}', modified_at=20.0)
        await store.commit(PutAsset(known), DescribeAsset(said), DescribeAsset(asset("none")))

        assert await store.assets("codes") == (said,)

    ask(story)


# -- items


def test_items_are_found_by_kind_and_name_in_any_case(ask: Ask) -> None:
    async def story(store: Store) -> None:
        one = Item("connections", "One", '{"a": 1}', 1.0, 1.0, "sealed")
        two = Item("connections", "two", "{}", 1.0, 1.0)
        lock = Item("locks", "one", "{}", 1.0, 1.0)
        await store.commit(PutItem(two), PutItem(one), PutItem(lock))

        assert await store.item("connections", "ONE") == one
        assert await store.item("locks", "two") is None
        assert await store.items("connections") == (one, two)
        assert await store.items("none") == ()

    ask(story)


def test_an_item_is_replaced_and_forgotten(ask: Ask) -> None:
    async def story(store: Store) -> None:
        old, new = (Item("locks", name, "{}", at, at) for name, at in (("a", 1.0), ("A", 2.0)))
        await store.commit(PutItem(old), PutItem(new))
        kept = await store.items("locks")
        await store.commit(ForgetItem("locks", "a"), ForgetItem("locks", "none"))

        assert kept == (new,)
        assert await store.items("locks") == ()

    ask(story)
