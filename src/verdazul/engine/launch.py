"""What a container becomes: the inference server as a process, with the container's variables.

Nothing is mounted: where a variable's value is a path that a bind would lead to (AML_APP_ROOT,
AZUREML_MODEL_DIR, a file below them), the process gets the path of this machine instead, so that
breakpoints and tracebacks name the user's own files. It works in an empty folder of its own, and
listens on loopback only, on a port that the kernel chooses.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from verdazul.compute import shim_launch
from verdazul.compute.bundle import INHERITED, boot, search_path
from verdazul.engine.containers import Container
from verdazul.engine.images import StoredImage
from verdazul.model.errors import UserError, VerdazulError

_DEBUGGER = "AZUREML_DEBUG_PORT"
_GRACE_SECONDS = 5.0
_LOG_BYTES = 10_000_000
_LOG_FILES = 3


class NoGpu(VerdazulError):
    """A graphics card was asked for, and there is none."""

    default_code = "LocalDeploymentGPUNotAvailable"


def spec(
    container: Container, image: StoredImage, *, ours: Mapping[str, str] = os.environ
) -> dict[str, object]:
    """What its shim is told. Raises UserError for binds that lead nowhere."""
    for bind in container.wanted.binds:
        if not Path(bind.source).exists():
            raise UserError(
                f"bind source path does not exist: {bind.source}",
                code="InvalidMount",
                fix="create the deployment again; its files were moved or deleted",
            )
    return {
        "argv": boot(image.python, image.serve_path),
        "env": environment(container, image, ours=ours),
        "cwd": str(container.path / "work"),
        "folder": str(container.path),
        "port": 0,
        "log": str(container.log),
        "log_bytes": _LOG_BYTES,
        "log_files": _LOG_FILES,
        "lock_fd": shim_launch.LOCK_FD,
    }


def check_gpu() -> None:
    """Raise NoGpu, as Docker would without NVIDIA's runtime."""
    program = shutil.which("nvidia-smi")
    done = program and subprocess.run([program, "-L"], capture_output=True, check=False)
    if not done or done.returncode:
        raise NoGpu(
            'could not select device driver "" with capabilities: [[gpu]]: nvidia-smi '
            + ("fails on this machine" if program else "is not on this machine"),
            fix="install NVIDIA's driver, or leave out --local-enable-gpu",
        )


def environment(
    container: Container, image: StoredImage, *, ours: Mapping[str, str]
) -> dict[str, str]:
    """Ours, then the container's variables, then what nobody may change."""
    wanted = container.wanted
    hidden = {} if wanted.has_gpu else {"CUDA_VISIBLE_DEVICES": ""}
    return {
        "LANG": "C.UTF-8",
        **{name: ours[name] for name in INHERITED if name in ours},
        **hidden,
        "PATH": search_path(image.python, ours),
        "PYTHONUNBUFFERED": "1",
        "HOSTNAME": container.id[:12],
        **{name: wanted.place(value) for name, value in wanted.env},
        "AZUREML_INFERENCE_PYTHON_PATH": str(Path(image.python).parent),
        "VERDAZUL_INSTANCE": container.name,
        "VERDAZUL_FAILURE_FILE": str(container.failure),
        "VERDAZUL_GRACE_SECONDS": f"{_GRACE_SECONDS:g}",
    }


def warnings(image: StoredImage, container: Container) -> list[str]:
    """What a caller should know of how this differs from a container."""
    said = [f"no container engine: {note}" for note in image.notes]
    debugger = dict(container.wanted.env).get(_DEBUGGER)
    if debugger:
        said.append(f"the worker waits for a debugger on port {json.dumps(debugger)}")
    return said
