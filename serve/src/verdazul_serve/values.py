"""Texts from the environment and from config.json, read as the kinds of value a setting may be.

Whatever is wrong is told with the variable, its value, what would be right and where it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from verdazul_serve.failure import BootFailure

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
NO_LIMIT = 2.0**31  # seconds, hence 68 years: a time that every timer can count
_YES = frozenset({"true", "1", "yes", "y", "on", "t"})
_NO = frozenset({"false", "0", "no", "n", "off", "f"})


class Values:
    """The environment, then the file at `path`. An empty text is as good as none."""

    def __init__(
        self, environ: Mapping[str, str], in_file: Mapping[str, Any], path: str | None
    ) -> None:
        self._environ = environ
        self._in_file = in_file
        self._path = path
        self._known: set[str] = set()

    def text(self, name: str) -> str | None:
        self._known.add(name)
        return self._environ.get(name) or self._text_in_file(name) or None

    def unknown(self) -> list[str]:
        """The file's keys that nobody has asked for."""
        return [key for key in self._in_file if key not in self._known]

    def whole(self, name: str, default: int, *, least: int = 1, most: int = 2**31) -> int:
        value = self.maybe_whole(name, least=least, most=most)
        return default if value is None else value

    def maybe_whole(self, name: str, *, least: int = 1, most: int = 2**31) -> int | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise self.wrong(name, f"a whole number from {least} to {most}")
        return value

    def port(self, name: str) -> int | None:
        return self.maybe_whole(name, most=65535)

    def seconds(self, name: str, default: float) -> float:
        value = self._number(name, default)
        if not 0 < value < NO_LIMIT:
            raise self.wrong(name, "a number of seconds above 0")
        return value

    def seconds_or_zero(self, name: str, default: float, *, zero: float) -> float:
        """As `seconds`, but 0 is allowed and stands for `zero`."""
        value = self._number(name, default)
        if not 0 <= value < NO_LIMIT:
            meaning = "no limit" if zero else "at once"
            raise self.wrong(name, f"a number of seconds above 0, or 0 ({meaning})")
        return value or zero

    def flag(self, name: str, *, default: bool) -> bool:
        text = self.text(name)
        if text is None:
            return default
        word = text.strip().lower()
        if word not in _YES | _NO:
            raise self.wrong(name, "true or false")
        return word in _YES

    def is_true(self, name: str) -> bool | None:
        """Where Azure takes `true` in any case, and every other text for false."""
        text = self.text(name)
        return None if text is None else text.lower() == "true"

    def level(self, name: str) -> str:
        text = (self.text(name) or "INFO").upper()
        level = {"WARN": "WARNING", "FATAL": "CRITICAL"}.get(text, text)
        if level not in LEVELS:
            raise self.wrong(name, f"one of {', '.join(LEVELS)}")
        return level

    def header_value(self, name: str, default: str) -> str:
        text = self.text(name) or default
        if not (text.isascii() and text.isprintable()):
            raise self.wrong(name, "a text of ASCII characters on one line, as it becomes a header")
        return text

    def listed(self, name: str) -> tuple[str, ...]:
        items = (item.strip() for item in (self.text(name) or "").split(","))
        return tuple(item for item in items if item)

    def wrong(self, name: str, right: str) -> BootFailure:
        """The failure to raise about what `name` is now."""
        place = "" if self._environ.get(name) else f" in {self._path}"
        what = f"{name}{place}" if place else f"the environment variable {name}"
        return BootFailure(
            "ConfigurationError",
            f"{name} is {self.text(name)!r}{place}; it must be {right}",
            fix=f"correct or remove {what}",
        )

    def _number(self, name: str, default: float) -> float:
        text = self.text(name)
        if text is None:
            return default
        try:
            return float(text)
        except ValueError:
            return -1.0

    def _text_in_file(self, name: str) -> str:
        value = self._in_file.get(name)
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (str, int, float)):
            return str(value)
        raise BootFailure(
            "ConfigurationError",
            f"{name} is {value!r} in {self._path}; it must be a text, a number, true or false",
            fix=f"correct or remove {name} in {self._path}",
        )
