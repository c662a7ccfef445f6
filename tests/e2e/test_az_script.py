"""A bash script written for Azure manages a real home through the shim, without an edit."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.system import CONDA, SCORE, VERDAZUL, System

pytestmark = [pytest.mark.e2e, pytest.mark.azure(2, 19, 27, 34, 43, 113)]

SCRIPT = Path(__file__).with_name("safe_rollout.sh")
LOGIN = 'set -e; az login --service-principal -u "$APP" -p "$SECRET" -t adfs --output none'
REST_SCRIPT = Path(__file__).with_name("deploy_rest.sh")
READY_SCORE = SCORE.replace("def run", '    print(name, "is ready")\n\ndef run', 1)


@pytest.fixture
def project(system: System) -> Path:
    """The script's files, as they lie beside it in a project."""
    folder = system.files / "rollout"
    system.write("rollout/src/score.py", READY_SCORE)
    system.write("rollout/conda.yml", CONDA)
    system.write("rollout/request.json", '{"x": 1}')
    system.write("rollout/endpoint.yml", "name: from-file\nauth_mode: key\n")
    for name in ("blue", "green"):
        system.write(
            f"rollout/{name}.yml",
            f"""name: {name}
endpoint_name: from-file
code_configuration:
  code: src
  scoring_script: score.py
environment:
  image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04
  conda_file: conda.yml
environment_variables:
  WHO: {name}
instance_type: Standard_DS3_v2
instance_count: 1
""",
        )
    return folder


@pytest.mark.skipif(not all(map(shutil.which, ("bash", "curl", "jq"))), reason="needs curl and jq")
def test_a_safe_rollout_written_for_azure_runs_unchanged(
    system: System, project: Path, tmp_path: Path
) -> None:
    """By a data scientist, who has no more than the role and a secret."""
    system.run("az", "install-shim", str(tmp_path))
    made = system.run("ad", "sp", "create-for-rbac", "-n", "scientist").data
    given = ("--assignee", made["appId"], "--role", "AzureML Data Scientist")
    system.run("role", "assignment", "create", *given)

    done = subprocess.run(
        [
            "/bin/bash",
            "-c",
            f'eval "$({VERDAZUL} env --home {system.home})"; {LOGIN}; bash {SCRIPT}',
        ],
        cwd=project,
        env={
            "PATH": f"{tmp_path}:/usr/local/bin:/usr/bin:/bin",
            "VERDAZUL_HOME": str(tmp_path / "home"),
            "VERDAZUL_ADDRESS": (system.home / "run" / "address").read_text().strip(),
            "VERDAZUL_CA": str(system.home / "certs" / "ca-bundle.pem"),
            "APP": made["appId"],
            "SECRET": made["password"],
            "SUBSCRIPTION": "00000000-0000-0000-0000-000000000000",
            "GROUP": "local",
            "WORKSPACE": "verdazul",
            "ENDPOINT": "rollout",
        },
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, (done.stdout, done.stderr)
    said = [line for line in done.stdout.splitlines() if not line.startswith((" ", "{", "}"))]
    assert said == [
        "account 00000000-0000-0000-0000-000000000000",
        "registry Microsoft.ContainerRegistry/registries/verdazul",
        "workspace verdazul",
        "traffic 100",
        "after the first deployment: blue",
        "blue\t2",
        "green\t1",
        "by name: green",
        "by header: green",
        "mirrored 10",
        "90\t10",
        "after the rollout: green",
        "done",
    ]


MODEL_SCORE = """
import os
from pathlib import Path

def init():
    global weight
    weight = int(Path(os.environ["AZUREML_MODEL_DIR"], "weights.txt").read_text())
    print("blue is ready")

def run(raw_data):
    return weight
"""


@pytest.mark.azure(14, 54, 56)
@pytest.mark.skipif(not all(map(shutil.which, ("bash", "curl", "jq"))), reason="needs curl and jq")
def test_an_endpoint_is_deployed_over_rest_alone(system: System, tmp_path: Path) -> None:
    system.run("az", "install-shim", str(tmp_path), "--curl")
    system.write("rest/src/score.py", MODEL_SCORE)
    system.write("rest/model/weights.txt", "42")
    system.write("rest/conda.yml", CONDA)

    done = subprocess.run(
        ["/bin/bash", "-c", f'eval "$({VERDAZUL} env)" && exec bash {REST_SCRIPT}'],
        cwd=system.files / "rest",
        env={
            "PATH": f"{tmp_path}:/usr/local/bin:/usr/bin:/bin",
            "VERDAZUL_HOME": str(system.home),
            "MANAGEMENT": "https://management.azure.com",  # the shim's curl knows where that is
            "ENDPOINT": "by-rest",
        },
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, (done.stdout, done.stderr)
    assert done.stdout.splitlines() == [
        "code 1",
        "model 1",
        "environment 1",
        "state Succeeded",
        "by token 42",
        "by Key 42",
        "by AADToken 42",
        "ResourceNotFound",
    ]
