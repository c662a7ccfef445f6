"""What a container becomes: a command and variables, and nothing that it should not see."""

from __future__ import annotations

from pathlib import Path

import pytest

from verdazul.core.environment import Built, Recipe
from verdazul.engine.containers import Container
from verdazul.engine.images import built_image
from verdazul.engine.launch import NoGpu, check_gpu, environment
from verdazul.engine.wanted import Wanted

IMAGE = built_image(
    Built("/envs/a/venv/bin/python", "/envs/serve-b"), Recipe("ground"), steps=(), tag="x", at=0.0
)
OURS = {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0,1", "SECRET": "s"}


def variables(*env: str, has_gpu: bool = False) -> dict[str, str]:
    gpu = [{"Count": -1, "Capabilities": [["gpu"]]}] if has_gpu else None
    host = {"Binds": ["/me/src:/var/azureml-app/src/"], "DeviceRequests": gpu}
    wanted = Wanted.read({"Image": "x", "Env": list(env), "HostConfig": host})
    container = Container(Path("/c") / ("ab" * 32), "credit.blue", IMAGE.id, wanted, 0.0)
    return environment(container, IMAGE, ours=OURS)


@pytest.mark.azure(109)
def test_graphics_cards_are_seen_only_where_they_are_asked_for() -> None:
    assert variables()["CUDA_VISIBLE_DEVICES"] == ""
    assert variables(has_gpu=True)["CUDA_VISIBLE_DEVICES"] == "0,1"


@pytest.mark.azure(109)
def test_a_card_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoGpu, match="is not on this machine"):
        check_gpu()

    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    with pytest.raises(NoGpu, match="fails on this machine"):
        check_gpu()

    program.write_text("#!/bin/sh\n")
    check_gpu()


def test_its_own_variables_win_but_not_over_the_contract() -> None:
    found = variables("PYTHONUNBUFFERED=0", "VERDAZUL_FAILURE_FILE=/x", "A=b")

    assert (found["PYTHONUNBUFFERED"], found["A"]) == ("0", "b")
    assert found["VERDAZUL_FAILURE_FILE"].startswith("/c/")
    assert "SECRET" not in found
    assert found["PATH"] == "/envs/a/venv/bin:/bin"


def test_paths_below_mounts_are_those_of_this_machine() -> None:
    assert variables("AML_APP_ROOT=/var/azureml-app/src/deep")["AML_APP_ROOT"] == "/me/src/deep"


def test_what_an_image_lacks_is_noted() -> None:
    assert IMAGE.notes == ("image 'ground' is not run here: its system packages are not there",)
