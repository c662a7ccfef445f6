"""Starting the local engine, for whoever needs it: nothing happens when one runs.

The starter takes the lock, listens, and hands both to the new process: from then on clients can
connect, whether it has loaded already or not.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from verdazul.engine.folders import Places
from verdazul.model.errors import Conflict, Retryable
from verdazul.settings import Settings

_BACKLOG = 128
_END_SECONDS = 10.0
_PAUSE_SECONDS = 0.05


def start(settings: Settings) -> Places:
    """Make sure that one runs, in the background; returns where.

    One that is about to end holds the lock for a moment and does not listen any more.
    """
    places = Places(settings.home)
    for _ in range(int(_END_SECONDS / _PAUSE_SECONDS)):
        if _started(settings, places) or _listens(places):
            return places
        time.sleep(_PAUSE_SECONDS)
    raise Retryable(
        f"a local engine in {places.home} neither answers nor ends",
        fix="end it with `verdazul down`",
    )


def _listens(places: Places) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(places.socket)) == 0


def _started(settings: Settings, places: Places) -> bool:
    """False: another holds the lock."""
    with _listening(places) as (listener, lock):
        if listener is None:
            return False
        argv = [sys.executable, "-m", "verdazul.engine", str(listener.fileno())]
        with (places.home / "logs" / "engine.out").open("wb") as output:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(listener.fileno(), lock),
                start_new_session=True,
                cwd="/",
                env={**os.environ, "VERDAZUL_HOME": str(settings.home)},
            )
        child.returncode = 0  # it outlives us on purpose
    return True


def run_here(settings: Settings, *, on_ready: Callable[[], None]) -> None:
    """Run it in this process. Raises Conflict when one runs."""
    from verdazul.engine.serve import serve

    places = Places(settings.home)
    with _listening(places) as (listener, _lock):
        if listener is None:
            raise Conflict(
                f"a local engine runs in {places.home} already",
                code="AlreadyRunning",
                fix=f"use it: export DOCKER_HOST={places.docker_host}",
            )
        on_ready()
        serve(places, listener, idle_seconds=float("inf"))


@contextmanager
def _listening(places: Places) -> Iterator[tuple[socket.socket | None, int]]:
    """A listening socket for us alone, and the lock; None when an engine has both."""
    path = places.socket
    places.make()
    with places.locked() as lock:
        if lock is None:
            yield None, -1
            return
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            mask = os.umask(0o177)
            try:
                listener.bind(str(path))
            finally:
                os.umask(mask)
            listener.listen(_BACKLOG)
            yield listener, lock
