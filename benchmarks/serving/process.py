"""A started server: when it first answered, what its whole process tree costs, and its end.

The benchmark makes itself the reaper of orphans, so every process that a server leaves behind is
still below it: the tree is all that descends from the benchmark while no load tool runs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from serving.peer import Peer, Place, UnavailableError

START_SECONDS = 120
STOP_SECONDS = 10
LOOK_SECONDS = 0.3
REST_SECONDS = 0.06  # of processor time between two looks: a fifth of one core
SET_CHILD_SUBREAPER = 36  # prctl


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    port: int
    path: str
    start_seconds: float

    @property
    def uri(self) -> str:
        """Where it is scored."""
        return f"http://127.0.0.1:{self.port}{self.path}"


@contextmanager
def running(
    peer: Peer, python: Path, workers: int, *, check: Callable[[int, str], object]
) -> Iterator[Server]:
    """Up and idle inside, gone afterwards. `check(port, path)` raises until the answer is good."""
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else servers would outlive us
    with tempfile.TemporaryDirectory(prefix="vb-") as folder:
        port, spare, another = free_ports(3)
        place = Place(python, Path(folder), port, (spare, another), workers)
        for name, text in peer.files.items():
            place.folder.joinpath(name).write_text(text)
        try:
            yield _start(peer, place, check)
        finally:
            _stop()


def _start(peer: Peer, place: Place, check: Callable[[int, str], object]) -> Server:
    log = place.folder / "server.log"
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            peer.command(place),
            cwd=place.folder,
            env=environ() | peer.environ(place),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    _until_good(process, log, lambda: check(place.port, peer.path))
    server = Server(place.port, peer.path, time.perf_counter() - began)
    _settle()
    return server


def _until_good(process: subprocess.Popen[bytes], log: Path, check: Callable[[], object]) -> None:
    ends = time.monotonic() + START_SECONDS
    while True:
        try:
            check()
        except (OSError, ValueError) as error:
            if process.poll() is not None:
                raise _failed(f"exit code {process.returncode}", log) from None
            if time.monotonic() > ends:
                raise _failed(f"no good answer in {START_SECONDS} s ({error})", log) from None
            time.sleep(0.01)
        else:
            return


def _failed(reason: str, log: Path) -> UnavailableError:
    lines = log.read_text(errors="replace").strip().splitlines()
    return UnavailableError(f"did not start: {reason}: " + " | ".join(lines[-3:]))


def _settle() -> None:
    """Wait until the tree rests: a second worker may load while the first one answers."""
    ends = time.monotonic() + START_SECONDS
    before = cpu_seconds()
    while time.monotonic() < ends:
        time.sleep(LOOK_SECONDS)
        now = cpu_seconds()
        if now - before < REST_SECONDS:
            return
        before = now


def _stop() -> None:
    """End what was started: politely, then at once; nothing else is touched."""
    for process in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    psutil.wait_procs(tree(), timeout=STOP_SECONDS)
    while rest := tree():
        for process in rest:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(rest, timeout=1)


def tree() -> list[psutil.Process]:
    """All living processes of the server."""
    return psutil.Process().children(recursive=True)


def cpu_seconds() -> float:
    """User and system time of the tree so far, that of processes which ended included."""
    total = 0.0
    for process in tree():
        with suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])  # own user, system; its ended children's
    return total


def memory_mb() -> float:
    """Proportional set size of the tree: a page that n processes share counts once in all."""
    total = 0
    for process in tree():
        with suppress(OSError):
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            total += int(text.partition("\nPss:")[2].split(None, 1)[0])
    return total / 1024


def environ() -> dict[str, str]:
    """Ours for what we start: Python as it comes, and one thread for linear algebra."""
    # what slows Python down or writes through at once is the caller's taste, not the server's
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return kept | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def free_ports(count: int) -> list[int]:
    """Different ports that were free a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for it in sockets:
            it.bind(("127.0.0.1", 0))
        return [int(it.getsockname()[1]) for it in sockets]
