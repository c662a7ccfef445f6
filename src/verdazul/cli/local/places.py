"""Where Azure's clients keep local endpoints on disk: ~/.azureml/inferencing/ENDPOINT[/DEPLOYMENT].

The same place and the same file (ENDPOINT/ENDPOINT.json) as the SDK's, so that both see the same
endpoints. Deployments live in the labels of their containers; their folder holds what images are
made from.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from verdazul.model.errors import UserError
from verdazul.model.names import name_problem


def checked(name: str, *, what: str = "endpoint") -> str:
    """A name that can be a folder. Raises UserError (InvalidName)."""
    if problem := name_problem(name, what=what):
        raise UserError(problem, code="InvalidName")
    return name


def folder(endpoint: str, deployment: str = "") -> Path:
    """Where an endpoint, or a deployment, has its files."""
    place = Path.home() / ".azureml" / "inferencing" / checked(endpoint)
    return place / checked(deployment, what="deployment") if deployment else place


def stored(endpoint: str) -> dict[str, Any] | None:
    """The endpoint as it was created; None when it was not (or not readably)."""
    try:
        found = json.loads(_file(endpoint).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def store(endpoint: str, content: dict[str, Any]) -> None:
    """Keep it, whole or not at all."""
    file = _file(endpoint)
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(content), encoding="utf-8")
    draft.replace(file)


def names() -> list[str]:
    """All endpoints that were created."""
    root = Path.home() / ".azureml" / "inferencing"
    return sorted(file.stem for file in root.glob("*/*.json") if file.stem == file.parent.name)


def forget(endpoint: str, deployment: str = "") -> None:
    """Remove the files."""
    shutil.rmtree(folder(endpoint, deployment), ignore_errors=True)


def _file(endpoint: str) -> Path:
    return folder(endpoint) / f"{endpoint}.json"
