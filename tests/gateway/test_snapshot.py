"""Laws of routes in Envoy's words, and golden files of what they look like. No Envoy here."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verdazul.core.limits import DeploymentLimits, Limits
from verdazul.core.route import Backend, DeploymentRoute, Hold, Mirror, Route
from verdazul.core.trust import Identities, OwnTokens, Signer, Trust
from verdazul.gateway import auth, limits
from verdazul.gateway.bootstrap import bootstrap
from verdazul.gateway.clusters import Unroutable
from verdazul.gateway.resources import endpoint_routes
from verdazul.gateway.snapshot import (
    Discovery,
    Older,
    Part,
    Snapshot,
    clusters_in,
    passage,
    signers,
)
from verdazul.gateway.split import values_in

SCRIPTS = {
    (files("verdazul.gateway") / name).read_text(encoding="utf-8"): name
    for name in ("filter.lua", "token.lua", "answers.lua")
}
GOLDEN = Path(__file__).parent.parent / "golden"
DIGESTS = ("a" * 64, "b" * 64)
BLUE = DeploymentRoute(
    "Blue", 100, 5000, 500, 4, (Backend("credit.Blue.1-0", "unix:run/i/a.sock"),)
)
GREEN = DeploymentRoute("green", 0, 60_000, 250, 0, ())

CASES: dict[str, tuple[str, object]] = {
    "gateway_0_deployments": (
        "only 404s that want the key first, then no-such-endpoint, then the control API",
        [Route("Credit", DIGESTS, ())],
    ),
    "gateway_1_deployment": (
        "header, then 404 for other headers, then all traffic; own timeout; digests, no keys",
        [Route("Credit", DIGESTS, (BLUE,))],
    ),
    "gateway_paused": (
        "the clusters are gates with one request a connection; long times; the filter is told",
        [Route("Credit", DIGESTS, (BLUE, GREEN), hold=Hold(seconds=300, most=1000))],
    ),
    "gateway_tokens": (
        "each route: what filter.lua, jwt_authn and token.lua are told; no digests",
        [
            Route("own", (), (), OwnTokens("urn:verdazul:endpoint:uid")),
            Route("roles", (), (), Identities(("alice", "//partner/bob"), ("team",))),
        ],
    ),
    "gateway_kubernetes": (
        "as one deployment, and each route notes the kind: a header, and what answers.lua is told",
        [Route("Credit", DIGESTS, (BLUE,), is_kubernetes=True)],
    ),
    "gateway_2_deployments": (
        "cumulative fractions 30 and 100 make 30/70; backends by unix socket and by port",
        [
            Route(
                "Credit",
                DIGESTS,
                (
                    replace(BLUE, weight=30),
                    replace(GREEN, weight=70, backends=(Backend("g", "10.0.0.7:9000"),)),
                ),
            )
        ],
    ),
    "gateway_mirror_and_limits": (
        "copies on the share route only; buckets by name; sizes and bandwidth; CORS; a host name",
        [
            Route(
                "Credit",
                DIGESTS,
                (
                    replace(BLUE, limits=DeploymentLimits(0, 1_572_864, 1_572_864)),
                    replace(GREEN, weight=0, limits=DeploymentLimits(20, 1000, 2000), http2=True),
                ),
                mirror=Mirror("green", 10),
                limits=Limits(500, 5120, 1_572_864, 1_572_864),
                cors_origins=("https://app.example.com",),
                host="credit.local.inference.ml.test",
            )
        ],
    ),
}


def check_golden(name: str, look_at: str, made: Mapping[str, Any]) -> None:
    """Compare with the file; UPDATE_GOLDEN=1 writes it instead, for a person to read the diff."""
    text = json.dumps({"look at": look_at, **made}, indent=1) + "\n"
    path = GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert json.loads(path.read_text()) == json.loads(text)


def routes_in(file: Discovery) -> Any:
    (routes,) = json.loads(file.text)["resources"]
    return routes


@pytest.mark.parametrize("name", CASES)
def test_routes_in_envoys_words_are_as_reviewed(name: str) -> None:
    look_at, routes = CASES[name]
    assert isinstance(routes, list)

    snapshot = Snapshot.of(routes)

    clusters = {name: json.loads(text) for name, text in snapshot.clusters.items()}
    made = {"shares": snapshot.shares, "clusters": clusters, "routes": routes_in(snapshot.rds)}
    check_golden(name, look_at, made)


def test_signers_are_as_reviewed() -> None:
    trust = Trust(
        Signer("urn:verdazul:tokens", '{"keys": []}', (), 1),
        (
            Signer("https://a.example", '{"keys": [1]}', ("x", "y"), 60, "partner"),
            Signer("https://b.example", '{"keys": [2]}', ("x",), 5),
        ),
    )
    made = json.loads(signers(trust).text)["resources"][0]
    swapped = replace(trust, providers=trust.providers[::-1])

    assert signers(swapped) == signers(trust)
    look_at = "own tokens by one provider, others by any of two; nobody's key opens both"
    check_golden("gateway_signers", look_at, made)


def test_both_requirements_are_there_without_any_signer() -> None:
    made = json.loads(signers(Trust()).text)["resources"][0]["typed_config"]

    assert made["providers"] == {}
    assert set(made["requirement_map"]) == {"aml_token", "aad_token"}


def sources(made: object) -> Iterator[dict[str, str]]:
    """Every inline text in it."""
    if isinstance(made, dict) and "inline_string" in made:
        yield made
    elif isinstance(made, dict | list):
        for one in made.values() if isinstance(made, dict) else made:
            yield from sources(one)


def test_bootstrap_is_as_reviewed() -> None:
    made = json.loads(bootstrap("127.0.0.1", 8443))
    scripts = [
        script for script in sources(made) if "function envoy_on_" in script["inline_string"]
    ]
    assert len(scripts) == len(SCRIPTS)
    for script in scripts:
        script["inline_string"] = f"({SCRIPTS[script['inline_string']]})"
    look_at = "TLS 1.2 at least; no reuse_port; local replies by flag; what callers may not send"
    check_golden("gateway_bootstrap", look_at, made)


names = st.sampled_from(["a", "b", "c", "d", "e"])
backends = st.lists(st.sampled_from(["unix:run/1", "unix:run/2", "127.0.0.1:9"]), max_size=3)


@st.composite
def deployments(draw: st.DrawFn) -> tuple[DeploymentRoute, ...]:
    chosen = draw(st.lists(names, unique=True, max_size=5))
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=4, max_size=4)))
    parts = [b - a for a, b in zip([0, *cuts], [*cuts, 100], strict=True)]
    sums_to_100 = draw(st.booleans()) and chosen
    weights = [*parts[: len(chosen) - 1], 100 - sum(parts[: len(chosen) - 1])]
    return tuple(
        DeploymentRoute(
            name,
            weight if sums_to_100 else 0,
            draw(st.integers(1, 300_000)),
            draw(st.integers(0, 10_000)),
            draw(st.integers(0, 100)),
            tuple(Backend(f"{name}-{n}", a) for n, a in enumerate(draw(backends))),
        )
        for name, weight in zip(chosen, weights, strict=False)
    )


routes_strategy = st.dictionaries(
    names.map(lambda name: f"endpoint-{name}"), deployments(), max_size=3
).map(lambda made: [Route(name, DIGESTS, chosen) for name, chosen in made.items()])


def routes_of_endpoints(routes: Mapping[str, Any]) -> list[list[Any]]:
    (host,) = routes["virtual_hosts"]
    (below,) = host["matcher"]["matcher_list"]["matchers"]
    endpoints = below["on_match"]["matcher"].get("matcher_list", {"matchers": []})
    return [
        match["on_match"]["action"]["typed_config"]["routes"] for match in endpoints["matchers"]
    ]


def named_clusters(routes: Mapping[str, Any]) -> set[str]:
    made = [one for each in routes_of_endpoints(routes) for one in each]
    return {one["route"]["cluster"] for one in made if "route" in one}


def answering(routes: list[Any], shares: Mapping[str, int], number: int) -> str:
    """What Envoy does: the first route whose fraction is above the request's number."""
    for one in routes:
        if "headers" in one["match"]:
            continue
        fraction = one["match"].get("runtime_fraction")
        if fraction is None or number < shares.get(fraction["runtime_key"], 0):
            return str(one["route"]["cluster"]) if "route" in one else ""
    raise AssertionError("a request fell through")


def split_by(
    known: list[Route], routes: Mapping[str, Any], shares: Mapping[str, int]
) -> dict[str, Counter[str]]:
    """How many of a hundred requests to each endpoint each deployment gets."""
    names = sorted(route.endpoint for route in known)
    return {
        name: Counter(answering(each, shares, number) for number in range(100))
        for name, each in zip(names, routes_of_endpoints(routes), strict=True)
    }


def weights(endpoint: str, routes: list[Route]) -> Counter[str]:
    """The same as it was declared."""
    shared: Counter[str] = Counter()
    for route in routes:
        if route.endpoint == endpoint:
            for deployment in route.deployments:
                shared[f"{endpoint}.{deployment.name}"] = deployment.weight
            shared[""] = 100 - shared.total()
    return +shared


@settings(max_examples=60)
@given(routes_strategy, routes_strategy)
def test_every_state_on_the_way_has_the_clusters_that_its_routes_name(
    before: list[Route], after: list[Route]
) -> None:
    old, new = Snapshot.of(before), Snapshot.of(after)
    clusters, shares, routes = old.clusters, old.shares, routes_in(old.rds)

    for file in passage(Older(old.clusters, old.shares), new):
        match file.kind:
            case "cds":
                clusters = clusters_in(file.text)
            case "rtds":
                shares = values_in(file.text)
            case _:
                routes = routes_in(file)
        assert named_clusters(routes) <= set(clusters)
        in_force = before if routes == routes_in(old.rds) else after
        for name, found in split_by(in_force, routes, shares).items():
            assert found in [weights(name, before), weights(name, after)]

    assert (clusters, shares, routes) == (new.clusters, new.shares, routes_in(new.rds))


@settings(max_examples=30)
@given(routes_strategy, st.randoms())
def test_the_hash_depends_on_content_and_not_on_order(routes: list[Route], chance: Any) -> None:
    shuffled = list(routes)
    chance.shuffle(shuffled)

    assert Snapshot.of(shuffled).content_hash == Snapshot.of(routes).content_hash
    changed = [*routes, Route("yet-another", DIGESTS, ())]
    assert Snapshot.of(changed).content_hash != Snapshot.of(routes).content_hash


def found_by(tree: Any, path: str) -> str:
    """What Envoy does: the first that matches; the endpoint whose routes it comes to, or ""."""
    if "action" in tree:
        told = tree["action"]["typed_config"]["routes"][0]["typed_per_filter_config"]
        return str(told["envoy.filters.http.lua"]["filter_context"].get("endpoint", ""))
    tree = tree["matcher"]
    for one in tree.get("matcher_list", {"matchers": []})["matchers"]:
        wanted = one["predicate"]["single_predicate"]["value_match"]["safe_regex"]["regex"]
        if re.fullmatch(wanted, path):
            return found_by(one["on_match"], path)
    return found_by(tree["on_no_match"], path)


@settings(max_examples=30)
@given(st.sets(st.text("abC1-", min_size=1, max_size=5).map("E".__add__), min_size=1, max_size=80))
def test_every_endpoint_is_found_among_many_and_no_other(names: set[str]) -> None:
    unique = {name.lower(): name for name in names}
    routes = routes_in(Snapshot.of([Route(name, DIGESTS, ()) for name in unique.values()]).rds)
    tree = {"matcher": routes["virtual_hosts"][0]["matcher"]}

    for name in unique.values():
        for path in (f"/api/v1/endpoint/{name.upper()}/score", f"/api/v1/service/{name}?x=1"):
            assert found_by(tree, path) == name
        other = f"{name}b"
        is_there = unique.get(other.lower(), "")
        assert found_by(tree, f"/api/v1/endpoint/{other}/score") == is_there
    assert found_by(tree, "/subscriptions/x") == ""


def test_a_change_puts_one_endpoint_in_words_however_many_there_are() -> None:
    before = Snapshot.of([Route(f"endpoint-{n}", DIGESTS, (BLUE,)) for n in range(50)])

    after = before.having({"endpoint-7": Part.of(Route("endpoint-7", DIGESTS, ()))})

    changed = [name for name in before.parts if after.parts[name] is not before.parts[name]]
    assert changed == ["endpoint-7"]
    assert "endpoint-7" not in before.having({"endpoint-7": None}).parts


def test_a_change_of_traffic_is_a_change_of_numbers_only() -> None:
    def split(blue: int) -> Route:
        both = (replace(BLUE, weight=blue), replace(GREEN, weight=100 - blue))
        return Route("Credit", DIGESTS, both)

    before = Snapshot.of([split(90), Route("other", DIGESTS, (BLUE,))])
    after = before.having({"Credit": Part.of(split(0))})

    changed = [file.kind for file in passage(Older(before.clusters, before.shares), after)]
    assert changed == ["cds", "rtds", "rds"]
    assert after.rds is before.rds
    assert after.cds is before.cds
    assert after.shares != before.shares


doors = st.sampled_from([None, OwnTokens("urn:x"), Identities(("alice",), ("team",))])


@given(deployments(), doors)
def test_no_route_of_an_endpoint_is_without_its_door(
    chosen: tuple[DeploymentRoute, ...], door: OwnTokens | Identities | None
) -> None:
    owner = Route("credit", () if door else DIGESTS, chosen, door)

    for one in endpoint_routes(owner):
        for name, config in auth.per_route(owner).items():
            told = one["typed_per_filter_config"][name]
            assert told.get("requirement_name") == config.get("requirement_name")
            for key, value in config.get("filter_context", {}).items():
                assert told["filter_context"][key] == value


@given(deployments())
def test_shares_of_the_random_number_are_exactly_the_weights(
    chosen: tuple[DeploymentRoute, ...],
) -> None:
    route = Route("credit", DIGESTS, chosen)
    part = Part.of(route)

    drawn = [answering(endpoint_routes(route), part.shares, number) for number in range(100)]
    for deployment in chosen:
        assert drawn.count(f"credit.{deployment.name}") == deployment.weight


@pytest.mark.parametrize(
    ("route", "said"),
    [
        (Route("a/b", (), ()), "'a/b' is not a name"),
        (Route("..", (), ()), "is not a name"),
        (Route("a", (), (BLUE, replace(BLUE, name="blue", weight=0))), "two deployments of one"),
        (Route("a", (), (replace(BLUE, weight=60),)), "sum to 60"),
        (Route("a", (), (BLUE,), mirror=Mirror("green", 10)), 'mirrors to "green"'),
        (Route("a", (), (replace(BLUE, backends=(Backend("x", "host:1"),)),)), '"host:1"'),
        (Route("a", (), (replace(BLUE, backends=(Backend("x", "1.2.3.4"),)),)), '"1.2.3.4"'),
    ],
)
def test_a_route_that_breaks_its_promises_is_refused_with_what_is_wrong(
    route: Route, said: str
) -> None:
    with pytest.raises(Unroutable, match=said):
        Snapshot.of([route])


def test_a_damaged_cluster_file_counts_as_none() -> None:
    assert clusters_in("") == clusters_in("{") == clusters_in('{"resources": 1}') == {}


@pytest.mark.azure(31)
@given(deployments(), st.integers(1, 50))
def test_only_requests_that_name_no_deployment_are_copied(
    chosen: tuple[DeploymentRoute, ...], percent: int
) -> None:
    route = Route("credit", DIGESTS, chosen, mirror=Mirror("z", percent))

    for one in endpoint_routes(route):
        copies = one.get("route", {}).get("request_mirror_policies", [])
        is_share = "route" in one and "headers" not in one["match"]
        assert [
            (copy["cluster"], copy["runtime_fraction"]["default_value"]["numerator"])
            for copy in copies
        ] == ([("credit.z", percent)] if is_share else [])


@given(st.integers(1, 30_000))
def test_a_bucket_holds_exactly_as_many_requests_as_the_limit(limit: int) -> None:
    route = Route("credit", DIGESTS, (BLUE,), limits=Limits(requests_per_second=limit))

    cost = int(limits.costs(route, BLUE)["endpoint_bucket_cost"])

    assert limit * cost <= limits.BUCKET < (limit + 1) * cost


@pytest.mark.azure(32)
@given(st.integers(1, 100_000), st.integers(1, 50))
def test_copies_take_their_share_of_the_bandwidth(kib: int, percent: int) -> None:
    plain = Route("credit", DIGESTS, (BLUE,), limits=Limits(bandwidth_kib_per_second=kib))

    def left(route: Route) -> int:
        share = limits.per_route(route, BLUE)["envoy.filters.http.bandwidth_share"]
        return int(share["response_limit"]["kbps"]["default_value"])

    with_copies = left(replace(plain, mirror=Mirror("green", percent)))

    assert left(plain) == kib
    assert with_copies * (100 + percent) <= max(kib, 2) * 100
    assert (with_copies + 1) * (100 + percent) > kib * 100


def test_without_limits_nothing_is_in_the_way() -> None:
    route = Route("credit", DIGESTS, (BLUE,))

    assert limits.per_route(route, BLUE) == {}
    assert limits.costs(route, BLUE) == {}
