"""Waiting for the port: a predecessor that is stopping may hold it for some seconds more."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Mapping

from verdazul_serve.logs import server as log

_TRIES = 5
_PAUSE_SECONDS = 1.0


def are_free(environ: Mapping[str, str]) -> bool:
    """Whether the server can listen where it is going to; the log says why it cannot."""
    if environ.get("VERDAZUL_LISTEN_FD"):
        return True
    host, names = environ["VERDAZUL_LISTEN_HOST"], ["SERVER_PORT"]
    if environ.get("SEPERATE_HEALTH_ENDPOINT") == "true":
        names.append("HEALTH_PORT")
    return all(_becomes_free(host, int(environ[name])) for name in names)


def _becomes_free(host: str, port: int) -> bool:
    for _ in range(_TRIES):
        error = _bind(host, port)
        if error is None:
            return True
        log.error("cannot listen on %s:%d: %s", host, port, error.strerror)
        if error.errno != errno.EADDRINUSE:
            return False
        time.sleep(_PAUSE_SECONDS)
    log.error("give a free --port, or end the program that uses port %d", port)
    return False


def _bind(host: str, port: int) -> OSError | None:
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        return error
    return None
