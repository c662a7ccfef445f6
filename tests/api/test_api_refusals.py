"""What can be made of a refusal, and how who deletes an endpoint is told that it is gone."""

from __future__ import annotations

import pytest

from tests.api.door import Door, Tell
from tests.api.test_api_permissions import CREDIT, is_forbidden, somebody
from verdazul.model.roles import DATA_SCIENTIST, READER


@pytest.mark.azure(42)
def test_who_deletes_an_endpoint_is_told_how_it_ended_though_the_role_went_with_it(
    tell: Tell,
) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        bob, eve = await somebody(door, "bob"), await somebody(door, "eve")
        await bob.given(DATA_SCIENTIST, at=CREDIT)
        await eve.given(READER, at=CREDIT, number=2)
        accepted = await bob.ask("DELETE", CREDIT)
        await door.settle()

        for link in ("azure-asyncoperation", "location"):
            assert (await bob.ask("GET", accepted.headers[link])).status_code in {200, 204}
            assert is_forbidden(await eve.ask("GET", accepted.headers[link]))
        assert is_forbidden(await bob.ask("GET", CREDIT))

    tell(story)
