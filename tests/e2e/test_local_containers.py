"""`--local` by a real container engine, Docker or podman: images from scratch, no registry.

The base image has what Azure's has, as far as local deployments rely on it: conda, and a service
below /var/runit. Its server is a shell that looks at what was mounted and answers with it.
"""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.engine_worlds import busybox, packed, real_engine, remove_images
from tests.e2e.system import CONDA, Outcome
from tests.e2e.test_local import BROKEN, SCORE, Desk
from verdazul.client.engine import Engine

pytestmark = pytest.mark.e2e

_CONDA = """#!/bin/sh
case "$1" in
env) if grep six==99 "$6"; then echo "six==99 is nowhere"; exit 1; fi ;;
run) shift 4; exec "$@" ;;
esac
"""
_SERVICE = """#!/bin/sh
cd "$AML_APP_ROOT" || exit 2
if grep -q "raise" "$AZUREML_ENTRY_SCRIPT"; then echo "the weights are gone"; exit 3; fi
echo "init was called"
nc -ll -p 5001 -e /answer &
trap 'kill $!; exit' TERM
wait
"""
_ANSWER = """#!/bin/sh
length=0
while IFS= read -r line; do
  line=$(echo "$line" | tr -d '\\r')
  case "$line" in
  "") break ;;
  [Cc]ontent-[Ll]ength:*) length=${line#*: } ;;
  esac
done
head -c "$length" >/dev/null
model=false
[ -f "$AZUREML_MODEL_DIR/model.txt" ] && model=true
printf 'HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nConnection: close\\r\\n\\r\\n'
printf '{"who": "%s", "model": %s}' "$WHO" "$model"
"""
_BASE = """FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "/bin"]
COPY conda runsvdir /bin/
COPY answer /answer
"""
_OWN = """FROM scratch
COPY busybox ready /www/
CMD ["/www/busybox", "httpd", "-f", "-p", "8501", "-h", "/www"]
"""


@dataclass
class Docked:
    """A desk beside an engine, and names that nothing else on the engine has."""

    desk: Desk
    engine: Engine
    mark: str

    def run(self, *words: str, code: int = 0, **variables: str) -> Outcome:
        return self.desk.run(
            *words, "--local", code=code, DOCKER_HOST=self.engine.host, **variables
        )

    def deployment(self, name: str, endpoint: str, *, extra: str = "") -> str:
        file = self.desk.folder / self.desk.deployment(name, endpoint=endpoint, extra=extra)
        azures = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
        file.write_text(file.read_text().replace(azures, f"{self.mark}-base:1"))
        return file.name

    def own(self, name: str, endpoint: str, *, image: str, scoring_port: int = 8501) -> str:
        file = self.desk.folder / f"{name}.yml"
        file.write_text(f"""name: {name}
endpoint_name: {endpoint}
environment:
  image: {image}
  inference_config:
    liveness_route: {{path: /ready, port: 8501}}
    readiness_route: {{path: /ready, port: 8501}}
    scoring_route: {{path: /ready, port: {scoring_port}}}
instance_type: Standard_DS3_v2
""")
        return file.name


@pytest.fixture(scope="module")
def docked() -> Iterator[Docked]:
    with real_engine() as engine, tempfile.TemporaryDirectory(prefix="v") as text:
        desk, mark = Desk(Path(text)), f"v{uuid.uuid4().hex[:8]}"
        (desk.folder / "src").mkdir()
        files = {"src/score.py": SCORE, "src/broken.py": BROKEN, "conda.yml": CONDA}
        for name, content in {**files, "model.txt": "w", "request.json": '{"x": 1}'}.items():
            (desk.folder / name).write_text(content)
        programs: dict[str, bytes | str]
        own: dict[str, bytes | str] = {"busybox": busybox(), "ready": "yes"}
        programs = {"busybox": busybox(), "conda": _CONDA, "runsvdir": _SERVICE, "answer": _ANSWER}
        for tag, files_, dockerfile in (
            ("base", programs, _BASE),
            ("own", own, _OWN),
            ("dead", {}, 'FROM scratch\nCOPY Dockerfile /\nCMD ["/no-program"]\n'),
        ):
            context = packed({**files_, "Dockerfile": dockerfile}, executable=list(files_))
            list(engine.build([context], tag=f"{mark}-{tag}:1", dockerfile="Dockerfile"))
        yield Docked(desk, engine, mark)
        for container in engine.containers(["azureml-local-endpoint"]):
            if container.labels["endpoint"].startswith(mark):
                engine.remove(container.id)
        remove_images(engine, mark)


def invoked(docked: Docked, endpoint: str, *more: str) -> object:
    words = ("online-endpoint", "invoke", "-n", endpoint, "-r", "request.json", "-o", "tsv")
    return json.loads(docked.run(*words, *more).out)


@pytest.mark.azure(107, 108)
def test_a_deployment_is_a_container_as_azure_makes_it(docked: Docked) -> None:
    endpoint = f"{docked.mark}-life"
    of = ("-e", endpoint, "-n", "blue")
    docked.run("online-endpoint", "create", "-n", endpoint)

    made = docked.run("online-deployment", "create", "-f", docked.deployment("blue", endpoint)).data

    assert (made["provisioning_state"], made["instance_type"]) == ("Succeeded", "local")
    (container,) = docked.engine.containers([f"endpoint={endpoint}"])
    assert container.name == f"{endpoint}.blue"
    assert set(container.labels) >= {
        *("azureml-local-endpoint", "endpoint", "deployment"),
        *("endpoint-data", "deployment-data", "azureml-port"),
    }
    assert docked.engine.has_image(f"{endpoint}:blue")
    assert invoked(docked, endpoint) == {"who": "blue", "model": True}
    assert "init was called" in docked.run("online-deployment", "get-logs", *of).out
    shown = docked.run("online-endpoint", "show", "-n", endpoint).data
    assert shown["scoring_uri"] == f"http://localhost:{container.published('5001')}/score"

    docked.run("online-deployment", "update", *of, "--set", "environment_variables.WHO=two")
    assert invoked(docked, endpoint, "-d", "blue") == {"who": "two", "model": True}
    listed = docked.run("online-endpoint", "list", "--query", "[].name", "-o", "tsv")
    assert endpoint in listed.out.split()

    docked.run("online-deployment", "delete", *of, "--yes")
    assert "LocalDeploymentNotFound" in docked.run("online-deployment", "show", *of, code=3).err
    docked.run("online-endpoint", "delete", "-n", endpoint, "--yes")
    gone = docked.run("online-endpoint", "show", "-n", endpoint, code=3)
    assert "LocalEndpointNotFound" in gone.err


@pytest.mark.azure(107, 110)
def test_what_ends_at_its_start_is_failed_and_says_why(docked: Docked) -> None:
    endpoint = f"{docked.mark}-failing"
    for name in ("broken", "blue"):
        code = 5 if name == "broken" else 0
        file = docked.deployment(name, endpoint)
        made = docked.run("online-deployment", "create", "-f", file, code=code)
        assert ("the weights are gone" in made.err) == bool(code)

    invoke = ("online-endpoint", "invoke", "-n", endpoint, "-r", "request.json")
    assert "MultipleLocalDeploymentsFound" in docked.run(*invoke, code=1).err
    dead = docked.run(*invoke, "-d", "broken", code=1)
    assert "LocalEndpointInFailedState" in dead.err
    listed = docked.run("online-deployment", "list", "-e", endpoint).data
    assert {each["name"]: each["provisioning_state"] for each in listed} == {
        "broken": "Failed",
        "blue": "Succeeded",
    }


@pytest.mark.azure(110)
def test_a_failed_build_shows_what_was_told_before(docked: Docked) -> None:
    file = docked.desk.folder / docked.deployment("bad", f"{docked.mark}-bad")
    (docked.desk.folder / "six.yml").write_text("dependencies: [pip, {pip: [six==99]}]\n")
    file.write_text(file.read_text().replace("conda_file: conda.yml", "conda_file: six.yml"))

    made = docked.run("online-deployment", "create", "-f", file.name, code=1)

    assert "LocalEndpointImageBuildError" in made.err
    assert "| six==99 is nowhere" in made.err
    assert not docked.engine.containers([f"endpoint={docked.mark}-bad"])


@pytest.mark.azure(109)
def test_an_image_of_ones_own_is_taken_as_it_is(docked: Docked) -> None:
    endpoint = f"{docked.mark}-own"
    file = docked.own("own", endpoint, image=f"{docked.mark}-own:1")

    docked.run("online-deployment", "create", "-f", file)

    shown = docked.run("online-endpoint", "show", "-n", endpoint).data
    assert shown["scoring_uri"].endswith("/ready")
    (container,) = docked.engine.containers([f"endpoint={endpoint}"])
    assert container.labels["azureml-port"] == "8501"


@pytest.mark.azure(109)
def test_readiness_is_asked_at_its_own_port(docked: Docked) -> None:
    image = f"{docked.mark}-own:1"
    file = docked.own("two", f"{docked.mark}-two", image=image, scoring_port=9999)

    made = docked.run("online-deployment", "create", "-f", file)

    assert made.data["provisioning_state"] == "Succeeded"


@pytest.mark.azure(109, 110)
def test_an_image_that_is_nowhere_is_named(docked: Docked) -> None:
    file = docked.own("none", f"{docked.mark}-none", image="example.invalid/none:1")

    made = docked.run("online-deployment", "create", "-f", file, code=1)

    assert "InvalidLocalEndpoint: could not find image 'example.invalid/none:1'" in made.err


@pytest.mark.azure(110)
def test_what_cannot_be_started_is_failed(docked: Docked) -> None:
    endpoint = f"{docked.mark}-dead"
    file = docked.own("dead", endpoint, image=f"{docked.mark}-dead:1")

    made = docked.run("online-deployment", "create", "-f", file, code=5)

    assert "LocalEndpointInFailedState" in made.err
    assert "no-program" in made.err
    shown = docked.run("online-endpoint", "show", "-n", endpoint).data
    assert (shown["provisioning_state"], shown["scoring_uri"]) == ("Failed", None)
    invoke = ("online-endpoint", "invoke", "-n", endpoint, "-r", "request.json")
    assert "LocalEndpointInFailedState" in docked.run(*invoke, code=1).err


@pytest.mark.azure(109)
def test_cards_that_the_engine_cannot_hand_on_are_not_left_out_in_silence(docked: Docked) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a graphics card")
    driver = docked.desk.folder / "driver"
    driver.mkdir()
    (driver / "nvidia-smi").write_text("#!/bin/sh\necho GPU 0\n")
    (driver / "nvidia-smi").chmod(0o755)
    file = docked.own("cards", f"{docked.mark}-cards", image=f"{docked.mark}-own:1")

    made = docked.run(
        *("online-deployment", "create", "-f", file, "--local-enable-gpu"),
        code=1,
        PATH=f"{driver}:{os.environ['PATH']}",
    )

    assert "LocalDeploymentGPUNotAvailable" in made.err


def test_a_name_that_somebody_else_has_is_left_to_them(docked: Docked) -> None:
    name = f"{docked.mark}-taken"
    docked.engine.create(f"{name}.taken", {"Image": f"{docked.mark}-own:1", "Labels": {}})
    try:
        file = docked.own("taken", name, image=f"{docked.mark}-own:1")
        made = docked.run("online-deployment", "create", "-f", file, code=1)
    finally:
        docked.engine.remove(f"{name}.taken")

    assert "is already in use" in made.err
    assert f"docker rm {name}.taken" in made.err
