"""Azure's inference server, azureml-inference-server-http: Flask under gunicorn's sync workers.

Defaults, logging included; it closes every connection.
"""

from __future__ import annotations

from serving.peer import SCORE, Environment, Peer, Place

ENVIRONMENT = Environment("azmlinfsrv", ("azureml-inference-server-http", "numpy"))


def command(place: Place) -> list[str]:
    """As its documentation starts it."""
    flags = {"entry_script": "score.py", "port": place.port, "worker_count": place.workers}
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    return [place.script("azmlinfsrv"), *words]


PEER = Peer(
    name="azmlinfsrv",
    environment=ENVIRONMENT,
    command=command,
    files={"score.py": SCORE},
    note="defaults; closes each connection",
)
