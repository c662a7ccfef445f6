"""ISO-8601 durations, as the wire writes them: PT5S, PT0.5S, PT1M30S. Counted in milliseconds."""

from __future__ import annotations

import re
from decimal import Decimal

PATTERN = r"^P([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+([.][0-9]+)?S)?)?$"
"""How one looks to those who read JSON Schema, whose `duration` has no parts of a second."""
_FORM = re.compile(
    r"P(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,9})M)?"
    r"(?:(?P<seconds>\d{1,9}(?:[.,]\d{1,9})?)S)?)?",
    re.IGNORECASE | re.ASCII,
)
_SECONDS = {"days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}


def write_duration(milliseconds: int) -> str:
    """5000 -> PT5S; days are not used, so PT48H stays PT48H."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"PT{hours}H" if hours else "PT"
    text += f"{minutes}M" if minutes else ""
    if seconds or rest or text == "PT":
        text += f"{seconds}.{rest:03d}".rstrip("0").rstrip(".") if rest else str(seconds)
        text += "S"
    return text


def read_duration(text: str) -> int | None:
    """Milliseconds; None when it is not a duration, or is finer than a millisecond.

    Years and months are no durations: their length depends on the calendar.
    """
    match = _FORM.fullmatch(text)
    if not match or text[-1].upper() in "PT":
        return None
    parts = {name: Decimal((match[name] or "0").replace(",", ".")) for name in _SECONDS}
    milliseconds = 1000 * sum(parts[name] * size for name, size in _SECONDS.items())
    whole = int(milliseconds)
    return whole if whole == milliseconds else None
