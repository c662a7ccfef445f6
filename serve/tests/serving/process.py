"""A real server process on a unix socket, started the way the control plane starts it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

SOURCE = str(Path(__file__).parents[2] / "src")
LAUNCH = "import sys; sys.path.append({!r}); from verdazul_serve.__main__ import main; main()"
ECHO = """
def init(): pass
def run(data): return data
"""


def eventually(claim: Callable[[], Any], *, seconds: float = 10.0) -> Any:
    """The first true value of `claim`; AssertionError when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = claim()
        if value:
            return value
        assert time.monotonic() < deadline, f"not true within {seconds} s: {claim}"
        time.sleep(0.005)


class Response:
    """Status, body and headers (names in lower case) of one response."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.raw_headers = response.getheaders()
        self.headers = {name.lower(): value for name, value in self.raw_headers}
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> Any:
        return self.json["message"]


class Client(http.client.HTTPConnection):
    """http.client over a unix socket."""

    def __init__(self, path: str, *, timeout: float = 20.0) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = dial(self._path, timeout=self.timeout or 20.0)

    def ask(
        self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Response:
        self.request(method, target, body=body, headers=headers or {})
        return Response(self.getresponse())


def dial(path: str, *, timeout: float = 20.0) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(timeout)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock


class Server:
    """`with Server(script) as server`: started, not awaited; killed at the end if need be."""

    def __init__(
        self,
        script: str | None = ECHO,
        *,
        files: Mapping[str, str] | None = None,
        python: str = sys.executable,
        **environ: str,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vzs"))
        self.code = self.folder / "code"
        self.code.mkdir()
        for name, text in {"score.py": script, **(files or {})}.items():
            if text is not None:
                (self.code / name).parent.mkdir(parents=True, exist_ok=True)
                (self.code / name).write_text(text, encoding="utf-8")
        self.path = str(self.folder / "s")
        self.failure_file = self.folder / "failure.json"
        self.log_file = self.folder / "log"
        self._python = python
        self._environ = {
            "AML_APP_ROOT": str(self.code),
            "AZUREML_ENTRY_SCRIPT": "score.py",
            "VERDAZUL_FAILURE_FILE": str(self.failure_file),
            "VERDAZUL_INSTANCE": "credit.blue.3f2a-0",
            **environ,
        }

    def __enter__(self) -> Server:  # noqa: PYI034  # Self is 3.11
        with socket.socket(socket.AF_UNIX) as listener, self.log_file.open("wb") as log:
            listener.bind(self.path)
            listener.listen(128)
            environ = {"VERDAZUL_LISTEN_FD": str(listener.fileno()), **self._environ}
            self.process = subprocess.Popen(
                [self._python, "-c", LAUNCH.format(SOURCE)],
                env={**_inherited(), **environ},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[listener.fileno()],
            )
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if error:
            sys.stdout.write(self.log)
        shutil.rmtree(self.folder)

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    @property
    def failure(self) -> Any:
        return json.loads(self.failure_file.read_text(encoding="utf-8"))

    def client(self, *, timeout: float = 20.0) -> contextlib.closing[Client]:
        return contextlib.closing(Client(self.path, timeout=timeout))

    def ask(
        self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Response:
        with self.client() as client:
            return client.ask(method, target, body, headers)

    def score(self, body: Any = "x", headers: dict[str, str] | None = None) -> Response:
        return self.ask("POST", "/score", body, headers)

    def raw(self, data: bytes, *, timeout: float = 20.0, half_close: bool = False) -> bytes:
        """All that comes back until the server closes."""
        with dial(self.path, timeout=timeout) as sock:
            with contextlib.suppress(BrokenPipeError):
                sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: sock.recv(65536), b""))

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log
        return self.ask("GET", "/").status == 200

    def ready(self) -> Server:
        eventually(self.is_ready)
        return self

    def wait(self, *, seconds: float = 10.0) -> int:
        return self.process.wait(seconds)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def descendants(self) -> list[int]:
        """Pids of every process below the server."""
        return list(_below(self.process.pid))


def is_running(pid: int) -> bool:
    """Not gone and no zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def _below(pid: int) -> Iterator[int]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text(encoding="utf-8")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if text.rpartition(")")[2].split()[1] == str(pid):
            child = int(stat.parent.name)
            yield child
            yield from _below(child)


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
