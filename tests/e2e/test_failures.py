"""What people get wrong: one clear message, a stable code, and what worked keeps working."""

from __future__ import annotations

import socket

import pytest

from tests.e2e.system import SCORE, System

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def credit(system: System) -> str:
    """An endpoint that works and must go on working."""
    system.serving("credit", "blue")
    return "credit"


def check_still_answers(system: System) -> None:
    with system.client("credit") as client:
        assert client.post("score", json=1).status_code == 200


@pytest.mark.azure(73)
@pytest.mark.parametrize(
    ("score", "said"),
    [
        pytest.param(
            "import nowhere_to_be_found\ndef init(): ...\ndef run(x): ...\n",
            ["UserScriptImportError", "nowhere_to_be_found", "score.py:1", "conda"],
            id="import",
        ),
        pytest.param(
            "def init():\n    raise ValueError('no such model')\ndef run(x): ...\n",
            ["UserScriptInitFailed", "no such model", "score.py:2"],
            id="init",
        ),
        pytest.param(
            "def init(): ...\n", ["UserScriptFunctionNotFound", "has no run()"], id="no run"
        ),
        pytest.param(
            "import os\ndef init():\n    os._exit(7)\ndef run(x): ...\n", ["7"], id="os._exit"
        ),
    ],
)
def test_broken_script_fails_its_deployment_and_says_why(
    system: System, credit: str, score: str, said: list[str]
) -> None:
    path = system.deployment(credit, "broken", score=score)

    outcome = system.run("online-deployment", "create", "-f", str(path), code=5)

    assert "ResourceNotReady" in outcome.err
    for words in said:
        assert words in outcome.err
    assert "multiprocessing" not in outcome.err
    assert "verdazul_serve/" not in outcome.err
    check_still_answers(system)
    system.run("online-deployment", "delete", "-e", credit, "-n", "broken", "--yes")


@pytest.mark.azure(67)
def test_failed_update_goes_on_with_the_old_script(system: System) -> None:
    system.serving("updated", "blue")
    broken = SCORE.replace('os.environ.get("WHO", "nobody")', "undefined_name")
    path = system.deployment("updated", "blue", score=broken)

    outcome = system.run("online-deployment", "update", "-f", str(path), code=5)

    assert "undefined_name" in outcome.err
    assert "goes on serving" in outcome.err
    with system.client("updated") as client:
        assert client.post("score", json=1).json()["who"] == "blue"
    shown = system.run("online-deployment", "show", "-e", "updated", "-n", "blue").data
    assert shown["provisioning_state"] == "Failed"


def test_dependency_that_does_not_exist_is_named(system: System, credit: str) -> None:
    conda = "dependencies:\n- python=3.11\n- pip:\n  - verdazul-no-such-package-xyz\n"
    path = system.deployment(credit, "missing", conda=conda)

    outcome = system.run("online-deployment", "create", "-f", str(path), code=5)

    assert "ImageBuildFailure" in outcome.err
    assert "verdazul-no-such-package-xyz" in outcome.err
    check_still_answers(system)
    system.run("online-deployment", "delete", "-e", credit, "-n", "missing", "--yes")


def test_another_python_than_asked_for_is_said_loudly(system: System, credit: str) -> None:
    conda = "dependencies:\n- python=3.99\n- pip\n"
    path = system.deployment(credit, "older", conda=conda)

    outcome = system.run("online-deployment", "create", "-f", str(path))

    assert "3.99" in outcome.err
    system.run("online-deployment", "delete", "-e", credit, "-n", "older", "--yes")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(None, ["FileNotFound", "deployment.yml"], id="no file"),
        pytest.param("name: a\n\tx: 1\n", ["InvalidYaml", "deployment.yml:2", "tab"], id="tab"),
        pytest.param(
            "name: blue\nendpoint_name: credit\ninstnce_count: 2\n",
            ["UnknownKey", "deployment.yml:3", "instance_count"],
            id="unknown key",
        ),
        pytest.param(
            "name: blue\nendpoint_name: credit\nmodel:\n  path: nowhere\n"
            "instance_type: Standard_DS2_v2\n",
            ["PathNotFound", "deployment.yml:4", "nowhere"],
            id="model path",
        ),
        pytest.param(
            "name: blue\nendpoint_name: credit\napp_insights_enabled: true\n"
            "instance_type: Standard_DS2_v2\n",
            ["NotSupportedYet", "app_insights_enabled"],
            id="not supported yet",
        ),
    ],
)
@pytest.mark.usefixtures("credit")
def test_bad_file_is_refused_with_line_and_code(
    system: System, text: str | None, said: list[str]
) -> None:
    path = system.files / "bad" / "deployment.yml"
    path.unlink(missing_ok=True)
    if text is not None:
        system.write("bad/deployment.yml", text)

    outcome = system.run("online-deployment", "create", "-f", str(path), code=1)

    for words in said:
        assert words in outcome.err
    assert outcome.out == ""
    check_still_answers(system)


def test_traffic_that_does_not_sum_up_is_refused(system: System, credit: str) -> None:
    outcome = system.run(
        *("online-endpoint", "update", "-n", credit, "--traffic", "blue=110"), code=1
    )

    assert "InvalidTraffic" in outcome.err
    check_still_answers(system)


def test_deployment_with_traffic_is_not_deleted(system: System, credit: str) -> None:
    outcome = system.run(
        *("online-deployment", "delete", "-e", credit, "-n", "blue", "--yes"), code=1
    )

    assert "DeploymentHasTraffic" in outcome.err
    check_still_answers(system)


def test_existing_endpoint_is_not_created_again(system: System, credit: str) -> None:
    outcome = system.run("online-endpoint", "create", "-n", credit, code=1)

    assert "exists already" in outcome.err


def test_second_update_while_one_runs_is_a_conflict(system: System, credit: str) -> None:
    path = system.deployment(
        credit, "held", score="import time\ndef init(): time.sleep(5)\ndef run(x): ...\n"
    )
    system.run("online-deployment", "create", "-f", str(path), "--no-wait")

    outcome = system.run("online-deployment", "create", "-f", str(path), code=1)

    assert "OperationInProgress" in outcome.err
    system.run("online-deployment", "delete", "-e", credit, "-n", "held", "--yes")
    check_still_answers(system)


@pytest.mark.usefixtures("credit")
def test_port_in_use_is_a_clear_error(system: System) -> None:
    other = System(system.home.with_name("other"), system.files)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = other.run("up", "--detach", "--port", str(port), code=1)

    assert "PortInUse" in outcome.err
    assert str(port) in outcome.err
    assert other.processes() == []
    check_still_answers(system)


def test_home_that_cannot_be_written_is_a_clear_error(system: System) -> None:
    file = system.write("not-a-folder", "")

    outcome = System(file / "home", system.files).run("up", "--detach", code=1)

    assert "HomeNotWritable" in outcome.err
    assert str(file) in outcome.err


def test_second_start_in_a_home_says_that_one_runs(system: System) -> None:
    outcome = system.run("up", "--detach", code=1)

    assert "AlreadyRunning" in outcome.err
    assert system.status()["parts"]
