"""Every `online-endpoint` command against a server: what it asks, prints and returns."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.cli.arm_server import KEYS, Api, Reply, Seen
from tests.cli.conftest import Run

from verdazul.model.errors import Problem

NAMES = ("online-endpoint", "-n", "credit")


@pytest.fixture
def credit(api: Api, run: Run) -> str:
    """An endpoint that exists; returns its path."""
    assert run("online-endpoint", "create", "-n", "credit").code == 0
    api.seen.clear()
    return api.path("onlineEndpoints", "credit")


@pytest.mark.azure(2)
def test_create_needs_a_name_only_and_prints_the_endpoint(run: Run) -> None:
    ran = run("online-endpoint", "create", "-n", "credit")

    assert ran.code == 0
    assert ran.json["name"] == "credit"
    assert ran.json["auth_mode"] == "key"
    assert ran.json["provisioning_state"] == "Succeeded"


def test_create_tells_the_servers_progress_on_stderr(api: Api, run: Run) -> None:
    api.progress = ["building the environment", "starting 1 instance"]

    ran = run("online-endpoint", "create", "-n", "credit")

    assert re.search(r"^ +\d+ s  building the environment$", ran.err, re.MULTILINE)
    assert re.search(r"^ +\d+ s  starting 1 instance$", ran.err, re.MULTILINE)


@pytest.mark.azure(1)
def test_create_reads_a_file_and_flags_win_over_it(api: Api, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "endpoint.yml"
    file.write_text("name: fraud\ntags:\n  team: risk\n  level: 1\n")

    ran = run(
        *("online-endpoint", "create", "--file", str(file), "--name", "credit"),
        *("--set", "tags.team=loans", "description=d", "--set", "tags.more=x"),
    )

    assert ran.json["tags"] == {"team": "loans", "level": "1", "more": "x"}
    assert api.requests("PUT")[0].path == api.path("onlineEndpoints", "credit")
    assert api.requests("PUT")[0].headers["if-none-match"] == "*"


@pytest.mark.azure(4)
def test_create_refuses_a_name_that_is_taken_and_tells_of_update(
    api: Api, run: Run, credit: str
) -> None:
    ran = run("online-endpoint", "create", "-n", "credit")

    assert (ran.code, ran.out) == (1, "")
    assert 'endpoint "credit" exists already' in ran.err
    assert "online-endpoint update" in ran.err
    assert api.requests("PUT") == []
    assert credit in api.resources


@pytest.mark.azure(1)
def test_a_mistake_in_the_file_is_told_with_its_line_and_asks_the_server_nothing(
    api: Api, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "endpoint.yml"
    file.write_text("name: credit\nauth_mod: key\n")

    ran = run("online-endpoint", "create", "-f", str(file))

    assert (ran.code, ran.out) == (1, "")
    assert "endpoint.yml:2" in ran.err
    assert api.seen == []


def test_create_without_any_name_is_refused(run: Run) -> None:
    ran = run("online-endpoint", "create")

    assert ran.code == 1
    assert "name" in ran.err


@pytest.mark.azure(2, 6)
@pytest.mark.parametrize(
    ("given", "mode"), [("Key", "Key"), ("AML_TOKEN", "AMLToken"), ("aad_token", "AADToken")]
)
def test_an_auth_mode_is_taken_in_any_case(api: Api, run: Run, given: str, mode: str) -> None:
    run("online-endpoint", "create", "-n", "credit", "--auth-mode", given)

    assert api.requests("PUT")[0].json["properties"]["authMode"] == mode


def test_an_auth_mode_that_there_is_not_is_refused_with_those_that_there_are(run: Run) -> None:
    ran = run("online-endpoint", "create", "-n", "credit", "--auth-mode", "password")

    assert ran.code == 1
    assert "it must be key, aml_token or aad_token" in ran.err


@pytest.mark.azure(12)
def test_no_wait_prints_what_was_accepted_and_does_not_look_again(api: Api, run: Run) -> None:
    ran = run("online-endpoint", "create", "-n", "credit", "--no-wait")

    assert ran.json["provisioning_state"] == "Creating"
    assert api.requests("GET", "/operations/") == []


def test_a_failed_operation_exits_5_with_its_cause(api: Api, run: Run) -> None:
    api.next_problem = Problem("OutOfQuota", "no more endpoints", "delete one")

    ran = run("online-endpoint", "create", "-n", "credit")

    assert (ran.code, ran.out) == (5, "")
    assert "error: OutOfQuota: no more endpoints\n  fix: delete one\n" in ran.err


def test_a_wait_that_takes_too_long_exits_5(api: Api, run: Run) -> None:
    api.endless = True

    ran = run("online-endpoint", "create", "-n", "credit", "--timeout", "0.3")

    assert (ran.code, ran.out) == (5, "")
    assert "not ready after 0.3 s" in ran.err


@pytest.mark.parametrize("words", [["blue=90 green=10"], ["blue=90", "green=10"]])
def test_update_changes_traffic_only(api: Api, run: Run, credit: str, words: list[str]) -> None:
    api.change(credit, description="kept", traffic={"blue": 100})

    ran = run("online-endpoint", "update", "-n", "credit", "--traffic", *words)

    assert ran.json["traffic"] == {"blue": 90, "green": 10}
    assert ran.json["description"] == "kept"
    assert api.requests("PUT")[0].headers["if-match"] == '"2"'


def test_update_does_not_overwrite_what_changed_meanwhile(api: Api, run: Run, credit: str) -> None:
    api.before_put = lambda: api.change(credit, description="somebody else's")

    ran = run("online-endpoint", "update", "-n", "credit", "-r", "blue=100")

    assert (ran.code, ran.out) == (1, "")
    assert "changed meanwhile" in ran.err
    assert api.resources[credit]["properties"]["description"] == "somebody else's"


@pytest.mark.azure(9, 62)
def test_update_sets_adds_and_removes(api: Api, run: Run, credit: str) -> None:
    api.resources[credit]["tags"] = {"a": "1", "b": "2"}

    ran = run(
        "online-endpoint", "update", "-n", "credit", "--set", "tags.c=3", "--remove", "tags.a"
    )

    assert ran.json["tags"] == {"b": "2", "c": "3"}


@pytest.mark.azure(27)
def test_update_sets_the_mirror_and_resets_it(api: Api, run: Run, credit: str) -> None:
    api.change(credit, traffic={"blue": 100})

    ran = run("online-endpoint", "update", "-n", "credit", "--mirror-traffic", "green=10")
    reset = run("online-endpoint", "update", "-n", "credit", "--mirror-traffic", "green=0")

    assert (ran.json["mirror_traffic"], ran.json["traffic"]) == ({"green": 10}, {"blue": 100})
    assert reset.json["mirror_traffic"] in ({}, {"green": 0})


def test_update_from_a_file_replaces_and_warns_when_traffic_is_lost(
    api: Api, run: Run, credit: str, tmp_path: Path
) -> None:
    api.change(credit, traffic={"blue": 100}, description="old")
    file = tmp_path / "endpoint.yml"
    file.write_text("name: credit\n")

    ran = run("online-endpoint", "update", "-f", str(file))

    assert ran.code == 0
    assert "description" not in ran.json
    assert "warning: traffic was blue=100 and is 0 now" in ran.err
    assert '--traffic "blue=100"' in ran.err


def test_update_of_what_does_not_exist_tells_of_create(run: Run) -> None:
    ran = run("online-endpoint", "update", "-n", "credit", "--traffic", "blue=100")

    assert (ran.code, ran.out) == (3, "")
    assert 'endpoint "credit" does not exist' in ran.err
    assert "online-endpoint create" in ran.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-n", "credit"], "what to change"),
        (["--traffic", "blue=100"], "no name was given"),
        (["-n", "credit", "--traffic", "blue=90"], "90"),
        (["-n", "credit", "--traffic", "blue"], "blue"),
        (["-n", "credit", "--traffic", "blue=x"], "blue=x"),
        (["-n", "credit", "--set", "tags"], "has no '='"),
        (["-n", "credit", "--set", "name=other"], "names never change"),
        (["-n", "credit", "--set", "nonsense=1"], "nonsense"),
    ],
)
def test_an_update_that_cannot_be_is_refused(
    api: Api, run: Run, credit: str, words: list[str], told: str
) -> None:
    before = json.dumps(api.resources[credit])

    ran = run("online-endpoint", "update", *words)

    assert (ran.code, ran.out) == (1, "")
    assert told in ran.err
    assert json.dumps(api.resources[credit]) == before


@pytest.mark.azure(7)
def test_show_prints_one(run: Run, credit: str, api: Api) -> None:
    ran = run("online-endpoint", "show", "-n", "credit", "--query", "scoring_uri", "-o", "tsv")

    assert ran.out == f"{api.address}/score/credit\n"
    assert ran.err == ""
    assert credit in api.resources


def test_show_of_what_is_not_there_exits_3_and_prints_no_data(run: Run) -> None:
    ran = run("online-endpoint", "show", "-n", "credit")

    assert (ran.code, ran.out) == (3, "")
    assert "error: ResourceNotFound" in ran.err


@pytest.mark.azure(7)
def test_list_prints_all_pages(run: Run) -> None:
    for name in ("credit", "fraud", "spam"):
        run("online-endpoint", "create", "-n", name)

    ran = run("online-endpoint", "list")

    assert [entry["name"] for entry in ran.json] == ["credit", "fraud", "spam"]


def test_list_of_nothing_is_an_empty_list(run: Run) -> None:
    assert run("online-endpoint", "list").json == []


def test_the_table_of_endpoints_has_what_people_look_for(api: Api, run: Run, credit: str) -> None:
    api.change(credit, traffic={"blue": 90, "green": 10})

    ran = run("online-endpoint", "list", "-o", "table")

    title, _, row = ran.out.splitlines()
    assert title.split() == ["Name", "State", "Traffic", "ScoringUri"]
    assert row.split() == [
        *("credit", "Succeeded", "blue=90", "green=10"),
        f"{api.address}/score/credit",
    ]


def test_delete_without_terminal_asks_for_yes_and_deletes_nothing(
    api: Api, run: Run, credit: str
) -> None:
    ran = run("online-endpoint", "delete", "-n", "credit")

    assert (ran.code, ran.out) == (1, "")
    assert "--yes" in ran.err
    assert credit in api.resources


def test_delete_with_yes_deletes_and_prints_no_data(api: Api, run: Run, credit: str) -> None:
    ran = run("online-endpoint", "delete", "-n", "credit", "--yes")

    assert (ran.code, ran.out) == (0, "")
    assert 'endpoint "credit" is deleted' in ran.err
    assert credit not in api.resources


@pytest.mark.azure(12)
def test_delete_with_no_wait_says_that_it_goes_on(api: Api, run: Run, credit: str) -> None:
    ran = run("online-endpoint", "delete", "-n", "credit", "-y", "--no-wait")

    assert (ran.code, ran.out) == (0, "")
    assert "is being deleted" in ran.err
    assert credit in api.resources


def test_delete_of_what_is_not_there_is_done_already(run: Run) -> None:
    ran = run("online-endpoint", "delete", "-n", "credit", "-y")

    assert (ran.code, ran.out) == (0, "")
    assert "does not exist" in ran.err


def test_get_credentials_prints_both_keys(run: Run, credit: str) -> None:
    assert credit
    assert run("online-endpoint", "get-credentials", "-n", "credit").json == KEYS


@pytest.mark.parametrize(
    ("flags", "key"), [([], "primary"), (["--key-type", "Secondary"], "secondary")]
)
def test_regenerate_keys_replaces_one_and_prints_none(
    api: Api, run: Run, credit: str, flags: list[str], key: str
) -> None:
    ran = run("online-endpoint", "regenerate-keys", "-n", "credit", *flags)

    assert (ran.code, ran.out) == (0, "")
    assert credit
    assert api.keys == {**KEYS, f"{key}Key": "renewed-key-dd44"}
    assert "renewed-key" not in ran.err


def test_pause_and_resume_say_what_holds_now(api: Api, run: Run, credit: str) -> None:
    paused = run("online-endpoint", "pause", "-n", "credit")
    again = run("online-endpoint", "pause", "-n", "credit", "--no-wait")
    shown = run("online-endpoint", "show", "-n", "credit")
    listed = run("online-endpoint", "list", "-o", "table")
    resumed = run("online-endpoint", "resume", "-n", "credit")

    assert (paused.code, again.code, resumed.code) == (0, 0, 0)
    assert "is paused: requests wait" in paused.err
    assert "is paused: requests wait" in again.err
    assert json.loads(shown.out)["is_paused"] is True
    assert ", paused" in listed.out
    assert "is open: requests pass" in resumed.err
    assert api.resources[credit]["properties"]["isPaused"] is False


@pytest.mark.azure(116)
class TestInvoke:
    """Calling an endpoint."""

    @pytest.fixture
    def request_file(self, tmp_path: Path) -> str:
        file = tmp_path / "request.json"
        file.write_text('{"data": [1, 2]}\n')
        return str(file)

    @pytest.fixture(autouse=True)
    def blue(self, api: Api, credit: str) -> None:
        path = f"{credit}/deployments/blue"
        api.resources[path] = {"id": path, "name": "blue", "properties": {}}

    def test_the_body_goes_out_as_it_is_with_the_key(
        self, api: Api, run: Run, request_file: str
    ) -> None:
        run("online-endpoint", "invoke", "-n", "credit", "--request-file", request_file)

        sent = api.requests("POST", "/score/credit")[0]
        assert sent.body == b'{"data": [1, 2]}\n'
        assert sent.headers["content-type"] == "application/json"
        assert sent.headers["authorization"] == f"Bearer {KEYS['primaryKey']}"
        assert "azureml-model-deployment" not in sent.headers

    def test_the_answer_is_a_json_string_as_az_prints_it(
        self, api: Api, run: Run, request_file: str
    ) -> None:
        api.score = lambda _seen: Reply(200, b'{"score": 1}')

        ran = run("online-endpoint", "invoke", "-n", "credit", "-r", request_file)

        assert (ran.code, ran.json) == (0, '{"score": 1}')

    def test_tsv_prints_the_answer_as_it_is(self, api: Api, run: Run, request_file: str) -> None:
        api.score = lambda _seen: Reply(200, b'{"score": 1}')

        ran = run("online-endpoint", "invoke", "-n", "credit", "-r", request_file, "-o", "tsv")

        assert ran.out == '{"score": 1}\n'

    def test_a_deployment_is_named_in_the_header(
        self, api: Api, run: Run, request_file: str
    ) -> None:
        ran = run("online-endpoint", "invoke", "-n", "credit", "-d", "Blue", "-r", request_file)

        assert ran.code == 0
        sent = api.requests("POST", "/score/credit")[0]
        assert sent.headers["azureml-model-deployment"] == "Blue"

    def test_an_unknown_deployment_is_told_in_azs_words(
        self, api: Api, run: Run, request_file: str
    ) -> None:
        ran = run("online-endpoint", "invoke", "-n", "credit", "-d", "green", "-r", request_file)

        assert (ran.code, ran.out) == (3, "")
        assert "Deployment name green not found for this endpoint" in ran.err
        assert "it has: blue" in ran.err
        assert api.requests("POST", "/score") == []

    def test_an_endpoint_without_deployment_is_told_in_azs_words(
        self, api: Api, run: Run, credit: str, request_file: str
    ) -> None:
        del api.resources[f"{credit}/deployments/blue"]

        ran = run("online-endpoint", "invoke", "-n", "credit", "-r", request_file)

        assert (ran.code, ran.out) == (3, "")
        assert "No deployment exists for this endpoint" in ran.err

    @pytest.mark.parametrize(
        ("status", "code"), [(424, 1), (429, 1), (502, 1), (504, 1), (500, 4), (503, 4)]
    )
    def test_a_failed_call_shows_status_body_and_explaining_headers(
        self, api: Api, run: Run, request_file: str, status: int, code: int
    ) -> None:
        def failed(_seen: Seen) -> Reply:
            headers = {
                "ms-azureml-model-error-statuscode": "500",
                "ms-azureml-model-error-reason": "model_error",
            }
            return Reply(status, b"division by zero", headers)

        api.score = failed

        ran = run("online-endpoint", "invoke", "-n", "credit", "-r", request_file)

        assert (ran.code, ran.out) == (code, "")
        assert f"the endpoint answered {status}" in ran.err
        assert "ms-azureml-model-error-statuscode: 500" in ran.err
        assert "ms-azureml-model-error-reason: model_error" in ran.err
        assert "division by zero" in ran.err

    def test_only_200_and_201_are_success(self, api: Api, run: Run, request_file: str) -> None:
        api.score = lambda _seen: Reply(204)

        ran = run("online-endpoint", "invoke", "-n", "credit", "-r", request_file)

        assert (ran.code, ran.out) == (1, "")
        assert "answered 204" in ran.err

    def test_a_request_file_that_is_no_text_is_refused_before_anything_is_sent(
        self, api: Api, run: Run, tmp_path: Path
    ) -> None:
        file = tmp_path / "image.png"
        file.write_bytes(b"\x89PNG")

        ran = run("online-endpoint", "invoke", "-n", "credit", "-r", str(file))

        assert (ran.code, ran.out) == (1, "")
        assert "not UTF-8 text (byte 0)" in ran.err
        assert api.seen == []

    def test_a_missing_request_file_is_named(self, run: Run) -> None:
        ran = run("online-endpoint", "invoke", "-n", "credit", "-r", "/nowhere/request.json")

        assert ran.code == 1
        assert "cannot read request file '/nowhere/request.json': No such file" in ran.err

    def test_no_request_file_at_all_is_refused(self, run: Run) -> None:
        ran = run("online-endpoint", "invoke", "-n", "credit")

        assert ran.code == 1
        assert "--request-file" in ran.err
