"""What inference_server.py found: as tables for people, and as JSON for programs.

A figure is the median of the rounds; the JSON holds every round.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness import table
from serving.aims import judge
from serving.environments import version
from serving.peer import Peer
from serving.report import LOADED, STARTED, Figures, Place, digits, medians, row


@dataclass
class Comparison:
    """The servers, and what was measured of each at each place, round by round."""

    ours: str
    peers: Sequence[Peer]
    unavailable: dict[str, str] = field(default_factory=dict)
    alone: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Microseconds of the score function without a server, for each payload."""
    rounds: dict[Place, dict[str, list[Figures]]] = field(default_factory=dict)

    def add(self, place: Place, server: str, figures: Figures) -> None:
        """One round's."""
        self.rounds.setdefault(place, defaultdict(list))[server].append(figures)

    def show(self) -> None:
        """Tables for people."""
        print(f"Columns with x say how many times better {self.ours} is; below 1 it is worse.")
        print("Bare servers keep no contract; they are limits, not peers.")
        for name, rounds in self.alone.items():
            print(f"The score function alone, {name}: {digits(statistics.median(rounds))} µs")
        print()
        table([self._about(peer) for peer in self.peers])
        found = self._medians()
        for place in sorted(found, key=lambda it: bool(it.payload)):
            print(f"\n{place}")
            columns = LOADED if place.payload else STARTED
            here = found[place]
            table([row(name, here[name], here.get(self.ours), columns) for name in here])
        if aims := judge(found, ours=self.ours, rivals=self._rivals()):
            print()
            table(aims)

    def as_json(self) -> dict[str, Any]:
        """Everything."""
        flat = [
            {**place._asdict(), "server": name, "rounds": rounds}
            for place, servers in self.rounds.items()
            for name, rounds in servers.items()
        ]
        return {
            "machine": {"cpus": os.cpu_count(), "kernel": platform.release()},
            "servers": [self._about(peer) for peer in self.peers],
            "function_us": self.alone,
            "measured": flat,
            "aims": judge(self._medians(), ours=self.ours, rivals=self._rivals()),
        }

    def _medians(self) -> dict[Place, dict[str, dict[str, float]]]:
        return {
            place: {name: medians(rounds) for name, rounds in servers.items()}
            for place, servers in self.rounds.items()
        }

    def _rivals(self) -> list[str]:
        return [it.name for it in self.peers if not it.is_limit and it.name != self.ours]

    def _about(self, peer: Peer) -> dict[str, str]:
        reason = self.unavailable.get(peer.name)
        return {
            "server": peer.name,
            "version": "this tree" if peer.name == self.ours else version(peer.environment),
            "configured": f"NOT MEASURED: {reason}" if reason else peer.note,
        }
