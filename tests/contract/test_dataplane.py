"""What every DataPlane promises, asked of the fake and of a real Envoy alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.contract.dataplane_subjects import Subject, open_subject
from tests.gateway.token_kit import EcIssuer

from verdazul.core.route import Backend, DeploymentRoute, Route
from verdazul.core.trust import OWN_ISSUER, Signer, Trust
from verdazul.model.errors import Fatal, Retryable

Ask = Callable[[Callable[[Subject], Awaitable[None]]], None]


@pytest.fixture(params=["fake", pytest.param("envoy", marks=pytest.mark.e2e)])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    def run(test: Callable[[Subject], Awaitable[None]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(60), open_subject(request.param, tmp_path) as subject:
                await test(subject)

        asyncio.run(main())

    return run


def route(endpoint: str = "credit", *instances: str, weight: int = 100) -> Route:
    backends = tuple(Backend(name, f"unix:run/{name}.sock") for name in instances)
    deployment = DeploymentRoute("blue", weight, 5000, 500, 10, backends)
    return Route(endpoint, ("a" * 64, "b" * 64), (deployment,))


def test_nothing_is_published_at_first(ask: Ask) -> None:
    async def test(subject: Subject) -> None:
        plane = subject.plane

        assert plane.published("credit") is None
        assert plane.endpoints() == frozenset()
        assert plane.routed("credit") == frozenset()

    ask(test)


def test_a_published_route_is_known_and_its_instances_are_routed(ask: Ask) -> None:
    async def test(subject: Subject) -> None:
        plane = subject.plane

        await plane.publish("credit", route("credit", "i", "j"))
        await plane.publish("other", route("other", "k"))

        assert plane.published("credit") == route("credit", "i", "j")
        assert plane.endpoints() == {"credit", "other"}
        assert plane.routed("credit") == {"i", "j"}

    ask(test)


def test_a_later_route_replaces_and_none_removes_leaving_others(ask: Ask) -> None:
    async def test(subject: Subject) -> None:
        plane = subject.plane
        await plane.publish("credit", route("credit", "i"))
        await plane.publish("other", route("other", "k"))

        await plane.publish("credit", route("credit", "j", weight=0))
        replaced = plane.routed("credit")
        await plane.publish("credit", None)
        await plane.publish("never-was", None)

        assert replaced == {"j"}
        assert plane.published("credit") is None
        assert plane.routed("credit") == frozenset()
        assert plane.endpoints() == {"other"}
        assert plane.published("other") == route("other", "k")

    ask(test)


def test_while_a_publish_is_under_way_old_and_new_instances_count_as_routed(ask: Ask) -> None:
    async def test(subject: Subject) -> None:
        plane = subject.plane
        await plane.publish("credit", route("credit", "old"))

        task = asyncio.create_task(plane.publish("credit", route("credit", "new")))
        seen = set()
        while not task.done():
            seen.add(plane.routed("credit"))
            await asyncio.sleep(0)

        assert {"old", "new"} in seen
        assert seen <= {frozenset({"old"}), frozenset({"old", "new"}), frozenset({"new"})}
        assert plane.routed("credit") == {"new"}

    ask(test)


@pytest.mark.parametrize(
    "bad",
    [
        Route("credit", (), (DeploymentRoute("blue", 60, 1, 1, 1, ()),)),
        Route(
            "credit",
            (),
            (DeploymentRoute("blue", 100, 1, 1, 1, (Backend("n", "unix:" + "x" * 120),)),),
        ),
        Route(
            "credit",
            (),
            (DeploymentRoute("blue", 100, 1, 1, 1, (Backend("n", "some.host:80"),)),),
        ),
    ],
    ids=["weights", "socket name too long", "address by name"],
)
def test_a_route_that_is_refused_changes_nothing(ask: Ask, bad: Route) -> None:
    async def test(subject: Subject) -> None:
        plane = subject.plane
        await plane.publish("credit", route("credit", "i"))

        with pytest.raises(Fatal) as refused:
            await plane.publish("credit", bad)

        assert refused.value.problem.code == "GatewayRejected"
        assert plane.published("credit") == route("credit", "i")
        assert plane.routed("credit") == {"i"}
        await plane.publish("credit", route("credit", "j"))
        assert plane.routed("credit") == {"j"}

    ask(test)


def test_silence_is_retryable_and_everything_that_was_tried_counts_as_routed(ask: Ask) -> None:
    async def test(subject: Subject) -> None:
        plane = subject.plane
        await plane.publish("credit", route("credit", "i"))

        with subject.silent():
            with pytest.raises(Retryable):
                await plane.publish("credit", route("credit", "j"))
            with pytest.raises(Retryable):
                await plane.publish("credit", None)

        assert plane.published("credit") == route("credit", "i")
        assert plane.routed("credit") == {"i", "j"}
        await plane.publish("credit", route("credit", "k"))
        assert plane.routed("credit") == {"k"}

    ask(test)


def test_concurrent_publishes_all_come_into_force(ask: Ask) -> None:
    async def test(subject: Subject) -> None:
        names = [f"endpoint-{n}" for n in range(8)]

        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(subject.plane.publish(name, route(name, f"{name}-i")))

        assert subject.plane.endpoints() == set(names)
        assert all(subject.plane.routed(name) == {f"{name}-i"} for name in names)

    ask(test)


def test_a_cancelled_publish_stops_no_later_one(ask: Ask) -> None:
    async def test(subject: Subject) -> None:
        plane = subject.plane
        await plane.publish("credit", route("credit", "i"))

        task = asyncio.create_task(plane.publish("credit", route("credit", "j")))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert plane.published("credit") == route("credit", "i")
        assert plane.routed("credit") == {"i", "j"}
        await plane.publish("credit", route("credit", "k"))
        assert plane.routed("credit") == {"k"}

    ask(test)


def test_a_new_control_plane_knows_what_was_published(ask: Ask) -> None:
    async def test(subject: Subject) -> None:
        await subject.plane.publish("credit", route("credit", "i"))
        await subject.plane.publish("gone", route("gone", "k"))
        await subject.plane.publish("gone", None)

        await subject.restart()

        assert subject.plane.published("credit") == route("credit", "i")
        assert subject.plane.endpoints() == {"credit"}
        assert subject.plane.routed("credit") == {"i"}
        await subject.plane.publish("credit", route("credit", "j"))
        assert subject.plane.routed("credit") == {"j"}

    ask(test)


# -- who signs tokens

KEYS = EcIssuer("").signer().keys
TRUST = Trust(
    Signer(OWN_ISSUER, KEYS, clock_skew_seconds=1),
    (Signer("https://issuer.example", KEYS, ("audience",), 60, "partner"),),
)


def test_trust_is_acknowledged_replaced_and_told_anew_after_a_restart(ask: Ask) -> None:
    async def test(subject: Subject) -> None:
        assert subject.plane.trusted() is None

        await subject.plane.trust(TRUST)
        first = subject.plane.trusted()
        await subject.plane.trust(Trust())
        second = subject.plane.trusted()
        await subject.restart()

        assert (first, second) == (TRUST, Trust())
        assert subject.plane.trusted() is None
        await subject.plane.trust(TRUST)
        assert subject.plane.trusted() == TRUST

    ask(test)


def test_trust_leaves_routes_alone_and_silence_is_retryable(ask: Ask) -> None:
    async def test(subject: Subject) -> None:
        await subject.plane.publish("credit", route("credit", "i"))
        await subject.plane.trust(Trust())

        with subject.silent(), pytest.raises(Retryable):
            await subject.plane.trust(TRUST)

        assert subject.plane.trusted() == Trust()
        await subject.plane.trust(TRUST)
        assert subject.plane.trusted() == TRUST
        assert subject.plane.published("credit") == route("credit", "i")

    ask(test)


def test_signers_without_a_key_are_refused_and_the_last_good_ones_stay(ask: Ask) -> None:
    async def test(subject: Subject) -> None:
        await subject.plane.trust(TRUST)
        keyless = Trust(TRUST.own, (Signer("https://other.example", '{"keys": []}', ("a",)),))

        with pytest.raises(Fatal) as refused:
            await subject.plane.trust(keyless)

        assert refused.value.problem.code == "GatewayRejected"
        assert subject.plane.trusted() == TRUST
        await subject.plane.trust(Trust(TRUST.own))
        assert subject.plane.trusted() == Trust(TRUST.own)

    ask(test)
