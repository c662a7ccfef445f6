"""Laws of gates: which there are, closed or open, while routes come and go. No process here."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from verdazul.core.route import Backend, DeploymentRoute, Hold, Route
from verdazul.gateway import holding
from verdazul.gateway.clusters import Json, cluster_name

HOLD = Hold(seconds=300, most=1000)
backends = st.lists(st.sampled_from("xyz"), unique=True).map(
    lambda names: tuple(Backend(name, f"unix:run/{name}.sock") for name in names)
)
deployments = st.builds(
    DeploymentRoute,
    name=st.just("blue"),
    weight=st.just(100),
    request_timeout_ms=st.integers(1, 180_000),
    max_queue_wait_ms=st.just(500),
    max_requests=st.integers(1, 2000),
    backends=backends,
)
routes = st.builds(
    Route,
    endpoint=st.sampled_from(["credit", "fraud"]),
    key_digests=st.just(()),
    deployments=st.lists(deployments, max_size=1).map(tuple),
    hold=st.none() | st.just(HOLD),
)
steps = st.lists(st.lists(routes, unique_by=lambda route: route.endpoint), max_size=6)


@given(steps)
def test_a_gate_is_closed_exactly_while_its_endpoint_is_paused_and_leads_where_routes_lead(
    history: list[list[Route]],
) -> None:
    known: dict[str, Json] = {}
    for now in history:
        before, known = known, holding.gates(now, known)
        wanted = {
            cluster_name(route.endpoint, each.name): (route, each)
            for route in now
            for each in route.deployments
        }

        closed = {name for name, gate in known.items() if not gate["is_open"]}
        assert closed == {name for name, (route, _) in wanted.items() if route.hold}
        assert set(known) - closed == (set(before) & set(wanted)) - closed
        for name, gate in known.items():
            each = wanted[name][1]
            assert gate["backends"] == [backend.address for backend in each.backends]
            assert 1 <= gate["pace"] <= max(1, each.max_requests)
            assert len(gate["socket"]) < 60


@given(routes)
def test_a_gate_does_not_change_while_nothing_does(route: Route) -> None:
    once = holding.gates([route], {})
    again = holding.gates([route], once)

    assert holding.version(once) == holding.version(again)
    resumed = holding.gates([replace(route, hold=None)], once)
    assert (holding.version(resumed) == holding.version(once)) == (not once)
