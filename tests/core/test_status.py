"""The laws of `judge`: an outcome is certain when it is said, and then it stands."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.records import CRASH, bundle, deployment, instance

from verdazul.core.environment import BuildFailed, Building, Built, EnvironmentState, Missing
from verdazul.core.instance import Instance, Phase
from verdazul.core.records import DeploymentState, Memory
from verdazul.core.status import World, judge, serving_bundle
from verdazul.model.errors import Problem
from verdazul.model.status import Condition, ProvisioningState, Status, Truth

NOW = 2000.0
ATTEMPTS = 3
NEW, OLD = bundle("sha256:new"), bundle("sha256:old")
BUILT = Built("/python", "/serve")
UNBUILT = BuildFailed(Problem("ImageBuildFailure", "no version of scikit-lern exists"))
LIVE = {Phase.STARTING, Phase.READY, Phase.UNREADY}


def state(
    *,
    count: int = 1,
    generation: int = 1,
    status: Status | None = None,
    memory: Memory | None = None,
) -> DeploymentState:
    record = deployment(
        generation=generation, instance_count=count, bundle=NEW, modified_at=NOW - 100
    )
    return DeploymentState(record, status, memory or Memory())


def world(
    *instances: Instance, environment: EnvironmentState = BUILT, routes_acked: bool = True
) -> World:
    return World(instances, environment, routes_acked)


def ruled(judged: DeploymentState, seen: World, now: float = NOW) -> tuple[Status, Memory]:
    return judge(judged, seen, now, start_attempts=ATTEMPTS)


def is_ready(seen: World, revision: str) -> int:
    return sum(i.phase is Phase.READY and i.id.revision == revision for i in seen.instances)


def gave_up(instances: tuple[Instance, ...], since: float) -> bool:
    return any(
        i.phase is Phase.EXITED
        and i.id.revision == NEW.revision
        and i.attempt >= ATTEMPTS
        and i.since >= since
        for i in instances
    )


instances = st.builds(
    lambda revision, phase, ordinal, attempt, since: instance(
        revision, phase, ordinal=ordinal, attempt=attempt, since=since
    ),
    st.sampled_from([NEW.revision, OLD.revision]),
    st.sampled_from(Phase),
    st.integers(0, 4),
    st.integers(1, 5),
    st.sampled_from([NOW - 200, NOW - 100, NOW - 50]),
)
environments = st.sampled_from(
    [BUILT, replace(BUILT, notes=("3.12 for 3.10",)), Building("12 %"), Missing(), UNBUILT]
)
worlds = st.builds(
    World,
    st.lists(instances, max_size=6, unique_by=lambda i: i.id).map(tuple),
    environments,
    st.booleans(),
)
GENERATION = 2


def states(statuses: st.SearchStrategy[Status | None]) -> st.SearchStrategy[DeploymentState]:
    """Deployments at GENERATION with one of these statuses."""
    return st.builds(
        lambda count, status, memory: state(
            count=count, generation=GENERATION, status=status, memory=memory
        ),
        st.integers(1, 4),
        statuses,
        st.builds(Memory, st.sampled_from([None, OLD, NEW]), st.sampled_from([None, 1, 2, 3])),
    )


problems = st.none() | st.just(Problem("Old", "what was said"))
ended = st.sampled_from(
    [ProvisioningState.SUCCEEDED, ProvisioningState.FAILED, ProvisioningState.CANCELED]
)
under_way = st.sampled_from([ProvisioningState.CREATING, ProvisioningState.UPDATING])
of_before = st.builds(Status, st.sampled_from(ProvisioningState), st.just(GENERATION - 1), problems)
settled = states(st.builds(Status, ended, st.just(GENERATION), problems))
unsettled = states(st.none() | of_before | st.builds(Status, under_way, st.just(GENERATION)))


@given(settled, worlds)
def test_an_outcome_once_said_of_a_generation_stands(judged: DeploymentState, seen: World) -> None:
    status, memory = ruled(judged, seen)

    assert judged.status is not None
    assert (status.state, status.problem) == (judged.status.state, judged.status.problem)
    assert memory == judged.memory


@given(unsettled, worlds)
def test_succeeded_means_ready_routed_and_nothing_outdated(
    judged: DeploymentState, seen: World
) -> None:
    status, memory = ruled(judged, seen)

    done = (
        is_ready(seen, NEW.revision) >= judged.record.spec.instance_count
        and seen.routes_acked
        and not any(i.phase in LIVE and i.id.revision == OLD.revision for i in seen.instances)
    )
    if status.state is ProvisioningState.SUCCEEDED:
        assert done
        assert status.problem is None
        assert memory == Memory(last_good=NEW)


@given(unsettled, worlds)
def test_failed_means_that_the_build_failed_or_all_attempts_were_used(
    judged: DeploymentState, seen: World
) -> None:
    status, memory = ruled(judged, seen)

    if status.state is ProvisioningState.FAILED:
        assert seen.environment is UNBUILT or gave_up(seen.instances, judged.record.modified_at)
        assert status.problem is not None
        assert memory == replace(judged.memory, failed_generation=judged.record.generation)


@given(unsettled, worlds)
def test_what_is_certain_is_said_and_what_is_not_is_under_way(
    judged: DeploymentState, seen: World
) -> None:
    status, memory = ruled(judged, seen)

    ready = is_ready(seen, NEW.revision) >= judged.record.spec.instance_count
    failed = seen.environment is UNBUILT or (
        not ready and gave_up(seen.instances, judged.record.modified_at)
    )
    outdated = any(
        i.id.revision == OLD.revision
        and i.phase not in {Phase.DRAINING, Phase.STOPPING, Phase.EXITED}
        for i in seen.instances
    )
    done = ready and seen.routes_acked and not outdated
    if failed:
        assert status.state is ProvisioningState.FAILED
    elif not done:
        assert (status.state, status.problem) == (ProvisioningState.UPDATING, None)
        assert memory == judged.memory
    else:
        assert status.state is ProvisioningState.SUCCEEDED


@given(settled | unsettled, worlds, st.floats(0, 1e6))
def test_looking_again_at_the_same_changes_nothing(
    judged: DeploymentState, seen: World, later: float
) -> None:
    status, memory = ruled(judged, seen)

    again = ruled(replace(judged, status=status, memory=memory), seen, NOW + later)

    assert again == (status, memory)


@given(settled | unsettled, worlds, worlds)
def test_a_condition_keeps_its_time_while_its_claim_is_unchanged(
    judged: DeploymentState, first: World, then: World
) -> None:
    before, memory = ruled(judged, first)

    after, _ = ruled(replace(judged, status=before, memory=memory), then, NOW + 60)

    for old, new in zip(before.conditions, after.conditions, strict=True):
        assert old.type == new.type
        unchanged = (old.truth, old.reason) == (new.truth, new.reason)
        assert new.since == (old.since if unchanged else NOW + 60)
        assert new.observed_generation == judged.record.generation


@given(settled | unsettled, worlds)
def test_a_status_speaks_for_the_generation_it_looked_at(
    judged: DeploymentState, seen: World
) -> None:
    status, memory = ruled(judged, seen)

    serving = serving_bundle(judged.record, memory).revision
    assert status.observed_generation == judged.record.generation
    assert status.ready_instances == is_ready(seen, serving)
    assert [c.type for c in status.conditions] == ["EnvironmentBuilt", "InstancesReady"]


@given(settled | unsettled)
def test_only_a_generation_that_was_given_up_falls_back(judged: DeploymentState) -> None:
    record, memory = judged.record, judged.memory

    serving = serving_bundle(record, memory)

    gave_up_this = memory.failed_generation == record.generation
    assert serving == (memory.last_good if gave_up_this and memory.last_good else NEW)


# -- what people read


def crashed(ordinal: int = 0, *, attempt: int = ATTEMPTS, since: float = NOW) -> Instance:
    return instance(NEW.revision, Phase.EXITED, ordinal=ordinal, attempt=attempt, since=since)


def test_a_failed_start_says_cause_attempts_and_fix() -> None:
    status, _ = ruled(state(), world(crashed()))

    assert status.problem == Problem(
        code="ResourceNotReady",
        message='deployment "blue" did not become ready after 3 starts (UserScriptInitFailed): '
        "init() raised ValueError.",
        fix="mend init()",
        details=(Problem("UserScriptInitFailed", "init() raised ValueError"),),
    )


def test_a_failed_update_says_that_the_old_version_serves_on() -> None:
    before = state(generation=2, memory=Memory(OLD))

    status, memory = ruled(before, world(crashed(), instance(OLD.revision, ordinal=1)))

    assert status.problem is not None
    assert status.problem.message.endswith("The version that served before goes on serving.")
    assert serving_bundle(before.record, memory) == OLD
    assert status.ready_instances == 1


def test_one_start_too_few_is_not_a_failure() -> None:
    status, _ = ruled(state(), world(crashed(attempt=ATTEMPTS - 1)))

    assert status.state is ProvisioningState.CREATING


def test_crashes_from_before_the_declaration_do_not_count() -> None:
    status, _ = ruled(state(), world(crashed(since=NOW - 101)))

    assert status.state is ProvisioningState.CREATING


def test_one_crashing_instance_beside_enough_ready_ones_is_no_failure() -> None:
    seen = world(instance(NEW.revision, ordinal=0), crashed(1))

    status, _ = ruled(state(count=1), seen)

    assert status.state is ProvisioningState.SUCCEEDED


def test_a_build_that_failed_is_the_problem_itself() -> None:
    status, memory = ruled(state(generation=2), world(environment=UNBUILT))

    assert (status.state, status.problem) == (ProvisioningState.FAILED, UNBUILT.problem)
    assert memory.failed_generation == 2


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (BUILT, (Truth.TRUE, "Built", "environment ready")),
        (
            replace(BUILT, notes=("a", "b")),
            (Truth.TRUE, "BuiltOtherwise", "environment ready, with a difference: a; b"),
        ),
        (Building("12 %"), (Truth.FALSE, "Building", "12 %")),
        (UNBUILT, (Truth.FALSE, "BuildFailed", UNBUILT.problem.message)),
        (Missing(), (Truth.UNKNOWN, "Waiting", "its build has not begun")),
    ],
)
def test_the_environment_is_told(
    environment: EnvironmentState, said: tuple[Truth, str, str]
) -> None:
    status, _ = ruled(state(), world(environment=environment))

    assert status.conditions[0] == Condition("EnvironmentBuilt", *said, NOW, 1)


@pytest.mark.parametrize(
    ("instances", "said"),
    [
        ((), (Truth.FALSE, "Starting", "0 of 2 instances ready")),
        (
            (instance(NEW.revision), instance(NEW.revision, ordinal=1)),
            (Truth.TRUE, "Ready", "2 of 2 instances ready"),
        ),
        ((instance(NEW.revision),), (Truth.FALSE, "PartlyReady", "1 of 2 instances ready")),
        (
            (crashed(attempt=2),),
            (Truth.FALSE, "CrashLooping", f"0 of 2 instances ready; {CRASH.problem.message}"),
        ),
        ((crashed(attempt=1),), (Truth.FALSE, "Starting", "0 of 2 instances ready")),
    ],
)
def test_the_instances_are_told(
    instances: tuple[Instance, ...], said: tuple[Truth, str, str]
) -> None:
    status, _ = ruled(state(count=2), world(*instances))

    assert status.conditions[1] == Condition("InstancesReady", *said, NOW, 1)
