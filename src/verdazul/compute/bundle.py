"""What goes into an instance: its command line and its environment variables.

The contract with verdazul_serve: an open listening socket, a model folder, a code folder and these
variables. Values of the user's variables may be secrets: they go into a file for us alone, never
into a command line or a log.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from verdazul.compute.folder import Folder
from verdazul.core.instance import InstanceId, Launch
from verdazul.model.names import endpoint_path

# What an instance sees of ours: enough to find programs, files, time and graphics cards.
INHERITED = (
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TZ",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
)
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
_LAST_SECONDS = 5.0  # of the grace: for ending workers, once requests have had their time
_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_BOOT = (
    "import sys; sys.path.append({serve_path!r}); from verdazul_serve.__main__ import main; main()"
)


def command(launch: Launch) -> list[str]:
    """The server, inside the deployment's own interpreter; appended, so that its packages win."""
    return boot(launch.python, launch.serve_path)


def boot(python: str, serve_path: str) -> list[str]:
    """The server, by an environment's interpreter and the overlay that goes with it."""
    return [python, "-c", _BOOT.format(serve_path=serve_path)]


def search_path(python: str, ours: Mapping[str, str]) -> str:
    """PATH, with the environment's own programs first."""
    return f"{Path(python).parent}:{ours.get('PATH') or _DEFAULT_PATH}"


def environment(
    launch: Launch, folder: Folder, *, ours: Mapping[str, str], workspace: str = ""
) -> dict[str, str]:
    """Ours first, then the user's variables, then the contract that nobody may change."""
    return {
        **_base(launch, ours),
        **_azure(launch),
        **_names(folder.id, workspace),
        "VERDAZUL_SPOOL_DIR": str(folder.collected),
        **dict.fromkeys(_THREAD_COUNTS, str(_threads(launch.limits.cpus))),
        "OMP_WAIT_POLICY": "PASSIVE",  # several instances share the cores: waiting must not spin
        "PYTHONUNBUFFERED": "1",
        **dict(launch.variables),
        "VERDAZUL_FAILURE_FILE": str(folder.failure),
        "VERDAZUL_INSTANCE": str(folder.id),
        "VERDAZUL_GRACE_SECONDS": f"{max(0.0, launch.grace_seconds - _LAST_SECONDS):g}",
    }


def _base(launch: Launch, ours: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: ours[name] for name in INHERITED if name in ours}
    return {"LANG": "C.UTF-8", **inherited, "PATH": search_path(launch.python, ours)}


def _azure(launch: Launch) -> dict[str, str]:
    script = PurePosixPath(launch.scoring_script)
    named = {
        "AML_APP_ROOT": str(Path(launch.code_dir) / script.parent),
        "AZUREML_ENTRY_SCRIPT": script.name,
        "AZUREML_INFERENCE_PYTHON_PATH": str(Path(launch.python).parent),
    }
    return named if launch.model_dir is None else {**named, "AZUREML_MODEL_DIR": launch.model_dir}


def _names(instance: InstanceId, workspace: str) -> dict[str, str]:
    """As swagger and telemetry say whose answers these are."""
    return {
        "SERVICE_NAME": instance.endpoint,
        "SERVICE_PATH_PREFIX": endpoint_path(instance.endpoint),
        "WORKSPACE_NAME": workspace,
        "HOSTNAME": str(instance),
    }


def _threads(cpus: float) -> int:
    return max(1, min(os.cpu_count() or 1, math.floor(cpus)))
