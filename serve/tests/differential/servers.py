"""The two servers, each a real process on a free loopback port, started the same way.

The port is bound here and handed over, so nobody can take it in between; readiness is asked for.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from serve.tests.differential import oracle
from serve.tests.differential.client import ask, request
from serve.tests.differential.oracle import Interpreters
from serve.tests.differential.table import World
from serve.tests.serving.process import LAUNCH, SOURCE, eventually

VERSION = f"azmlinfsrv/{oracle.version()}"  # the original cannot be told another
_BOOT_SECONDS = 60.0


class Started(Protocol):
    """A server process."""

    def poll(self) -> int | None:
        """The exit code once it has ended."""

    def end(self) -> None:
        """End it at once."""


class Room:
    """The folder a server works in, its variables, its address and its log."""

    def __init__(self, world: World, folder: Path, *, sink: int) -> None:
        self.code = folder / "code"
        self.log_file = folder / "log"
        self.entry = world.entry
        for name, text in world.contents().items():
            file = self.code / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        self.code.mkdir(exist_ok=True)
        base = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "AML_APP_ROOT": str(self.code),
            "HTTP_X_MS_SERVER_VERSION": VERSION,
        }
        environ = {**base, **world.environ}
        self.environ = {
            name: value.replace("{sink}", str(sink)).replace("{code}", str(self.code))
            for name, value in environ.items()
            if name not in world.without
        }

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")


class Ours:
    """This repository's server in an environment made for scripts."""

    def __init__(self, python: Path, room: Room, listener: socket.socket) -> None:
        environ = {
            **room.environ,
            "VERDAZUL_LISTEN_FD": str(listener.fileno()),
            **({"AZUREML_ENTRY_SCRIPT": room.entry} if room.entry else {}),
        }
        with room.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [python, "-c", LAUNCH.format(SOURCE)],
                env=environ,
                cwd=room.code,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )

    def poll(self) -> int | None:
        return self._process.poll()

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Original:
    """The server from the package index, forked from the template process."""

    def __init__(self, template: Path, room: Room, listener: socket.socket) -> None:
        self._code = b""
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(str(template))
        environ = {**room.environ, "GUNICORN_CMD_ARGS": "--no-control-socket"}
        flags = ["--entry_script", room.entry] if room.entry else ["--config_file", "config.json"]
        order = {
            "argv": ["azmlinfsrv", *flags],
            "environ": environ,
            "cwd": str(room.code),
            "log": str(room.log_file),
        }
        line = json.dumps(order).encode()
        socket.send_fds(self._connection, [line], [listener.fileno()])

    def poll(self) -> int | None:
        if select.select([self._connection], [], [], 0)[0]:
            self._code = self._code or self._connection.recv(16)
        return int(self._code) if self._code else None

    def end(self) -> None:
        with contextlib.suppress(OSError):  # when it has ended by itself
            self._connection.shutdown(socket.SHUT_WR)
            self._connection.recv(16)  # it is gone
        self._connection.close()


@contextlib.contextmanager
def template(interpreters: Interpreters) -> Iterator[Path]:
    """The socket on which original servers are ordered."""
    with tempfile.TemporaryDirectory(prefix="vzt") as folder:
        path = Path(folder, "orders")
        process = subprocess.Popen(
            [interpreters.original, Path(__file__).with_name("template.py"), path],
            stdin=subprocess.PIPE,
            cwd=folder,
        )
        try:
            eventually(path.exists, seconds=_BOOT_SECONDS)
            yield path
        finally:
            process.communicate()


def listen() -> socket.socket:
    """A listening socket on a free port."""
    return socket.create_server(("127.0.0.1", 0), backlog=128)


def await_start(server: Started, address: tuple[str, int], room: Room) -> int | None:
    """None once it is healthy, its exit code when it has ended.

    The original answers nothing before it is ready, ours says so.
    """

    def state() -> tuple[int | None, ...]:
        code = server.poll()
        return () if code is None and not _is_healthy(address) else (code,)

    try:
        reached: tuple[int | None] = eventually(state, seconds=_BOOT_SECONDS)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{room.log}") from None
    return reached[0]


def _is_healthy(address: tuple[str, int]) -> bool:
    try:
        return ask(address, request("GET", "/")).status == 200
    except OSError:
        return False
