"""One version of a registry's asset as a folder: Azure's YAML, its files, and words beside it.

3/model.yml        what `az ml model create -f` takes; never changes
3/content/weights  its files, when we wrote it; `path` says where they are
3/.verdazul.json   what was said about it since: tags, archived or not
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from verdazul.core.records import Asset, AssetKey
from verdazul.model.asset_yaml import CONDA, version_to_arm, version_to_yaml
from verdazul.model.assets import InlineData, InlineEnvironment, InlineModel, is_address
from verdazul.model.errors import UserError
from verdazul.model.load_assets import load_data, load_environment, load_model
from verdazul.model.show import shown
from verdazul.tree import files_digest, tree_files

BESIDE = ".verdazul.json"
_YAML = {"models": "model.yml", "environments": "environment.yml", "data": "data.yml"}
_CONTENT = "content"
_BESIDE_YAML = frozenset(
    {
        *("description", "tags", "properties", "stage", "isArchived"),
        *("flavors", "jobName", "referencedUris"),
    }
)
"""Nothing that a deployment is made from: that is what the YAML says."""


def is_version(folder: Path, kind: str) -> bool:
    """Whether its YAML is there: somebody may be copying it."""
    return (folder / _YAML[kind]).is_file()


def model_of(folder: Path, name: str) -> InlineModel:
    """What model.yml says. Raises UserError with file:line."""
    spec: InlineModel = load_model(folder / _YAML["models"], _named(folder, name))
    if is_address(spec.path):
        raise UserError(
            f"path is {shown(spec.path)}; the files of a registry's model lie beside its YAML",
            code="InvalidRegistry",
            where=str(folder / _YAML["models"]),
        )
    _refuse_outside(folder, "models", spec.path)
    return spec


def environment_of(folder: Path, name: str) -> InlineEnvironment:
    """What environment.yml says. Raises UserError with file:line."""
    return load_environment(folder / _YAML["environments"], _named(folder, name))


def asset_of(folder: Path, kind: str, name: str) -> Asset:
    """The version, as a workspace would have it."""
    spec = _spec(folder, kind, name)
    path = "" if isinstance(spec, InlineEnvironment) else spec.path
    properties = version_to_arm(spec, path if is_address(path) else f"./{Path(path).name}")
    file = folder / BESIDE
    beside = _beside(file)
    hashed = str((properties.get("properties") or {}).get("hash_sha256", ""))
    return Asset(
        AssetKey(kind, name, folder.name),
        json.dumps({**properties, **beside}, sort_keys=True),
        digest="",
        tree_hash=hashed,
        created_at=(folder / _YAML[kind]).stat().st_mtime,
        modified_at=file.stat().st_mtime if beside else None,
    )


def files_of(folder: Path, kind: str, name: str) -> list[tuple[str, Path]]:
    """Its files, under their own name, as scripts expect to find them."""
    spec = _spec(folder, kind, name)
    if isinstance(spec, InlineEnvironment) or is_address(spec.path):
        return []
    return files_at(Path(spec.path))


def files_at(path: Path) -> list[tuple[str, Path]]:
    """Those of one file or folder."""
    if path.is_file():
        return [(path.name, path)]
    return [(f"{path.name}/{inner}", file) for inner, file in tree_files(path) if inner != BESIDE]


def digest_of_files(files: Sequence[tuple[str, Path]]) -> str:
    """As the store of artifacts counts it; "" for none."""
    return f"sha256:{files_digest(files)}" if files else ""


def is_archived(folder: Path) -> bool:
    """Whether it is left out where nobody asks for it."""
    return bool(_beside(folder / BESIDE).get("isArchived"))


def write_version(
    folder: Path, kind: str, properties: Mapping[str, Any], content: Path | None
) -> None:
    """Into an empty folder, down to the disk. `content` is a folder with one entry."""
    top = _only_entry(content) if content else None
    mapping, beside = version_to_yaml(kind, properties, f"{_CONTENT}/{top.name}" if top else "")
    conda = mapping.pop("conda_text", None)
    if conda:
        mapping["conda_file"] = CONDA
        _write(folder / CONDA, str(conda))
    _write(folder / _YAML[kind], yaml.safe_dump(mapping, sort_keys=False, allow_unicode=True))
    if beside:
        _write(folder / BESIDE, json.dumps(beside, sort_keys=True))
    if top:
        (folder / _CONTENT).mkdir()
        _copy(top, folder / _CONTENT / top.name)


def describe_version(folder: Path, said: Mapping[str, Any], staged: Path) -> None:
    """Say something else about it; `staged` is a path on the same disk that nothing is at."""
    _write(staged, json.dumps({**_beside(folder / BESIDE), **said}, sort_keys=True))
    staged.replace(folder / BESIDE)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Write through which names are in it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _spec(folder: Path, kind: str, name: str) -> InlineModel | InlineData | InlineEnvironment:
    if kind == "models":
        return model_of(folder, name)
    if kind == "environments":
        return environment_of(folder, name)
    spec = load_data(folder / _YAML["data"], _named(folder, name))
    if not is_address(spec.path):
        _refuse_outside(folder, "data", spec.path)
    return spec


def _refuse_outside(folder: Path, kind: str, path: str) -> None:
    """Who may write to a shared folder must not read by us what is ours alone."""
    registry = folder.parents[2]
    if not any(Path(path).resolve().is_relative_to(root.resolve()) for root in (folder, registry)):
        raise UserError(
            f"path leads to {shown(path)}, outside of the registry",
            code="InvalidRegistry",
            where=str(folder / _YAML[kind]),
            fix="put the files beside the YAML",
        )


def _named(folder: Path, name: str) -> dict[str, object]:
    return {"name": name, "version": folder.name}


def _beside(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise _broken(file, str(error)) from None
    if not isinstance(found, dict):
        raise _broken(file, "it is no object")
    return {key: value for key, value in found.items() if key in _BESIDE_YAML}


def _broken(file: Path, why: str) -> UserError:
    return UserError(
        f"it is not the JSON that was written there: {why}",
        code="InvalidRegistry",
        where=str(file),
        fix="remove it: tags, description and archived are then as its YAML says",
    )


def _only_entry(content: Path) -> Path:
    tops = sorted(content.iterdir())
    if len(tops) != 1:
        names = ", ".join(shown(top.name) for top in tops[:5])
        raise UserError(
            f"what lies in a registry is one file or one folder; this is {len(tops)}: {names}",
            code="UnusableFile",
            fix="put them into one folder",
        )
    return tops[0]


def _copy(source: Path, target: Path) -> None:
    """Readable for all whom the disk's own rights let in, and writable for the owner again."""
    if source.is_file():
        _copy_file(source, target)
        return
    list(tree_files(source))  # refuses what leads out of it
    target.mkdir()
    for base, folders, names in os.walk(source):
        below = target / Path(base).relative_to(source)
        for name in folders:
            (below / name).mkdir()
        for name in names:
            _copy_file(Path(base, name), below / name)
        sync_folder(below)


def _copy_file(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return
    shutil.copyfile(source, target)
    is_executable = bool(source.stat().st_mode & stat.S_IXUSR)
    target.chmod(0o755 if is_executable else 0o644)
    _sync_file(target)


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    _sync_file(file)


def _sync_file(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
