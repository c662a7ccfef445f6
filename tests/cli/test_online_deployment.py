"""Every `online-deployment` command against a server: uploads, waiting, failures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.cli.arm_server import SIGNATURE, Api, Reply, refuse
from tests.cli.conftest import Ran, Run

from verdazul.model.errors import Problem

BLUE = ("-e", "credit", "-n", "blue")


@pytest.fixture(autouse=True)
def credit(api: Api, run: Run) -> str:
    """An endpoint that exists; returns its path."""
    assert run("online-endpoint", "create", "-n", "credit").code == 0
    api.seen.clear()
    return api.path("onlineEndpoints", "credit")


@pytest.fixture
def created(run: Run, deployment_yaml: Path) -> Ran:
    return run("online-deployment", "create", "-f", str(deployment_yaml))


@pytest.fixture
def blue(api: Api, credit: str, created: Ran) -> str:
    """A deployment that exists; returns its path."""
    assert created.code == 0
    api.seen.clear()
    return f"{credit}/deployments/blue"


def test_create_prints_the_deployment(created: Ran) -> None:
    assert created.code == 0
    assert created.json["name"] == "blue"
    assert created.json["endpoint_name"] == "credit"
    assert created.json["provisioning_state"] == "Succeeded"


def test_create_uploads_code_and_the_model_under_its_own_name(api: Api, created: Ran) -> None:
    assert created.code == 0
    files = {path.split("/", 3)[3]: data for path, data in api.blobs.items()}
    assert files.keys() == {"score.py", "model.txt"}
    assert files["model.txt"] == b"weights"


def test_a_model_folder_is_uploaded_under_its_own_name(
    api: Api, run: Run, deployment_yaml: Path
) -> None:
    folder = deployment_yaml.parent / "iris model"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "größe #1?.bin").write_bytes(b"x")

    ran = run(
        *("online-deployment", "create", "-f", str(deployment_yaml)),
        *("--set", f"model.path={folder}"),
    )

    assert ran.code == 0
    assert any(path.endswith("/iris model/deep/größe #1?.bin") for path in api.blobs)


def test_a_deployment_names_its_parts_by_id(api: Api, blue: str) -> None:
    properties = api.resources[blue]["properties"]

    assert "/codes/" in properties["codeConfiguration"]["codeId"]
    assert "/models/" in properties["model"]
    assert "/environments/CliV2AnonymousEnvironment/versions/" in properties["environmentId"]


def test_uploads_do_not_carry_the_control_token(api: Api, created: Ran) -> None:
    assert created.code == 0
    uploads = api.requests("PUT", "/blobs/")
    assert len(uploads) == 2
    assert all("authorization" not in upload.headers for upload in uploads)


def test_what_the_server_has_is_not_sent_again(
    api: Api, run: Run, blue: str, deployment_yaml: Path
) -> None:
    ran = run("online-deployment", "create", "-f", str(deployment_yaml), "-n", "green")

    assert ran.code == 0
    assert api.requests("PUT", "/blobs/") == []
    assert "code folder src: the server has it already" in ran.err
    old, new = api.resources[blue], api.resources[blue.replace("blue", "green")]
    assert old["properties"]["codeConfiguration"] == new["properties"]["codeConfiguration"]
    assert old["properties"]["model"] == new["properties"]["model"]


def test_changed_code_is_sent_and_gets_an_id_of_its_own(
    api: Api, run: Run, blue: str, deployment_yaml: Path
) -> None:
    before = api.resources[blue]["properties"]["codeConfiguration"]["codeId"]
    score = deployment_yaml.parent / "src" / "score.py"
    score.write_text(score.read_text() + "# changed\n")

    run("online-deployment", "create", "-f", str(deployment_yaml))

    assert api.resources[blue]["properties"]["codeConfiguration"]["codeId"] != before


def test_a_named_model_keeps_its_name_and_version(
    api: Api, run: Run, deployment_yaml: Path
) -> None:
    run(
        *("online-deployment", "create", "-f", str(deployment_yaml)),
        *("--set", "model.name=credit-model", "model.version=7"),
    )

    assert api.path("models", "credit-model", "versions", "7") in api.resources


def test_a_named_model_without_version_gets_the_next_one(run: Run, deployment_yaml: Path) -> None:
    words = ("online-deployment", "create", "-f", str(deployment_yaml), "--set")
    run(*words, "model.name=credit-model")
    model = deployment_yaml.parent / "model.txt"
    model.write_text("better weights")

    ran = run(*words, "model.name=credit-model")

    assert ran.code == 0
    assert ran.json["model"].endswith("/models/credit-model/versions/2")


def test_a_model_version_that_has_other_content_is_refused_before_uploading(
    api: Api, run: Run, deployment_yaml: Path
) -> None:
    words = (*("online-deployment", "create", "-f", str(deployment_yaml)), "--set")
    run(*words, "model.name=credit-model", "model.version=7")
    (deployment_yaml.parent / "model.txt").write_text("other weights")
    sent = len(api.blobs)

    ran = run(*words, "model.name=credit-model", "model.version=7")

    assert (ran.code, ran.out) == (1, "")
    assert "version 7 of model 'credit-model' exists with other content" in ran.err
    assert len(api.blobs) == sent


def test_no_secret_is_shown_even_with_debug(run: Run, deployment_yaml: Path) -> None:
    ran = run("online-deployment", "create", "-f", str(deployment_yaml), "--debug")

    assert ran.code == 0
    assert "debug: PUT http" in ran.err
    assert SIGNATURE.partition("=")[2] not in ran.err
    assert "control-token" not in ran.err


def test_a_failed_deployment_shows_cause_log_fix_and_the_command_for_more(
    api: Api, run: Run, deployment_yaml: Path
) -> None:
    api.next_problem = Problem(
        "ResourceNotReady",
        "init() raised KeyError: 'weights'",
        "set it in environment_variables",
        "score.py:7",
        ("Traceback (most recent call last):", "KeyError: 'weights'"),
    )

    ran = run("online-deployment", "create", "-f", str(deployment_yaml))

    assert (ran.code, ran.out) == (5, "")
    assert ran.err.endswith(
        "error: ResourceNotReady: init() raised KeyError: 'weights'\n"
        "  where: score.py:7\n"
        "  last lines of its log:\n"
        "    | Traceback (most recent call last):\n"
        "    | KeyError: 'weights'\n"
        "  fix: set it in environment_variables\n"
        "  more: verdazul online-deployment get-logs -e credit -n blue\n"
    )


@pytest.mark.azure(19)
def test_all_traffic_moves_once_the_deployment_is_ready(
    api: Api, run: Run, credit: str, deployment_yaml: Path
) -> None:
    api.change(credit, traffic={"green": 100})

    ran = run("online-deployment", "create", "-f", str(deployment_yaml), "--all-traffic")

    assert (ran.code, ran.json["name"]) == (0, "blue")
    assert api.resources[credit]["properties"]["traffic"] == {"blue": 100}


def test_all_traffic_stays_where_it_is_when_the_deployment_fails(
    api: Api, run: Run, credit: str, deployment_yaml: Path
) -> None:
    api.change(credit, traffic={"green": 100})
    api.next_problem = Problem("ResourceNotReady", "no")

    run("online-deployment", "create", "-f", str(deployment_yaml), "--all-traffic")

    assert api.resources[credit]["properties"]["traffic"] == {"green": 100}


def test_traffic_that_could_not_be_moved_is_told_apart_from_the_deployment(
    api: Api, run: Run, deployment_yaml: Path
) -> None:
    api.answer_next("PUT", "/credit", refuse(409, "Conflict", "it is being deleted"))

    ran = run("online-deployment", "create", "-f", str(deployment_yaml), "--all-traffic")

    assert (ran.code, ran.out) == (1, "")
    assert "it is being deleted" in ran.err
    assert "update -n credit --traffic blue=100" in ran.err


@pytest.mark.azure(21)
def test_all_traffic_cannot_be_had_without_waiting(api: Api, run: Run) -> None:
    ran = run("online-deployment", "create", "-f", "x.yml", "--all-traffic", "--no-wait")

    assert (ran.code, ran.out, api.seen) == (1, "", [])
    assert "--all-traffic" in ran.err
    assert "--no-wait" in ran.err


def test_an_unknown_endpoint_is_told_before_anything_is_uploaded(
    api: Api, run: Run, deployment_yaml: Path
) -> None:
    ran = run("online-deployment", "create", "-f", str(deployment_yaml), "--endpoint", "fraud")

    assert (ran.code, ran.out) == (3, "")
    assert "ResourceNotFound" in ran.err
    assert api.blobs == {}


@pytest.mark.azure(68)
def test_a_script_with_a_syntax_error_is_told_with_its_line(
    api: Api, run: Run, deployment_yaml: Path
) -> None:
    (deployment_yaml.parent / "src" / "score.py").write_text("def run(:\n")

    ran = run("online-deployment", "create", "-f", str(deployment_yaml))

    assert (ran.code, ran.out, api.seen) == (1, "", [])
    assert "score.py:1" in ran.err


@pytest.mark.azure(68)
def test_the_script_is_not_looked_at_when_told_so(run: Run, deployment_yaml: Path) -> None:
    (deployment_yaml.parent / "src" / "score.py").write_text("def run(:\n")

    ran = run(
        *("online-deployment", "create", "-f", str(deployment_yaml), "--skip-script-validation")
    )

    assert ran.code == 0


def test_an_upload_that_is_refused_is_told_and_nothing_is_deployed(
    api: Api, run: Run, credit: str, deployment_yaml: Path
) -> None:
    api.answer_next("PUT", "/score.py", Reply(507, b"disk full"))

    ran = run("online-deployment", "create", "-f", str(deployment_yaml))

    assert (ran.code, ran.out) == (4, "")
    assert "answered 507 to the upload of score.py: disk full" in ran.err
    assert f"{credit}/deployments/blue" not in api.resources


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_named(run: Run, deployment_yaml: Path) -> None:
    (deployment_yaml.parent / "src" / "score.py").with_name("secret").touch(mode=0o000)

    ran = run("online-deployment", "create", "-f", str(deployment_yaml))

    assert ran.code == 1
    assert "secret" in ran.err


def test_create_without_file_is_refused(run: Run) -> None:
    ran = run("online-deployment", "create", *BLUE)

    assert (ran.code, ran.out) == (2, "")
    assert "-f/--file" in ran.err


@pytest.mark.azure(62)
def test_update_without_file_changes_only_what_is_set(api: Api, run: Run, blue: str) -> None:
    before = dict(api.resources[blue]["properties"]["codeConfiguration"])

    ran = run("online-deployment", "update", *BLUE, "--set", "instance_count=3")

    assert (ran.code, ran.json["instance_count"]) == (0, 3)
    assert api.resources[blue]["sku"]["capacity"] == 3
    assert api.resources[blue]["properties"]["codeConfiguration"] == before
    assert api.requests("PUT", "deployments")[0].headers["if-match"] == '"1"'


def test_update_does_not_overwrite_what_changed_meanwhile(api: Api, run: Run, blue: str) -> None:
    api.before_put = lambda: api.change(blue, description="somebody else's")

    ran = run("online-deployment", "update", *BLUE, "--set", "instance_count=3")

    assert (ran.code, ran.out) == (1, "")
    assert api.resources[blue]["sku"]["capacity"] == 1


def test_update_from_a_file_replaces(api: Api, run: Run, blue: str, deployment_yaml: Path) -> None:
    run("online-deployment", "update", *BLUE, "--set", "description=old", "instance_count=3")

    ran = run("online-deployment", "update", "-f", str(deployment_yaml))

    assert ran.code == 0
    assert api.resources[blue]["sku"]["capacity"] == 1
    assert "description" not in api.resources[blue]["properties"]


@pytest.mark.parametrize("with_file", [True, False])
def test_update_of_what_does_not_exist_tells_of_create(
    api: Api, run: Run, deployment_yaml: Path, *, with_file: bool
) -> None:
    what = ["-f", str(deployment_yaml)] if with_file else [*BLUE, "--set", "instance_count=2"]

    ran = run("online-deployment", "update", *what)

    assert (ran.code, ran.out) == (3, "")
    assert 'endpoint "credit" has no deployment "blue"' in ran.err
    assert api.requests("PUT") == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([*BLUE], "what to change"),
        (["-n", "blue", "--set", "instance_count=2"], "no name was given"),
        ([*BLUE, "--set", "instance_count=many"], "instance_count"),
        ([*BLUE, "--set", "endpoint_name=fraud"], "names never change"),
        ([*BLUE, "--set", "instance_counts=2"], "instance_counts"),
        ([*BLUE, "--set", "code_configuration.code=/nowhere"], "/nowhere"),
    ],
)
def test_an_update_that_cannot_be_is_refused(
    api: Api, run: Run, blue: str, words: list[str], told: str
) -> None:
    ran = run("online-deployment", "update", *words)

    assert (ran.code, ran.out) == (1, "")
    assert told in ran.err
    assert api.requests("PUT", "deployments") == []
    assert blue in api.resources


def test_show_prints_one(run: Run, blue: str) -> None:
    ran = run("online-deployment", "show", *BLUE, "--query", "provisioning_state", "-o", "tsv")

    assert (ran.out, ran.err) == ("Succeeded\n", "")
    assert blue


def test_the_table_of_deployments_has_what_people_look_for(
    api: Api, run: Run, credit: str, blue: str
) -> None:
    api.change(credit, traffic={"Blue": 90})

    ran = run("online-deployment", "list", "--endpoint-name", "credit", "-o", "table")

    title, _, row = ran.out.splitlines()
    assert title.split() == ["Name", "State", "Instances", "InstanceType", "Traffic"]
    assert row.split() == ["blue", "Succeeded", "1", "Standard_DS3_v2", "90", "%"]
    assert blue


def test_list_prints_all(run: Run, blue: str) -> None:
    assert blue
    assert [entry["name"] for entry in run("online-deployment", "list", "-e", "credit").json] == [
        "blue"
    ]


def test_list_of_an_unknown_endpoint_exits_3(run: Run) -> None:
    ran = run("online-deployment", "list", "-e", "fraud")

    assert (ran.code, ran.out) == (3, "")


def test_delete_with_yes_deletes(api: Api, run: Run, blue: str) -> None:
    ran = run("online-deployment", "delete", *BLUE, "-y")

    assert (ran.code, ran.out) == (0, "")
    assert blue not in api.resources


def test_delete_of_what_has_traffic_is_refused_by_the_server(
    api: Api, run: Run, credit: str, blue: str
) -> None:
    api.change(credit, traffic={"blue": 100})

    ran = run("online-deployment", "delete", *BLUE, "-y")

    assert (ran.code, ran.out) == (1, "")
    assert "has 100 % traffic" in ran.err
    assert blue in api.resources


def test_delete_without_terminal_asks_for_yes(api: Api, run: Run, blue: str) -> None:
    ran = run("online-deployment", "delete", *BLUE)

    assert (ran.code, ran.out) == (1, "")
    assert "--yes" in ran.err
    assert blue in api.resources


@pytest.mark.azure(117)
def test_logs_are_a_json_string_of_as_many_lines_as_asked(run: Run, blue: str) -> None:
    assert blue
    ran = run("online-deployment", "get-logs", *BLUE, "--lines", "2")

    assert ran.json == "line 9\tof the log\nline 10\tof the log\n"


@pytest.mark.azure(117)
@pytest.mark.parametrize(
    ("flags", "container"),
    [
        ([], "InferenceServer"),
        (["-c", "inference-server"], "InferenceServer"),
        (["--container", "storage-initializer"], "StorageInitializer"),
    ],
)
def test_logs_are_of_the_container_that_is_asked_for(
    api: Api, run: Run, blue: str, flags: list[str], container: str
) -> None:
    assert run("online-deployment", "get-logs", *BLUE, *flags).code == 0

    (asked,) = api.requests("POST", f"{blue}/getLogs")
    assert asked.json == {"tail": 5000, "containerType": container}


def test_logs_are_plain_with_tsv(run: Run, blue: str) -> None:
    assert blue
    ran = run("online-deployment", "get-logs", *BLUE, "-l", "2", "-o", "tsv")

    assert ran.out == "line 9\tof the log\nline 10\tof the log\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-c", "sidecar"], "Invalid container type 'sidecar'. Supported container types are"),
        (["-l", "0"], "0"),
        (["-l", "many"], "many"),
    ],
)
def test_logs_that_cannot_be_are_refused(api: Api, run: Run, words: list[str], told: str) -> None:
    ran = run("online-deployment", "get-logs", *BLUE, *words)

    assert ran.code in {1, 2}
    assert (ran.out, api.seen) == ("", [])
    assert told in ran.err
