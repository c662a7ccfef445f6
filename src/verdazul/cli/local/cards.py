"""`--local-enable-gpu`: the graphics cards of this machine for a local deployment.

What is missing is named before anything is replaced: the driver, or a podman that hands cards on.
NVIDIA's container toolkit shows itself only when a container starts; its absence is told then.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

from verdazul.client.engine import Engine
from verdazul.model.errors import UserError, VerdazulError

# older ones create the container and leave the cards out, without a word
_PODMAN_WITH_CARDS = (5, 4)
_ABOUT_CARDS = ("gpu", "nvidia", "cdi")


def request(found: Engine) -> list[dict[str, Any]]:
    """How this engine is asked for all cards. Raises UserError when it would be in vain."""
    _check_driver()
    podman = found.podman_version
    if podman is None:
        return [{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}]
    if podman < _PODMAN_WITH_CARDS:
        raise _unavailable(
            f"podman {'.'.join(map(str, podman))} hands no cards to containers of --local",
            fix="take podman 5.4 or newer, or Docker (DOCKER_HOST), or leave out "
            "--local-enable-gpu",
        )
    return [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}]


def are_meant(refusal: VerdazulError) -> bool:
    """Whether an engine refused a container for its cards."""
    return any(word in refusal.problem.message.lower() for word in _ABOUT_CARDS)


def missing(refusal: VerdazulError) -> UserError:
    """What an engine lacks that has refused cards."""
    return _unavailable(
        refusal.problem.message,
        fix="install NVIDIA's container toolkit for the engine, or leave out --local-enable-gpu",
    )


def _check_driver() -> None:
    program = shutil.which("nvidia-smi")
    if not program:
        raise _unavailable("nvidia-smi is not on this machine")
    done = subprocess.run([program, "-L"], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines() or [f"code {done.returncode}"]
        raise _unavailable(f"nvidia-smi fails: {said[0]}")


def _unavailable(why: str, fix: str = "") -> UserError:
    return UserError(
        "Nvidia GPU is not available in your local system. Use nvidia-smi command to see the "
        f"available GPU ({why})",
        code="LocalDeploymentGPUNotAvailable",
        fix=fix or "install NVIDIA's driver, or leave out --local-enable-gpu",
    )
