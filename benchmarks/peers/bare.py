"""The two limits: the parser that Verdazul builds on in a bare epoll loop, and a bare uvicorn app.

Neither keeps any contract: no ids, no log, no limits, no isolation. The loop shows what is left
for a server written in Python around this parser; uvicorn is the yardstick that people know.
"""

from __future__ import annotations

from pathlib import Path

from peers.verdazul import ENVIRONMENT
from serving.peer import SCORE, Environment, Peer, Place

LOOP = Path(__file__).with_name("httptools_loop.py")
APP = """import json

from score import run


async def app(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    answer = json.dumps(run(body)).encode()
    length = str(len(answer)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
"""


def uvicorn(place: Place) -> list[str]:
    """The fastest loop and parser it knows."""
    options = "--host 127.0.0.1 --loop uvloop --http httptools --no-access-log --lifespan off"
    where = ["--port", str(place.port), "--workers", str(place.workers)]
    return [place.script("uvicorn"), "app:app", *options.split(), *where]


HTTPTOOLS = Peer(
    name="bare-httptools",
    environment=ENVIRONMENT,
    command=lambda place: [str(place.python), str(LOOP), str(place.port), str(place.workers)],
    files={"score.py": SCORE},
    note="epoll loop, no contract, no log",
    is_limit=True,
)
UVICORN = Peer(
    name="bare-uvicorn",
    environment=Environment("uvicorn", ("uvicorn", "uvloop", "httptools")),
    command=uvicorn,
    files={"score.py": SCORE, "app.py": APP},
    note="uvloop, httptools, no log",
    is_limit=True,
)
