"""The `pip:` list of a conda file, line by line. Pure.

A line is a requirement (kept as it is: uv understands pip's syntax) or an option that concerns
the index (kept, in order). What would reach for files or variables of the machine that builds is
refused: the same file must give the same environment everywhere, and a conda file must not read
its builder's secrets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from verdazul.environments.matchspec import BadSpec
from verdazul.environments.names import normalise

_REQUIREMENT = re.compile(
    r"\A(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?P<rest>.*)\Z"
)
_REST = re.compile(r"\A(\[[^\]]*\])?\s*(\(|[=<>!~;@]|--|\Z|#)")
_REMOTE = re.compile(r"\A((git|hg|bzr|svn)\+)?(https?|ssh)://\S+", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
_LONG = {"-i": "--index-url", "-f": "--find-links", "--pypi-url": "--index-url"}
_VALUED = frozenset(
    {"--index-url", "--extra-index-url", "--find-links", "--no-binary", "--only-binary"}
)
_URLS = frozenset({"--index-url", "--extra-index-url", "--find-links"})
_FILES = frozenset({"-r", "--requirement", "-c", "--constraint", "-e", "--editable"})


@dataclass(frozen=True, slots=True)
class PipLine:
    """One line for a requirements file. `name` is normalised, "" for options and bare URLs.

    `arguments` go to uv's command line instead, where uv wants them there.
    """

    text: str
    name: str = ""
    arguments: tuple[str, ...] = ()


def parse_pip_line(entry: str) -> PipLine:
    """Read one entry of the `pip:` list. Raises BadSpec."""
    line = entry.strip()
    if "\n" in line or "\r" in line:
        raise BadSpec("it has several lines; give each requirement its own `- `")
    variable = _VARIABLE.search(line)
    if variable:
        raise BadSpec(
            f"`{variable[0]}` would be replaced by a variable of the machine that builds; "
            "write the value, or configure the index on the machine"
        )
    return _option(line) if line.startswith("-") else _requirement(line)


def _requirement(line: str) -> PipLine:
    if _REMOTE.match(line):
        return PipLine(line)
    match = _REQUIREMENT.match(line)
    if not match or not _REST.match(match["rest"]):
        raise BadSpec(_what_is_wrong(line))
    url = re.search(r"@\s*(\S+)", match["rest"].split(";")[0])
    if url and not _REMOTE.match(url[1]):
        raise BadSpec(_what_is_wrong(url[1]))
    return PipLine(re.sub(r"\s+", " ", line), normalise(match["name"]))


def _what_is_wrong(line: str) -> str:
    if line.startswith(("file:", ".", "/", "~")) or "/" in line.split(";", 1)[0]:
        return (
            f"`{line}` is a path, and the machine that builds does not have it; put the package "
            "into the deployment's code folder or on an index"
        )
    return f"`{line}` is not a pip requirement such as `joblib==1.2.0`"


def _option(line: str) -> PipLine:
    flag, value = _split(line)
    flag = _LONG.get(flag, flag)
    if flag in _FILES:
        raise BadSpec(f"`{flag}` names a file that is not part of the conda file; list its lines")
    if flag == "--pre" and not value:
        return PipLine("", arguments=("--prerelease", "allow"))
    if flag == "--trusted-host" and value:
        return PipLine("", arguments=("--allow-insecure-host", value))
    if flag == "--no-index" and not value:
        return PipLine(flag)
    if flag not in _VALUED or not value:
        raise BadSpec(f"the option `{flag}` is not understood here; known: {_known()}")
    if flag in _URLS and not _REMOTE.match(value):
        raise BadSpec(f"`{flag}` must be given an http(s) URL, not `{value}`")
    return PipLine(f"{flag} {value}")


def _split(line: str) -> tuple[str, str]:
    match = re.match(r"\A(--[a-z-]+|-[a-z])(?:=|\s+|)(.*)\Z", line)
    return (match[1], match[2].strip()) if match else (line, "")


def _known() -> str:
    return ", ".join(sorted(_VALUED | {"--no-index", "--pre", "--trusted-host"}))
