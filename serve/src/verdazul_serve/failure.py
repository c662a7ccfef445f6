"""Why an instance could not start, in the words the control plane shows to people.

A boot failure crosses two processes (worker, then parent) and one file (VERDAZUL_FAILURE_FILE), so
it is plain data that survives JSON.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

EXIT_CODE = 3


@dataclass(frozen=True)
class Problem:
    """One failure: stable code, what failed with its value, what to do, where, user's traceback."""

    code: str
    message: str
    fix: str = ""
    where: str = ""
    traceback: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Problem:
        values = json.loads(data)
        values["traceback"] = tuple(values["traceback"])
        return cls(**values)

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        fix = f" Fix: {self.fix}" if self.fix else ""
        return f"{self.code}: {where}{self.message}{fix}"


class BootFailure(Exception):
    """The server cannot start; nothing but a change by the user will help."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        fix: str = "",
        where: str = "",
        traceback: tuple[str, ...] = (),
    ) -> None:
        self.problem = Problem(code, message, fix, where, traceback)
        super().__init__(str(self.problem))


def write(problem: Problem, path: str) -> None:
    """Put the problem at `path` in one step: a reader sees all of it or nothing."""
    draft = f"{path}.{os.getpid()}.tmp"
    with open(draft, "wb") as file:  # noqa: PTH123  # pathlib costs 10 ms at start
        file.write(problem.to_json())
    os.replace(draft, path)  # noqa: PTH105
