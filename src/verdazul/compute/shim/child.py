"""The forked child on its way to becoming the process: what it inherits, and nothing besides.

It dies with its shim from the first moment, and waits for its cgroups before it runs anything.
"""

from __future__ import annotations

import os
import signal
import socket

from verdazul.compute.shim.spec import Spec
from verdazul.compute.shim.system import PR_SET_PDEATHSIG, prctl, quietly

CANNOT_RUN = 127
BACKLOG = 1024
FORWARDED = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def listen(path: str, home: str | None) -> socket.socket:
    """Listen on a socket for us alone; its path is relative to home (the kernel allows 107)."""
    if home:
        os.chdir(home)
    quietly(os.unlink, path)
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(mask)
    listener.listen(BACKLOG)
    return listener


def listen_on_loopback(port: int) -> socket.socket:
    """Listen on a port of this machine alone."""
    listener = socket.socket(socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(BACKLOG)
    return listener


def become(
    spec: Spec,
    *,
    shim: int,
    gate: int,
    outputs: tuple[int, int],
    failed: int,
    listener: socket.socket | None,
) -> None:
    """In the forked child: turn into the process, with `outputs` as stdout and stderr.

    Never returns.
    """
    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != shim or os.read(gate, 2) != b"go":
            os._exit(CANNOT_RUN)
        quietly(os.setpgid, 0, 0)
        environment = dict(os.environ if spec.env is None else spec.env)
        if listener:
            listener.set_inheritable(True)
            environment["VERDAZUL_LISTEN_FD"] = str(listener.fileno())
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(outputs[0], 1)
        os.dup2(outputs[1], 2)
        if spec.cwd:
            os.chdir(spec.cwd)
        if spec.is_isolated:
            from verdazul.compute.shim.isolation import isolate  # few need what it imports

            isolate()
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # the kernel may have dropped it
        restore_signals()
        os.execve(spec.argv[0], spec.argv, environment)  # noqa: S606 - no shell is the point
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
        os.write(failed, f"cannot run {spec.argv[0]}: {error}"[:4000].encode())
    os._exit(CANNOT_RUN)


def restore_signals() -> None:
    """Undo what Python and we ignore or catch: exec would hand ignored signals on."""
    signal.set_wakeup_fd(-1)
    for number in (*FORWARDED, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
