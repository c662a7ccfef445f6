"""Which files of a folder are sent, and the digest that they will have when they arrive.

`.amlignore` (else `.gitignore`) at the top of the folder leaves files out, in git's own syntax: the
last rule that matches decides, `!` takes back in, and nothing below a left-out folder comes back.
Symlinks are followed, as Azure's client does: what is sent is the content.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from verdazul.model.errors import UserError
from verdazul.tree import files_digest

_NEVER = frozenset({"__pycache__", ".git"})
_IGNORE_FILES = (".amlignore", ".gitignore")


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """One line of an ignore file."""

    pattern: re.Pattern[str]
    takes_back: bool
    folders_only: bool


def upload_files(folder: Path) -> list[tuple[str, Path]]:
    """(relative path with `/`, file) of all that is sent, sorted.

    Raises UserError (UnusableFile) for a folder that is none, a symlink that points nowhere or in
    a circle, and for what is neither file nor folder.
    """
    if not folder.is_dir():
        raise _unusable(f"{str(folder)!r} is not a folder", "name the folder to send")
    rules = ignore_rules(_ignore_text(folder))
    return sorted(_walk(folder, "", rules=rules, above=(folder.resolve(),)))


def tree_digest(files: Iterable[tuple[str, Path]]) -> str:
    """SHA-256 in hex over the files to be sent: paths, contents and executable bits."""
    return files_digest(files)


def ignore_rules(text: str) -> tuple[IgnoreRule, ...]:
    """Read an ignore file."""
    lines = (_stripped(line) for line in text.splitlines())
    return tuple(_rule(line) for line in lines if line and not line.startswith("#"))


def is_ignored(relative: str, rules: tuple[IgnoreRule, ...], *, is_folder: bool) -> bool:
    """Whether the rules leave this path out (its parents are judged before it)."""
    for rule in reversed(rules):
        if (is_folder or not rule.folders_only) and rule.pattern.fullmatch(relative):
            return not rule.takes_back
    return False


def _ignore_text(folder: Path) -> str:
    for name in _IGNORE_FILES:
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8-sig", errors="surrogateescape")
    return ""


def _walk(
    folder: Path, prefix: str, *, rules: tuple[IgnoreRule, ...], above: tuple[Path, ...]
) -> Iterator[tuple[str, Path]]:
    for entry in _entries(folder):
        relative = f"{prefix}{entry.name}"
        is_folder = _is_folder(entry)
        if entry.name in _NEVER or is_ignored(relative, rules, is_folder=is_folder):
            continue
        path = Path(entry.path)
        if is_folder:
            real = _not_above(path, relative, above)
            yield from _walk(path, f"{relative}/", rules=rules, above=(*above, real))
        elif path.is_file():  # False, where DirEntry.is_file fails on a circle of symlinks
            yield relative, path
        else:
            raise _unusable(_what_it_is(path, relative), "remove it, or list it in .amlignore")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise _unusable(
            f"{str(folder)!r} cannot be read: {error.strerror}", "allow reading it"
        ) from None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return Path(entry.path).is_dir() if entry.is_symlink() else entry.is_dir()


def _not_above(path: Path, relative: str, above: tuple[Path, ...]) -> Path:
    real = path.resolve()
    if real in above:
        raise _unusable(f"{relative!r} is a symlink to a folder that holds it", "remove it")
    return real


def _what_it_is(path: Path, relative: str) -> str:
    if path.is_symlink():
        return f"{relative!r} is a symlink to {str(path.readlink())!r}, which leads nowhere"
    return f"{relative!r} is neither a file nor a folder"


def _unusable(message: str, fix: str) -> UserError:
    return UserError(message, code="UnusableFile", fix=fix)


def _stripped(line: str) -> str:
    """Trailing spaces do not count unless the last is escaped."""
    return re.sub(r"(?<!\\) +\Z", "", line.rstrip("\r\n"))


def _rule(line: str) -> IgnoreRule:
    takes_back = line.startswith("!")
    body = line[1:] if takes_back else line
    folders_only = body.endswith("/")
    body = body.rstrip("/")
    anchored = "/" in body
    prefix = "" if anchored else r"(?:.*/)?"
    return IgnoreRule(re.compile(prefix + _regex(body.lstrip("/"))), takes_back, folders_only)


_TOKENS = re.compile(
    r"(?P<any_above>\A\*\*/)|(?P<any_between>/\*\*/)|(?P<all_below>/\*\*\Z)|(?P<star>\*+)"
    r"|(?P<one>\?)|(?P<set>\[[!^]?\]?[^\]/]*\])|(?P<escaped>\\.)|(?P<plain>.)",
    re.DOTALL,
)
_FIXED = {
    "any_above": r"(?:.*/)?",
    "any_between": r"/(?:.*/)?",
    "all_below": r"/.+",
    "star": r"[^/]*",
    "one": r"[^/]",
}


def _regex(pattern: str) -> str:
    return "".join(_token(match) for match in _TOKENS.finditer(pattern))


def _token(match: re.Match[str]) -> str:
    kind, text = str(match.lastgroup), match[0]
    if kind == "set":
        return _character_set(text)
    if kind == "escaped":
        return re.escape(text[1])
    return _FIXED.get(kind) or re.escape(text)


def _character_set(text: str) -> str:
    is_negated = text[1] in "!^"
    inner = text[2:-1] if is_negated else text[1:-1]
    escaped = re.sub(r"([\\\[\]&~|^])", r"\\\1", inner)
    try:
        re.compile(f"[{escaped}]")
    except re.error:
        return r"(?!)"  # an impossible range such as [z-a] matches nothing, as in git
    return f"(?!/)[{'^' if is_negated else ''}{escaped}]"
