"""BentoML: a service of N worker processes, started by `bentoml serve` with its defaults.

The method is `async`, which spares it a change of threads: its fastest form for a short function.
"""

from __future__ import annotations

from serving.peer import Environment, Peer, Place

APP = """import os

import bentoml


@bentoml.service(workers=int(os.environ["WORKERS"]))
class Score:
    @bentoml.api(route="/score")
    async def score(self, data: list) -> dict:
        return {"sum": sum(data)}
"""


def command(place: Place) -> list[str]:
    """As its documentation starts it."""
    where = ["--host", "127.0.0.1", "--port", str(place.port)]
    return [place.script("bentoml"), "serve", "app:Score", *where]


PEER = Peer(
    name="bentoml",
    environment=Environment("bentoml", ("bentoml",)),
    command=command,
    environ=lambda place: {
        "WORKERS": str(place.workers),
        "BENTOML_DO_NOT_TRACK": "true",
        "BENTOML_HOME": str(place.folder / "home"),
    },
    files={"app.py": APP},
    note="defaults, workers, async method",
)
