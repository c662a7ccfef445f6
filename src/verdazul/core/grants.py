"""What a signed address allows: some acts on one container, until a time. Nothing else.

A client that uploads or downloads gets one of these instead of a credential. It is sealed, so only
we can make or read it; what it says is judged here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum


class Act(StrEnum):
    """What may be done with a container's blobs, in the letters of Azure's `sp`."""

    READ = "r"
    WRITE = "w"
    LIST = "l"


@dataclass(frozen=True, slots=True)
class Grant:
    """`expires_at` is the last second, as unix time, at which it opens anything."""

    container: str
    acts: frozenset[Act]
    expires_at: float

    @property
    def letters(self) -> str:
        """The acts as Azure writes them."""
        return "".join(act.value for act in Act if act in self.acts)

    def text(self) -> str:
        """What is sealed."""
        return json.dumps(["blob", self.container, self.letters, self.expires_at])

    def allows(self, act: Act, container: str, now: float) -> bool:
        """Whether it opens this container for this, now."""
        return act in self.acts and container == self.container and now <= self.expires_at


def read_grant(text: str) -> Grant | None:
    """What was sealed, or None for any other text."""
    try:
        kind, container, letters, expires_at = json.loads(text)
        acts = frozenset(Act(letter) for letter in letters)
        at = float(expires_at)
    except (ValueError, TypeError):
        return None
    return Grant(container, acts, at) if kind == "blob" and isinstance(container, str) else None
