"""What opens an endpoint, by its mode: keys, tokens of ours, roles of identities."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from tests.control.bench import ADDRESS, Bench
from verdazul.control import access, credentials, endpoints
from verdazul.control.access import Grant
from verdazul.control.trust import renew_trust
from verdazul.core.access import Place, PrincipalType
from verdazul.core.route import Route
from verdazul.core.tenant import issuer_of
from verdazul.core.trust import (
    HOME_OWNER,
    OWN_IDENTITIES,
    Identities,
    OwnTokens,
    Signer,
    audience_of,
)
from verdazul.model.endpoint import AuthMode, EndpointSpec
from verdazul.model.errors import Conflict, NotFound, Problem, Retryable, UserError
from verdazul.model.roles import DATA_SCIENTIST, READER
from verdazul.model.status import Condition, Truth

Story = Callable[[Bench], Awaitable[None]]
GUIDS = [f"00000000-0000-0000-0000-00000000000{n}" for n in range(4)]
ENTRA = Signer("https://entra.example", '{"keys": [1]}', ("https://ml.azure.com",))


def tell(story: Story) -> None:
    asyncio.run(asyncio.wait_for(story(Bench()), 20))


async def declare(bench: Bench, mode: AuthMode, name: str = "credit") -> None:
    await endpoints.put_endpoint(bench.world, EndpointSpec(name=name, auth_mode=mode))
    await bench.settle(name)


def route_of(bench: Bench, name: str = "credit") -> Route:
    route = bench.gateway.published(name)
    assert route is not None
    return route


def grant(
    number: int = 0, principal: str = "alice", endpoint: str = "credit", **fields: object
) -> Grant:
    default: dict[str, object] = {
        "id": GUIDS[number],
        "place": Place(endpoint),
        "scope": f"/endpoints/{endpoint}",
        "role": DATA_SCIENTIST.id,
        "principal": principal,
        "principal_type": PrincipalType.USER,
    }
    return Grant(**(default | fields))  # type: ignore[arg-type]  # defaults of a factory


async def trusted(bench: Bench) -> Condition:
    status = await bench.store.endpoint_status("credit")
    assert status is not None
    return next(one for one in status.conditions if one.type == "IssuersTrusted")


# -- modes


@pytest.mark.azure(6, 35, 38, 39)
def test_a_changed_mode_changes_the_route_only_and_keys_come_back_as_they_were() -> None:
    async def story(bench: Bench) -> None:
        await bench.serving(blue=100)
        before = await bench.phases()
        record = await bench.store.endpoint("credit")
        assert record is not None
        keys = await credentials.list_keys(bench.world, "credit")
        seen = []
        for mode in (AuthMode.AML_TOKEN, AuthMode.AAD_TOKEN, AuthMode.KEY):
            spec = EndpointSpec(name="credit", auth_mode=mode, traffic={"blue": 100})
            accepted = await endpoints.put_endpoint(bench.world, spec)
            await bench.settle()
            await bench.ended(accepted)
            seen.append((route_of(bench).door, route_of(bench).key_digests))

        assert seen == [
            (OwnTokens(audience_of(record.uid)), ()),
            (Identities((HOME_OWNER,), ()), ()),
            (None, record.key_digests),
        ]
        assert await bench.phases() == before
        assert await credentials.list_keys(bench.world, "credit") == keys

    tell(story)


@pytest.mark.azure(37)
@pytest.mark.parametrize("mode", [AuthMode.AML_TOKEN, AuthMode.AAD_TOKEN])
def test_an_endpoint_that_tokens_open_has_no_keys_to_show_or_change(mode: AuthMode) -> None:
    async def story(bench: Bench) -> None:
        await declare(bench, mode)

        for asked in (
            credentials.list_keys(bench.world, "credit"),
            credentials.regenerate_key(bench.world, "credit", primary=True),
        ):
            with pytest.raises(UserError) as refused:
                await asked
            message = refused.value.problem.message
            assert message.startswith("Endpoint 'credit' does not use keys for authentication.")
            assert refused.value.problem.code == "EndpointWithoutKeys"

    tell(story)


# -- our own tokens


@pytest.mark.azure(38)
def test_a_token_lasts_as_long_as_the_setting_says_and_is_for_its_endpoint() -> None:
    async def story(bench: Bench) -> None:
        await declare(bench, AuthMode.AML_TOKEN)
        await renew_trust(bench.world)
        record = await bench.store.endpoint("credit")
        assert record is not None

        token, text = await credentials.make_token(bench.world, "Credit")
        other, _ = await credentials.make_token(bench.world, "credit")

        now = int(bench.clock.now())
        assert (token.issued_at, token.expires_at) == (now, now + 28800)
        assert token.refresh_at == now + 14400
        assert json.loads(text) == token.claims()
        assert token.claims()["aud"] == audience_of(record.uid)
        assert token.token_id != other.token_id

    tell(story)


@pytest.mark.azure(38)
def test_tokens_of_a_deleted_endpoint_do_not_open_a_new_one_of_its_name() -> None:
    async def story(bench: Bench) -> None:
        await renew_trust(bench.world)
        audiences = []
        for _ in range(2):
            await declare(bench, AuthMode.AML_TOKEN)
            token, _ = await credentials.make_token(bench.world, "credit")
            assert route_of(bench).door == OwnTokens(str(token.claims()["aud"]))
            audiences.append(token.claims()["aud"])
            await endpoints.delete_endpoint(bench.world, "credit")
            with pytest.raises(Conflict):
                await credentials.make_token(bench.world, "credit")
            await bench.settle()

        assert audiences[0] != audiences[1]

    tell(story)


def test_no_token_is_made_before_the_gateway_knows_who_signs_it() -> None:
    async def story(bench: Bench) -> None:
        await declare(bench, AuthMode.AML_TOKEN)

        with pytest.raises(Retryable):
            await credentials.make_token(bench.world, "credit")

    tell(story)


@pytest.mark.parametrize(
    ("mode", "code", "said"),
    [
        (AuthMode.KEY, "EndpointWithoutTokens", "does not use tokens"),
        (AuthMode.AAD_TOKEN, "TokenFromIssuer", "the home's owner"),
    ],
)
def test_other_modes_say_where_their_credential_comes_from(
    mode: AuthMode, code: str, said: str
) -> None:
    async def story(bench: Bench) -> None:
        await declare(bench, mode)

        with pytest.raises(UserError, match=said) as refused:
            await credentials.make_token(bench.world, "credit")
        bench.issuers.known = (ENTRA,)
        with pytest.raises(UserError) as again:
            await credentials.make_token(bench.world, "credit")

        assert refused.value.problem.code == code
        if mode is AuthMode.AAD_TOKEN:
            named = "https://entra.example (audience https://ml.azure.com)"
            assert named in again.value.problem.message

    tell(story)


# -- trust


@pytest.mark.azure(39)
def test_the_gateway_trusts_us_and_the_issuers_and_hears_only_of_changes() -> None:
    async def story(bench: Bench) -> None:
        await renew_trust(bench.world)
        alone = bench.gateway.trusted()
        bench.issuers.known = (ENTRA,)
        await renew_trust(bench.world)
        both = bench.gateway.trusted()
        bench.gateway.silent = True
        await renew_trust(bench.world)
        bench.signer.keys = '{"keys": ["rotated"]}'
        with pytest.raises(Retryable):
            await renew_trust(bench.world)
        bench.gateway.silent = False
        await renew_trust(bench.world)
        rotated = bench.gateway.trusted()

        assert alone is not None
        assert alone.own is not None
        assert alone.own.keys == '{"keys": ["first"]}'
        assert [one.issuer for one in alone.providers] == [OWN_IDENTITIES, issuer_of(ADDRESS)]
        assert both is not None
        assert both.providers[2:] == (ENTRA,)
        assert rotated is not None
        assert rotated.own is not None
        assert "rotated" in rotated.own.keys

    tell(story)


@pytest.mark.azure(39)
def test_trouble_with_an_issuer_shows_at_the_endpoints_it_concerns() -> None:
    async def story(bench: Bench) -> None:
        await declare(bench, AuthMode.AAD_TOKEN)
        await declare(bench, AuthMode.KEY, "other")
        unheard = await trusted(bench)
        await renew_trust(bench.world)
        await bench.look()
        nobody = await trusted(bench)
        bench.issuers.known = (ENTRA,)
        await bench.look()
        untold = await trusted(bench)
        await renew_trust(bench.world)
        await bench.look()
        fresh = await trusted(bench)
        bench.woken.clear()
        refresh = bench.issuers.refresh

        async def failing() -> None:
            await refresh()
            bench.issuers.wrong = (Problem("IssuerUnreachable", "no answer"),)

        bench.issuers.refresh = failing  # type: ignore[method-assign]  # a provider that goes down
        await renew_trust(bench.world)
        woken = set(bench.woken)
        await bench.look()
        stale = await trusted(bench)

        assert (unheard.truth, unheard.reason) == (Truth.FALSE, "NotAcknowledged")
        assert untold.reason == "NotAcknowledged"
        assert (nobody.truth, nobody.reason) == (Truth.TRUE, "HomeOnly")
        assert (fresh.truth, fresh.reason) == (Truth.TRUE, "Fresh")
        assert woken == {"credit"}
        assert (stale.truth, stale.reason, stale.message) == (
            Truth.FALSE,
            "IssuerUnreachable",
            "no answer",
        )

    tell(story)


# -- roles


@pytest.mark.azure(39, 41)
def test_roles_that_are_given_and_taken_reach_the_gateway() -> None:
    async def story(bench: Bench) -> None:
        await declare(bench, AuthMode.AAD_TOKEN)
        await declare(bench, AuthMode.AAD_TOKEN, "other")
        await access.give_role(bench.world, grant(0))
        await access.give_role(bench.world, grant(1, "bob", endpoint=""))
        await access.give_role(bench.world, grant(2, "reader", role=READER.id))
        await access.give_role(
            bench.world, grant(3, "team", principal_type=PrincipalType.GROUP, endpoint="CREDIT")
        )
        assert {"credit", "other"} <= bench.woken
        for name in ("credit", "other"):
            await bench.settle(name)
        given = [route_of(bench, name).door for name in ("credit", "other")]
        bench.woken.clear()

        taken = await access.take_role(bench.world, Place("credit"), GUIDS[0])
        again = await access.take_role(bench.world, Place("credit"), GUIDS[0])
        elsewhere = await access.take_role(bench.world, Place("credit"), GUIDS[1])
        woken = set(bench.woken)
        await bench.settle()

        assert given == [
            Identities((HOME_OWNER, "alice", "bob"), ("team",)),
            Identities((HOME_OWNER, "bob"), ()),
        ]
        assert taken is not None
        assert (again, elsewhere) == (None, None)
        assert woken == {"credit"}
        assert route_of(bench).door == Identities((HOME_OWNER, "bob"), ("team",))

    tell(story)


def test_one_assignment_gives_one_thing_once() -> None:
    async def story(bench: Bench) -> None:
        await declare(bench, AuthMode.AAD_TOKEN)
        first, was_new = await access.give_role(bench.world, grant(0))
        same, is_new = await access.give_role(bench.world, grant(0))

        with pytest.raises(Conflict) as twice:
            await access.give_role(bench.world, grant(1))
        with pytest.raises(UserError) as changed:
            await access.give_role(bench.world, grant(0, "bob"))
        with pytest.raises(NotFound):
            await access.give_role(bench.world, grant(1, endpoint="nowhere"))

        assert (was_new, is_new, first == same) == (True, False, True)
        assert twice.value.problem.code == "RoleAssignmentExists"
        assert changed.value.problem.code == "RoleAssignmentUpdateNotPermitted"

    tell(story)


def test_roles_are_listed_where_they_hold() -> None:
    async def story(bench: Bench) -> None:
        for name in ("credit", "other"):
            await declare(bench, AuthMode.KEY, name)
        places = ("", "credit", "other")
        for number, place in enumerate(places):
            await access.give_role(bench.world, grant(number, endpoint=place))

        async def listed(place: str, **how: object) -> list[str]:
            found = await access.list_roles(bench.world, Place(place), **how)  # type: ignore[arg-type]
            return [one.endpoint for one in found]

        assert await listed("Credit") == ["", "credit"]
        assert await listed("") == [""]
        assert await listed("", below=True) == ["", "credit", "other"]
        assert await listed("", below=True, principal="bob") == []
        assert (await access.get_role(bench.world, Place("other"), GUIDS[2])).endpoint == "other"
        with pytest.raises(NotFound):
            await access.get_role(bench.world, Place("other"), GUIDS[1])
        with pytest.raises(NotFound):
            await listed("nowhere")

    tell(story)


def test_a_new_endpoint_of_an_old_name_gives_nobody_a_role() -> None:
    async def story(bench: Bench) -> None:
        await declare(bench, AuthMode.AAD_TOKEN)
        await access.give_role(bench.world, grant(0))
        await endpoints.delete_endpoint(bench.world, "credit")
        with pytest.raises(Conflict):
            await access.give_role(bench.world, grant(1, "bob"))
        await bench.settle()
        await declare(bench, AuthMode.AAD_TOKEN)

        assert route_of(bench).door == Identities((HOME_OWNER,), ())

    tell(story)
