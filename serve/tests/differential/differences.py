"""Where ours answers otherwise on purpose, why, and what it must answer instead."""

from __future__ import annotations

from dataclasses import dataclass

from serve.tests.differential.outcome import Outcome


@dataclass(frozen=True)
class Accepted:
    """Ours to `case` is the original's answer with these changes, exactly.

    An added or changed header replaces those of its name; `without` drops headers.
    """

    case: str
    reason: str
    status: int | None = None
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    without: tuple[str, ...] = ()
    fault: str | None = None

    def expected(self, original: Outcome) -> Outcome:
        """What ours must answer."""
        dropped = {*self.without, *(name for name, _ in self.headers)}
        kept = [(name, value) for name, value in original.headers if name not in dropped]
        return Outcome(
            original.status if self.status is None else self.status,
            (*kept, *self.headers),
            original.body if self.body is None else self.body,
            original.interim,
            original.fault if self.fault is None else self.fault,
            original.posts,
        )


ACCEPTED: tuple[Accepted, ...] = ()


@dataclass(frozen=True)
class AcceptedBoot:
    """Ours ends with `code`, or serves (None), where the original does otherwise."""

    boot: str
    reason: str
    code: int | None


ACCEPTED_BOOTS: tuple[AcceptedBoot, ...] = ()
