"""From nothing to serving: settings, socket, zygote, workers, and only then the event loop.

The order is the point. The zygote is forked while this process is still small and has neither
threads nor connections, and the workers load the script while the parent imports asyncio.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time

from verdazul_serve import logs, zygote
from verdazul_serve.failure import EXIT_CODE, BootFailure
from verdazul_serve.settings import Settings, failure_file
from verdazul_serve.zygote import Nursery

_ZYGOTE_EXIT_SECONDS = 2.0


def run() -> int:
    """The exit code, in the parent as well as in each process forked from it."""
    logs.configure()
    try:
        settings = Settings.read(os.environ, cwd=os.getcwd())  # noqa: PTH109  # see __main__
        logs.configure(settings.log_level)
        listener = listen(settings)
    except BootFailure as failure:
        from verdazul_serve.server import report

        report(failure.problem, failure_file(os.environ))
        return EXIT_CODE
    parent = os.getpid()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if not pid:
        ours.close()
        listener.close()
        return zygote.serve(theirs, settings, parent=parent)
    theirs.close()
    return _serve(settings, listener, Nursery(ours, pid))


def _serve(settings: Settings, listener: socket.socket, nursery: Nursery) -> int:
    first = [nursery.spawn() for _ in range(settings.worker_count)]
    try:
        from verdazul_serve import server

        logs.server.info(
            "instance=%s workers=%d listening on %s",
            settings.instance,
            settings.worker_count,
            listener.getsockname(),
        )
        return server.run(settings, listener, nursery, first=first)
    finally:
        nursery.control.close()
        _await_zygote(nursery.pid)


def listen(settings: Settings) -> socket.socket:
    """The inherited socket, else a TCP one of our own. Raises BootFailure (ConfigurationError)."""
    if settings.listen_fd is None:
        return _bind(settings.host, settings.port)
    try:
        inherited = socket.socket(fileno=settings.listen_fd)
        is_listening = inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise _bad_descriptor(settings.listen_fd, str(error.strerror)) from None
    if not is_listening:
        raise _bad_descriptor(settings.listen_fd, "it is not listening")
    inherited.set_inheritable(False)
    return inherited


def _bind(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise BootFailure(
            "ConfigurationError",
            f"cannot listen on {host}:{port}: {error.strerror}",
            fix="set SERVER_PORT to a free port, or end the program that uses this one",
        ) from None


def _bad_descriptor(number: int, reason: str) -> BootFailure:
    return BootFailure(
        "ConfigurationError",
        f"VERDAZUL_LISTEN_FD is {number}: {reason}",
        fix="pass the number of an inherited, bound and listening stream socket",
    )


def _await_zygote(pid: int) -> None:
    """It ends the workers that are left when our end of its socket closes."""
    deadline = time.monotonic() + _ZYGOTE_EXIT_SECONDS
    with contextlib.suppress(ChildProcessError):
        while not os.waitpid(pid, os.WNOHANG)[0]:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return
            time.sleep(0.005)
