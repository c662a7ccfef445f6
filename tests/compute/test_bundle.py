"""What an instance is given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.contract.compute_worlds import instance_id, launch
from verdazul.compute import bundle
from verdazul.compute.folder import Folder
from verdazul.core.instance import Launch, Limits

OURS = {"PATH": "/bin", "HOME": "/home/me", "VERDAZUL_TOKEN": "secret", "AWS_SECRET": "secret"}


def variables(given: Launch) -> dict[str, str]:
    return bundle.environment(given, Folder(Path("/home/v"), instance_id()), ours=OURS)


def test_instance_sees_nothing_of_ours_but_what_it_needs(tmp_path: Path) -> None:
    seen = variables(launch(tmp_path))

    assert "secret" not in seen.values()
    assert seen["HOME"] == "/home/me"
    assert seen["PATH"] == f"{Path(launch(tmp_path).python).parent}:/bin"


def test_azures_variables_point_at_code_script_and_model(tmp_path: Path) -> None:
    seen = variables(launch(tmp_path))

    assert seen["AML_APP_ROOT"] == str(tmp_path / "code" / "src")
    assert seen["AZUREML_ENTRY_SCRIPT"] == "score.py"
    assert seen["AZUREML_MODEL_DIR"] == str(tmp_path / "model")
    assert seen["PYTHONUNBUFFERED"] == "1"


def test_deployment_without_a_model_has_no_model_variable(tmp_path: Path) -> None:
    assert "AZUREML_MODEL_DIR" not in variables(replace(launch(tmp_path), model_dir=None))


def test_users_variables_win_except_over_the_contract(tmp_path: Path) -> None:
    seen = variables(
        launch(tmp_path, OMP_NUM_THREADS="9", PATH="/mine", VERDAZUL_INSTANCE="forged")
    )

    assert (seen["OMP_NUM_THREADS"], seen["PATH"]) == ("9", "/mine")
    assert seen["VERDAZUL_INSTANCE"] == str(instance_id())


def test_fraction_of_a_core_gets_one_thread_and_never_more_than_the_machine_has(
    tmp_path: Path,
) -> None:
    import os

    for cpus, threads in ((0.5, 1), (1.9, 1), (100_000.0, os.cpu_count())):
        given = replace(launch(tmp_path), limits=Limits(cpus, 1))
        assert variables(given)["MKL_NUM_THREADS"] == str(threads)


def test_command_names_no_variable_and_quotes_its_path(tmp_path: Path) -> None:
    given = replace(launch(tmp_path, KEY="hidden"), serve_path="/it's/here")

    command = bundle.command(given)

    assert "hidden" not in " ".join(command)
    compile(command[2], "boot", "exec")


def test_swagger_and_telemetry_are_told_whose_answers_these_are(tmp_path: Path) -> None:
    folder = Folder(Path("/home/v"), instance_id())

    seen = bundle.environment(launch(tmp_path), folder, ours=OURS, workspace="lab")

    assert seen["SERVICE_NAME"] == "credit"
    assert seen["SERVICE_PATH_PREFIX"] == "/api/v1/endpoint/credit"
    assert seen["WORKSPACE_NAME"] == "lab"
    assert seen["HOSTNAME"] == "credit.blue.3f2a-0"


def test_collected_data_lies_where_a_new_revision_finds_it(tmp_path: Path) -> None:
    home = Path("/home/v")
    spools = {
        bundle.environment(launch(tmp_path), Folder(home, each), ours={})["VERDAZUL_SPOOL_DIR"]
        for each in (instance_id(), instance_id(n=1), instance_id(revision="beef"))
    }

    assert spools == {"/home/v/collected/credit.blue"}
    assert variables(launch(tmp_path, VERDAZUL_SPOOL_DIR="/mine"))["VERDAZUL_SPOOL_DIR"] == "/mine"


def test_server_ends_its_requests_before_it_is_killed(tmp_path: Path) -> None:
    for grace, told in ((185.0, "180"), (5.2, "0.2"), (3.0, "0")):
        given = replace(launch(tmp_path, VERDAZUL_GRACE_SECONDS="999"), grace_seconds=grace)
        assert variables(given)["VERDAZUL_GRACE_SECONDS"] == told
