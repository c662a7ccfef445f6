"""The parent of one process: outlives the control plane, writes its log, says how it ended.

Run as `python -I -S shim.py SPEC`: standard library only, light modules only (it must start in
milliseconds and stay small). One thread, one poll; asleep unless the process prints or ends.
Nothing that the process started survives it: the shim is the subreaper of all its descendants and
kills what is left; and if the shim itself is killed, the kernel kills the process.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
READ_BYTES = 65536
BACKLOG = 1024
LEFTOVER_SECONDS = 5.0
CANNOT_RUN = 127


class Spec:
    """What to run and where to write about it. Text is JSON, or the path of a file with it."""

    def __init__(self, text: str) -> None:
        if not text.startswith("{"):
            with open(text, encoding="utf-8") as file:  # noqa: PTH123 - pathlib loads slowly
                text = file.read()
        raw = json.loads(text)
        self.argv: list[str] = raw["argv"]
        self.env: dict[str, str] | None = raw.get("env")
        self.cwd: str | None = raw.get("cwd")
        self.home: str | None = raw.get("home")
        self.folder: str | None = raw.get("folder")
        self.socket: str | None = raw.get("socket")
        self.log: str = raw["log"]
        self.log_bytes: int = raw["log_bytes"]
        self.log_files: int = raw["log_files"]
        self.grace_seconds: float = raw["grace_seconds"]
        self.groups: list[str] = raw.get("groups") or []
        self.oom_file: str | None = raw.get("oom_file")
        self.attempt: int = raw.get("attempt", 1)
        self.lock_fd: int | None = raw.get("lock_fd")


class Log:
    """A file that never exceeds `limit` bytes, and `keep` older ones (.1 is the newest)."""

    def __init__(self, path: str, *, limit: int, keep: int) -> None:
        self.path, self.limit, self.keep = path, max(1, limit), keep
        self.fd = -1
        self.size = 0
        self._open()
        if self.size:
            self._rotate()  # each run begins a file of its own

    def write(self, data: bytes) -> None:
        """Append; splits at a line's end where it can. A full disk loses lines, nothing else."""
        while data:
            if self.size >= self.limit:
                self._rotate()
            part = data[: self._fit(data)]
            data = data[len(part) :]
            try:
                os.write(self.fd, part)
            except OSError:
                return
            self.size += len(part)
            if data:
                self._rotate()

    def _fit(self, data: bytes) -> int:
        room = self.limit - self.size
        if len(data) <= room:
            return len(data)
        return data.rfind(b"\n", 0, room) + 1 or room

    def _rotate(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
        names = [self.path] + [f"{self.path}.{n}" for n in range(1, self.keep + 1)]
        for older, newer in reversed(list(zip(names[1:], names[:-1], strict=True))):
            quietly(os.replace, newer, older)
        if self.keep == 0:
            quietly(os.unlink, self.path)
        self._open()

    def _open(self) -> None:
        try:
            self.fd = os.open(
                self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            self.size = os.fstat(self.fd).st_size
        except OSError:
            self.fd, self.size = -1, 0


class Shim:
    """One run: start the process, copy its output, pass signals on, tell how it ended."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.child = 0
        self.kill_at: float | None = None
        self.status: int | None = None
        self.peak_bytes = 0
        self.error = ""
        self.log = Log(spec.log, limit=spec.log_bytes, keep=spec.log_files)
        self.output, self.output_writer = os.pipe()
        self.wakeup, wakeup_writer = os.pipe()
        os.set_blocking(wakeup_writer, False)
        os.set_blocking(self.wakeup, False)
        signal.set_wakeup_fd(wakeup_writer, warn_on_full_buffer=False)
        for number in (*FORWARDED, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, _noted)

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
        listener = listen(self.spec.socket, self.spec.home) if self.spec.socket else None
        gate, gate_writer = os.pipe()
        failed, failed_writer = os.pipe()
        shim = os.getpid()
        self.child = os.fork()
        if self.child == 0:
            os.close(gate_writer)
            become(self.spec, shim=shim, gate=gate, output=self.output_writer,
                   failed=failed_writer, listener=listener)  # fmt: skip
        for fd in (gate, failed_writer, self.output_writer):
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

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self.wakeup, select.POLLIN)
        poll.register(self.output, select.POLLIN)
        while not self._ended():
            for fd, _ in poll.poll(self._wait_ms()):
                if fd == self.wakeup:
                    self._pass_on(os.read(self.wakeup, 512))
                elif not self._copy():
                    poll.unregister(self.output)
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

    def _copy(self) -> bool:
        data = os.read(self.output, READ_BYTES)
        self.log.write(data)
        return bool(data)

    def _drain_output(self) -> None:
        poll = select.poll()
        poll.register(self.output, select.POLLIN)
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline and poll.poll(100):
            if not self._copy():
                return

    def _record(self, limits_refused: str = "") -> None:
        """Write down who we are. Raises OSError: a process that nobody knows of must not run."""
        if self.spec.folder is None:
            return
        state = {
            "shim": {"pid": os.getpid(), "birth": birth(os.getpid())},
            "child": {"pid": self.child, "birth": birth(self.child)} if self.child else None,
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


def become(
    spec: Spec, *, shim: int, gate: int, output: int, failed: int, listener: socket.socket | None
) -> None:
    """In the forked child: turn into the process. Never returns."""
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
        os.dup2(output, 1)
        os.dup2(output, 2)
        if spec.cwd:
            os.chdir(spec.cwd)
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


def join(groups: list[str], pid: int) -> str:
    """Put it into its cgroups; returns why some refused ("" when none did)."""
    refused = []
    for group in groups:
        try:
            write_text(f"{group}/cgroup.procs", str(pid))
        except OSError as error:
            refused.append(f"{group}: {error.strerror}")
    return "; ".join(refused)


def kill_all(groups: list[str], *, children_too: bool) -> None:
    """SIGKILL everything in the cgroups (and all our children) until nothing is left."""
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while time.monotonic() < deadline:
        left = {pid for group in groups for pid in pids_in(group)}
        if children_too and _reap_all():
            left |= children_of(os.getpid())
        if not left:
            return
        for pid in left - {os.getpid()}:
            quietly(os.kill, pid, signal.SIGKILL)
        time.sleep(0.002)


def pids_in(group: str) -> list[int]:
    """Read a cgroup's processes; none when it is gone."""
    try:
        with open(f"{group}/cgroup.procs", encoding="ascii") as file:  # noqa: PTH123
            return [int(line) for line in file]
    except OSError:
        return []


def children_of(parent: int) -> set[int]:
    """Look through /proc for processes whose parent this is."""
    found = set()
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit() and stat_fields(int(name))[1:2] == [str(parent)]:
            found.add(int(name))
    return found


def remove_groups(groups: list[str]) -> None:
    """Remove empty cgroups; only ever ones that we made."""
    for group in groups:
        if os.path.basename(os.path.dirname(group)) == "verdazul":  # noqa: PTH119, PTH120
            quietly(os.rmdir, group)


def oom_kills(path: str | None) -> int:
    """Read how often the kernel killed in that cgroup for want of memory."""
    try:
        with open(path or os.devnull, encoding="ascii") as file:  # noqa: PTH123
            lines = [line.split() for line in file]
    except OSError:
        return 0
    return sum(int(value) for key, value in lines if key == "oom_kill")


def birth(pid: int) -> str | None:
    """Name when it began, in the words of verdazul.processes (which a shim cannot import)."""
    fields = stat_fields(pid)
    if not fields or fields[0] in "ZX":
        return None
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123
        return f"{file.read().strip()}/{fields[19]}"


def stat_fields(pid: int) -> list[str]:
    """Read /proc/PID/stat from the state on; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def prctl(option: int, value: int) -> None:
    """Ask the kernel; the standard library has no other way."""
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def write_json(path: str, content: object) -> None:
    """All or nothing, also across a power cut. Raises OSError."""
    temporary = f"{path}.{os.getpid()}.tmp"
    write_text(temporary, json.dumps(content), sync=True)
    os.replace(temporary, path)  # noqa: PTH105


def write_text(path: str, text: str, *, sync: bool = False) -> None:
    """Write in one go, readable for us alone."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, text.encode())
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)


def now() -> float:
    """Return unix seconds; the shim is the adapter here."""
    return time.time()  # noqa: TID251


def quietly(function: object, *arguments: object) -> None:
    """Call it; that its target is gone already is fine."""
    try:
        function(*arguments)  # type: ignore[operator]  # typing.Callable would cost its import
    except OSError:
        return


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


def _reap_all() -> bool:
    """Reap; true while children are left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _noted(number: int, frame: object) -> None:
    """Signals arrive through the wake-up pipe."""


if __name__ == "__main__":
    os._exit(main())
