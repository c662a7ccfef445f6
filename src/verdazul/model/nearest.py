"""What someone probably meant: the closest of the right spellings."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `word`; None when none is close enough to be worth saying."""
    found = several_nearest(word, candidates, count=1)
    return found[0] if found else None


def several_nearest(word: str, candidates: Iterable[str], *, count: int) -> list[str]:
    """Up to `count` candidates like `word`, best first. Case, `_`, `-` and spaces do not count."""
    plain: dict[str, str] = {}
    for candidate in candidates:
        plain.setdefault(_plain(candidate), candidate)
    close = difflib.get_close_matches(_plain(word)[:200], plain, n=count, cutoff=0.6)
    return [plain[found] for found in close]


def _plain(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "").replace(" ", "")
