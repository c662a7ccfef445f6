"""Writing to a folder of registries: whole versions and whole registries, or nothing.

Everything is made in a folder whose name begins with a dot, where nobody looks, and renamed into
place. What a killed process leaves there goes a day later; other homes may be writing beside us.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from verdazul.artifacts.registry_version import (
    asset_of,
    describe_version,
    sync_folder,
    write_version,
)
from verdazul.core.registries import Registry
from verdazul.model.errors import Conflict, NotFound, Retryable, UserError
from verdazul.model.ids import RegistryReference
from verdazul.model.registry import read_registry
from verdazul.ports import Clock

ABANDONED_SECONDS = 24 * 3600.0
ABOUT = "registry.yml"
_STAGING = ".staging-"
_DELETED = ".deleted-"
_TAKEN = {errno.EEXIST, errno.ENOTEMPTY}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}


def registry_of(folder: Path) -> Registry:
    """What is said about a registry. Raises UserError for a registry.yml that cannot be read."""
    file = folder / ABOUT
    if not file.is_file():
        return Registry(folder.name, created_at=folder.stat().st_mtime)
    spec = read_registry(file)
    return Registry(folder.name, spec.description or "", spec.tags, file.stat().st_mtime)


class Shelf:
    """The folder of registries, for writing."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self._root = root
        self._clock = clock

    def put(self, registry: Registry) -> bool:
        target = self._root / registry.name
        with _told(f"registry {registry.name}"), self._staged(self._root) as staged:
            _write_about(staged, registry)
            if target.is_dir():
                (staged / ABOUT).replace(target / ABOUT)
                sync_folder(target)
                return False
            os.rename(staged, target)  # noqa: PTH104 - the system call: atomic
            sync_folder(self._root)
            return True

    def remove(self, folder: Path) -> None:
        """Gone at once, also when we are killed now."""
        with _told(f"registry {folder.name}"):
            away = folder.with_name(f"{_DELETED}{secrets.token_hex(8)}")
            os.rename(folder, away)  # noqa: PTH104 - the system call: atomic
            sync_folder(self._root)
            if away.is_symlink():
                away.unlink()
            else:
                shutil.rmtree(away)

    def add(
        self,
        registry: Path,
        reference: RegistryReference,
        properties: Mapping[str, Any],
        content: str,
    ) -> None:
        target = registry / reference.kind / reference.name / str(reference.version)
        with _told(str(reference)), self._staged(registry) as staged:
            refuse_taken(target, reference)
            write_version(staged, reference.kind, properties, Path(content) if content else None)
            _refuse_unreadable(staged, reference)
            sync_folder(staged)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.rename(staged, target)  # noqa: PTH104 - the system call: atomic
            except OSError as error:
                if error.errno in _TAKEN:
                    raise taken(reference) from None
                raise
            for above in (target.parent, target.parent.parent, registry):
                sync_folder(above)

    def describe(self, folder: Path, said: Mapping[str, Any]) -> None:
        registry = folder.parents[2]
        with _told(str(folder)), self._staged(registry) as staged:
            describe_version(folder, said, staged / "said.json")

    @contextlib.contextmanager
    def _staged(self, folder: Path) -> Iterator[Path]:
        """A fresh folder beside what it is to become a part of."""
        folder.mkdir(parents=True, exist_ok=True)
        self._sweep(folder)
        staged = folder / f"{_STAGING}{secrets.token_hex(8)}"
        staged.mkdir()
        try:
            yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def _sweep(self, folder: Path) -> None:
        """Drop what was left by a crash."""
        for left in folder.glob(f"{_DELETED}*"):
            shutil.rmtree(left, ignore_errors=True)
        for left in folder.glob(f"{_STAGING}*"):
            with contextlib.suppress(OSError):
                if self._clock.now() - left.stat().st_mtime > ABANDONED_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)


def refuse_taken(target: Path, reference: RegistryReference) -> None:
    """Raise Conflict for a version that is there."""
    if target.exists():
        raise taken(reference)


def _refuse_unreadable(staged: Path, reference: RegistryReference) -> None:
    """What cannot be read back would be in the way of every list, and never go."""
    try:
        asset_of(staged, reference.kind, reference.name)
    except UserError as error:
        problem = error.problem
        raise UserError(problem.message, code=problem.code, fix=problem.fix) from None


def taken(reference: RegistryReference) -> Conflict:
    """A version that is there, whatever it holds."""
    return Conflict(
        f"version {reference.version} of {reference.kind}/{reference.name} exists in registry "
        f"{reference.registry}; a version never changes",
        code="AssetVersionExists",
        fix="give it another version",
    )


def _write_about(folder: Path, registry: Registry) -> None:
    said = {"name": registry.name, "description": registry.description, "tags": {**registry.tags}}
    kept = {key: value for key, value in said.items() if value}
    with (folder / ABOUT).open("w", encoding="utf-8") as file:
        yaml.safe_dump(kept, file, sort_keys=False, allow_unicode=True)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """What the disk refuses, in words."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"{what} went away meanwhile: {error}", code="RegistryNotFound") from error
    except OSError as error:
        if error.errno in _CLOSED:
            raise UserError(
                f"{what} cannot be written: {error}",
                code="RegistryReadOnly",
                fix="let the user that runs Verdazul write there (VERDAZUL_REGISTRIES)",
            ) from error
        raise Retryable(f"{what} could not be written: {error}", code="StorageFailed") from error
