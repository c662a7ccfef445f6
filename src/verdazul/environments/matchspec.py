"""One conda requirement (a "MatchSpec") into a name and PEP 440 specifiers. Pure.

    scikit-learn=1.5.*                     -> scikit-learn==1.5.*
    conda-forge::joblib=1.2.0=py312_0      -> joblib==1.2.0
    numpy >=1.20,<2                        -> numpy>=1.20,<2
    pandas=1.5                             -> pandas==1.5.*     (conda's `=` means "starts with")

What PEP 440 cannot say (alternatives with `|`, patterns inside a version) is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CHANNEL = re.compile(r"\A(?P<channel>\S+?)::(?=[^:])")
_NAME = re.compile(r"\A(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)\s*(?P<rest>.*)\Z", re.DOTALL)
_BRACKETS = re.compile(r"\[(?P<pairs>[^\[\]]*)\]\Z")
_PAIR = re.compile(r"\s*(?P<key>\w+)\s*=\s*(?P<value>'[^']*'|\"[^\"]*\"|[^,'\"]*)\s*(?:,|\Z)")
_CLAUSE = re.compile(r"\A(?P<op>==|>=|<=|!=|~=|=|>|<)?(?P<version>[^=<>!~\s]+)\Z")
_VERSION = re.compile(
    r"v?(\d+!)?\d+(\.\d+)*([._-]?(a|b|c|rc|alpha|beta|pre|preview)[._-]?\d*)?"
    r"([._-]?(post|rev|r)[._-]?\d*)?([._-]?dev[._-]?\d*)?(\+[a-z0-9]+([._-][a-z0-9]+)*)?",
    re.IGNORECASE,
)
_IGNORED_KEYS = frozenset({"build", "build_number", "channel", "subdir", "md5", "sha256"})


class BadSpec(ValueError):
    """Says what is wrong with one entry; the caller adds the entry and its line."""


@dataclass(frozen=True, slots=True)
class CondaSpec:
    """`specifiers` in PEP 440, joined by commas ("": any). `build` is what conda calls a build."""

    name: str
    specifiers: str
    build: str = ""


def parse_spec(entry: str) -> CondaSpec:
    """Read one entry of a conda file's `dependencies`. Raises BadSpec."""
    text = _CHANNEL.sub("", entry.strip())
    text, bracketed = _without_brackets(text)
    match = _NAME.match(text)
    if not match:
        raise BadSpec("it must begin with a package name, as in `numpy>=1.20`")
    version, build = _version_and_build(match["rest"].strip())
    if "version" in bracketed:
        if version:
            raise BadSpec("it gives two versions")
        version = bracketed["version"]
    specifiers = ",".join(_clause(part) for part in _parts(version))
    return CondaSpec(match["name"], specifiers, build or bracketed.get("build", ""))


def _without_brackets(text: str) -> tuple[str, dict[str, str]]:
    match = _BRACKETS.search(text)
    if not match:
        return text, {}
    found: dict[str, str] = {}
    position = 0
    while position < len(match["pairs"]):
        pair = _PAIR.match(match["pairs"], position)
        if not pair or pair.end() == position:
            raise BadSpec(f"`[{match['pairs']}]` must be key=value pairs")
        if pair["key"] not in _IGNORED_KEYS | {"version"}:
            raise BadSpec(f"`{pair['key']}` in brackets is not understood; give version=")
        found[pair["key"]] = pair["value"].strip("'\" ")
        position = pair.end()
    return text[: match.start()].strip(), found


def _version_and_build(rest: str) -> tuple[str, str]:
    """Split `=1.2.0=py312_0`, `1.2.0 py312_0`, `>=1.2,<2`: a build makes the version exact."""
    tight = re.sub(r"([=<>!~,|])\s+", r"\1", re.sub(r"\s+([,|])", r"\1", rest))
    words = tight.split()
    if len(words) > 2:  # noqa: PLR2004 - a version and a build
        raise BadSpec("it has too many words; conda knows `name version build`")
    version, build = [*words, "", ""][:2]
    triple = re.fullmatch(r"=(?P<version>[^=<>!~]+)=(?P<build>[^=<>!~]*)", version)
    if triple and not build:
        version, build = triple["version"], triple["build"]
    if build:
        version = re.sub(r"\A=(?!=)", "", version)
    return version, build


def _parts(version: str) -> list[str]:
    if "|" in version:
        raise BadSpec(
            f"`{version}` gives alternatives with `|`, which pip requirements cannot say; "
            "choose one, or a range such as `>=1.5,<1.7`"
        )
    parts = version.split(",") if version else []
    if not all(parts):
        raise BadSpec(f"`{version}` has an empty part between commas")
    return [part for part in parts if part not in {"*", "=*", "==*"}]


def _clause(part: str) -> str:
    match = _CLAUSE.match(part)
    if not match:
        raise BadSpec(f"`{part}` is not a version; write it as `=1.5`, `==1.5.2` or `>=1.5,<2`")
    operator, version = match["op"] or "==", match["version"]
    stem = re.sub(r"\.?\*\Z", "", version)
    if not _VERSION.fullmatch(stem):
        raise BadSpec(f"`{version}` is not a version that pip requirements can name")
    is_open = stem != version
    if operator == "=" or (operator in {"==", "!="} and is_open):
        prefix = "!=" if operator == "!=" else "=="
        return f"{prefix}{_without_local(stem)}.*"
    if operator == "~=" and "." not in stem:
        raise BadSpec(f"`~={version}` needs two numbers at least, as in `~=1.5`")
    return f"{operator}{stem}"  # conda reads `>=1.5.*` as `>=1.5`


def _without_local(version: str) -> str:
    """PEP 440 allows `.*` after release numbers and pre-releases only."""
    return version.split("+", 1)[0]
