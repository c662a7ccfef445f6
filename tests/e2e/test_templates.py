"""The example templates, by a script written for Azure, through the shim."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.system import CONDA, SCORE, VERDAZUL, System

pytestmark = [pytest.mark.e2e, pytest.mark.azure(15)]
SCRIPT = Path(__file__).with_name("deploy_template.sh")
TEMPLATES = Path(__file__).parents[2] / "examples" / "arm-templates"


@pytest.mark.skipif(not all(map(shutil.which, ("bash", "curl", "jq"))), reason="needs curl and jq")
def test_an_endpoint_is_made_by_templates_and_answers(system: System, tmp_path: Path) -> None:
    system.run("az", "install-shim", str(tmp_path), "--curl")
    system.write("templates/src/score.py", SCORE)
    system.write("templates/conda.yml", CONDA)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{VERDAZUL.parent}:{os.environ['PATH']}",
        "VERDAZUL_HOME": str(system.home),
        "ENDPOINT": "by-template",
        "TEMPLATES": str(TEMPLATES),
    }
    done = subprocess.run(
        ["bash", str(SCRIPT)],  # noqa: S607 - whatever bash there is
        cwd=system.files / "templates",
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    uri, validated, deployed, operation, answer, *names = done.stdout.splitlines()
    assert uri.endswith("/by-template/score")
    assert (validated, deployed, operation) == ("Succeeded",) * 3
    assert '"who": "nobody"' in answer.replace("\\", "")
    assert set(names) == {"make-by-template", "deployment", "open-by-template"}


def test_a_failure_names_the_resource_and_its_cause(system: System) -> None:
    words = ("deployment", "group", "create", "-f", str(TEMPLATES / "deployment.json"), "-p")
    given = ("workspaceName=verdazul", "endpointName=none", "codeUri=https://x/y", "condaFile=x")

    told = system.run(*words, *given, code=5).err

    assert "DeploymentFailed" in told
    assert "codes/none/versions/1" in told
    missing = system.run(*words, "workspaceName=verdazul", code=1).err
    assert "the parameter endpointName has no value" in missing
    assert "--parameters endpointName=..." in missing
