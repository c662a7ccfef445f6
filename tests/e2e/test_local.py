"""`--local` by the command and by the shim: no server, no container engine, only processes."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.system import CONDA, Outcome
from verdazul.cli.main import main
from verdazul.engine.ending import stop_engine
from verdazul.engine.starting import start
from verdazul.settings import Settings

pytestmark = pytest.mark.e2e
SCORE = """
import json, os

def init():
    print("init was called", flush=True)

def run(raw):
    folder = os.environ["AZUREML_MODEL_DIR"]
    return {"who": os.environ["WHO"], "model": "model.txt" in os.listdir(folder)}
"""
BROKEN = 'def init():\n    raise ValueError("the weights are gone")\ndef run(raw): ...\n'
OWN = """name: own
endpoint_name: credit
environment:
  image: own:1
  inference_config:
    liveness_route: {path: /live, port: 8501}
    readiness_route: {path: /ready, port: 8501}
    scoring_route: {path: /score, port: 8501}
instance_type: Standard_DS3_v2
"""


@dataclass
class Desk:
    """A person's folder, and the command in it."""

    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}
        home = {"VERDAZUL_HOME": str(self.folder / "h"), "XDG_RUNTIME_DIR": str(self.folder)}
        return {**kept, **home, "HOME": str(self.folder)}

    def run(self, *words: str, code: int = 0, **variables: str) -> Outcome:
        """Run the command in this process: starting Python would take most of the time."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(self.folder)
            patch.delenv("DOCKER_HOST", raising=False)
            for name, value in {**self.environ, **variables}.items():
                patch.setenv(name, value)
            got = main(list(words))
        assert got == code, (words, out.getvalue(), err.getvalue())
        return Outcome(got, out.getvalue(), err.getvalue())

    def deployment(self, name: str, *, endpoint: str = "credit", extra: str = "") -> str:
        script = "broken" if name == "broken" else "score"
        file = self.folder / f"{name}.yml"
        file.write_text(f"""name: {name}
endpoint_name: {endpoint}
model:
  path: model.txt
code_configuration:
  code: src
  scoring_script: {script}.py
environment:
  image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04
  conda_file: conda.yml
environment_variables:
  WHO: {name}
instance_type: Standard_DS3_v2
instance_count: 1
{extra}""")
        return file.name


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    if Path("/var/run/docker.sock").exists() or Path("/run/podman/podman.sock").exists():
        pytest.skip("this machine has a container engine; these tests are for those without")
    with tempfile.TemporaryDirectory(prefix="v") as text:
        desk = Desk(Path(text))
        (desk.folder / "src").mkdir()
        files = {"src/score.py": SCORE, "src/broken.py": BROKEN, "conda.yml": CONDA}
        for name, content in {**files, "model.txt": "w", "request.json": '{"x": 1}'}.items():
            (desk.folder / name).write_text(content)
        yield desk
        asyncio.run(stop_engine(desk.folder / "h"))


def invoked(desk: Desk, endpoint: str, *more: str) -> object:
    words = ("online-endpoint", "invoke", "-n", endpoint, "-r", "request.json", "--local")
    return json.loads(desk.run(*words, *more, "-o", "tsv").out)


@pytest.mark.azure(107, 108)
def test_an_endpoint_lives_without_a_server(desk: Desk) -> None:
    endpoint, of = ("online-endpoint", "-n", "life"), ("-e", "life", "-n", "blue", "--local")
    created = desk.run(endpoint[0], "create", *endpoint[1:], "--local").data
    assert created == {
        "auth_mode": "key",
        "location": "local",
        "name": "life",
        "properties": {},
        "provisioning_state": "Succeeded",
        "scoring_uri": None,
        "tags": {},
        "traffic": {},
    }

    file = desk.deployment("blue", endpoint="life", extra="readiness_probe: {period: 3}\n")
    made = desk.run("online-deployment", "create", "-f", file, "--local")
    assert "its system packages are not there" in made.err
    assert "without effect locally, as in Azure: readiness_probe" in made.err
    assert (made.data["provisioning_state"], made.data["instance_type"]) == ("Succeeded", "local")

    shown = desk.run(endpoint[0], "show", *endpoint[1:], "--local").data
    assert shown["scoring_uri"].startswith("http://localhost:")
    assert invoked(desk, "life") == {"who": "blue", "model": True}
    assert "init was called" in desk.run("online-deployment", "get-logs", *of).out

    desk.run("online-deployment", "update", *of, "--set", "environment_variables.WHO=two")
    assert invoked(desk, "life", "-d", "blue") == {"who": "two", "model": True}

    listed = desk.run("online-endpoint", "list", "--local", "--query", "[].name", "-o", "tsv")
    assert "life" in listed.out.split()
    desk.run("online-deployment", "delete", *of, "--yes")
    assert desk.run("online-deployment", "list", "-e", "life", "--local").data == []
    desk.run(endpoint[0], "delete", *endpoint[1:], "--local", "--yes")
    desk.run(endpoint[0], "show", *endpoint[1:], "--local", code=3)


@pytest.mark.azure(107, 110)
def test_a_failing_init_fails_the_deployment_and_says_why(desk: Desk) -> None:
    file = desk.deployment("broken", endpoint="failing")
    of = ("-e", "failing", "-n", "broken", "--local")

    made = desk.run("online-deployment", "create", "-f", file, "--local", code=5)

    assert "LocalEndpointInFailedState" in made.err
    assert "the weights are gone" in made.err
    assert desk.run("online-deployment", "show", *of).data["provisioning_state"] == "Failed"
    assert "the weights are gone" in desk.run("online-deployment", "get-logs", *of).out
    dead = desk.run(
        *("online-endpoint", "invoke", "-n", "failing", "-r", "request.json", "--local"), code=1
    )
    assert "LocalEndpointInFailedState" in dead.err
    # a deployment declares its endpoint when nobody has
    shown = desk.run("online-endpoint", "show", "-n", "failing", "--local").data
    assert (shown["provisioning_state"], shown["scoring_uri"]) == ("Failed", None)
    desk.run("online-endpoint", "delete", "-n", "failing", "--local", "-y")


@pytest.mark.azure(110)
def test_of_several_deployments_one_has_to_be_named(desk: Desk) -> None:
    for name in ("one", "other"):
        file = desk.deployment(f"{name}s", endpoint="several")
        desk.run("online-deployment", "create", "-f", file, "--local")

    words = ("online-endpoint", "invoke", "-n", "several", "-r", "request.json", "--local")
    assert "MultipleLocalDeploymentsFound" in desk.run(*words, code=1).err
    assert invoked(desk, "several", "-d", "others") == {"who": "others", "model": True}
    desk.run("online-endpoint", "delete", "-n", "several", "--local", "-y")


@pytest.mark.azure(110)
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("online-endpoint", "show", "-n", "nobody"), 3, "LocalEndpointNotFound"),
        (("online-endpoint", "delete", "-n", "nobody", "-y"), 3, "LocalEndpointNotFound"),
        (("online-endpoint", "show", "-n", "../../etc"), 1, "InvalidName"),
        (("online-endpoint", "delete", "-n", "..", "-y"), 1, "InvalidName"),
        (("online-deployment", "show", "-e", "nobody", "-n", "blue"), 3, "LocalDeploymentNotFound"),
        (("online-endpoint", "update", "-n", "credit", "--traffic", "a=1"), 1, "do not split"),
        (("online-deployment", "create", "-f", "blue.yml", "--all-traffic"), 1, "--all-traffic"),
        (("online-deployment", "create", "-f", "bad.yml"), 1, "LocalEndpointImageBuildError"),
        (("online-deployment", "create", "-f", "none.yml"), 1, "RequiredLocalArtifactsNotFound"),
        (("online-deployment", "create", "-f", "cloud.yml"), 1, "CloudArtifactsNotSupportedError"),
        (("online-deployment", "create", "-f", "packed.yml"), 1, "azureml.unpack"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    desk: Desk, words: tuple[str, ...], code: int, told: str
) -> None:
    desk.deployment("blue")
    file = desk.folder / desk.deployment("bad")
    file.write_text(file.read_text().replace("conda_file: conda.yml", "conda_file: six.yml"))
    (desk.folder / "six.yml").write_text("dependencies: [pip, {pip: [six==99]}]\n")
    mlflow = "name: none\nendpoint_name: credit\ninstance_type: Standard_DS3_v2\n"
    image = "environment: {image: 'mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04'}\n"
    (desk.folder / "none.yml").write_text(mlflow + image + "model: {path: model.txt}\n")
    packed = desk.folder / desk.deployment("packed")
    model = "path: model.txt\n  properties: {azureml.unpack: 'true'}"
    packed.write_text(packed.read_text().replace("path: model.txt", model))
    cloud = desk.folder / desk.deployment("cloud")
    cloud.write_text(cloud.read_text().replace("path: model.txt", "path: azureml://datastores/x"))

    assert told in desk.run(*words, "--local", code=code).err


@pytest.mark.azure(109)
def test_an_image_of_ones_own_needs_an_engine_and_a_card_needs_a_card(desk: Desk) -> None:
    (desk.folder / "own.yml").write_text(OWN)
    words = ("online-deployment", "create", "--local")

    assert "needs a container engine" in desk.run(*words, "-f", "own.yml", code=1).err
    asked = (*words, "-f", desk.deployment("blue"), "--local-enable-gpu")
    assert "LocalDeploymentGPUNotAvailable" in desk.run(*asked, code=1, PATH="/nowhere").err


@pytest.mark.azure(110)
def test_an_engine_that_is_named_has_to_answer(desk: Desk) -> None:
    words = ("online-endpoint", "show", "-n", "credit", "--local")

    assert "DockerEngineNotAvailable" in desk.run(*words, code=1, DOCKER_HOST="unix:///no").err
    assert "tcp://HOST:PORT" in desk.run(*words, code=1, DOCKER_HOST="ssh://me@there").err


@pytest.mark.azure(107)
def test_the_socket_of_podman_is_found_without_being_named(desk: Desk) -> None:
    """Ours stands in for podman: which socket was taken is what counts."""
    other = Settings.read({}, home=desk.folder / "o")
    folder = desk.folder / "podman"
    folder.mkdir()
    (folder / "podman.sock").symlink_to(start(other).docker_host.removeprefix("unix://"))
    try:
        listed = desk.run("online-endpoint", "list", "--local", "--verbose")
    finally:
        (folder / "podman.sock").unlink()
        asyncio.run(stop_engine(other.home))

    assert f"container engine unix://{folder}/podman.sock" in listed.err


@pytest.mark.azure(107, 108)
def test_a_script_for_azure_runs_by_the_shim(desk: Desk) -> None:
    desk.run("az", "install-shim", str(desk.folder / "bin"))
    file = desk.deployment("scripted", endpoint="script")
    script = f"""set -e
az ml online-endpoint create --local -n script -o none
az ml online-deployment create --local -n scripted --endpoint script -f {file} -o none
state=$(az ml online-endpoint show -n script --local --query provisioning_state -o tsv)
az ml online-endpoint invoke --local --name script --request-file request.json
az ml online-deployment get-logs --local -n scripted --endpoint script | grep -c "init was called"
az ml online-endpoint delete --local -n script --yes
echo $state
"""
    path = f"{desk.folder / 'bin'}:/usr/local/bin:/usr/bin:/bin"

    done = subprocess.run(
        ["/bin/bash", "-c", script],
        cwd=desk.folder,
        env={**desk.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    answer, logged, state = done.stdout.splitlines()
    assert json.loads(json.loads(answer)) == {"who": "scripted", "model": True}
    assert (logged, state) == ("1", "Succeeded")
