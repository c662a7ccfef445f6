"""Records with defaults, and strategies of whole ones: what stores, routes and judges are fed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from tests.model import factories

from verdazul.core.access import PrincipalType, RoleAssignment
from verdazul.core.environment import Recipe
from verdazul.core.instance import Exit, Instance, InstanceId, Limits, Phase, Probe
from verdazul.core.records import (
    Asset,
    AssetKey,
    DeploymentRecord,
    EndpointRecord,
    Memory,
    Operation,
    OperationKind,
    OperationState,
)
from verdazul.core.revision import Bundle, ModelMount
from verdazul.model.errors import Problem
from verdazul.model.events import Event, Severity
from verdazul.model.roles import BUILT_IN, DATA_SCIENTIST
from verdazul.model.status import Condition, ProvisioningState, Status, Truth

CRASH = Exit(3, None, Problem("UserScriptInitFailed", "init() raised ValueError", "mend init()"))


def endpoint(name: str = "credit", *, generation: int = 1, **fields: Any) -> EndpointRecord:
    """`traffic` and other fields of the spec go into the spec, `deleting` and such beside it."""
    mine = {key: fields.pop(key) for key in ("uid", "deleting", "key_digests") if key in fields}
    record = EndpointRecord(
        spec=factories.endpoint(name=name, **fields),
        generation=generation,
        uid="uid-1",
        created_at=1000.0,
        modified_at=1000.0,
        sealed_keys=("sealed-1", "sealed-2"),
        key_digests=("digest-1", "digest-2"),
    )
    return replace(record, **mine)


def bundle(code: str = "sha256:aa", **fields: Any) -> Bundle:
    default = Bundle(
        code=code,
        scoring_script="score.py",
        model=None,
        recipe=Recipe("an/image", "dependencies: []"),
        variables=(),
        instance_type="Standard_DS3_v2",
        liveness=Probe(),
        readiness=Probe(),
    )
    return replace(default, **fields)


def deployment(
    name: str = "blue", endpoint: str = "credit", *, generation: int = 1, **fields: Any
) -> DeploymentRecord:
    """`bundle`, `modified_at` and `deleting` are the record's; all else goes into its spec."""
    own = ("bundle", "modified_at", "deleting", "uid")
    mine = {key: fields.pop(key) for key in own if key in fields}
    record = DeploymentRecord(
        spec=factories.deployment(name=name, endpoint_name=endpoint, **fields),
        bundle=bundle(),
        generation=generation,
        uid="uid-2",
        created_at=1000.0,
        modified_at=1000.0,
    )
    return replace(record, **mine)


def instance(
    revision: str, phase: Phase = Phase.READY, *, ordinal: int = 0, **fields: Any
) -> Instance:
    where = InstanceId("credit", fields.pop("deployment", "blue"), revision, ordinal)
    exited = CRASH if phase is Phase.EXITED else None
    return replace(Instance(where, phase, f"unix:run/{where}", 1000.0, exit=exited), **fields)


def operation(number: str = "op-1", *, deployment: str = "", **fields: Any) -> Operation:
    default = Operation(number, OperationKind.CREATE, "credit", deployment, 1, 1000.0)
    return replace(default, **fields)


def event(number: int, *, deployment: str = "", **fields: Any) -> Event:
    default = Event(1000.0 + number, "credit", deployment, Severity.NORMAL, "Said", f"no. {number}")
    return replace(default, **fields)


def asset(version: str = "1", *, name: str = "code", **fields: Any) -> Asset:
    default = Asset(AssetKey("codes", name, version), "{}", f"sha256:{version}", "", 1000.0)
    return replace(default, **fields)


def role_assignment(number: str = "role-1", **fields: Any) -> RoleAssignment:
    default = RoleAssignment(
        number, "credit", DATA_SCIENTIST.id, "alice", PrincipalType.USER, 1000.0
    )
    return replace(default, **fields)


_texts = factories.texts
_times = st.floats(0, 4e9)
_generations = st.integers(1, 2**40)
_pairs = st.tuples(_texts, _texts)
_problems = st.builds(
    Problem,
    _texts,
    _texts,
    _texts,
    _texts,
    st.lists(_texts, max_size=2).map(tuple),
    st.lists(st.builds(Problem, _texts, _texts), max_size=2).map(tuple),
)
_probes = st.builds(Probe, _texts, *(5 * [st.integers(1, 1000)]))
_conditions = st.builds(
    Condition, _texts, st.sampled_from(Truth), _texts, _texts, _times, _generations
)

_cores = st.floats(0.001, 1000)

bundles = st.builds(
    Bundle,
    code=_texts,
    scoring_script=_texts,
    model=st.none() | st.builds(ModelMount, _texts, _texts, _texts),
    recipe=st.builds(Recipe, _texts, _texts),
    variables=st.lists(_pairs, max_size=2).map(tuple),
    instance_type=_texts,
    liveness=_probes,
    readiness=_probes,
    limits=st.none() | st.builds(Limits, _cores, st.integers(0, 2**50), st.none() | _cores),
    is_isolated=st.booleans(),
)
endpoint_records = st.builds(
    EndpointRecord,
    factories.endpoints,
    _generations,
    _texts,
    _times,
    _times,
    _pairs,
    _pairs,
    st.booleans(),
)
deployment_records = st.builds(
    DeploymentRecord,
    factories.deployments,
    bundles,
    _generations,
    _texts,
    _times,
    _times,
    st.booleans(),
)
statuses = st.builds(
    Status,
    st.sampled_from(ProvisioningState),
    _generations,
    st.none() | _problems,
    st.lists(_conditions, max_size=2).map(tuple),
    st.integers(0, 50),
)
memories = st.builds(Memory, st.none() | bundles, st.none() | _generations)
operations = st.builds(
    Operation,
    st.uuids().map(str),
    st.sampled_from(OperationKind),
    factories.names,
    st.just("") | factories.names,
    _generations,
    _times,
    st.sampled_from(OperationState),
    st.none() | _problems,
    st.none() | _times,
)
events = st.builds(
    Event, _times, factories.names, _texts, st.sampled_from(Severity), _texts, _texts
)
assets = st.builds(
    Asset,
    st.builds(AssetKey, _texts, _texts, _texts),
    _texts,
    _texts,
    _texts,
    _times,
    st.booleans(),
)
role_assignments = st.builds(
    RoleAssignment,
    st.uuids().map(str),
    st.sampled_from(["", "credit", "Credit", "other"]),
    st.sampled_from([*BUILT_IN, "a-role-that-was-deleted"]),
    st.sampled_from(["alice", "bob", "team", "//partner/alice"]),
    st.sampled_from(PrincipalType),
    _times,
)
