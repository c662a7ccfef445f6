"""Envoy's hot restart: a new process takes the listening sockets over from the old one.

No connection is refused on the way, and what the old process holds (streams, WebSockets) goes on
there until it ends or `drain_seconds` have passed. The two find each other by a base id, drawn by
the first of a line, and by their place in it (epoch). It needs shared memory in /dev/shm; without
that a changed Envoy is stopped and started, with a gap of a second or two.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - Envoy's place, not a temporary file of ours
_ROOM = 10  # Envoy multiplies base ids to have room for epochs


@dataclass(frozen=True, slots=True)
class Lineage:
    """A process' place in its line. `base_id` None: it has yet to draw one."""

    base_id: int | None = None
    epoch: int = 0

    def next(self) -> Lineage:
        """The place of the process that takes over from this one."""
        return replace(self, epoch=self.epoch + 1)

    def options(self, id_file: Path, home: Path, drain_seconds: int) -> list[str]:
        """On Envoy's command line, for the next start in `home`.

        Without hot restart where there is no shared memory, or no room to write an id down.
        """
        if not (is_possible() and _is_blank(home / id_file)):
            return ["--disable-hot-restart"]
        place = ["--base-id", str(self.base_id), "--restart-epoch", str(self.epoch)]
        if self.base_id is None:
            place = ["--use-dynamic-base-id", "--base-id-path", str(id_file)]
        # the old process asks callers at once to go; it ends when its time is over
        times = ["--drain-time-s", "1", "--parent-shutdown-time-s", str(max(2, drain_seconds))]
        return [*place, *times, "--drain-strategy", "immediate", "--skip-hot-restart-parent-stats"]

    def drawn(self, id_file: Path) -> Lineage:
        """The same, with the base id that the process has drawn."""
        if self.base_id is not None or not is_possible():
            return self
        try:
            return replace(self, base_id=int(id_file.read_text()))
        except (OSError, ValueError):
            return self

    def forget(self) -> None:
        """Free the shared memory of a line that has ended; Envoy leaves it behind."""
        if self.base_id is not None:
            name = f"envoy_shared_memory_{self.base_id * _ROOM}"
            (_SHARED_MEMORY / name).unlink(missing_ok=True)


def is_possible() -> bool:
    """Whether this machine has what a hot restart needs."""
    return os.access(_SHARED_MEMORY, os.W_OK)


def _is_blank(path: Path) -> bool:
    """Make it so: Envoy may fail to write, and an id from before would be taken for its own."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    except OSError:
        return False
    return True
