"""Which conda packages were built for numpy 1, and must not meet numpy 2.

conda-forge's packages say so: those built before numpy 2 was there bring `numpy <2` along.
Their wheels on PyPI do not, and fail when they are imported ("numpy.dtype size changed").
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from verdazul.environments.matchspec import CondaSpec
from verdazul.environments.names import normalise

BOUND = "numpy<2"
# the first release of each that was built for numpy 2
_SINCE = {"pandas": (2, 2, 2), "scikit-learn": (1, 4, 2), "scipy": (1, 13, 0)}
_PINNED = re.compile(r"(==|<=|<)(\d+(?:\.\d+)*)(\.\*)?")
_WANTS_TWO = re.compile(r"(==|>=|>|~=)\s*[2-9]")


def older(packages: Sequence[CondaSpec]) -> list[str]:
    """Those that need numpy 1, as they are written; [] when numpy itself is asked for as 2."""
    numpy = next((spec.specifiers for spec in packages if normalise(spec.name) == "numpy"), "")
    if _WANTS_TWO.search(numpy):
        return []
    return sorted(f"{spec.name}{spec.specifiers}" for spec in packages if _is_older(spec))


def _is_older(spec: CondaSpec) -> bool:
    since = _SINCE.get(normalise(spec.name))
    return since is not None and any(
        _ends_before(since, *found.groups()) for found in _PINNED.finditer(spec.specifiers)
    )


def _ends_before(since: tuple[int, ...], operator: str, version: str, star: str | None) -> bool:
    """1.4.* may be 1.4.2, 1.2.* is older; <1.9 allows older ones only, <2 does not."""
    numbers = tuple(map(int, version.split(".")))
    if star:
        return numbers < since[: len(numbers)]
    padded = (*numbers, 0, 0)[: max(len(numbers), len(since))]
    return padded <= since if operator == "<" else padded < since
