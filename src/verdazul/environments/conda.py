"""A conda file's text into pip requirements. Pure; every error names its line and its entry.

The packages come from PyPI under their PyPI names, because a machine that serves models need not
have conda. What cannot come from there is dropped, and a note says so: differences are never
hidden. A `pip:` line wins over a conda line for the same package, as it does with conda, where
pip installs last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from verdazul.environments import numpy_abi
from verdazul.environments.matchspec import BadSpec, CondaSpec, parse_spec
from verdazul.environments.names import normalise, on_pypi
from verdazul.environments.piplines import PipLine, parse_pip_line
from verdazul.environments.redact import redact
from verdazul.model.errors import UserError

MAX_BYTES = 1_000_000  # Azure's limit for a build context
_KNOWN_KEYS = frozenset({"name", "channels", "dependencies", "prefix", "platforms"})
_STRING = "tag:yaml.org,2002:str"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class CondaFile:
    """What a conda file asks for. `python` holds PEP 440 specifiers ("": any; None: not listed).

    `options` are index options in their order, `arguments` go to uv's command line.
    """

    python: str | None
    requirements: tuple[str, ...]
    options: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def parse_conda(text: str) -> CondaFile:
    """Raises UserError (InvalidCondaFile) that names the line and the entry."""
    root = _compose(text)
    entries = _dependencies(root)
    if not isinstance(entries, SequenceNode):
        raise _bad(
            root, "it has no list `dependencies`", "add `dependencies:` with `- python=3.12`"
        )
    conda: list[CondaSpec] = []
    pip: list[PipLine] = []
    for node in entries.value:
        if isinstance(node, MappingNode):
            pip.extend(_pip_lines(node))
        else:
            conda.append(_read(node, parse_spec))
    return _assemble(conda, pip, notes=tuple(_notes_on_keys(root)))


def _compose(text: str) -> MappingNode:
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise UserError(
            f"the conda file has {len(text)} characters; at most {MAX_BYTES} are read",
            code="InvalidCondaFile",
        )
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError:
        raise _no_yaml("its lists are nested too deeply", "conda_file") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"conda_file line {mark.line + 1}" if mark else "conda_file"
        raise _no_yaml(str(error.problem or error.context), where) from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise _no_yaml(str(error).split("\n", 1)[0], "conda_file") from None
    if not isinstance(root, MappingNode):
        raise _no_yaml("it must be a mapping with `dependencies`", "conda_file")
    return root


def _no_yaml(why: str, where: str) -> UserError:
    fix = "give a file as `conda env export` writes it"
    return UserError(
        f"the conda file is not one: {why}", code="InvalidCondaFile", where=where, fix=fix
    )


def _bad(node: Node, message: str, fix: str = "") -> UserError:
    line = node.start_mark.line + 1 if node.start_mark else 1
    return UserError(
        f"the conda file cannot be used: {message}",
        code="InvalidCondaFile",
        where=f"conda_file line {line}",
        fix=fix,
    )


def _dependencies(root: MappingNode) -> Node | None:
    found = [(key, value) for key, value in root.value if key.value == "dependencies"]
    if len(found) > 1:
        raise _bad(found[1][0], "`dependencies` is given twice", "keep one")
    return found[0][1] if found else None


def _pip_lines(node: MappingNode) -> Iterator[PipLine]:
    for key, value in node.value:
        if key.value != "pip":
            raise _bad(key, f"`{_shown(key)}:` in `dependencies` is not known; only `pip:` is")
        if not isinstance(value, SequenceNode):
            raise _bad(key, "`pip:` must hold a list", "put `- ` before each requirement")
        for item in value.value:
            yield _read(item, parse_pip_line)


def _read(node: Node, parse: Callable[[str], _T]) -> _T:
    if not isinstance(node, ScalarNode) or node.tag != _STRING:
        raise _bad(node, f"`{_shown(node)}` is not a package requirement", "write `- name=1.2`")
    try:
        return parse(node.value)
    except BadSpec as error:
        raise _bad(node, f"`{_shown(node)}`: {error}") from None


def _shown(node: Node) -> str:
    if not isinstance(node, ScalarNode):
        return "a list" if isinstance(node, SequenceNode) else "a mapping"
    return redact(str(node.value).strip().replace("\n", "\\n"))[:120]


def _assemble(conda: list[CondaSpec], pip: list[PipLine], *, notes: tuple[str, ...]) -> CondaFile:
    python = [spec.specifiers for spec in conda if spec.name.lower() == "python"]
    packages = [spec for spec in conda if spec.name.lower() != "python"]
    in_pip = {line.name for line in pip if line.name}
    kept = [spec for spec in packages if _pypi_name(spec) not in in_pip]
    from_conda = [f"{name}{s.specifiers}" for s in kept if (name := on_pypi(s.name))]
    requirements = [line.text for line in pip if line.text and not line.text.startswith("-")]
    for_numpy_1 = [] if "numpy" in in_pip else numpy_abi.older(kept)
    if for_numpy_1:
        from_conda.append(numpy_abi.BOUND)
    return CondaFile(
        python=",".join(filter(None, python)) if python else None,
        requirements=tuple(dict.fromkeys(from_conda + requirements)),
        options=tuple(line.text for line in pip if line.text.startswith("-")),
        arguments=tuple(dict.fromkeys(a for line in pip for a in line.arguments)),
        notes=(*notes, *_notes_on_packages(packages, kept), *_notes_on_numpy(for_numpy_1)),
    )


def _pypi_name(spec: CondaSpec) -> str:
    return normalise((on_pypi(spec.name) or spec.name).split("[")[0])


def _notes_on_keys(root: MappingNode) -> Iterator[str]:
    unknown = [name for key, _ in root.value if (name := _shown(key)) not in _KNOWN_KEYS]
    if "variables" in unknown:
        yield (
            "`variables` of the conda file are not set; "
            "put them under `environment_variables` of the deployment"
        )
    others = sorted(name for name in unknown if name != "variables")
    if others:
        yield f"not known in a conda file, and not used: {', '.join(others)}"


def _notes_on_packages(packages: list[CondaSpec], kept: list[CondaSpec]) -> Iterator[str]:
    dropped = sorted({spec.name for spec in packages if on_pypi(spec.name) is None})
    if dropped:
        yield f"system packages of the conda file are not installed: {', '.join(dropped)}"
    taken = sorted({_origin(spec) for spec in kept if on_pypi(spec.name)})
    if taken:
        yield f"conda packages are taken from PyPI: {', '.join(taken)}"
    built = sorted({f"{spec.name}={spec.build}" for spec in kept if spec.build})
    if built:
        yield f"conda's build strings are not used: {', '.join(built)}"
    overruled = sorted({spec.name for spec in packages if spec not in kept})
    if overruled:
        yield f"the `pip:` list decides on packages named twice: {', '.join(overruled)}"


def _notes_on_numpy(packages: list[str]) -> Iterator[str]:
    if packages:
        yield f"numpy is held below 2, as conda does for {', '.join(packages)}"


def _origin(spec: CondaSpec) -> str:
    name = on_pypi(spec.name)
    return spec.name if name in {None, spec.name} else f"{spec.name} (as {name})"
