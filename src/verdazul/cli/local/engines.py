"""Which container engine `--local` uses: Docker's or podman's where one answers, else our own.

DOCKER_HOST decides when it is set, as for Docker's own clients: what it names has to answer. Our
own engine is started on demand; DOCKER_HOST may name it too (`verdazul env --local`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from verdazul.cli.session import Session
from verdazul.client.engine import DockerEngineNotAvailable, Engine


@contextmanager
def engine(session: Session) -> Iterator[Engine]:
    """Open the way to it. Raises DockerEngineNotAvailable."""
    host = os.environ.get("DOCKER_HOST", "").strip()
    if host and host != _own_host(session):
        with Engine.at(host) as named:
            named.version()
            yield named
        return
    usual = None if host else _usual(session)
    with usual or Engine.at(_own(session)) as opened:
        session.detail(f"container engine {opened.host}")
        yield opened


def _usual(session: Session) -> Engine | None:
    """The first of the usual sockets that answers."""
    for path in _usual_sockets():
        if not path.is_socket():
            continue
        found = Engine.at(f"unix://{path}")
        try:
            found.version()
        except DockerEngineNotAvailable as error:
            session.detail(error.problem.message)
            found.__exit__(None, None, None)
        else:
            return found
    return None


def _usual_sockets() -> tuple[Path, ...]:
    user = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    return (
        Path("/var/run/docker.sock"),
        user / "docker.sock",
        Path.home() / ".docker" / "run" / "docker.sock",
        user / "podman" / "podman.sock",
        Path("/run/podman/podman.sock"),
    )


def _own_host(session: Session) -> str:
    from verdazul.engine.folders import Places

    return f"unix://{Places(session.settings.home).home / 'run' / 'engine.sock'}"


def _own(session: Session) -> str:
    from verdazul.engine.starting import start

    return start(session.settings).docker_host
