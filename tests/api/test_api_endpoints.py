"""onlineEndpoints and operations over HTTP, as an SDK talks to them."""

from __future__ import annotations

import pytest

from tests.api.door import ADDRESS, VERSION, WORKSPACE, Door, Tell, endpoint_body, problem
from verdazul.core.keys import digest

OPERATIONS = "/subscriptions/00000000-0000-0000-0000-000000000000/providers/"
OWN_KEY = "a-key-of-my-own-that-nobody-can-guess"
KEYS = "onlineEndpoints/credit/listKeys"
REGENERATE = "onlineEndpoints/credit/regenerateKeys"


@pytest.mark.azure(8, 12, 14)
def test_a_new_endpoint_is_201_and_says_where_to_wait(tell: Tell) -> None:
    async def story(door: Door) -> None:
        answer = await door.ask("PUT", "onlineEndpoints/Credit", endpoint_body())

        assert answer.status_code == 201
        assert answer.headers["etag"] == '"1"'
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["azure-asyncoperation"].startswith(f"{ADDRESS}{OPERATIONS}")
        assert answer.headers["location"] == (
            f"{ADDRESS}{WORKSPACE}/onlineEndpoints/Credit?{VERSION}"
        )
        body = answer.json()
        assert body["id"] == f"{WORKSPACE}/onlineEndpoints/Credit"
        assert body["properties"]["provisioningState"] == "Creating"
        assert body["properties"]["scoringUri"] == f"{ADDRESS}/api/v1/endpoint/Credit/score"

    tell(story)


def test_a_changed_endpoint_is_200_with_the_next_etag(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()

        answer = await door.ask("PUT", "onlineEndpoints/CREDIT", {"tags": {"team": "risk"}})

        assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
        assert answer.json()["name"] == "credit"
        assert answer.json()["properties"]["provisioningState"] == "Updating"
        await door.settle()
        shown = await door.ask("GET", "onlineEndpoints/credit")
        assert shown.headers["etag"] == '"2"'
        assert shown.json()["tags"] == {"team": "risk"}
        assert shown.json()["properties"]["provisioningState"] == "Succeeded"

    tell(story)


def test_what_get_answers_can_be_put_back(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint(description="text", properties={"a": "b"})
        shown = (await door.ask("GET", "onlineEndpoints/credit")).json()

        answer = await door.ask("PUT", "onlineEndpoints/credit", shown)
        await door.settle()

        assert answer.status_code == 200, answer.text
        answer = await door.ask("GET", "onlineEndpoints/credit")
        changed = {"provisioningState"}
        before, after = shown["properties"], answer.json()["properties"]
        for properties in (before, after):  # which operation was the last is told, not kept
            assert properties["properties"].pop("AzureAsyncOperationUri")
        assert {k: v for k, v in after.items() if k not in changed} == {
            k: v for k, v in before.items() if k not in changed
        }

    tell(story)


@pytest.mark.azure(7)
def test_endpoints_are_listed_by_name(tell: Tell) -> None:
    async def story(door: Door) -> None:
        for name in ("zeta", "Alpha"):
            await door.endpoint(name)

        found = (await door.ask("GET", "onlineEndpoints")).json()["value"]

        assert [each["name"] for each in found] == ["Alpha", "zeta"]
        assert found[0]["type"] == "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"

    tell(story)


def test_traffic_is_shown_for_every_deployment(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        for name in ("blue", "green"):
            await door.deployment(name)
            await door.settle()

        answer = await door.ask(
            "PUT", "onlineEndpoints/credit", endpoint_body(traffic={"BLUE": 100})
        )

        assert answer.json()["properties"]["traffic"] == {"blue": 100, "green": 0}

    tell(story)


@pytest.mark.parametrize(
    ("if_match", "status"), [('"1"', 200), ("1", 200), ('"2"', 412), ('"0"', 412), ("*", 200)]
)
def test_if_match_lets_only_the_generation_that_was_read_be_changed(
    tell: Tell, if_match: str, status: int
) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()

        answer = await door.ask("PUT", "onlineEndpoints/credit", {}, if_match=if_match)

        assert answer.status_code == status
        if status == 412:
            assert problem(answer)[1] == "PreconditionFailed"
            assert "at generation 1, not" in problem(answer)[2]

    tell(story)


def test_if_match_of_a_number_creates_nothing(tell: Tell) -> None:
    async def story(door: Door) -> None:
        answer = await door.ask("PUT", "onlineEndpoints/credit", {}, if_match='"1"')

        assert problem(answer)[:2] == (412, "PreconditionFailed")
        assert "at generation none, not 1" in problem(answer)[2]

    tell(story)


def test_if_match_of_anything_creates_nothing(tell: Tell) -> None:
    async def story(door: Door) -> None:
        answer = await door.ask("PUT", "onlineEndpoints/credit", {}, if_match="*")

        assert problem(answer)[:2] == (412, "PreconditionFailed")

    tell(story)


def test_an_etag_that_is_none_of_ours_is_refused(tell: Tell) -> None:
    async def story(door: Door) -> None:
        answer = await door.ask("PUT", "onlineEndpoints/credit", {}, if_match='W/"a"')

        assert problem(answer)[:2] == (400, "BadETag")

    tell(story)


@pytest.mark.azure(4)
def test_if_none_match_creates_and_never_changes(tell: Tell) -> None:
    async def story(door: Door) -> None:
        first = await door.ask("PUT", "onlineEndpoints/credit", {}, if_none_match="*")
        await door.settle()

        second = await door.ask("PUT", "onlineEndpoints/Credit", {}, if_none_match="*")

        assert first.status_code == 201
        assert problem(second)[:2] == (409, "ResourceExists")

    tell(story)


@pytest.mark.azure(13)
def test_a_change_while_another_is_open_is_a_conflict(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.ask("PUT", "onlineEndpoints/credit", endpoint_body())

        answer = await door.ask("PUT", "onlineEndpoints/credit", endpoint_body())

        assert problem(answer)[:2] == (409, "OperationInProgress")

    tell(story)


def test_deleting_is_202_and_then_there_was_nothing_to_delete(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()

        first = await door.ask("DELETE", "onlineEndpoints/CREDIT")
        again = await door.ask("DELETE", "onlineEndpoints/credit")
        deleting = await door.ask("GET", "onlineEndpoints/credit")
        await door.settle()
        gone = await door.ask("GET", "onlineEndpoints/credit")
        nothing = await door.ask("DELETE", "onlineEndpoints/credit")

        assert (first.status_code, first.content) == (202, b"")
        assert first.headers["azure-asyncoperation"] == again.headers["azure-asyncoperation"]
        assert deleting.json()["properties"]["provisioningState"] == "Deleting"
        assert problem(gone)[:2] == (404, "ResourceNotFound")
        assert (nothing.status_code, nothing.content) == (204, b"")

    tell(story)


@pytest.mark.azure(8)
def test_what_is_being_deleted_cannot_be_declared(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await door.ask("DELETE", "onlineEndpoints/credit")

        answers = [
            await door.ask("PUT", "onlineEndpoints/credit", endpoint_body()),
            await door.deployment(),
            await door.ask("POST", REGENERATE, {"keyType": "Primary"}),
        ]

        assert [problem(answer)[0] for answer in answers] == [409, 409, 409]

    tell(story)


# -- operations


def test_an_operation_is_polled_until_it_ends_and_tells_its_progress(tell: Tell) -> None:
    async def story(door: Door) -> None:
        answer = await door.ask("PUT", "onlineEndpoints/credit", endpoint_body())
        where = answer.headers["azure-asyncoperation"]

        during = (await door.client.get(where)).json()
        await door.settle()
        after = (await door.client.get(where)).json()

        assert (during["status"], during["percentComplete"]) == ("InProgress", 0.0)
        assert "endTime" not in during
        assert [each["reason"] for each in during["properties"]["progress"]] == ["Declared"]
        assert (after["status"], after["percentComplete"]) == ("Succeeded", 100.0)
        assert after["endTime"]
        assert where.split("?")[0].endswith(f"/{after['name']}")
        assert "error" not in after

    tell(story)


def test_an_operation_stays_readable_when_its_endpoint_is_gone(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        deletion = await door.ask("DELETE", "onlineEndpoints/credit")
        await door.settle()

        found = (await door.client.get(deletion.headers["azure-asyncoperation"])).json()

        assert found["status"] == "Succeeded"

    tell(story)


@pytest.mark.azure(8, 13)
def test_an_operation_that_a_deletion_overtook_says_so(tell: Tell) -> None:
    async def story(door: Door) -> None:
        creation = await door.ask("PUT", "onlineEndpoints/credit", endpoint_body())
        await door.ask("DELETE", "onlineEndpoints/credit")

        found = (await door.client.get(creation.headers["azure-asyncoperation"])).json()

        assert found["status"] == "Canceled"
        assert found["error"]["code"] == "OperationCanceled"

    tell(story)


@pytest.mark.azure(8)
def test_an_operation_that_failed_carries_its_problem(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await door.deployment()
        await door.settle()
        door.bench.gateway.refusal = "no such cluster"

        traffic = endpoint_body(traffic={"blue": 100})
        answer = await door.ask("PUT", "onlineEndpoints/credit", traffic)
        await door.settle()

        found = (await door.client.get(answer.headers["azure-asyncoperation"])).json()

        assert found["status"] == "Failed"
        assert found["error"]["code"] == "GatewayRejected"
        assert "no such cluster" in found["error"]["message"]

    tell(story)


def test_an_unknown_operation_is_not_found(tell: Tell) -> None:
    async def story(door: Door) -> None:
        answer = await door.client.get(
            f"{OPERATIONS}Microsoft.MachineLearningServices/locations/local/mfeOperationsStatus/no"
        )

        assert problem(answer)[:2] == (404, "ResourceNotFound")

    tell(story)


# -- keys


@pytest.mark.azure(35)
def test_keys_are_shown_and_are_what_opens_the_endpoint(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()

        keys = (await door.ask("POST", KEYS)).json()

        route = door.bench.gateway.published("credit")
        assert route is not None
        assert (digest(keys["primaryKey"]), digest(keys["secondaryKey"])) == route.key_digests

    tell(story)


@pytest.mark.azure(36)
@pytest.mark.parametrize("kind", ["Primary", "secondary", "SECONDARY"])
def test_the_echo_of_a_current_key_makes_a_new_one(tell: Tell, kind: str) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        before = (await door.ask("POST", KEYS)).json()
        name = f"{kind.lower()}Key"

        answer = await door.ask("POST", REGENERATE, {"keyType": kind, "keyValue": before[name]})
        await door.settle()

        after = (await door.ask("POST", KEYS)).json()
        assert answer.status_code == 202
        polled = (await door.client.get(answer.headers["azure-asyncoperation"])).json()
        assert polled["status"] == "Succeeded"
        assert after[name] not in before.values()
        assert {k: v for k, v in after.items() if k != name} == {
            k: v for k, v in before.items() if k != name
        }

    tell(story)


def test_a_key_of_ones_own_is_taken(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()

        await door.ask("POST", REGENERATE, {"keyType": "Primary", "keyValue": OWN_KEY})

        assert (await door.ask("POST", KEYS)).json()["primaryKey"] == OWN_KEY

    tell(story)


@pytest.mark.azure(36)
@pytest.mark.parametrize("kind", ["Tertiary", "", None, 1, ["Primary"]])
def test_there_are_two_keys(tell: Tell, kind: object) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()

        answer = await door.ask("POST", REGENERATE, {"keyType": kind})

        assert problem(answer)[:2] == (400, "InvalidKeyType")

    tell(story)


@pytest.mark.parametrize("value", [{"a": 1}, 5, ["x"], "with space", "new\nline", "ключ"])
def test_a_key_that_no_header_can_carry_is_refused(tell: Tell, value: object) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()

        answer = await door.ask("POST", REGENERATE, {"keyType": "Primary", "keyValue": value})

        assert answer.status_code == 400

    tell(story)


def test_keys_of_nobody_are_not_found(tell: Tell) -> None:
    async def story(door: Door) -> None:
        for path in (KEYS, REGENERATE):
            assert problem(await door.ask("POST", path, {}))[:2] == (404, "ResourceNotFound")

    tell(story)


# -- refusals


@pytest.mark.azure(3)
@pytest.mark.parametrize("name", ["ab", "x" * 33, "-credit", "cre.dit", "1credit", "cr%C3%A9dit"])
def test_a_name_that_cannot_be_is_refused_by_its_rule(tell: Tell, name: str) -> None:
    async def story(door: Door) -> None:
        answer = await door.ask("PUT", f"onlineEndpoints/{name}", endpoint_body())

        assert problem(answer)[:2] == (400, "InvalidName")

    tell(story)


@pytest.mark.parametrize(
    ("properties", "code", "said"),
    [
        ({"traffic": {"blue": 100}}, "InvalidTraffic", "does not have"),
        ({"traffic": {"blue": 50}}, "InvalidTraffic", "sums to 50; it must be 100"),
        ({"traffic": {"blue": -1}}, "InvalidTraffic", "from 0 to 100"),
        ({"authMode": "Password"}, "InvalidValue", "must be key, aml_token or aad_token"),
        ({"authMod": "Key"}, "UnknownKey", "did you mean authMode?"),
        ({"publicNetworkAccess": "Disabled"}, "NotSupportedYet", "public_network_access"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_declared(
    tell: Tell, properties: dict[str, object], code: str, said: str
) -> None:
    async def story(door: Door) -> None:
        answer = await door.ask("PUT", "onlineEndpoints/credit", endpoint_body(**properties))

        assert problem(answer)[:2] == (400, code)
        assert said in problem(answer)[2]
        assert await door.bench.store.endpoints() == ()

    tell(story)


def test_another_location_is_refused_with_ours(tell: Tell) -> None:
    async def story(door: Door) -> None:
        answer = await door.ask("PUT", "onlineEndpoints/credit", {"location": "westeurope"})

        assert problem(answer)[:2] == (400, "InvalidLocation")
        assert "this workspace is in 'local'" in problem(answer)[2]

    tell(story)


def test_pause_and_resume_are_actions_and_a_paused_endpoint_says_so(tell: Tell) -> None:
    async def story(door: Door) -> None:
        await door.endpoint()
        await door.settle()

        first = await door.ask("POST", "onlineEndpoints/credit/pause")
        await door.settle()
        again = await door.ask("POST", "onlineEndpoints/credit/pause")
        shown = (await door.ask("GET", "onlineEndpoints/credit")).json()
        echoed = await door.ask("PUT", "onlineEndpoints/credit", shown)
        await door.settle()
        back = await door.ask("POST", "onlineEndpoints/credit/resume")
        await door.settle()
        free = (await door.ask("GET", "onlineEndpoints/credit")).json()

        assert (first.status_code, again.status_code, back.status_code) == (202, 204, 202)
        assert first.headers["azure-asyncoperation"]
        assert shown["properties"]["isPaused"] is True
        assert echoed.status_code < 300
        assert "isPaused" not in free["properties"]

    tell(story)


@pytest.mark.azure(14)
def test_the_answer_to_a_put_says_in_its_body_too_where_to_wait(tell: Tell) -> None:
    async def story(door: Door) -> None:
        made = await door.endpoint()
        shown = await door.ask("GET", "onlineEndpoints/credit")

        said = made.json()["properties"]["properties"]
        assert said["AzureAsyncOperationUri"] == made.headers["azure-asyncoperation"]
        assert shown.json()["properties"]["properties"] == said
        assert (await door.ask("PUT", "onlineEndpoints/credit", made.json())).status_code == 200

    tell(story)


@pytest.mark.azure(83)
def test_a_hundred_endpoints_are_the_limit_and_what_raises_it_is_said(tell: Tell) -> None:
    async def story(door: Door) -> None:
        for number in range(100):
            answer = await door.ask("PUT", f"onlineEndpoints/credit-{number}", endpoint_body())
            assert answer.status_code == 201

        answer = await door.ask("PUT", "onlineEndpoints/one-more", endpoint_body())
        again = await door.ask("PUT", "onlineEndpoints/credit-99", endpoint_body())

        assert problem(answer)[:2] == (400, "OutOfQuota")
        assert "VERDAZUL_ENDPOINTS" in answer.text
        assert again.status_code != 400

    tell(story)
