"""Azure's instance types: how many cores, how much memory, how many GPUs each one grants.

The table is what quota, limits and the fit on this machine are computed from. Sizes that name their
cores (`D8as`, `NC24ads`) are generated; the rest is listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from verdazul.model.errors import UserError
from verdazul.model.nearest import several_nearest

PREFIX = "Standard_"
_SMALL = ("Standard_DS1_v2", "Standard_DS2_v2")
_ADVISED = "Standard_DS3_v2"


@dataclass(frozen=True, slots=True)
class InstanceType:
    """What one instance is granted. A GPU may be a fraction (Standard_NV6ads_A10_v5: a sixth)."""

    name: str
    cpus: int
    memory_gib: float
    gpus: float
    family: str


def instance_type(name: str) -> InstanceType:
    """The type of that name, whatever its case. Raises UserError (InvalidInstanceType)."""
    found = _BY_NAME.get(name.lower())
    if found:
        return found
    sizes = (known.name.removeprefix(PREFIX) for known in INSTANCE_TYPES)
    size = re.sub(f"^{PREFIX}", "", name, flags=re.IGNORECASE)
    near = [PREFIX + close for close in several_nearest(size, sizes, count=3)]
    raise UserError(
        f'instance_type "{name[:80]}" is not known',
        code="InvalidInstanceType",
        fix=f"nearest: {', '.join(near)}" if near else f"use one such as {_ADVISED}",
    )


def small_sku_warning(name: str) -> str | None:
    """What to tell people who chose a type that is too small for most models; else None."""
    small = next((known for known in _SMALL if known.lower() == name.lower()), None)
    if small is None:
        return None
    grants = instance_type(small)
    return (
        f"instance_type {small} has {_count(grants.cpus, 'core')} and {grants.memory_gib:g} GiB: "
        f"often too little for a model and its server; {_ADVISED} or larger is advised (SmallSKUs)"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _sized(
    pattern: str, cores: Iterable[int], memory: float, *, family: str
) -> Iterator[InstanceType]:
    """Types named after their cores, with `memory` GiB for each core."""
    for count in cores:
        yield InstanceType(PREFIX + pattern.format(count), count, count * memory, 0, family)


def _listed(
    pattern: str, rows: Iterable[tuple[str, int, float, float]], *, family: str
) -> Iterator[InstanceType]:
    """Types given one by one: size, cores, GiB, GPUs."""
    for size, cpus, memory, gpus in rows:
        yield InstanceType(PREFIX + pattern.format(size), cpus, memory, gpus, family)


def _general() -> Iterator[InstanceType]:
    sizes = (2, 4, 8, 16, 32, 48, 64, 96)
    yield from _sized("D{}a_v4", sizes, 4, family="standardDAv4Family")
    yield from _sized("D{}as_v4", sizes, 4, family="standardDASv4Family")
    yield from _listed(
        "DS{}_v2",
        [("1", 1, 3.5, 0), ("2", 2, 7, 0), ("3", 4, 14, 0), ("4", 8, 28, 0), ("5", 16, 56, 0)],
        family="standardDSv2Family",
    )
    yield from _sized("E{}s_v3", (2, 4, 8, 16, 32, 48), 8, family="standardESv3Family")
    # The largest of the family has less for each core than the others.
    yield from _listed("E{}s_v3", [("64", 64, 432, 0)], family="standardESv3Family")


def _compute_and_storage() -> Iterator[InstanceType]:
    yield from _sized("F{}s_v2", (2, 4, 8, 16, 32, 48, 64, 72), 2, family="standardFSv2Family")
    yield from _sized("FX{}mds", (4, 12, 24, 36, 48), 21, family="standardFXMDVSFamily")
    sizes = (8, 16, 32, 48, 64, 80)
    yield from _sized("L{}s_v2", sizes, 8, family="standardLSv2Family")
    yield from _sized("L{}s_v3", sizes, 8, family="standardLSv3Family")
    yield from _sized("L{}as_v3", sizes, 8, family="standardLASv3Family")


def _whole_gpus() -> Iterator[InstanceType]:
    yield from _listed(
        "NC{}as_T4_v3",
        [("4", 4, 28, 1), ("8", 8, 56, 1), ("16", 16, 110, 1), ("64", 64, 440, 4)],
        family="standard NCASv3_T4 Family",
    )
    yield from _listed(
        "NC{}ads_A100_v4",
        [("24", 24, 220, 1), ("48", 48, 440, 2), ("96", 96, 880, 4)],
        family="standardNCADSA100v4Family",
    )
    volta_and_pascal = [("6", 6, 112, 1), ("12", 12, 224, 2), ("24", 24, 448, 4)]
    yield from _listed("NC{}s_v2", volta_and_pascal, family="standardNCSv2Family")
    yield from _listed("NC{}s_v3", volta_and_pascal, family="standardNCSv3Family")
    yield from _listed("ND{}rs_v2", [("40", 40, 672, 8)], family="standardNDSv2Family")
    yield from _listed("ND{}asr_v4", [("96", 96, 900, 8)], family="standard NDASv4_A100 Family")
    yield from _listed(
        "ND{}amsr_A100_v4", [("96", 96, 1900, 8)], family="standard NDAMSv4_A100Family"
    )
    yield from _listed(
        "NC{}_H100_v5",
        [("40ads", 40, 320, 1), ("80adis", 80, 640, 2)],
        family="standardNCADSH100v5Family",
    )
    yield from _listed(
        "ND{}_H100_v5",
        [("96is", 96, 1900, 8), ("96isr", 96, 1900, 8)],
        family="standardNDv5H100Family",
    )


def _gpu_fractions() -> Iterator[InstanceType]:
    yield from _listed(
        "NV{}_A10_v5",
        [
            ("6ads", 6, 55, 1 / 6),
            ("12ads", 12, 110, 1 / 3),
            ("18ads", 18, 220, 1 / 2),
            ("36ads", 36, 440, 1),
            ("36adms", 36, 880, 1),
            ("72ads", 72, 880, 2),
        ],
        family="standardNVADSA10v5Family",
    )


INSTANCE_TYPES = (*_general(), *_compute_and_storage(), *_whole_gpus(), *_gpu_fractions())
_BY_NAME = {known.name.lower(): known for known in INSTANCE_TYPES}
