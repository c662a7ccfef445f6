"""From YAML files and flags to specs.

Whatever is wrong is told with file:line and all at once. Relative paths start at the YAML file,
must exist, and leave here absolute; a conda file leaves here as text.
"""

from __future__ import annotations

import ast
import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from verdazul.model.assets import is_address, is_reference
from verdazul.model.conda import CondaSource, conda_text, requirements_conda
from verdazul.model.declared import Declared
from verdazul.model.deployment import DeploymentSpec
from verdazul.model.document import read_document
from verdazul.model.endpoint import EndpointSpec
from verdazul.model.errors import Problem, UserError
from verdazul.model.files import existing, existing_folder, read_bytes, read_file
from verdazul.model.problems import refuse, unknown_key
from verdazul.model.show import Key, dotted, shown
from verdazul.model.source import Source, name_it, opened, override, resolve, spec_of
from verdazul.model.supported import refuse_unsupported


class RefuseKeys(Protocol):
    """Raises UserError for keys that would have no effect where the spec goes."""

    def __call__(
        self, spec: EndpointSpec | DeploymentSpec, *, where: Callable[[Key], str]
    ) -> None: ...


def load_endpoint(
    path: Path,
    *,
    name: str | None = None,
    sets: Sequence[str] = (),
    adds: Sequence[Sequence[str]] = (),
    removes: Sequence[Sequence[str]] = (),
    force_string: bool = False,
    refuse_keys: RefuseKeys = refuse_unsupported,
) -> EndpointSpec:
    """The endpoint that a YAML file and flags describe. Raises UserError naming file:line."""
    source = opened(path)
    override(source, sets=sets, adds=adds, removes=removes, force_string=force_string)
    name_it(source, name=name)
    return _endpoint(source, refuse_keys)


def load_deployment(
    path: Path,
    *,
    name: str | None = None,
    endpoint_name: str | None = None,
    sets: Sequence[str] = (),
    adds: Sequence[Sequence[str]] = (),
    removes: Sequence[Sequence[str]] = (),
    force_string: bool = False,
    refuse_keys: RefuseKeys = refuse_unsupported,
) -> DeploymentSpec:
    """The deployment that a YAML file and flags describe. Raises UserError naming file:line."""
    source = opened(path)
    override(source, sets=sets, adds=adds, removes=removes, force_string=force_string)
    name_it(source, name=name, endpoint_name=endpoint_name)
    return _deployment(source, refuse_keys)


def endpoint_from_mapping(
    mapping: Mapping[str, object],
    *,
    sets: Sequence[str] = (),
    adds: Sequence[Sequence[str]] = (),
    removes: Sequence[Sequence[str]] = (),
    force_string: bool = False,
    refuse_keys: RefuseKeys = refuse_unsupported,
) -> EndpointSpec:
    """The same without a file: for flags alone, or for a stored spec (`to_mapping`) and flags."""
    source = Source("the endpoint", copy.deepcopy(dict(mapping)), Path())
    override(source, sets=sets, adds=adds, removes=removes, force_string=force_string)
    return _endpoint(source, refuse_keys)


def deployment_from_mapping(
    mapping: Mapping[str, object],
    *,
    base: Path = Path(),
    sets: Sequence[str] = (),
    adds: Sequence[Sequence[str]] = (),
    removes: Sequence[Sequence[str]] = (),
    force_string: bool = False,
    refuse_keys: RefuseKeys = refuse_unsupported,
) -> DeploymentSpec:
    """The same without a file; relative paths start at `base`."""
    source = Source("the deployment", copy.deepcopy(dict(mapping)), base)
    override(source, sets=sets, adds=adds, removes=removes, force_string=force_string)
    return _deployment(source, refuse_keys)


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


def _endpoint(source: Source, refuse_keys: RefuseKeys = refuse_unsupported) -> EndpointSpec:
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
    spec = spec_of(EndpointSpec, source)
    refuse_keys(spec, where=source.where)
    return spec


def _deployment(source: Source, refuse_keys: RefuseKeys = refuse_unsupported) -> DeploymentSpec:
    tree = source.tree
    resolve(source, ("code_configuration", "code"), is_reference, existing_folder)
    resolve(source, ("model", "path"), is_address, existing)
    resolve(source, ("environment", "build", "path"), is_address, existing_folder)
    environment = tree.get("environment")
    if isinstance(environment, dict):
        take_conda(source, environment, at=("environment",), model=DeploymentSpec)
    spec = spec_of(DeploymentSpec, source)
    refuse_keys(spec, where=source.where)
    _script_exists(spec, source)
    return spec


def take_conda(
    source: Source, environment: dict[str, object], *, at: tuple[str, ...], model: type[Declared]
) -> None:
    """Replace the `conda_file` of an environment, which is `at` that key, by its text."""
    key = (*at, "conda_text")
    if "conda_text" in environment and source.where(key):
        # Our own word: right in a stored spec, unknown where a person writes.
        del environment["conda_text"]
        source.problems.append(
            unknown_key(key, model, where=source.where(key), written=dotted(key))
        )
    if "conda_file" not in environment:
        return
    conda = environment.pop("conda_file")

    def where(key: Key) -> str:
        return source.where((*at, "conda_file", *key))

    try:
        environment["conda_text"] = read_conda(conda, base=source.base, where=where)
    except UserError as error:
        source.problems += error.problem.details or [error.problem]


def _script_exists(spec: DeploymentSpec, source: Source) -> None:
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
