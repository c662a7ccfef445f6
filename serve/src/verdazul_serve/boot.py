"""From nothing to serving: settings, sockets, zygote, and only then the event loop.

The order is the point. The zygote is forked while this process is still small and has neither
threads nor connections; it imports what workers need while the parent imports asyncio.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time

from verdazul_serve import logs, messages
from verdazul_serve.board import Boards
from verdazul_serve.failure import EXIT_CODE, BootFailure
from verdazul_serve.settings import Settings, failure_file

_ZYGOTE_EXIT_SECONDS = 2.0
_BACKLOG = 1024


def run() -> int:
    """The exit code, in the parent as well as in each process forked from it."""
    logs.configure()
    try:
        settings = Settings.read(os.environ, cwd=os.getcwd())  # noqa: PTH109  # see __main__
        logs.configure(settings.log_level)
        for warning in settings.warnings:
            logs.server.warning("%s", warning)
        listeners = listen(settings)
        collector = _open_collector(settings)
    except BootFailure as failure:
        from verdazul_serve.server import report

        report(failure.problem, failure_file(os.environ))
        return EXIT_CODE
    boards = Boards(settings.worker_count)
    parent = os.getpid()
    ours, theirs = messages.socketpair()
    pid = os.fork()
    if not pid:
        for item in (ours, *listeners, *([collector] if collector else [])):
            item.close()
        return _be_zygote(theirs, boards, settings, parent=parent)
    theirs.close()
    return _serve(settings, listeners, boards, collector, zygote=(ours, pid))


def _be_zygote(control: socket.socket, boards: Boards, settings: Settings, *, parent: int) -> int:
    """Returns in the zygote and in each worker: their exit code."""
    from verdazul_serve import exits, worker, zygote

    exits.die_with_parent(parent)
    exits.ignore_stop_signals()
    own = os.getpid()
    birth = zygote.tend(control)
    if birth is None:
        return 0
    control.close()
    return worker.serve(birth, boards, settings, parent=own)


def _serve(
    settings: Settings,
    listeners: list[socket.socket],
    boards: Boards,
    collector: socket.socket | None,
    *,
    zygote: tuple[socket.socket, int],
) -> int:
    control, pid = zygote
    try:
        from verdazul_serve import server
        from verdazul_serve.zygote import Nursery

        logs.load_config_if_possible(settings)
        logs.server.info(
            "instance=%s workers=%d listening on %s",
            settings.instance,
            settings.worker_count,
            ", ".join(str(listener.getsockname()) for listener in listeners),
        )
        nursery = Nursery(control, pid)
        return server.run(settings, listeners, nursery, boards, collector=collector)
    finally:
        control.close()
        _await_zygote(pid)


def listen(settings: Settings) -> list[socket.socket]:
    """The inherited socket, else TCP ones of our own. Raises BootFailure (ConfigurationError)."""
    if settings.listen_fd is not None:
        return [_inherited(settings.listen_fd)]
    ports = [settings.port]
    if settings.health_port is not None:
        ports.append(settings.health_port)
    return [_bind(settings.host, port) for port in ports]


def _inherited(number: int) -> socket.socket:
    try:
        inherited = socket.socket(fileno=number)
        is_listening = inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise _bad_descriptor(number, str(error.strerror)) from None
    if not is_listening:
        raise _bad_descriptor(number, "it is not listening")
    inherited.set_inheritable(False)
    return inherited


def _bind(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=_BACKLOG)
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


def _open_collector(settings: Settings) -> socket.socket | None:
    if not (settings.mdc_config_path or settings.mdc_enabled):
        return None
    from verdazul_serve import collector

    return collector.open_listener(os.environ, settings)


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
