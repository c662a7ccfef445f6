"""What the serving benchmarks know of a server: its environment, its files and how it is started.

Each server is one small module of `peers/` that makes a `Peer`. All are given the same score
function and answer the same request on the same path unless their module says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

SCORE = """import json


def init():
    pass


def run(raw):
    d = json.loads(raw)
    return {"sum": sum(d["data"])}
"""


class UnavailableError(Exception):
    """The server cannot be installed or started here; the text says why and goes in the table."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment of its own, locked in requirements/bench-NAME.lock."""

    name: str
    requires: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where a server is started."""

    python: Path
    folder: Path
    port: int
    spare_ports: tuple[int, int]
    workers: int

    def script(self, name: str) -> str:
        """A console script of the environment."""
        return str(self.python.with_name(name))


def _nothing(_: Place) -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class Peer:
    """A server under test."""

    name: str
    environment: Environment
    command: Callable[[Place], list[str]]
    note: str
    files: Mapping[str, str]
    environ: Callable[[Place], dict[str, str]] = _nothing
    path: str = "/score"
    is_limit: bool = False
    """Without the contract of a server: a yardstick, nothing that one could choose instead."""
