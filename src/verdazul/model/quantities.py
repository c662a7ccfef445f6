"""Amounts as Kubernetes writes them: "100m" or "0.5" of a core, "1Gi" or "200M" of memory.

Kept as text where they were declared, so that what is shown is what was written; read here where
they count.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

from verdazul.model.declared import must_be, read_text

LEAST_MEMORY_BYTES = 1_000_000
"""Azure's: memory is at least 1 MB."""
_MOST = Decimal(2**63 - 1)  # Kubernetes', too
_QUANTITY = re.compile(
    r"\+?(?P<number>[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})"
    r"(?P<suffix>[KMGTPE]i|[mkMGTPE]|[eE][+-]?[0-9]{1,2})?"
)
_FACTORS = {
    "m": Decimal("0.001"),
    **{letter: Decimal(1000) ** n for n, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** n for n, letter in enumerate("KMGTPE", start=1)},
}


def cores(text: str) -> float:
    """Of a `cpu`, up to the next thousandth."""
    return math.ceil(_amount(text) * 1000) / 1000


def size_in_bytes(text: str) -> int:
    """Of a `memory`, up to the next byte."""
    return math.ceil(_amount(text))


def read_cpu(value: object) -> str:
    """A `cpu` as it is declared; raises what pydantic tells where it is none."""
    text = read_text(value).strip()
    if not _is_quantity(text) or _amount(text) <= 0:
        raise must_be('an amount of cores above 0, such as "0.5" or "500m"')
    return text


def read_memory(value: object) -> str:
    """A `memory` as it is declared; likewise."""
    text = read_text(value).strip()
    if not _is_quantity(text) or _amount(text) < LEAST_MEMORY_BYTES:
        raise must_be('an amount of memory, at least 1 MB, such as "500Mi" or "2Gi"')
    return text


def read_gpus(value: object) -> str:
    """A number of GPUs; likewise."""
    text = read_text(value).strip()
    if not re.fullmatch("[0-9]{1,4}", text):
        raise must_be('a whole number of GPUs, such as "1"')
    return text


def _is_quantity(text: str) -> bool:
    return bool(_QUANTITY.fullmatch(text)) and _amount(text) <= _MOST


def _amount(text: str) -> Decimal:
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no quantity")
    number, suffix = Decimal(found["number"]), found["suffix"] or ""
    if suffix in _FACTORS:
        return number * _FACTORS[suffix]
    return number * Decimal(10) ** int(suffix[1:] or 0)
