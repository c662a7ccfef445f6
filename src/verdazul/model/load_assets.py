"""From YAML files and flags to models, environments and data that are to be registered.

As load.py does it for endpoints and deployments: file:line in every error, paths start at the file.
Flags win over the file; a path in a flag starts where the person is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from verdazul.model.assets import InlineData, InlineEnvironment, InlineModel, is_address
from verdazul.model.errors import UserError
from verdazul.model.files import existing
from verdazul.model.load import take_conda
from verdazul.model.source import Source, SpecT, name_it, opened, override, resolve, spec_of


def load_model(
    file: Path | None, flags: Mapping[str, object], *, sets: Sequence[str] = ()
) -> InlineModel:
    """The model that a file and flags describe. Raises UserError naming file:line or flag."""
    source = _source(file, flags, sets)
    resolve(source, ("path",), is_address, existing)
    return _named(spec_of(InlineModel, source), source)


def load_data(
    file: Path | None, flags: Mapping[str, object], *, sets: Sequence[str] = ()
) -> InlineData:
    """The data that a file and flags describe. Raises UserError naming file:line or flag."""
    source = _source(file, flags, sets)
    resolve(source, ("path",), is_address, existing)
    return _named(spec_of(InlineData, source), source)


def load_environment(
    file: Path | None, flags: Mapping[str, object], *, sets: Sequence[str] = ()
) -> InlineEnvironment:
    """The environment that a file and flags describe. Raises UserError naming file:line or flag."""
    source = _source(file, flags, sets)
    if "build" in source.tree:
        raise UserError(
            "build is not supported yet: images are not built from a Dockerfile",
            code="NotSupportedYet",
            where=source.where(("build",)),
            fix="use `image` and `conda_file`",
        )
    take_conda(source, source.tree, at=(), model=InlineEnvironment)
    return _named(spec_of(InlineEnvironment, source), source)


def _source(file: Path | None, flags: Mapping[str, object], sets: Sequence[str]) -> Source:
    source = opened(file) if file else Source("the command line", {}, Path())
    override(source, sets=sets, adds=(), removes=(), force_string=False)
    name_it(source, **flags)
    return source


def _named(spec: SpecT, source: Source) -> SpecT:
    if not getattr(spec, "name", None):
        raise UserError(
            "no name was given",
            code="MissingKey",
            where=source.subject,
            fix="add `name: ...`, or pass --name",
        )
    return spec
