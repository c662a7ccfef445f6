"""What an accepted difference is: for which cases, why, and what ours must answer instead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from serve.tests.differential.outcome import Outcome
from serve.tests.differential.table import words

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Ours:
    """The original's answer with these changes, exactly.

    A header given here replaces those of its name; `without` drops headers. `like` is a regular
    expression for a body that is not the same each time.
    """

    status: int | None = None
    body: bytes | None = None
    like: str | None = None
    headers: Headers = ()
    without: tuple[str, ...] = ()
    interim: tuple[int, ...] | None = None
    fault: str | None = None

    def expected(self, original: Outcome, ours: Outcome) -> Outcome:
        """What ours must be; `ours` is looked at for `like` only."""
        dropped = {*self.without, *(name for name, _ in self.headers)}
        kept = [(name, value) for name, value in original.headers if name not in dropped]
        return Outcome(
            original.status if self.status is None else self.status,
            (*kept, *self.headers),
            self._body(original, ours),
            original.interim if self.interim is None else self.interim,
            original.fault if self.fault is None else self.fault,
            original.posts,
        )

    def _body(self, original: Outcome, ours: Outcome) -> bytes:
        if self.like is not None:
            matches = re.fullmatch(self.like, ours.body.decode(), re.DOTALL)
            return ours.body if matches else self.like.encode()
        return original.body if self.body is None else self.body


@dataclass(frozen=True)
class Accepted:
    """`case` is a name or a pattern of names, as of files."""

    case: str
    reason: str
    ours: Ours

    def is_of(self, name: str) -> bool:
        return fnmatchcase(name, self.case)


@dataclass(frozen=True)
class AcceptedBoot:
    """Ours ends with `code`, or serves (None), where the original does otherwise."""

    boot: str
    reason: str
    code: int | None


def each(cases: str, reason: str, ours: Ours) -> tuple[Accepted, ...]:
    """The same difference of several cases, named in one text."""
    return tuple(Accepted(case, reason, ours) for case in words(cases))
