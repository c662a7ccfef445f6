"""Forks original servers from one process that has imported their dependencies once.

Of the original itself nothing is imported before the fork, so each server boots as it would alone,
without the seconds that Flask, OpenTelemetry and pandas take. Runs in the oracle's interpreter, so
it needs the standard library only.

One connection to the unix socket is one server: a line of JSON {argv, environ, cwd, log} comes with
the listening socket, the exit code is sent when the server ends, and hanging up ends the server.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from typing import Any

DEPENDENCIES = (
    "azure.monitor.opentelemetry.exporter",
    "flask_cors",
    "inference_schema.parameter_types.numpy_parameter_type",
    "inference_schema.parameter_types.pandas_parameter_type",
    "inference_schema.parameter_types.standard_py_parameter_type",
    "inference_schema.schema_decorators",
    "opentelemetry.sdk._logs.export",
    "opentelemetry.sdk.trace.export",
    "pandas",
    "psutil",
    "pydantic_settings",
    "requests",
)
_SYSTEMD_FIRST = 3  # gunicorn takes listening sockets from here on, as systemd hands them over


def main(path: str) -> None:
    """Serve orders until standard input is closed."""
    del sys.path[0]  # this file's folder is no part of the servers' world
    for name in DEPENDENCIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()  # or each server would walk what it shares with this process when it ends
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as orders:
        orders.bind(path)
        orders.listen()
        while orders.fileno() in select.select([orders.fileno(), 0], [], [])[0]:
            connection = orders.accept()[0]
            with connection:
                if not os.fork():
                    orders.close()
                    keep(connection)


def keep(connection: socket.socket) -> None:
    """Start the ordered server and stay with it until it ends or nobody wants it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    line, descriptors, _, _ = socket.recv_fds(connection, 65536, 1)
    pid = os.fork()
    if not pid:
        connection.close()
        become(json.loads(line), descriptors[0])
    os.close(descriptors[0])
    watch = os.pidfd_open(pid)
    if watch not in select.select([watch, connection.fileno()], [], [])[0]:
        os.killpg(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # workers that outlived their parent
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(b"%d\n" % code)
    os._exit(0)


def become(order: dict[str, Any], descriptor: int) -> None:
    """Be the original server from here on; never returns."""
    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(descriptor, _SYSTEMD_FIRST)
    os.environ.clear()
    os.environ.update(order["environ"], LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
    os.chdir(order["cwd"])
    sys.argv = order["argv"]
    from azureml_inference_server_http.amlserver import run  # type: ignore[import-not-found]  # not ours

    run()
    sys.exit()


if __name__ == "__main__":
    main(sys.argv[1])
