"""Kubernetes endpoints with real everything: the example's files, and what callers read."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.e2e.system import VERDAZUL, System, eventually

pytestmark = pytest.mark.e2e

EXAMPLE = Path(__file__).parents[2] / "examples" / "kubernetes"
SCRIPT = """
import json, os, time
from azureml.contrib.services.aml_response import AMLResponse

def init(): ...

def run(raw_data):
    wanted = json.loads(raw_data)
    if wanted == "raise":
        raise ValueError("no such customer")
    if wanted == "die":
        os._exit(9)
    if wanted == "refuse":
        return AMLResponse("not for you", 403)
    if wanted == "sleep":
        time.sleep(60)
    return wanted
"""
MEMORY_FILES = ("memory.max", "memory.limit_in_bytes")
HASTY = "request_settings: {request_timeout_ms: 2000}\n"


BY_SHIM = f"""eval "$({VERDAZUL} env --home "$VERDAZUL_HOME")"; set -e
az ml online-endpoint create -f endpoint.yml --query '[kind, compute]' -o tsv
az ml online-deployment create -f blue.yml --all-traffic --query '[type, instance_type]' -o tsv
az ml online-endpoint invoke -n measured -r request.json"""


@pytest.mark.azure(5, 33, 170)
def test_the_example_is_made_called_updated_and_deleted(system: System, tmp_path: Path) -> None:
    said = by_shim(system, tmp_path)
    mirror = system.run(
        *("online-endpoint", "update", "-n", "measured", "--mirror-traffic", "blue=10"), code=1
    )
    updated = system.run(
        *("online-deployment", "update", "-e", "measured", "-n", "blue"),
        *("--set", "resources.limits.memory=300Mi"),
    ).data
    moved = system.run(
        *("online-endpoint", "update", "-n", "measured", "--set", "compute=azureml:other"), code=1
    )

    assert said[0] == "K8S"
    assert said[1].endswith("/computes/inferencecompute")
    assert said[2:4] == ["kubernetes", "defaultinstancetype"]
    assert json.loads(json.loads(said[4]))["mean"] == 2.0
    assert "managed endpoints only" in mirror.err
    assert updated["resources"]["limits"] == {"cpu": "1", "memory": "300Mi"}
    assert "compute of endpoint" in moved.err
    seen = system.instances("measured").items()
    (instance,) = (name for name, about in seen if about["phase"] == "ready")
    assert granted(system, instance) == {
        "cpus": 1.0,
        "memory_bytes": 300 * 2**20,
        "requested_cpus": 0.1,
        "requested_memory_bytes": 107_374_183,
    }
    assert memory_limits(system, instance) <= {str(300 * 2**20)}
    system.run("online-endpoint", "delete", "-n", "measured", "--yes")


def by_shim(system: System, folder: Path) -> list[str]:
    """What Azure's own commands say, with the example's files as they are."""
    system.run("az", "install-shim", str(folder))
    files = shutil.copytree(EXAMPLE, folder / "kubernetes")
    done = subprocess.run(
        ["/bin/bash", "-c", BY_SHIM],
        cwd=files,
        env={"PATH": f"{folder}:/usr/local/bin:/usr/bin:/bin", "VERDAZUL_HOME": str(system.home)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout.splitlines()


def granted(system: System, instance: str) -> object:
    told = json.loads((system.home / "instances" / instance / "launch.json").read_text())
    return told["launch"]["limits"]


def memory_limits(system: System, instance: str) -> set[str]:
    """What the kernel says; nothing where it lets us limit nothing."""
    shim = json.loads((system.home / "instances" / instance / "shim.json").read_text())
    files = (Path(group) / name for group in shim["groups"] for name in MEMORY_FILES)
    return {file.read_text().strip() for file in files if file.exists()}


def score(client: httpx.Client, wanted: str) -> httpx.Response:
    """What comes of it once the worker that the last one took along is there again."""
    eventually(lambda: client.post("score", json="well").status_code == 200)
    return client.post("score", json=wanted)


@pytest.mark.azure(69, 104)
def test_callers_read_kubernetes_codes_of_a_real_script(system: System) -> None:
    system.run("online-endpoint", "create", "-n", "coded", "--set", "compute=azureml:cluster")
    file = system.deployment("coded", "blue", score=SCRIPT, extra=HASTY)
    text = file.read_text().replace("instance_type: Standard_DS2_v2", "type: kubernetes")
    file.write_text(text)
    system.run("online-deployment", "create", "-f", str(file), "--all-traffic")

    with system.client("coded") as client:
        eventually(lambda: client.post("score", json="well").status_code == 200)
        older = client.post(str(client.base_url.join("../../service/coded/score")), json="old")
        answers = {
            wanted: score(client, wanted) for wanted in ("well", "raise", "refuse", "sleep", "die")
        }

    assert {wanted: answer.status_code for wanted, answer in answers.items()} == {
        "well": 200,
        "raise": 502,
        "refuse": 424,
        "sleep": 504,
        "die": 502,
    }
    assert answers["raise"].headers["ms-azureml-model-error-statuscode"] == "500"
    assert answers["refuse"].headers["ms-azureml-model-error-statuscode"] == "403"
    assert older.json() == "old"
