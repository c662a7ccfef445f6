"""What an unmodified client does first: find the cloud, get a token."""

from __future__ import annotations

import httpx
import pytest

from tests.api.door import ADDRESS, TOKEN, WORKSPACE, Door, Tell, problem

STORAGE = "https://storage.azure.com"
BLOB = f"{ADDRESS}/store.blob.x/azureml-blobstore/a"


async def token(door: Door, resource: str = ADDRESS, header: str = TOKEN) -> httpx.Response:
    return await door.client.get(
        "/msi/token",
        params={"resource": resource, "api-version": "2019-08-01"},
        headers={"X-IDENTITY-HEADER": header, "Authorization": ""},
    )


async def ask(door: Door, credential: str, url: str = WORKSPACE) -> httpx.Response:
    return await door.client.get(url, headers={"Authorization": f"Bearer {credential}"})


def test_the_cloud_is_found_without_a_credential(tell: Tell) -> None:
    async def story(door: Door) -> None:
        answer = await door.client.get(
            "/metadata/endpoints?api-version=2022-09-01", headers={"Authorization": ""}
        )

        (cloud,) = answer.json()
        assert cloud["resourceManager"] == f"{ADDRESS}/"
        assert cloud["resourceManager"].rstrip("/") in str(answer.request.url)
        assert cloud["suffixes"]["storage"].endswith("/")

    tell(story)


@pytest.mark.parametrize("resource", [ADDRESS, f"{ADDRESS}/", f"{ADDRESS}//"])
def test_a_token_opens_the_api_for_an_hour(tell: Tell, resource: str) -> None:
    async def story(door: Door) -> None:
        body = (await token(door, resource)).json()

        in_time = await ask(door, body["access_token"])
        door.bench.clock.advance(3601.0)
        late = await ask(door, body["access_token"])

        assert (body["token_type"], body["resource"]) == ("Bearer", resource)
        assert int(body["expires_on"]) < door.bench.clock.now()
        assert in_time.status_code == 200
        assert problem(late)[:2] == (401, "ExpiredAuthenticationToken")

    tell(story)


def test_a_token_opens_only_what_it_was_made_for(tell: Tell) -> None:
    async def story(door: Door) -> None:
        for_api = (await token(door)).json()["access_token"]
        for_storage = (await token(door, STORAGE)).json()["access_token"]

        assert problem(await ask(door, for_storage))[1] == "InvalidAuthenticationTokenAudience"
        assert problem(await ask(door, for_api, BLOB))[:2] == (403, "AuthenticationFailed")
        assert problem(await ask(door, for_storage, BLOB))[:2] == (404, "BlobNotFound")

    tell(story)


def test_who_does_not_know_the_homes_token_gets_none(tell: Tell) -> None:
    async def story(door: Door) -> None:
        for header in ("", "x", TOKEN[:-1]):
            answer = await token(door, header=header)
            assert problem(answer)[:2] == (401, "Unauthorized")

    tell(story)


@pytest.mark.parametrize("resource", ["", "https://graph.microsoft.com", "x"])
def test_a_token_for_something_else_is_refused_by_name(tell: Tell, resource: str) -> None:
    async def story(door: Door) -> None:
        assert problem(await token(door, resource))[:2] == (400, "InvalidResource")

    tell(story)


def test_what_else_is_sealed_is_no_token(tell: Tell) -> None:
    async def story(door: Door) -> None:
        secrets = door.bench.world.secrets
        for text in ("", "[]", '["blob", "c", "rwl", 9e99]', f'["token", "{ADDRESS}", "soon"]'):
            answer = await ask(door, secrets.seal(text))
            assert answer.status_code == 401, text

    tell(story)
