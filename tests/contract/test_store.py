"""What every Store promises about commits, asked of the one in memory and the one on disk."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.store_subjects import (
    KINDS,
    PROBLEM,
    STATUS,
    Ask,
    asker,
    declared,
    ended,
    everything,
    opened,
    outcome,
)
from tests.core import records
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
    Change,
    EndOperation,
    ForgetAsset,
    ForgetDeployment,
    ForgetEndpoint,
    ForgetRoleAssignment,
    PutAsset,
    PutDeployment,
    PutEndpoint,
    PutRoleAssignment,
    RememberDeployment,
    RememberEndpoint,
)
from verdazul.core.records import Memory, Operation, OperationState
from verdazul.model.errors import Conflict
from verdazul.ports import Store
from verdazul.store.codec import dump, load
from verdazul.store.memory import MemoryStore


@pytest.fixture(params=KINDS)
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    return asker(request.param, tmp_path)


# -- what is empty, what is stored


def test_an_empty_store_knows_nothing(ask: Ask) -> None:
    async def story(store: Store) -> None:
        assert await store.endpoint("credit") is None
        assert await store.deployment("credit", "blue") is None
        assert await store.operation("op-1") is None
        assert await store.asset(asset().key) is None
        assert not any(await everything(store))

    ask(story)


def test_every_field_comes_back(ask: Ask) -> None:
    async def story(store: Store) -> None:
        owner = endpoint(traffic={"blue": 100}, tags={"a": "ß"}, description="text")
        record = deployment(
            environment_variables={"A": "1"}, data_collector={"collections": {"x": {}}}
        )
        memory = Memory(bundle("sha256:bb", variables=(("A", "1"),)), failed_generation=2)
        begun = operation(state=OperationState.FAILED, problem=PROBLEM, finished_at=2000.0)
        kept = asset(tree_hash="tree", body='{"a": 1}', is_anonymous=True)
        await store.commit(
            PutEndpoint(owner, None),
            PutDeployment(record, None),
            RememberEndpoint("credit", STATUS),
            RememberDeployment("credit", "blue", STATUS, memory),
            BeginOperation(begun),
            AddEvent(event(1)),
            PutAsset(kept),
        )

        assert await store.endpoint("credit") == owner
        assert await store.endpoint_status("credit") == STATUS
        state = await store.deployment("credit", "blue")
        assert state is not None
        assert (state.record, state.status, state.memory) == (record, STATUS, memory)
        assert state.record.bundle.revision == record.bundle.revision
        assert await store.operation(begun.id) == begun
        assert await store.events("credit") == (event(1),)
        assert await store.asset(kept.key) == kept

    ask(story)


anything = st.one_of(
    records.endpoint_records,
    records.deployment_records,
    records.statuses,
    records.memories,
    records.operations,
    records.events,
    records.assets,
    records.role_assignments,
)


@given(anything)
@settings(max_examples=150, deadline=None)
def test_every_record_survives_its_text(value: object) -> None:
    assert load(type(value), dump(value)) == value


def test_names_match_in_any_case_and_come_back_as_stored(ask: Ask) -> None:
    async def story(store: Store) -> None:
        await store.commit(
            PutEndpoint(endpoint("Credit"), None),
            PutDeployment(deployment("Blue", "Credit"), None),
            BeginOperation(operation(endpoint="Credit", deployment="Blue")),
            AddEvent(event(1, endpoint="Credit", deployment="Blue")),
        )

        await store.commit(
            RememberEndpoint("cREDIT", STATUS),
            RememberDeployment("CREDIT", "BLUE", STATUS, Memory()),
        )

        found = await store.endpoint("CREDIT")
        assert found is not None
        assert found.name == "Credit"
        assert await store.endpoint_status("credit") == STATUS
        (state,) = await store.deployments("credit")
        assert (state.record.endpoint, state.record.name) == ("Credit", "Blue")
        assert state == await store.deployment("credit", "bLUE")
        assert len(await store.open_operations("CREDIT")) == 1
        assert len(await store.events("CREDIT", "BLUE")) == 1

    ask(story)


def test_endpoints_and_deployments_come_by_name(ask: Ask) -> None:
    async def story(store: Store) -> None:
        for name in ("zeta", "Alpha", "beta"):
            await store.commit(PutEndpoint(endpoint(name), None))
        for name in ("zeta", "Alpha", "beta"):
            await store.commit(PutDeployment(deployment(name, "zeta"), None))

        assert [e.name for e in await store.endpoints()] == ["Alpha", "beta", "zeta"]
        found = [s.record.name for s in await store.deployments("zeta")]
        assert found == ["Alpha", "beta", "zeta"]

    ask(story)


def test_a_part_of_the_endpoints_comes_with_their_status_and_deployments(ask: Ask) -> None:
    async def story(store: Store) -> None:
        names = ["alpha", "Beta", "gamma", "Zeta"]
        for name in names:
            await store.commit(PutEndpoint(endpoint(name), None), RememberEndpoint(name, STATUS))
            await store.commit(PutDeployment(deployment(f"in-{name}", name), None))
        await store.commit(PutEndpoint(endpoint("zz1"), None))

        for skip in range(7):
            part = await store.endpoints(skip=skip, most=2)
            assert [one.name for one in part] == [*names, "zz1"][skip : skip + 2]
        assert await store.endpoint_names() == (*names, "zz1")
        assert await store.count_endpoints() == 5
        assert await store.count_deployments() == 4
        *first, last = await store.endpoints()
        assert await store.endpoint_state("BETA") == first[1]
        assert await store.endpoint_state("bet") is None
        for one in first:
            assert one.status == STATUS
            assert one.deployments == await store.deployments(one.name)
        assert (last.status, last.deployments) == (None, ())

    ask(story)


# -- compare and swap


def test_a_generation_is_replaced_only_by_who_read_it(ask: Ask) -> None:
    async def story(store: Store) -> None:
        await declared(store, "blue")
        for expected in (None, 2, 7):
            with pytest.raises(Conflict):
                await store.commit(PutEndpoint(endpoint(generation=2), expected))
            with pytest.raises(Conflict):
                await store.commit(PutDeployment(deployment(generation=2), expected))

        await store.commit(PutEndpoint(endpoint(generation=2), 1))
        await store.commit(PutDeployment(deployment(generation=2), 1))

        with pytest.raises(Conflict):
            await store.commit(PutEndpoint(endpoint(generation=2), 1))
        with pytest.raises(Conflict):
            await store.commit(PutDeployment(deployment(generation=2), 1))

    ask(story)


def test_nothing_there_is_not_the_generation_that_was_read(ask: Ask) -> None:
    async def story(store: Store) -> None:
        with pytest.raises(Conflict, match="changed meanwhile"):
            await store.commit(PutEndpoint(endpoint(generation=4), 3))
        await declared(store)
        with pytest.raises(Conflict, match='"blue" of endpoint "credit" changed meanwhile'):
            await store.commit(PutDeployment(deployment(generation=4), 3))

    ask(story)


def test_what_exists_is_not_created_again_in_another_case(ask: Ask) -> None:
    async def story(store: Store) -> None:
        await declared(store, "blue")

        with pytest.raises(Conflict) as by_endpoint:
            await store.commit(PutEndpoint(endpoint("CREDIT"), None))
        with pytest.raises(Conflict) as by_deployment:
            await store.commit(PutDeployment(deployment("BLUE", "CREDIT"), None))

        assert by_endpoint.value.problem.code == "ResourceExists"
        assert by_deployment.value.problem.code == "ResourceExists"

    ask(story)


def test_declaring_anew_keeps_what_the_loop_remembers(ask: Ask) -> None:
    async def story(store: Store) -> None:
        await declared(store, "blue")
        memory = Memory(bundle(), 1)
        await store.commit(
            RememberEndpoint("credit", STATUS),
            RememberDeployment("credit", "blue", STATUS, memory),
        )

        await store.commit(
            PutEndpoint(endpoint(generation=2), 1), PutDeployment(deployment(generation=2), 1)
        )

        assert await store.endpoint_status("credit") == STATUS
        state = await store.deployment("credit", "blue")
        assert state is not None
        assert (state.record.generation, state.status, state.memory) == (2, STATUS, memory)

    ask(story)


def test_remembering_what_is_gone_does_nothing(ask: Ask) -> None:
    async def story(store: Store) -> None:
        await store.commit(
            RememberEndpoint("credit", STATUS),
            RememberDeployment("credit", "blue", STATUS, Memory()),
        )

        assert await store.endpoint_status("credit") is None
        assert await store.deployment("credit", "blue") is None

    ask(story)


# -- all or nothing

GOOD: tuple[Change, ...] = (
    PutEndpoint(endpoint(generation=2), 1),
    PutEndpoint(endpoint("other"), None),
    PutDeployment(deployment(generation=2), 1),
    PutDeployment(deployment("green"), None),
    RememberEndpoint("credit", STATUS),
    RememberDeployment("credit", "blue", STATUS, Memory(failed_generation=1)),
    BeginOperation(operation("op-2")),
    EndOperation(replace(operation("op-1", deployment="blue"), state=OperationState.FAILED)),
    AddEvent(event(5)),
    PutAsset(asset("2")),
    ForgetAsset(asset("1").key),
    PutRoleAssignment(role_assignment("role-2", endpoint="other")),
    ForgetRoleAssignment("role-1"),
    ForgetDeployment("credit", "blue"),
    ForgetEndpoint("credit"),
)
BAD: tuple[Change, ...] = (
    PutEndpoint(endpoint(generation=9), 8),
    PutDeployment(deployment(generation=9), 8),
    BeginOperation(operation("op-3", deployment="BLUE")),
    PutAsset(asset("1", digest="sha256:other")),
)


@pytest.mark.parametrize("bad", BAD, ids=lambda change: type(change).__name__)
def test_one_refused_change_leaves_nothing_of_the_others(ask: Ask, bad: Change) -> None:
    async def story(store: Store) -> None:
        await declared(store, "blue")
        begun = operation("op-1", deployment="blue")
        await store.commit(
            BeginOperation(begun),
            AddEvent(event(1)),
            PutAsset(asset("1")),
            PutRoleAssignment(role_assignment()),
        )
        before = await everything(store)

        for good in GOOD[:7]:
            with pytest.raises(Conflict):
                await store.commit(good, bad)
        with pytest.raises(Conflict):
            await store.commit(AddEvent(event(2)), PutAsset(asset("2")), bad, *GOOD)

        assert await everything(store) == before

    ask(story)


def test_all_changes_of_a_commit_are_seen_together(ask: Ask) -> None:
    async def story(store: Store) -> None:
        await declared(store, "blue")
        await store.commit(
            BeginOperation(operation("op-1", deployment="blue")), PutAsset(asset("1"))
        )

        await store.commit(*GOOD)

        assert [e.name for e in await store.endpoints()] == ["other"]
        assert await store.deployments("credit") == ()
        assert await store.events("credit") == ()
        assert [a.key.version for a in await store.assets("codes")] == ["2"]
        assert [a.id for a in await store.role_assignments()] == ["role-2"]
        assert [o.id for o in await store.open_operations("credit")] == ["op-2"]

    ask(story)


# -- the two stores are one


_names = st.sampled_from(["credit", "Credit", "other"])
_deployments = st.sampled_from(["blue", "BLUE", "green"])
_expected = st.none() | st.integers(1, 3)
_operations = st.builds(
    operation,
    st.integers(0, 5).map("op-{}".format),
    deployment=st.just("") | _deployments,
    endpoint=_names,
    started_at=st.integers(1, 3).map(float),
)
_some_change = st.one_of(
    st.builds(
        lambda name, expected: PutEndpoint(
            endpoint(name, generation=(expected or 0) + 1), expected
        ),
        _names,
        _expected,
    ),
    st.builds(
        lambda where, name, expected: PutDeployment(
            deployment(name, where, generation=(expected or 0) + 1), expected
        ),
        st.just("credit"),
        _deployments,
        _expected,
    ),
    st.builds(ForgetEndpoint, st.just("other")),
    st.builds(ForgetDeployment, _names, _deployments),
    st.builds(RememberEndpoint, _names, st.just(STATUS)),
    st.builds(RememberDeployment, _names, _deployments, st.just(STATUS), st.just(Memory())),
    st.builds(ended, _operations),
    st.builds(lambda n, name: AddEvent(event(n, endpoint=name)), st.integers(0, 3), _names),
    st.builds(
        lambda version, digest: PutAsset(asset(version, digest=digest)),
        st.sampled_from("12"),
        st.sampled_from("ab"),
    ),
    st.builds(lambda version: ForgetAsset(asset(version).key), st.sampled_from("12")),
    st.builds(
        lambda id_, place: PutRoleAssignment(role_assignment(id_, endpoint=place)),
        st.sampled_from("ab"),
        st.sampled_from(["", "credit", "OTHER"]),
    ),
    st.builds(ForgetRoleAssignment, st.sampled_from("ab")),
)
_commits: st.SearchStrategy[tuple[Change, ...]] = st.lists(
    _some_change, min_size=1, max_size=4
).map(tuple)


@given(st.lists(_commits, max_size=15), st.lists(_operations, max_size=5, unique_by=lambda o: o.id))
@settings(max_examples=40, deadline=None)
def test_disk_and_memory_answer_alike(
    commits: list[tuple[Change, ...]], begun: list[Operation]
) -> None:
    async def story(folder: Path) -> None:
        memory = MemoryStore()
        async with opened("sqlite", folder) as disk:
            first = PutEndpoint(endpoint(), None)
            opening: list[Change] = [first, *[BeginOperation(each) for each in begun]]
            every = [*[(each,) for each in opening], *commits]
            for changes in every:
                assert await outcome(memory, changes) == await outcome(disk, changes)
                assert await everything(memory) == await everything(disk)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder)))
