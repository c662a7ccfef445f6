"""A tiny verdazul_serve for tests: the server's side of the contract, told by variables what to do.

It is copied to `<serve_path>/verdazul_serve/__main__.py` and runs in the instance: standard library
only. STUB says how it behaves; `hold` and `sick` files in its work folder change that later.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    mode = os.environ.get("STUB", "healthy")
    sys.stdout.write(f"stub {mode} begins\n")
    BEGIN.get(mode, healthy)()


def healthy() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    serve()


def fails_in_init() -> None:
    failure = {
        "code": "UserScriptInitFailed",
        "message": "init() raised ValueError: no weights",
        "fix": "look at init() in score.py",
        "where": "score.py:3",
        "traceback": ["Traceback (most recent call last):", "ValueError: no weights"],
    }
    Path(os.environ["VERDAZUL_FAILURE_FILE"]).write_text(json.dumps(failure))
    sys.exit(3)


def exits() -> None:
    sys.stderr.write("the last words\n")
    sys.exit(7)


def stubborn() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    serve()


def forks() -> None:
    """Leave two helpers behind, one of them in a session of its own."""
    for own_session in (False, True):
        with Path(os.devnull).open("wb") as null:
            subprocess.Popen(["/bin/sleep", "600"], stdout=null, start_new_session=own_session)
    healthy()


def floods() -> None:
    line = b"x" * 997 + b"\n"
    for _ in range(3000):
        os.write(1, line)
    os.write(1, b"y" * 300_000 + b"\n")
    os.write(1, b"flood over\n")
    healthy()


def eats_memory() -> None:
    held = []
    while True:
        held.append(bytearray(os.urandom(1024) * 4096))


def serve() -> None:
    listener = socket.socket(fileno=int(os.environ["VERDAZUL_LISTEN_FD"]))
    started = time.monotonic()
    sys.stdout.write("stub serves\n")
    while True:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):  # a probe that did not wait so long
            if connection.recv(4096):
                answer(connection, sick=is_sick(started))


def is_sick(started: float) -> bool:
    late = time.monotonic() - started < float(os.environ.get("STUB_READY_AFTER", "0"))
    return late or os.environ.get("STUB") == "never-ready" or Path("sick").exists()


def answer(connection: socket.socket, *, sick: bool) -> None:
    if sick:
        Path("said-no").touch()
        connection.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 8\r\n\r\nstarting")
        return
    body = json.dumps({**os.environ, "STUB_PID": str(os.getpid())}).encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


BEGIN = {
    "fails-in-init": fails_in_init,
    "exits": exits,
    "stubborn": stubborn,
    "forks": forks,
    "floods": floods,
    "eats-memory": eats_memory,
}
