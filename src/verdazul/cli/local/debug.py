"""`--vscode-debug`: VS Code attached to a local deployment's scoring script.

With a container engine as Azure does it: a dev container, described in .devcontainer. With
processes VS Code listens (F5), and the server's worker connects to it: a workspace file brings the
launch configuration, so that nothing is written into the user's own folder.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from verdazul.cli.local import image
from verdazul.cli.session import Session
from verdazul.client.engine import Engine
from verdazul.client.operations import NotReady

NAME = "AzureML: Debug Local Endpoint"
_EXTENSIONS = (
    "ms-python.python",
    "ms-python.vscode-pylance",
    "ms-toolsai.jupyter",
    "ms-toolsai.vscode-ai-inference",
)
_IN_CONTAINER = 5678
_PAUSE_SECONDS = 0.2


def port(found: Engine) -> int:
    """Where the debugger is to listen: any free port here, a fixed one in a container."""
    if not found.is_processes:
        return _IN_CONTAINER
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def open_container(session: Session, plan: image.Plan, labels: Mapping[str, str]) -> None:
    """Describe the dev container and open it: VS Code starts it, not we."""
    place = plan.folder / ".devcontainer"
    place.mkdir(parents=True, exist_ok=True)
    described = {
        "image": plan.image,
        "overrideCommand": True,
        "extensions": list(_EXTENSIONS),
        "settings": {"launch": _launch(_IN_CONTAINER)},
        "containerEnv": dict(plan.env),
        "mounts": [f"source={a},target={b},type=bind" for a, b in plan.binds.items()],
        "runArgs": [f"--label={name}={value}" for name, value in labels.items()],
        "appPort": [int(plan.port)],
        "forwardPorts": [int(plan.port)],
    }
    file = place / "devcontainer.json"
    file.write_text(json.dumps(described, indent=4), encoding="utf-8")
    root = plan.env.get("AML_APP_ROOT", image.APP)
    uri = f"vscode-remote://dev-container+{str(plan.folder).encode().hex()}{root}"
    _open(session, ["--folder-uri", uri], f"the folder {plan.folder} in its dev container")


def await_debugger(session: Session, plan: image.Plan, number: int, *, seconds: float) -> None:
    """Open VS Code on the code, and wait until its debugger listens. Raises NotReady."""
    file = plan.folder / f"{plan.spec.name}.code-workspace"
    file.write_text(json.dumps(workspace(plan, number), indent=4), encoding="utf-8")
    _open(session, [str(file)], str(file))
    session.note(f"waiting for a debugger on port {number}: start {NAME!r} (F5) in VS Code")
    end = time.monotonic() + seconds
    while not listens(number):
        if time.monotonic() > end:
            raise NotReady(
                f"no debugger listened on port {number} in {seconds:g} s",
                code="DebuggerNotListening",
                fix=f"open {file}, press F5, and run the command again",
            )
        time.sleep(_PAUSE_SECONDS)


def workspace(plan: image.Plan, number: int) -> dict[str, Any]:
    """A workspace of VS Code: the code, and how to debug it."""
    code = plan.spec.code_configuration
    folders = [{"path": code.code}] if code else []
    return {
        "folders": folders,
        "launch": _launch(number),
        "extensions": {"recommendations": list(_EXTENSIONS[:2])},
    }


def listens(number: int) -> bool:
    """Whether somebody listens on that port, without knocking: a debugger counts its callers."""
    listening = "0A"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        file = Path(table)
        lines = file.read_text().splitlines()[1:] if file.exists() else []
        for columns in map(str.split, lines):
            if columns[3] == listening and int(columns[1].rpartition(":")[2], 16) == number:
                return True
    return False


def _launch(number: int) -> dict[str, Any]:
    configuration = {
        "name": NAME,
        "type": "debugpy",
        "request": "attach",
        "listen": {"host": "127.0.0.1", "port": number},
        "justMyCode": False,
    }
    return {"version": "0.2.0", "configurations": [configuration]}


def _open(session: Session, words: list[str], what: str) -> None:
    program = shutil.which("code")
    if program:
        done = subprocess.run([program, *words], capture_output=True, check=False)
        if not done.returncode:
            return
    session.note(f"VS Code's command `code` {'failed' if program else 'is not here'}: open {what}")
