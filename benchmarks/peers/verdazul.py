"""Verdazul's own server, as it ships: full contract, ids, headers and a log line per request.

It is started the way instances start it: from its source folder, in the user's environment, which
holds its dependencies and, for the other serving benchmarks, numpy.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from serving.peer import SCORE, Environment, Peer, Place

SERVE = Path(__file__).parents[2] / "serve"
SOURCE = str(SERVE / "src")
PROGRAM = f"""import sys
sys.path.append({SOURCE!r})
from verdazul_serve.__main__ import main
main()"""


def _requires() -> tuple[str, ...]:
    project = tomllib.loads((SERVE / "pyproject.toml").read_text())["project"]
    return (*project["dependencies"], "numpy")


def environ(place: Place) -> dict[str, str]:
    """What the control plane tells an instance."""
    return {
        "AML_APP_ROOT": str(place.folder),
        "AZUREML_ENTRY_SCRIPT": "score.py",
        "WORKER_COUNT": str(place.workers),
        "SERVER_PORT": str(place.port),
    }


ENVIRONMENT = Environment("verdazul", _requires())
PEER = Peer(
    name="verdazul",
    environment=ENVIRONMENT,
    command=lambda place: [str(place.python), "-c", PROGRAM],
    environ=environ,
    files={"score.py": SCORE},
    note="defaults: full contract, log line per request",
)
