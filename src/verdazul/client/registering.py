"""Registering models, environments and data as versions of a name that a person chose.

A version that is not named is the next one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from verdazul.client.assets import Telling, pack_data, register_model
from verdazul.client.datastore import open_store
from verdazul.client.workspace import Resource, Workspace
from verdazul.model.asset_bodies import data_to_arm, environment_to_arm, model_to_arm
from verdazul.model.assets import InlineData, InlineEnvironment, InlineModel, is_address

Body = dict[str, Any]


def create_model(workspace: Workspace, model: InlineModel, *, telling: Telling) -> Body:
    """Register a model; a local file or folder is uploaded."""
    version = model.version or _next(workspace, "models", str(model.name))
    numbered = model.model_copy(update={"version": version})
    if not is_address(model.path):
        return _read(workspace, register_model(workspace, numbered, telling=telling))
    body = model_to_arm(numbered, model.path)
    return _put(workspace.asset("models", str(model.name), version), body)


def create_data(workspace: Workspace, data: InlineData, *, telling: Telling) -> Body:
    """Register data; a local file or folder is uploaded."""
    uri = data.path
    if not is_address(uri):
        uri = open_store(workspace).put(pack_data(Path(uri)), telling=telling)
    version = data.version or _next(workspace, "data", str(data.name))
    return _put(workspace.asset("data", str(data.name), version), data_to_arm(data, uri))


def create_environment(workspace: Workspace, environment: InlineEnvironment) -> Body:
    """Register an environment."""
    name = str(environment.name)
    version = environment.version or _next(workspace, "environments", name)
    return _put(workspace.asset("environments", name, version), environment_to_arm(environment))


def _next(workspace: Workspace, kind: str, name: str) -> str:
    found = workspace.asset_container(kind, name).find()
    return str(found.body["properties"]["nextVersion"]) if found else "1"


def _put(asset: Resource, body: Body) -> Body:
    registered: Body = asset.put(body).body
    return registered


def _read(workspace: Workspace, path: str) -> Body:
    found: Body = workspace.connection.request("GET", path).body
    return found
