"""Files that hold secrets: nobody else may read them, and they are replaced as a whole."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from verdazul.model.errors import UserError


def check_private(path: Path, *, fix: str) -> None:
    """Raise UserError (InsecureKeyFile) when others than the owner may read it."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise UserError(
            f"the key file may be read by others (mode {mode:04o}); it must be 0600",
            code="InsecureKeyFile",
            where=str(path),
            fix=f"chmod 600 {path}, {fix}",
        )


def replace_private(path: Path, text: str) -> None:
    """On disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
