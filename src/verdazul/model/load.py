"""From YAML files and flags to specs.

Whatever is wrong is told with file:line and all at once. Relative paths start at the YAML file,
must exist, and leave here absolute; a conda file leaves here as text.
"""

from __future__ import annotations

import ast
import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from verdazul.model.assets import is_address, is_reference
from verdazul.model.conda import CondaSource, conda_text, requirements_conda
from verdazul.model.declared import Declared
from verdazul.model.deployment import DeploymentSpec
from verdazul.model.document import read_document
from verdazul.model.endpoint import EndpointSpec
from verdazul.model.errors import Problem, UserError
from verdazul.model.files import existing, existing_folder, read_bytes, read_file
from verdazul.model.overrides import Overrides
from verdazul.model.problems import problems_of, refuse, unknown_key
from verdazul.model.show import Key, dotted, shown
from verdazul.model.supported import refuse_unsupported

_Spec = TypeVar("_Spec", bound=Declared)


def load_endpoint(
    path: Path,
    *,
    name: str | None = None,
    sets: Sequence[str] = (),
    adds: Sequence[Sequence[str]] = (),
    removes: Sequence[Sequence[str]] = (),
    force_string: bool = False,
) -> EndpointSpec:
    """The endpoint that a YAML file and flags describe. Raises UserError naming file:line."""
    source = _opened(path)
    _override(source, sets=sets, adds=adds, removes=removes, force_string=force_string)
    _named(source, name=name)
    return _endpoint(source)


def load_deployment(
    path: Path,
    *,
    name: str | None = None,
    endpoint_name: str | None = None,
    sets: Sequence[str] = (),
    adds: Sequence[Sequence[str]] = (),
    removes: Sequence[Sequence[str]] = (),
    force_string: bool = False,
) -> DeploymentSpec:
    """The deployment that a YAML file and flags describe. Raises UserError naming file:line."""
    source = _opened(path)
    _override(source, sets=sets, adds=adds, removes=removes, force_string=force_string)
    _named(source, name=name, endpoint_name=endpoint_name)
    return _deployment(source)


def endpoint_from_mapping(
    mapping: Mapping[str, object],
    *,
    sets: Sequence[str] = (),
    adds: Sequence[Sequence[str]] = (),
    removes: Sequence[Sequence[str]] = (),
    force_string: bool = False,
) -> EndpointSpec:
    """The same without a file: for flags alone, or for a stored spec (`to_mapping`) and flags."""
    source = _Source("the endpoint", copy.deepcopy(dict(mapping)), Path())
    _override(source, sets=sets, adds=adds, removes=removes, force_string=force_string)
    return _endpoint(source)


def deployment_from_mapping(
    mapping: Mapping[str, object],
    *,
    base: Path = Path(),
    sets: Sequence[str] = (),
    adds: Sequence[Sequence[str]] = (),
    removes: Sequence[Sequence[str]] = (),
    force_string: bool = False,
) -> DeploymentSpec:
    """The same without a file; relative paths start at `base`."""
    source = _Source("the deployment", copy.deepcopy(dict(mapping)), base)
    _override(source, sets=sets, adds=adds, removes=removes, force_string=force_string)
    return _deployment(source)


def check_scoring_script(spec: DeploymentSpec) -> None:
    """Parse the scoring script without running it. Raises UserError (ScoringScriptSyntaxError).

    Nothing is checked when the code is not a local folder.
    """
    configuration = spec.code_configuration
    if configuration is None or is_reference(configuration.code):
        return
    file = Path(configuration.code) / configuration.scoring_script
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(read_bytes(file), filename=str(file))
    except SyntaxError as error:
        raise _syntax(spec.name, file, error.lineno or 1, error.msg) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise _syntax(spec.name, file, 1, str(error) or "nested too deeply") from None


def read_conda(conda: object, *, base: Path, where: Callable[[Key], str] = lambda _: "") -> str:
    """The conda text of a `conda_file` value: a path (conda or requirements) or the mapping itself.

    Raises UserError; in a conda file of its own, with that file's line.
    """
    if isinstance(conda, Mapping):
        return conda_text(conda, CondaSource(where, base))
    if not isinstance(conda, str) or not conda.strip():
        raise UserError(
            f"conda_file is {shown(conda) if conda else 'empty'}; it must be a path or a mapping",
            code="InvalidValue",
            where=where(()),
        )
    if "\n" in conda:
        raise UserError(
            "conda_file is a text of several lines; it must be a path or a mapping",
            code="InvalidValue",
            where=where(()),
            fix="delete the `|` after `conda_file:`",
        )
    file = existing(conda, base, "conda_file", where=where(()))
    if file.suffix == ".txt":
        return requirements_conda(file)
    document = read_document(read_file(file), str(file))
    if document.problems:
        raise refuse(document.problems, str(file))

    def placed(key: Key) -> str:
        return f"{file}:{document.lines[key]}"

    return conda_text(document.tree, CondaSource(placed, file.parent))


@dataclass(slots=True)
class _Source:
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


def _opened(path: Path) -> _Source:
    document = read_document(read_file(path), str(path))
    return _Source(
        str(path), document.tree, path.parent, document.lines, problems=document.problems
    )


def _override(
    source: _Source,
    *,
    sets: Sequence[str],
    adds: Sequence[Sequence[str]],
    removes: Sequence[Sequence[str]],
    force_string: bool,
) -> None:
    overrides = Overrides(sets=sets, adds=adds, removes=removes, force_string=force_string)
    source.flags.update(overrides.apply(source.tree).flags)
    for changed in source.flags:
        for key in [key for key in source.lines if key[: len(changed)] == changed]:
            del source.lines[key]


def _named(source: _Source, **names: str | None) -> None:
    for key, name in names.items():
        if name is not None:
            source.tree[key] = name
            source.flags[key,] = f"--{key.replace('_', '-')} {name}"


def _endpoint(source: _Source) -> EndpointSpec:
    if "endpoint_name" in source.tree:
        source.problems.append(
            Problem(
                "UnknownKey",
                "unknown key `endpoint_name`; this is a deployment, not an endpoint",
                "create it with `online-deployment`",
                source.where(("endpoint_name",)),
            )
        )
        raise refuse(source.problems[-1:], source.subject)
    spec = _spec(EndpointSpec, source)
    refuse_unsupported(spec, where=source.where)
    return spec


def _deployment(source: _Source) -> DeploymentSpec:
    tree = source.tree
    _resolve(source, ("code_configuration", "code"), is_reference, existing_folder)
    _resolve(source, ("model", "path"), is_address, existing)
    environment = tree.get("environment")
    if isinstance(environment, dict):
        _take_conda(source, environment)
    spec = _spec(DeploymentSpec, source)
    refuse_unsupported(spec, where=source.where)
    _script_exists(spec, source)
    return spec


def _spec(model: type[_Spec], source: _Source) -> _Spec:
    source.tree.pop("$schema", None)
    try:
        spec = model.model_validate(source.tree)
    except ValidationError as error:
        problems = problems_of(error, model, where=source.where)
        raise refuse([*source.problems, *problems], source.subject) from None
    if source.problems:
        raise refuse(source.problems, source.subject)
    return spec


def _resolve(
    source: _Source,
    key: tuple[str, str],
    is_elsewhere: Callable[[str], bool],
    find: Callable[..., Path],
) -> None:
    """Make a local path absolute, in place; what is not a path at all is left to validation."""
    parent = source.tree.get(key[0])
    text = parent.get(key[1]) if isinstance(parent, dict) else None
    if not isinstance(parent, dict) or not isinstance(text, str) or not text.strip():
        return
    if is_elsewhere(text):
        return
    try:
        parent[key[1]] = str(find(text, source.base, dotted(key), where=source.where(key)))
    except UserError as error:
        source.problems.append(error.problem)


def _take_conda(source: _Source, environment: dict[str, object]) -> None:
    """Replace `conda_file` by its text."""
    key = ("environment", "conda_text")
    if "conda_text" in environment and source.where(key):
        # Our own word: right in a stored spec, unknown where a person writes.
        del environment["conda_text"]
        source.problems.append(
            unknown_key(key, DeploymentSpec, where=source.where(key), written=dotted(key))
        )
    if "conda_file" not in environment:
        return
    conda = environment.pop("conda_file")

    def where(key: Key) -> str:
        return source.where(("environment", "conda_file", *key))

    try:
        environment["conda_text"] = read_conda(conda, base=source.base, where=where)
    except UserError as error:
        source.problems += error.problem.details or [error.problem]


def _script_exists(spec: DeploymentSpec, source: _Source) -> None:
    configuration = spec.code_configuration
    if configuration is None or is_reference(configuration.code):
        return
    key = ("code_configuration", "scoring_script")
    where = source.where(key)
    script = existing(
        configuration.scoring_script, Path(configuration.code), dotted(key), where=where
    )
    if not script.is_file():
        raise UserError(f"{dotted(key)} is a folder: {script}", code="InvalidValue", where=where)


def _syntax(deployment: str, file: Path, line: int, message: str) -> UserError:
    return UserError(
        f"Failed to submit deployment {deployment} due to syntax errors in scoring script "
        f"{file.name}. Error on line {line}: {message}",
        code="ScoringScriptSyntaxError",
        where=f"{file}:{line}",
    )
