"""Where the local engine keeps what it knows: labels and all else lie in files, none in memory.

    engine/lock                        held by the engine that runs; it dies with its holder
    engine/images/<id>.json            what was built, and under which tags
    engine/containers/<id>/            one folder for each container
        config.json                    as it was created; written last: without it there is nothing
        shim.json state.json exit.json how it was started, runs and ended (written with its shim)
        failure.json logs/ lock work/
    run/engine.sock                    where it listens

Whoever kills the engine loses nothing: the next one reads the same files, and containers go on.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from verdazul.compute.folder import make_private
from verdazul.model.errors import UserError

LONGEST_SOCKET = 107  # bytes of a path, by the kernel


@dataclass(frozen=True, slots=True)
class Places:
    """Paths below one home."""

    home: Path

    @property
    def root(self) -> Path:
        return self.home / "engine"

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def containers(self) -> Path:
        return self.root / "containers"

    @property
    def record(self) -> Path:
        return self.home / "run" / "engine.json"

    @property
    def socket(self) -> Path:
        """Raises UserError (HomeTooDeep): clients connect by this path, which may not be long."""
        path = self.home / "run" / "engine.sock"
        if len(os.fsencode(path)) > LONGEST_SOCKET:
            raise UserError(
                f"the local engine would listen at {path}: {len(os.fsencode(path))} bytes; a "
                f"socket's path has at most {LONGEST_SOCKET}",
                code="HomeTooDeep",
                fix="choose a home with a shorter path (--home or VERDAZUL_HOME)",
            )
        return path

    @property
    def docker_host(self) -> str:
        """How DOCKER_HOST names the socket."""
        return f"unix://{self.socket}"

    def make(self) -> None:
        for folder in (self.images, self.containers, self.home / "run", self.home / "logs"):
            make_private(folder)

    def clear_leavings(self) -> None:
        """Remove what a creation or a removal that was cut off left."""
        for path in self.containers.glob(".*"):
            shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[int | None]:
        """Hold the engine's lock, which a started engine inherits; None when one runs."""
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield descriptor
        except BlockingIOError:
            yield None
        finally:
            os.close(descriptor)
