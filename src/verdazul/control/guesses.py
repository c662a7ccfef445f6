"""Slows down who guesses: passwords, and the codes that people type in.

Some failures are free, then each one doubles the wait for the next. What is remembered is bounded
and in memory only: it is worth an hour.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_LONGEST_SECONDS = 60.0
_FORGOTTEN_SECONDS = 3600.0
_MOST_KEYS = 10_000


@dataclass(slots=True)
class Failures:
    """How often something failed in a row, by key; `free` failures cost nothing."""

    free: int
    _known: dict[str, tuple[int, float]] = field(default_factory=dict)

    def wait(self, key: str, now: float) -> float:
        """Seconds until the next try is looked at; 0: now."""
        count, last = self._known.get(key, (0, 0.0))
        if count < self.free or now - last >= _FORGOTTEN_SECONDS:
            return 0.0
        pause = min(2.0 ** min(count - self.free, 10), _LONGEST_SECONDS)
        return max(0.0, last + pause - now)

    def failed(self, key: str, now: float) -> None:
        """One more. Of too many keys the one that failed longest ago is forgotten."""
        count, last = self._known.pop(key, (0, now))
        is_old = now - last >= _FORGOTTEN_SECONDS
        self._known[key] = (1 if is_old else count + 1, now)
        if len(self._known) > _MOST_KEYS:
            del self._known[next(iter(self._known))]

    def succeeded(self, key: str) -> None:
        """Begin anew."""
        self._known.pop(key, None)


@dataclass(slots=True)
class Guesses:
    """What is guessed at: passwords (of one person from one address; of one person, or from one
    address, in all), codes, polls.
    """

    passwords: Failures = field(default_factory=lambda: Failures(5))
    many: Failures = field(default_factory=lambda: Failures(30))
    codes: Failures = field(default_factory=lambda: Failures(10))
    polls: dict[str, float] = field(default_factory=dict)
