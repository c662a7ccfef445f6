"""Who is let in, which paths there are, and the shape of every refusal."""

from __future__ import annotations

import pytest

from tests.api.door import ADDRESS, TOKEN, VERSION, WORKSPACE, Door, Tell, problem
from verdazul import __version__


def test_health_is_told_to_anybody(tell: Tell) -> None:
    async def story(door: Door) -> None:
        answer = await door.client.get("/healthz", headers={"Authorization": ""})

        assert (answer.status_code, answer.json()) == (
            200,
            {"status": "ok", "version": __version__},
        )

    tell(story)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer " + "x" * 60_000,
    ],
)
def test_without_the_token_nothing_is_told(tell: Tell, authorization: str) -> None:
    async def story(door: Door) -> None:
        for path in (WORKSPACE, f"{WORKSPACE}/onlineEndpoints", "/verdazul/v1/status", "/no/such"):
            answer = await door.client.get(path, headers={"Authorization": authorization})

            status, code, message = problem(answer)
            assert (status, code) == (401, "Unauthorized")
            assert "verdazul env" in message
            assert answer.headers["www-authenticate"] == "Bearer"

    tell(story)


def test_a_token_that_is_no_latin_text_is_refused(tell: Tell) -> None:
    async def story(door: Door) -> None:
        answer = await door.client.get(WORKSPACE, headers={b"Authorization": b"Bearer \xff\xfe"})

        assert problem(answer)[0] == 401

    tell(story)


def test_the_scheme_is_read_in_any_case(tell: Tell) -> None:
    async def story(door: Door) -> None:
        answer = await door.client.get(WORKSPACE, headers={"Authorization": f"bEARER  {TOKEN} "})

        assert answer.status_code == 200

    tell(story)


def test_the_workspace_is_shown(tell: Tell) -> None:
    async def story(door: Door) -> None:
        body = (await door.client.get(f"{WORKSPACE}?{VERSION}")).json()

        assert body["id"] == WORKSPACE
        assert body["name"] == "verdazul"
        assert body["location"] == "local"
        assert body["properties"]["provisioningState"] == "Succeeded"

    tell(story)


@pytest.mark.parametrize("version", ["", "?api-version=2099-01-01-preview", "?API-VERSION=x&y="])
def test_any_version_of_the_interface_is_the_same(tell: Tell, version: str) -> None:
    async def story(door: Door) -> None:
        answer = await door.client.get(f"{WORKSPACE}/onlineEndpoints{version}")

        assert (answer.status_code, answer.json()) == (200, {"value": []})

    tell(story)


def test_paths_match_in_any_case_and_with_a_slash_at_the_end(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint("Credit")
        for path in (f"{WORKSPACE}/onlineEndpoints/Credit", f"{WORKSPACE}/ONLINEendpoints/cREDIT/"):
            for spelled in (path, path.lower(), path.upper()):
                answer = await door.client.get(spelled)

                assert answer.status_code == 200, spelled
                assert answer.json()["name"] == "Credit"

    tell(story)


def test_percent_encoded_names_are_read_and_an_encoded_slash_separates_nothing(
    tell: Tell,
) -> None:
    async def story(door: Door) -> None:
        await door.endpoint("credit")

        encoded = await door.client.get(f"{WORKSPACE}/onlineEndpoints/%63redit")
        slash = await door.client.get(f"{WORKSPACE}/onlineEndpoints/credit%2Fdeployments")

        assert encoded.json()["name"] == "credit"
        assert problem(slash)[:2] == (404, "ResourceNotFound")

    tell(story)


@pytest.mark.parametrize(
    ("ours", "other"),
    [
        ("00000000-0000-0000-0000-000000000000", "11111111-1111-1111-1111-111111111111"),
        ("resourceGroups/local", "resourceGroups/elsewhere"),
        ("workspaces/verdazul", "workspaces/another"),
    ],
)
def test_another_workspace_is_not_here_and_ours_is_named(tell: Tell, ours: str, other: str) -> None:
    async def story(door: Door) -> None:
        path = WORKSPACE.replace(ours, other)
        for below in ("", "/onlineEndpoints", "/codes/c/versions/1", "/onlineEndpoints/credit"):
            status, code, message = problem(await door.client.get(path + below))

            assert (status, code) == (404, "WorkspaceNotFound")
            assert "this home is 00000000-0000-0000-0000-000000000000/local/verdazul" in message

    tell(story)


def test_nothing_is_at_an_unknown_path(tell: Tell) -> None:
    async def story(door: Door) -> None:
        for path in ("/", "/subscription", f"{WORKSPACE}/batchEndpoints", f"{WORKSPACE}/x/y/z"):
            status, code, message = problem(await door.client.get(path))

            assert (status, code) == (404, "PathNotFound")
            assert path in message

    tell(story)


def test_a_method_that_is_not_possible_is_405_with_those_that_are(tell: Tell) -> None:
    async def story(door: Door) -> None:
        status, code, message = problem(await door.ask("POST", "onlineEndpoints/credit"))

        assert code == "MethodNotAllowed"
        assert "possible: GET, PUT, PATCH, DELETE" in message
        assert status == 405

    tell(story)


def test_a_refusal_says_message_fix_and_code(tell: Tell) -> None:
    async def story(door: Door) -> None:
        error = (await door.ask("GET", "onlineEndpoints/nobody")).json()["error"]

        (info,) = error["additionalInfo"]
        assert error["code"] == "ResourceNotFound"
        assert error["message"] == f"{info['info']['message']} Fix: {info['info']['fix']}"
        assert info["type"] == "VerdazulProblem"

    tell(story)


def test_status_shows_parts_endpoints_deployments_and_instances(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await door.deployment()
        await door.settle()

        picture = (await door.client.get("/verdazul/v1/status")).json()

        assert picture["address"] == ADDRESS
        assert picture["gateway"]["problems"][0]["code"] == "PortInUse"
        assert {part["part"]: part["state"] for part in picture["parts"]} == {
            "control": "running",
            "gateway": "running",
        }
        (credit,) = picture["endpoints"]
        (blue,) = credit["deployments"]
        (instance,) = blue["instances"]
        assert credit["scoring_uri"] == f"{ADDRESS}/api/v1/endpoint/credit/score"
        assert (blue["ready"], blue["instance_count"]) == (1, 1)
        assert instance["id"] == f"credit.blue.{blue['revision']}-0"
        assert instance["phase"] == "ready"

    tell(story)


def test_no_answer_tells_a_key_unless_keys_are_asked_for(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await door.deployment()
        await door.settle()
        keys = (await door.ask("POST", "onlineEndpoints/credit/listKeys")).json()
        secrets = [*keys.values(), TOKEN]

        for path in (
            "onlineEndpoints",
            "onlineEndpoints/credit",
            "onlineEndpoints/credit/deployments",
            "onlineEndpoints/credit/deployments/blue",
        ):
            text = (await door.ask("GET", path)).text
            assert not [secret for secret in secrets if secret in text]
        status = (await door.client.get("/verdazul/v1/status")).text
        assert not [secret for secret in secrets if secret in status]

    tell(story)


@pytest.mark.parametrize(
    ("path", "possible"),
    [
        ("/healthz", "GET"),
        ("/msi/token", "GET"),
        ("/uploads/x", "GET"),
        ("/uploads/x/y", "HEAD, GET, PUT"),
        (f"{WORKSPACE}/onlineEndpoints/credit/listKeys", "POST"),
        (f"{WORKSPACE}/onlineEndpoints/credit", "GET, PUT, PATCH, DELETE"),
    ],
)
@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "BREW"])
def test_a_method_that_is_not_possible_says_in_allow_which_are(
    tell: Tell, path: str, possible: str, method: str
) -> None:
    async def story(door: Door) -> None:
        answer = await door.client.request(method, path)

        assert problem(answer)[:2] == (405, "MethodNotAllowed")
        assert answer.headers["allow"] == possible

    tell(story)
