"""A Dockerfile -> what to build, as far as local endpoints need it. Pure.

Azure's clients write the Dockerfile of a local endpoint themselves, always in the same few lines. A
machine without a container engine can do what these lines are there for: make the environment that
a conda file describes, and run the inference server in it. Everything else is refused with its
line, since doing half of a Dockerfile would give another image.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import yaml

from verdazul.core.environment import Recipe
from verdazul.environments.images import known_image
from verdazul.model.errors import UserError

_SERVED = "FROM, RUN (mkdir, conda env create, pip install), WORKDIR, COPY and CMD"
_FIX = "list packages in the conda file, or start Docker or podman, which can do everything"
_SERVER = ["runsvdir", "/var/runit"]


@dataclass(frozen=True, slots=True)
class Line:
    """One instruction. `number` is where it begins in the file."""

    number: int
    word: str
    rest: str


@dataclass(frozen=True, slots=True)
class Image:
    """What a Dockerfile comes down to here: an environment."""

    recipe: Recipe
    steps: tuple[str, ...]


def parse(text: str, *, name: str = "Dockerfile") -> tuple[Line, ...]:
    """Split into instructions. Raises UserError (DockerfileNotServed) naming the line."""
    found = tuple(_lines(text))
    if not found:
        raise UserError(f"{name} has no instructions", code="DockerfileNotServed", where=name)
    for line in found:
        if line.word not in {"FROM", "RUN", "WORKDIR", "COPY", "CMD"}:
            raise _refused(name, line, f"only {_SERVED} are")
    return found


def sources(lines: tuple[Line, ...], *, name: str = "Dockerfile") -> tuple[str, ...]:
    """Which files of the context it copies, relative to it."""
    return tuple(
        _inside(source, line, name)
        for line in lines
        if line.word == "COPY"
        for source in _copy(line, name)[0]
    )


def read(lines: tuple[Line, ...], files: Mapping[str, str], *, name: str = "Dockerfile") -> Image:
    """What the instructions make of the files that they copy. Raises UserError."""
    reader = _Reader(name, files)
    for line in lines:
        reader.take(line)
    return reader.image(lines)


class _Reader:
    """Goes through the instructions and remembers what later ones build on."""

    def __init__(self, name: str, files: Mapping[str, str]) -> None:
        self._name = name
        self._files = files
        self._base = ""
        self._workdir = PurePosixPath("/")
        self._copied: dict[PurePosixPath, tuple[Line, str]] = {}
        self._conda: str | None = None
        self._packages: list[str] = []
        self._used: set[PurePosixPath] = set()

    def take(self, line: Line) -> None:
        if line.word != "FROM" and not self._base:
            raise _refused(self._name, line, "a Dockerfile begins with FROM")
        {
            "FROM": self._from,
            "WORKDIR": self._go,
            "COPY": self._copy,
            "RUN": self._run,
            "CMD": self._cmd,
        }[line.word](line)

    def image(self, lines: tuple[Line, ...]) -> Image:
        for path, (line, _) in self._copied.items():
            if path not in self._used:
                raise _refused(
                    self._name, line, "files are copied only for `conda env create --file`"
                )
        steps = tuple(f"{line.word} {line.rest}" for line in lines)
        return Image(Recipe(self._base, self._conda_text()), steps)

    def _conda_text(self) -> str:
        if not self._packages:
            return self._conda or ""
        return _with_packages(self._conda or _conda_of(self._base), self._packages)

    def _from(self, line: Line) -> None:
        words = line.rest.split()
        if self._base or len(words) not in {1, 3} or words[0].startswith("--"):
            raise _refused(self._name, line, "there is one FROM, with one image and no flags")
        self._base = words[0]

    def _go(self, line: Line) -> None:
        self._workdir /= line.rest.strip()

    def _copy(self, line: Line) -> None:
        copied, target = _copy(line, self._name)
        for source in copied:
            relative = _inside(source, line, self._name)
            if relative not in self._files:
                raise _refused(self._name, line, f"{source} is not in the build context")
            is_folder = target.endswith("/") or len(copied) > 1 or self._is_here(target)
            place = self._workdir / target
            place = place / PurePosixPath(relative).name if is_folder else place
            self._copied[place] = (line, self._files[relative])

    def _is_here(self, target: str) -> bool:
        return self._workdir / target == self._workdir

    def _run(self, line: Line) -> None:
        words = _command(line, self._name)
        if words[:3] == ["conda", "run", "-n"] and len(words) > 4:  # noqa: PLR2004
            words = words[4:]
        match words:
            case ["mkdir", "-p", *_]:
                return
            case ["conda", "env", "create", *flags]:
                self._create(line, flags)
            case ["pip", "install", *packages] if packages and not any(
                package.startswith("-") for package in packages
            ):
                self._packages += packages
            case _:
                raise _refused(self._name, line, "commands are not run without a container engine")

    def _create(self, line: Line, flags: list[str]) -> None:
        given = dict(zip(flags[::2], flags[1::2], strict=False))
        file = given.get("--file") or given.get("-f")
        if not file or set(given) - {"-n", "--name", "-f", "--file"} or len(flags) % 2:
            raise _refused(self._name, line, "conda env create takes -n NAME and --file FILE")
        place = self._workdir / file
        if place not in self._copied:
            raise _refused(self._name, line, f"{place} was not copied")
        self._used.add(place)
        self._conda = self._copied[place][1]

    def _cmd(self, line: Line) -> None:
        try:
            words = json.loads(line.rest)
        except ValueError:
            words = line.rest.split()
        if not isinstance(words, list) or words[-2:] != _SERVER:
            raise _refused(self._name, line, "the process is always the inference server")


def _lines(text: str) -> Iterator[Line]:
    begun = 0
    parts: list[str] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        if not raw.strip() or raw.lstrip().startswith("#"):
            continue
        begun = begun if parts else number
        is_continued = raw.rstrip().endswith("\\")
        parts.append(raw.strip().removesuffix("\\").strip())
        if not is_continued:
            yield _line(begun, " ".join(parts))
            parts = []
    if parts:
        yield _line(begun, " ".join(parts))


def _line(number: int, text: str) -> Line:
    word, _, rest = text.partition(" ")
    return Line(number, word.upper(), rest.strip())


def _copy(line: Line, name: str) -> tuple[list[str], str]:
    words = _words(line, name)
    if len(words) < 2 or words[0].startswith(("--", "[")):  # noqa: PLR2004 - a source and a target
        raise _refused(name, line, "COPY takes sources and a target, and no flags")
    return words[:-1], words[-1]


def _inside(source: str, line: Line, name: str) -> str:
    path = PurePosixPath(source.lstrip("/"))
    if ".." in path.parts or re.search(r"[*?\[]", source):
        raise _refused(name, line, f"{source} is not the name of a file in the build context")
    return str(path)


def _words(line: Line, name: str) -> list[str]:
    try:
        return shlex.split(line.rest)
    except ValueError as error:
        raise _refused(name, line, str(error)) from None


def _command(line: Line, name: str) -> list[str]:
    """The words of one plain command: whatever a shell would make more of is refused."""
    reader = shlex.shlex(line.rest, posix=True, punctuation_chars=True)
    reader.whitespace_split, reader.commenters = True, ""
    try:
        words = list(reader)
    except ValueError as error:
        raise _refused(name, line, str(error)) from None
    if any(set(word) <= set("();<>|&") or set(word) & set("$`") for word in words):
        raise _refused(name, line, "commands are not run without a container engine")
    return words


def _with_packages(conda: str, packages: list[str]) -> str:
    try:
        tree = yaml.safe_load(conda)
        wanted = list(tree.get("dependencies") or [])
        none: dict[str, list[str]] = {"pip": []}
        pip = next((each for each in wanted if isinstance(each, dict)), none)
        others = [each for each in wanted if each is not pip]
        tree["dependencies"] = [*others, {"pip": [*(pip["pip"] or []), *packages]}]
    except (yaml.YAMLError, TypeError, AttributeError, KeyError):
        return conda  # whoever reads it next says what is wrong with it
    return yaml.safe_dump(tree)


def _conda_of(image: str) -> str:
    """What the image stands for, as a conda file: ground for more packages."""
    known = known_image(image)
    python = [f"python={known.python}"] if known and known.python else []
    packages = list(known.requirements) if known else []
    return json.dumps(
        {"dependencies": [*python, "pip", *([{"pip": packages}] if packages else [])]}
    )


def _refused(name: str, line: Line, why: str) -> UserError:
    return UserError(
        f"`{line.word} {line.rest[:200]}`: {why}",
        code="DockerfileNotServed",
        fix=_FIX,
        where=f"{name}:{line.number}",
    )
