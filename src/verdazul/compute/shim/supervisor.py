"""The life of a shim: start the process, copy its output, pass signals on, tell how it ended.

One thread, one poll; asleep unless the process prints or ends. Nothing that the process started
survives it: the shim is the subreaper of all its descendants and kills what is left; and if the
shim itself is killed, the kernel kills the process.
"""

from __future__ import annotations

import os
import resource  # noqa: F401 - os.wait4 would import it, perhaps from a Python replaced by then
import select
import signal
import socket
import sys
import time

from verdazul.compute.shim.child import (
    CANNOT_RUN,
    FORWARDED,
    become,
    listen,
    listen_on_loopback,
)
from verdazul.compute.shim.groups import join, kill_all, oom_kills, remove_groups
from verdazul.compute.shim.log import Log
from verdazul.compute.shim.spec import Spec
from verdazul.compute.shim.system import (
    PR_SET_CHILD_SUBREAPER,
    birth,
    now,
    prctl,
    quietly,
    write_json,
)

READ_BYTES = 65536


class Shim:
    """One run of one process."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.child = 0
        self.port: int | None = None
        self.kill_at: float | None = None
        self.status: int | None = None
        self.peak_bytes = 0
        self.error = ""
        self.logs: dict[int, Log] = {}  # by the descriptor that they are copied from
        errors = self._copied_to(spec.log)
        self.outputs = (self._copied_to(spec.rows) if spec.rows else errors, errors)
        self.wakeup, wakeup_writer = os.pipe()
        os.set_blocking(wakeup_writer, False)
        os.set_blocking(self.wakeup, False)
        signal.set_wakeup_fd(wakeup_writer, warn_on_full_buffer=False)
        for number in (*FORWARDED, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, _noted)

    def _copied_to(self, path: str) -> int:
        """What is written to the descriptor ends in this file, bounded."""
        reader, writer = os.pipe()
        self.logs[reader] = Log(path, limit=self.spec.log_bytes, keep=self.spec.log_files)
        return writer

    def run(self) -> int:
        """Return the exit status a shell would show."""
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        self._start()
        if not self.error:
            self._watch()
        kill_all(self.spec.groups, children_too=True)
        self._drain_output()
        self._tell()
        if os.WIFEXITED(self.status or 0):
            return CANNOT_RUN if self.error else os.WEXITSTATUS(self.status or 0)
        return 128 + os.WTERMSIG(self.status or 0)

    def _start(self) -> None:
        self._record()
        listener = self._listen()
        gate, gate_writer = os.pipe()
        failed, failed_writer = os.pipe()
        shim = os.getpid()
        self.child = os.fork()
        if self.child == 0:
            os.close(gate_writer)
            become(self.spec, shim=shim, gate=gate, outputs=self.outputs,
                   failed=failed_writer, listener=listener)  # fmt: skip
        for fd in {gate, failed_writer, *self.outputs}:
            os.close(fd)
        if listener:
            listener.close()  # with the process gone, connections are refused, not left waiting
        quietly(os.setpgid, self.child, self.child)
        refused = join(self.spec.groups, self.child)
        self._record(refused)
        os.write(gate_writer, b"go")
        os.close(gate_writer)
        self.error = os.read(failed, 4096).decode(errors="replace")  # empty once exec succeeded
        os.close(failed)

    def _listen(self) -> socket.socket | None:
        if self.spec.port is not None:
            listener = listen_on_loopback(self.spec.port)
            self.port = int(listener.getsockname()[1])
            return listener
        return listen(self.spec.socket, self.spec.home) if self.spec.socket else None

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self.wakeup, select.POLLIN)
        for output in self.logs:
            poll.register(output, select.POLLIN)
        while not self._ended():
            for fd, _ in poll.poll(self._wait_ms()):
                if fd == self.wakeup:
                    self._pass_on(os.read(self.wakeup, 512))
                elif not self._copy(fd):
                    poll.unregister(fd)
            if self.kill_at is not None and time.monotonic() >= self.kill_at:
                quietly(os.killpg, self.child, signal.SIGKILL)
                self.kill_at = None

    def _wait_ms(self) -> float | None:
        if self.kill_at is None:
            return None
        return max(0.0, self.kill_at - time.monotonic()) * 1000 + 1

    def _ended(self) -> bool:
        """Reap whoever ended; true once it is the process itself (its group is then killed)."""
        while True:
            try:
                info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return True
            if info is None:
                return False
            if info.si_pid == self.child:
                # the zombie still holds its pid: the group's number cannot be a stranger's
                quietly(os.killpg, self.child, signal.SIGKILL)
            _, status, usage = os.wait4(info.si_pid, 0)
            self.peak_bytes = max(self.peak_bytes, usage.ru_maxrss * 1024)
            if info.si_pid == self.child:
                self.status = status
                return True

    def _pass_on(self, numbers: bytes) -> None:
        for number in numbers:
            if number == signal.SIGTERM and self.kill_at is None:
                self.kill_at = time.monotonic() + self.spec.grace_seconds
                quietly(os.killpg, self.child, signal.SIGTERM)
            elif number in FORWARDED:
                quietly(os.kill, self.child, number)

    def _copy(self, output: int) -> bool:
        data = os.read(output, READ_BYTES)
        self.logs[output].write(data)
        return bool(data)

    def _drain_output(self) -> None:
        left = set(self.logs)
        deadline = time.monotonic() + 1.0
        while left and time.monotonic() < deadline:
            ready, _, _ = select.select(left, (), (), 0.1)
            if not ready:
                return
            left -= {fd for fd in ready if not self._copy(fd)}

    def _record(self, limits_refused: str = "") -> None:
        """Write down who we are. Raises OSError: a process that nobody knows of must not run."""
        if self.spec.folder is None:
            return
        state = {
            "shim": {"pid": os.getpid(), "birth": birth(os.getpid())},
            "child": {"pid": self.child, "birth": birth(self.child)} if self.child else None,
            "port": self.port,
            "started_at": now(),
            "attempt": self.spec.attempt,
            "limits_refused": limits_refused,
        }
        write_json(f"{self.spec.folder}/state.json", state)

    def _tell(self) -> None:
        """Write how it ended, then let go of what it used."""
        status = self.status or 0
        ended = {
            "code": None if self.error or os.WIFSIGNALED(status) else os.WEXITSTATUS(status),
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            "at": now(),
            "oom": oom_kills(self.spec.oom_file),
            "peak_memory": self.peak_bytes,
            "error": self.error,
        }
        if self.spec.folder is not None:
            quietly(write_json, f"{self.spec.folder}/exit.json", ended)
        elif self.error:
            sys.stderr.write(self.error + "\n")
        if self.spec.socket:
            quietly(os.unlink, self.spec.socket)
        remove_groups(self.spec.groups)


def main() -> int:
    """Run the one argument's spec; also a shim that cannot begin says why."""
    spec = Spec(sys.argv[1])
    # an open lock tells others that we live; the process must not hold it on after us
    os.closerange((spec.lock_fd or 2) + 1, 65536)
    if spec.lock_fd is not None:
        os.set_inheritable(spec.lock_fd, False)  # noqa: FBT003 - the library's signature
    try:
        return Shim(spec).run()
    except OSError as error:
        if spec.folder is None:
            sys.stderr.write(f"{error}\n")
        else:
            ended = {"code": None, "signal": None, "at": now(), "error": str(error)}
            quietly(write_json, f"{spec.folder}/exit.json", ended)
        return CANNOT_RUN


def _noted(number: int, frame: object) -> None:
    """Signals arrive through the wake-up pipe."""
