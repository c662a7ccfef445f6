"""What is to become a spec: a mapping, from where each of its keys came, and what flags changed.

A story of three steps: `opened` (or a mapping at hand), `override` and `name_it`, then `spec_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from verdazul.model.declared import Declared
from verdazul.model.document import read_document
from verdazul.model.errors import Problem, UserError
from verdazul.model.files import read_file
from verdazul.model.overrides import Overrides
from verdazul.model.problems import problems_of, refuse
from verdazul.model.show import Key, dotted

SpecT = TypeVar("SpecT", bound=Declared)


@dataclass(slots=True)
class Source:
    """What is to become a spec, and where each of its keys was written."""

    subject: str
    tree: dict[str, object]
    base: Path
    lines: dict[Key, int] = field(default_factory=dict)
    flags: dict[Key, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def where(self, key: Key) -> str:
        """The flag or the line that wrote a key, or what it is in."""
        below = next((flag for set_, flag in self.flags.items() if set_[: len(key)] == key), "")
        if below and key and key not in self.lines:
            return below
        for length in range(len(key), -1, -1):
            if key[:length] in self.flags:
                return self.flags[key[:length]]
            if key[:length] in self.lines:
                return f"{self.subject}:{self.lines[key[:length]]}"
        return ""


def opened(path: Path) -> Source:
    """Read a YAML file. Raises UserError naming file:line."""
    document = read_document(read_file(path), str(path))
    return Source(str(path), document.tree, path.parent, document.lines, problems=document.problems)


def override(
    source: Source,
    *,
    sets: Sequence[str],
    adds: Sequence[Sequence[str]],
    removes: Sequence[Sequence[str]],
    force_string: bool,
) -> None:
    """Apply az's generic update arguments."""
    overrides = Overrides(sets=sets, adds=adds, removes=removes, force_string=force_string)
    source.flags.update(overrides.apply(source.tree).flags)
    for changed in source.flags:
        for key in [key for key in source.lines if key[: len(changed)] == changed]:
            del source.lines[key]


def name_it(source: Source, **names: object) -> None:
    """Let flags win over what the file says; None is a flag that was not given."""
    for key, name in names.items():
        if name is not None:
            source.tree[key] = name
            source.flags[key,] = f"--{key.replace('_', '-')} {name}"


def spec_of(model: type[SpecT], source: Source) -> SpecT:
    """Validate it; all that is wrong is told at once."""
    source.tree.pop("$schema", None)
    try:
        spec = model.model_validate(source.tree)
    except ValidationError as error:
        problems = problems_of(error, model, where=source.where)
        raise refuse([*source.problems, *problems], source.subject) from None
    if source.problems:
        raise refuse(source.problems, source.subject)
    return spec


def resolve(
    source: Source,
    key: tuple[str, ...],
    is_elsewhere: Callable[[str], bool],
    find: Callable[..., Path],
) -> None:
    """Make a local path absolute, in place; what is not a path at all is left to validation."""
    parent: object = source.tree
    for part in key[:-1]:
        parent = parent.get(part) if isinstance(parent, dict) else None
    text = parent.get(key[-1]) if isinstance(parent, dict) else None
    if not isinstance(parent, dict) or not isinstance(text, str) or not text.strip():
        return
    if is_elsewhere(text):
        return
    try:
        parent[key[-1]] = str(find(text, source.base, dotted(key), where=source.where(key)))
    except UserError as error:
        source.problems.append(error.problem)
