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
