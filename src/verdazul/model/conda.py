"""A conda file as one self-contained text: checked, with its requirement files written into it.

An environment is rebuilt when this text changes, so it is written in one form: comments and layout
do not count, and nothing in it points to another file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from verdazul.model.errors import Problem, UserError
from verdazul.model.files import existing, read_file
from verdazul.model.nearest import nearest
from verdazul.model.problems import refuse
from verdazul.model.show import Key, dotted, shown

KEYS = ("name", "channels", "dependencies", "variables", "prefix")
_INCLUDE = re.compile(r"(?:-r|--requirement)(?:\s+|=|\s*(?=\S))(?P<file>.+)")
_CONSTRAINT = re.compile(r"(?:-c|--constraint|-e|--editable)\b")
_LOCAL = re.compile(r"\.{0,2}/|\.{1,2}$|([^@]+@\s*)?file:")
_COMMENT = re.compile(r"(^|\s)#.*$")


@dataclass(frozen=True, slots=True)
class CondaSource:
    """Where a conda mapping came from: how to place a key, and what paths start from."""

    where: Callable[[Key], str]
    base: Path


def conda_text(conda: Mapping[str, object], source: CondaSource) -> str:
    """The text of a conda file. Raises UserError naming each key that is wrong."""
    problems = [*_unknown_keys(conda, source), *_misshapen(conda, source)]
    if problems:
        raise refuse(problems, "the conda file")
    dependencies = []
    for index, entry in enumerate(_list(conda.get("dependencies"))):
        where = source.where(("dependencies", index))
        dependencies.append(_self_contained(entry, source, where))
    return _written({**conda, "dependencies": dependencies})


def requirements_conda(file: Path) -> str:
    """The conda text that installs what a requirements.txt names."""
    entries = _requirements(file, ())
    return _written({"dependencies": ["pip", {"pip": entries}]})


def _written(conda: Mapping[str, object]) -> str:
    return yaml.safe_dump(dict(conda), sort_keys=False, allow_unicode=True, width=1000)


def _unknown_keys(conda: Mapping[str, object], source: CondaSource) -> list[Problem]:
    problems = []
    for key in conda:
        if key not in KEYS:
            close = nearest(key, KEYS)
            fix = f"did you mean `{close}`?" if close else f"known keys: {', '.join(KEYS)}"
            message = f"unknown key `{key}` in a conda file; {fix}"
            problems.append(Problem("UnknownKey", message, where=source.where((key,))))
    return problems


def _misshapen(conda: Mapping[str, object], source: CondaSource) -> list[Problem]:
    if not conda.get("dependencies"):
        message = "a conda file needs `dependencies`, a list such as `- python=3.12`"
        return [Problem("MissingKey", message, where=source.where(()))]
    wrong = [
        (key, conda.get(key))
        for key in ("channels", "dependencies")
        if not isinstance(conda.get(key, []), list)
    ]
    problems = [
        _invalid(source, (key,), f"{key} is {shown(value)}; it must be a list")
        for key, value in wrong
    ]
    for index, entry in enumerate(_list(conda.get("dependencies"))):
        if not isinstance(entry, str) and not _is_pip(entry):
            problems.append(
                _invalid(
                    source,
                    ("dependencies", index),
                    f"{dotted(('dependencies', index))} is neither a package such as python=3.12 "
                    "nor a mapping `pip:` with a list of requirements",
                )
            )
    return problems


def _invalid(source: CondaSource, key: Key, message: str) -> Problem:
    return Problem("InvalidValue", message, where=source.where(key))


def _is_pip(entry: object) -> bool:
    if not isinstance(entry, Mapping) or set(entry) != {"pip"}:
        return False
    return isinstance(entry["pip"], list) and all(isinstance(item, str) for item in entry["pip"])


def _self_contained(entry: object, source: CondaSource, where: str) -> object:
    if not isinstance(entry, Mapping):
        return entry
    items: list[str] = []
    for item in entry["pip"]:
        items += _lines(str(item), source.base, where=where, opened=())
    return {"pip": items}


def _requirements(file: Path, opened: tuple[Path, ...]) -> list[str]:
    """The requirements in a file and in the files it includes, without comments."""
    entries: list[str] = []
    pending = ""
    for number, line in enumerate(read_file(file).splitlines(), start=1):
        pending += line
        if pending.endswith("\\"):
            pending = f"{pending[:-1]} "
            continue
        where = f"{file}:{number}"
        entries += _lines(pending, file.parent, where=where, opened=(*opened, file))
        pending = ""
    return entries


def _lines(line: str, base: Path, *, where: str, opened: tuple[Path, ...]) -> list[str]:
    """What one line of requirements comes to: nothing, itself, or the lines of another file."""
    entry = " ".join(_COMMENT.sub("", line).split())
    include = _INCLUDE.match(entry)
    if include:
        file = existing(include["file"].strip(), base, "the requirement file", where=where)
        if file in opened:
            raise UserError(f"{file} includes itself", code="InvalidValue", where=where)
        return _requirements(file, opened)
    if _CONSTRAINT.match(entry) or _LOCAL.match(entry):
        raise UserError(
            f"the requirement {shown(entry)} points to a file beside it, which is not supported",
            code="NotSupportedYet",
            where=where,
            fix="name a package, or a wheel by its https address",
        )
    return [entry] if entry else []


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
