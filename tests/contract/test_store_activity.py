"""What every Store promises about the activity log: each change leaves its row, in its commit."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.store_subjects import (
    KINDS,
    STATUS,
    Ask,
    asker,
    declared,
    ended,
    opened,
    outcome,
)
from tests.core.records import asset, deployment, endpoint, operation, role_assignment

from verdazul.core import audit
from verdazul.core.audit import Bounds, Entry, Origin, Wanted
from verdazul.core.callers import OWNER, Caller
from verdazul.core.changes import (
    AddEntry,
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
    RememberEndpoint,
)
from verdazul.core.records import Item
from verdazul.origin import on_behalf_of
from verdazul.ports import Store
from verdazul.store.sqlite import SqliteStore

CREDIT = "/subscriptions/s/workspaces/w/onlineEndpoints/credit"


def origin(
    n: int = 1, *, at: float = 1000.0, caller: Caller = OWNER, resource: str = CREDIT
) -> Origin:
    return Origin(f"r-{n}", at, caller, "ML/onlineEndpoints/write", resource, "PUT", "10.0.0.1")


@pytest.fixture(params=KINDS)
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    return asker(request.param, tmp_path)


async def entries(store: Store, **wanted: object) -> list[Entry]:
    found = await store.activity(Wanted(**wanted))  # type: ignore[arg-type]  # by name
    return [entry for _, entry in found]


def told(entry: Entry) -> set[tuple[str, str, str, str]]:
    return {(leaf.subject, leaf.path, leaf.before, leaf.after) for leaf in entry.leaves}


def test_a_change_leaves_who_made_it_and_what_was_before_and_is_after(ask: Ask) -> None:
    async def story(store: Store) -> None:
        await store.commit(PutEndpoint(endpoint(tags={"a": "1"}), None))
        changed = endpoint(generation=2, tags={"a": "2"}, description="new")
        with on_behalf_of(origin()) as request:
            await store.commit(PutEndpoint(changed, 1), BeginOperation(operation("op-1")))

        (entry,) = await entries(store)
        assert (entry.caller, entry.action, entry.resource) == (
            OWNER.id,
            "ML/onlineEndpoints/write",
            CREDIT,
        )
        assert told(entry) == {
            ("onlineEndpoints/credit", "tags.a", '"1"', '"2"'),
            ("onlineEndpoints/credit", "description", "", '"new"'),
        }
        assert (entry.correlation, request.is_told) == ("op-1", True)

    ask(story)


def test_every_kind_of_declared_thing_is_told(ask: Ask) -> None:
    item = Item("connections", "db", '{"target": "x"}', 1.0, 1.0, "sealed-text")
    role = role_assignment()

    async def story(store: Store) -> None:
        await declared(store)
        with on_behalf_of(origin()):
            for change in (
                PutDeployment(deployment(), None),
                ForgetDeployment("credit", "blue"),
                PutAsset(asset()),
                DescribeAsset(asset(body='{"tags": {"a": "b"}}')),
                ForgetAsset(asset().key),
                PutRoleAssignment(role),
                ForgetRoleAssignment(role.id),
                PutItem(item),
                ForgetItem("connections", "db"),
                ForgetEndpoint("credit"),
            ):
                await store.commit(change)

        found = [entry.leaves[0].subject for entry in await entries(store)]
        blue, credit = "onlineEndpoints/credit/deployments/blue", "onlineEndpoints/credit"
        code = f"{asset().key.kind}/{asset().key.name}/versions/{asset().key.version}"
        given_role = f"roleAssignments/{role.id}"
        expected = [*[blue] * 2, *[code] * 3, *[given_role] * 2, *["connections/db"] * 2, credit]
        assert found == list(reversed(expected))
        assert "sealed-text" not in str(await entries(store))

    ask(story)


def test_what_nobody_asked_for_or_the_loop_found_leaves_nothing(ask: Ask) -> None:
    async def story(store: Store) -> None:
        await declared(store, "blue")
        with on_behalf_of(origin()) as request:
            await store.commit(RememberEndpoint("credit", STATUS))
            await store.commit(PutEndpoint(endpoint(generation=2), 1))
            await store.commit(PutItem(Item("identityNames", "alice", '"id"', 1.0, 1.0)))

        assert await entries(store) == []
        assert not request.is_told

    ask(story)


def test_a_change_that_is_refused_leaves_nothing(ask: Ask) -> None:
    async def story(store: Store) -> None:
        await store.commit(PutEndpoint(endpoint(), None))
        with on_behalf_of(origin()) as request:
            changes = (PutAsset(asset()), PutEndpoint(endpoint(generation=9), 8))
            assert await outcome(store, changes) != "done"

        assert (await entries(store), request.is_told) == ([], False)

    ask(story)


def test_entries_are_read_from_the_newest_by_page_and_by_what_is_wanted(ask: Ask) -> None:
    async def story(store: Store) -> None:
        alice = Caller("id-alice", "alice")
        for n in range(6):
            who = alice if n % 2 else OWNER
            place = f"{CREDIT}{'' if n < 4 else '-risk'}"
            asked = origin(n, at=1000.0 + n, caller=who, resource=place)
            entry = audit.refused(asked, "Conflict", "no") if n == 5 else audit.made(asked, ())
            await store.commit(AddEntry(entry))

        first = await store.activity(Wanted(most=4))
        rest = await store.activity(Wanted(most=4, before=first[-1][0]))
        assert [entry.id for _, entry in (*first, *rest)] == [f"r-{n}" for n in range(5, -1, -1)]
        for wanted, expected in (
            ({"since": 1004.0}, "54"),
            ({"until": 1001.0}, "10"),
            ({"caller": "alice"}, "531"),
            ({"caller": "id-alice"}, "531"),
            ({"resource": CREDIT.upper()}, "3210"),
            ({"resource": "/subscriptions/s"}, "543210"),
            ({"resource": CREDIT[:-1]}, ""),
            ({"outcome": "Failed"}, "5"),
            ({"correlation": "r-2"}, "2"),
        ):
            found = await entries(store, **wanted)
            assert "".join(entry.id[2:] for entry in found) == expected, wanted

    ask(story)


steps = st.lists(
    st.tuples(
        st.sampled_from(["credit", "fraud"]),
        st.dictionaries(st.sampled_from("abc"), st.text("xyz", max_size=3)),
    ),
    max_size=8,
)


@pytest.mark.parametrize("kind", KINDS)
@given(steps=steps)
@settings(max_examples=25)
def test_the_log_tells_how_everything_came_to_be_as_it_is(
    kind: str, steps: list[tuple[str, dict[str, str]]]
) -> None:
    async def story(store: Store) -> None:
        generations: dict[str, int] = {}
        for n, (name, tags) in enumerate(steps):
            before = generations.get(name)
            generations[name] = (before or 0) + 1
            made = endpoint(name, generation=generations[name], tags=tags)
            with on_behalf_of(origin(n)):
                await store.commit(PutEndpoint(made, before))

        known: dict[tuple[str, str], str] = {}
        for entry in reversed(await entries(store)):
            for leaf in entry.leaves:
                assert known.get((leaf.subject, leaf.path), "") == leaf.before
                known[leaf.subject, leaf.path] = leaf.after
        tags_of = {
            (f"onlineEndpoints/{record.name}", path): text
            for record in [state.record for state in await store.endpoints()]
            for path, text in audit.leaves_of({"tags": dict(record.spec.tags)}).items()
        }
        assert {key: text for key, text in known.items() if "tags" in key[1] and text} == tags_of

    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with opened(kind, Path(folder)) as store:
                await story(store)

    asyncio.run(main())


def test_the_log_is_bounded_by_rows_of_either_kind_and_by_days(tmp_path: Path) -> None:
    async def main() -> None:
        bounds = Bounds(rows=100, seconds=1000.0)
        store = await SqliteStore.open(tmp_path / "verdazul.db", audit_kept=bounds)
        leaf = audit.Leaf("a", "b", "", "1")
        await store.commit(AddEntry(audit.made(origin(at=1.0), [leaf])))
        for n in range(50):
            await store.commit(AddEntry(audit.made(origin(n, at=5000.0), [leaf])))
        for n in range(400):
            await store.commit(AddEntry(audit.made(origin(n, at=5000.0), ())))

        found = await entries(store, most=1000)
        assert sum(bool(entry.leaves) for entry in found) == 50
        assert 100 <= sum(not entry.leaves for entry in found) <= 100 + 64
        await store.close()

    asyncio.run(main())


def test_an_ended_operation_is_no_change_of_its_own(ask: Ask) -> None:
    async def story(store: Store) -> None:
        await declared(store)
        begun = operation("op-1")
        await store.commit(BeginOperation(begun))
        with on_behalf_of(origin()):
            await store.commit(ended(begun))

        assert await entries(store) == []

    ask(story)
