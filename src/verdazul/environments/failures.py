"""Failed builds are remembered, so that a restart does not build again what cannot be built.

One small file for each recipe; only the last few are kept, and forgetting one is deleting it.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from verdazul.environments.folders import newest
from verdazul.model.errors import Problem

_KEPT = 50


def remember(folder: Path, key: str, problem: Problem) -> None:
    """Write it down. A full disk is no reason to fail twice: memory still knows."""
    with contextlib.suppress(OSError):
        draft = folder / f"{key}.new"
        draft.write_text(json.dumps(problem.to_arm()))
        draft.replace(folder / f"{key}.json")
        for pattern in ("*.json", "*.log"):
            for old in newest(folder.glob(pattern))[_KEPT:]:
                old.unlink(missing_ok=True)


def recall(folder: Path, key: str) -> Problem | None:
    """What failed, or None. A file that cannot be read is no failure."""
    try:
        return Problem.from_arm(json.loads((folder / f"{key}.json").read_text()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def forget(folder: Path, key: str) -> None:
    """Let it be tried again."""
    (folder / f"{key}.json").unlink(missing_ok=True)
