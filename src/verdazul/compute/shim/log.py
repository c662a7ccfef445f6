"""Where a process' output goes: files that can never fill the disk.

A shim writes them itself, so that a log is bounded also while the control plane is down.
"""

from __future__ import annotations

import os

from verdazul.compute.shim.system import quietly


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
