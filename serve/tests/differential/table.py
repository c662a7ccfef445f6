"""What a case is: a script, the world it is started in, and a request or an end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

SCRIPTS = Path(__file__).parent / "scripts"


def words(text: str) -> tuple[str, ...]:
    """Names written as one text, for tables that are read and not counted."""
    return tuple(text.split())


@dataclass(frozen=True)
class World:
    """A folder with a script, and the variables a server is started with.

    `script` names a file of scripts/, or is the text itself; None: there is no score.py. `{sink}`
    in a variable becomes the port of a little HTTP server that keeps what is posted to it, and
    `{code}` the folder.
    """

    script: str | None
    environ: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    entry: str | None = "score.py"  # None: no script is named, or config.json names it
    without: frozenset[str] = frozenset()  # variables that are set otherwise
    beside_original: bool = False  # ours runs where the original is installed too

    def contents(self) -> dict[str, str]:
        """File names and texts."""
        if self.script is None:
            return dict(self.files)
        named = self.script.endswith(".py")
        text = (SCRIPTS / self.script).read_text(encoding="utf-8") if named else self.script
        return {self.entry or "main.py": text, **self.files}


@dataclass(frozen=True)
class Case:
    """A request; `body` says how the answers' bodies are compared."""

    name: str
    request: bytes
    body: Literal["bytes", "json"] = "bytes"
    posts: int = 0  # how many posts must reach the sink, whoever is asked


@dataclass(frozen=True)
class Group:
    """Cases for one script, asked in this order, each on a connection of its own."""

    name: str
    world: World
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Boot:
    """A world in which no server can start; the exit codes are compared."""

    name: str
    world: World
