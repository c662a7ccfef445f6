"""The laws of `route`: only what is ready is routed to, and shares are as declared."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.records import deployment, endpoint, instance

from verdazul.core.instance import Instance, Phase
from verdazul.core.limits import Limits
from verdazul.core.records import DeploymentRecord, EndpointRecord
from verdazul.core.route import Backend, Hold, Route, Surroundings, mirrored_to, route, weight_of
from verdazul.core.trust import HOME_OWNER, Identities, OwnTokens, audience_of
from verdazul.model.endpoint import AuthMode

SPELLINGS = {"blue": ["blue", "Blue", "BLUE"], "green": ["green", "gReen"], "red": ["red"]}


@st.composite
def declared(draw: st.DrawFn) -> tuple[EndpointRecord, tuple[DeploymentRecord, ...]]:
    """An endpoint, its deployments, and traffic that spells them in any case."""
    names = draw(st.lists(st.sampled_from(sorted(SPELLINGS)), unique=True))
    records = tuple(
        deployment(
            draw(st.sampled_from(SPELLINGS[name])),
            instance_count=draw(st.integers(1, 50)),
            deleting=draw(st.booleans()),
            request_settings={
                "max_concurrent_requests_per_instance": draw(st.integers(1, 1000)),
                "request_timeout_ms": draw(st.integers(1, 180_000)),
                "max_queue_wait_ms": draw(st.integers(0, 10_000)),
            },
        )
        for name in names
    )
    going = {r.name.lower() for r in records if r.deleting}
    staying = [name for name in names if name not in going]
    share = draw(st.integers(0, 100))
    shares = dict(zip(staying, (share, 100 - share), strict=False)) if len(staying) > 1 else {}
    traffic = {draw(st.sampled_from(SPELLINGS[name])): part for name, part in shares.items()}
    idle = [name for name in names if not shares.get(name)]
    target = draw(st.none() | st.sampled_from(idle)) if idle else None
    mirror = {draw(st.sampled_from(SPELLINGS[target])): draw(st.integers(0, 50))} if target else {}
    owner = endpoint("Credit", traffic=traffic, mirror_traffic=mirror)
    return owner, tuple(draw(st.permutations(records)))


@st.composite
def running(draw: st.DrawFn) -> tuple[Instance, ...]:
    found = [
        instance(
            draw(st.sampled_from(["aa", "bb"])),
            draw(st.sampled_from(Phase)),
            ordinal=ordinal,
            deployment=draw(st.sampled_from([s for all_ in SPELLINGS.values() for s in all_])),
        )
        for ordinal in range(draw(st.integers(0, 8)))
    ]
    return tuple(draw(st.permutations(found)))


@given(declared(), running())
def test_every_backend_is_a_ready_instance_of_that_deployment_and_none_is_left_out(
    known: tuple[EndpointRecord, tuple[DeploymentRecord, ...]], seen: tuple[Instance, ...]
) -> None:
    found = route(*known, seen)

    assert found is not None
    for each in found.deployments:
        mine = [i for i in seen if i.id.deployment.lower() == each.name.lower()]
        ready = {Backend(str(i.id), i.address) for i in mine if i.phase is Phase.READY}
        assert set(each.backends) == ready
        assert len(each.backends) == len(ready)


@given(declared(), running())
@pytest.mark.azure(17)
def test_weights_are_as_declared_and_sum_to_all_or_nothing(
    known: tuple[EndpointRecord, tuple[DeploymentRecord, ...]], seen: tuple[Instance, ...]
) -> None:
    owner, records = known

    found = route(owner, records, seen)

    assert found is not None
    weights = {each.name.lower(): each.weight for each in found.deployments}
    asked = {name.lower(): share for name, share in owner.spec.traffic.items()}
    assert weights == {name: asked.get(name, 0) for name in weights}
    assert sum(weights.values()) in {0, 100}
    assert all(weight_of(owner, name.upper()) == weight for name, weight in weights.items())


@given(declared(), running())
@pytest.mark.azure(69, 70)
def test_limits_are_the_declared_ones(
    known: tuple[EndpointRecord, tuple[DeploymentRecord, ...]], seen: tuple[Instance, ...]
) -> None:
    owner, records = known

    found = route(owner, records, seen)

    assert found is not None
    by_name = {record.name: record.spec for record in records if not record.deleting}
    assert [each.name for each in found.deployments] == sorted(by_name)
    for each in found.deployments:
        spec = by_name[each.name]
        limits = spec.request_settings
        parallel = limits.max_concurrent_requests_per_instance
        assert each.max_requests == 2 * parallel * spec.instance_count
        assert each.request_timeout_ms == limits.request_timeout_ms
        assert each.max_queue_wait_ms == limits.max_queue_wait_ms


@pytest.mark.azure(29)
@given(declared(), running())
def test_copies_go_to_one_deployment_that_is_there_and_takes_no_traffic(
    known: tuple[EndpointRecord, tuple[DeploymentRecord, ...]], seen: tuple[Instance, ...]
) -> None:
    owner, records = known

    found = route(owner, records, seen)

    assert found is not None
    asked = {name.lower(): share for name, share in owner.spec.mirror_traffic.items() if share}
    weights = {each.name: each.weight for each in found.deployments}
    if found.mirror is None:
        assert not asked.keys() & {name.lower() for name in weights}
    else:
        assert weights[found.mirror.deployment] == 0
        assert asked == {found.mirror.deployment.lower(): found.mirror.percent}
        assert mirrored_to(owner, found.mirror.deployment.upper()) == found.mirror.percent


def test_nothing_is_copied_to_what_is_live() -> None:
    """A record of before the rule, or of a store that was written to by hand."""
    owner = endpoint(traffic={"blue": 100})
    spec = owner.spec.model_copy(update={"mirror_traffic": {"blue": 10}})

    found = route(replace(owner, spec=spec), [deployment()], [])

    assert found is not None
    assert found.mirror is None


def test_what_surrounds_an_endpoint_is_in_its_route() -> None:
    around = Surroundings(Limits(1, 2, 3, 4), "local", "ml.test")
    owner = endpoint("Credit", properties={"verdazul.cors_allow_origins": "https://a https://b"})
    grpc = deployment(properties={"verdazul.upstream_protocol": "http2"})

    found = route(owner, [grpc, deployment("green")], [], around=around)

    assert found == Route(
        "Credit",
        owner.key_digests,
        found.deployments if found else (),
        mirror=None,
        limits=Limits(1, 2, 3, 4),
        cors_origins=("https://a", "https://b"),
        host="credit.local.inference.ml.test",
    )
    assert [each.http2 for each in found.deployments] == [True, False]


@given(declared(), running())
def test_the_order_in_which_things_are_seen_changes_nothing(
    known: tuple[EndpointRecord, tuple[DeploymentRecord, ...]], seen: tuple[Instance, ...]
) -> None:
    owner, records = known

    assert route(owner, reversed(records), reversed(seen)) == route(owner, records, seen)


def test_an_endpoint_that_is_going_has_no_route() -> None:
    going = endpoint(traffic={"blue": 100}, deleting=True)

    assert route(going, [deployment()], [instance("aa")]) is None


def test_an_endpoint_without_deployments_has_a_route_of_its_own() -> None:
    assert route(endpoint("Credit"), [], []) == Route("Credit", ("digest-1", "digest-2"), ())


def test_instances_of_any_revision_serve() -> None:
    found = route(endpoint(traffic={"blue": 100}), [deployment()], [instance("bb"), instance("aa")])

    assert found is not None
    assert [b.instance for b in found.deployments[0].backends] == [
        "credit.blue.aa-0",
        "credit.blue.bb-0",
    ]


@pytest.mark.azure(35, 38, 39)
@pytest.mark.parametrize("mode", list(AuthMode))
def test_one_kind_of_credential_opens_it_and_no_other(mode: AuthMode) -> None:
    owner = endpoint("Credit", auth_mode=mode.value, uid="uid-7")
    callers = Identities((HOME_OWNER, "alice"), ())

    found = route(owner, (), (), callers)

    assert found is not None
    assert found.key_digests == (owner.key_digests if mode is AuthMode.KEY else ())
    assert (
        found.door
        == {
            AuthMode.KEY: None,
            AuthMode.AML_TOKEN: OwnTokens(audience_of("uid-7")),
            AuthMode.AAD_TOKEN: callers,
        }[mode]
    )


@given(declared(), running())
def test_a_pause_changes_only_that_requests_wait(
    known: tuple[EndpointRecord, tuple[DeploymentRecord, ...]], seen: tuple[Instance, ...]
) -> None:
    owner, records = known
    hold = Hold(seconds=300, most=1000)

    open_route = route(owner, records, seen, hold=hold)
    paused = route(replace(owner, is_paused=True), records, seen, hold=hold)

    assert open_route is not None
    assert open_route.hold is None
    assert paused == replace(open_route, hold=hold)
