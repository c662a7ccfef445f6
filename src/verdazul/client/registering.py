"""Registering models, environments and data as versions of a name that a person chose.

A version that is not named is the next one.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from verdazul.client.assets import NAME_LENGTH, Telling, pack_data, register_model, upload_parcel
from verdazul.client.datastore import open_store
from verdazul.client.workspace import Assets, Resource, Workspace
from verdazul.model.asset_bodies import data_to_arm, environment_to_arm, model_to_arm
from verdazul.model.assets import InlineData, InlineEnvironment, InlineModel, is_address

_FETCH_SECONDS = 3600.0  # the server answers when it has the files
Body = dict[str, Any]


def create_model(place: Assets, model: InlineModel, *, telling: Telling) -> Body:
    """Register a model; a local file or folder is uploaded, an address is the server's to fetch."""
    if is_address(model.path):
        return fetched_model(place, model, telling=telling)
    version = model.version or _next(place, "models", str(model.name))
    register_model(place, model.model_copy(update={"version": version}), telling=telling)
    return _read(place.asset("models", str(model.name), version))


def fetched_model(place: Assets, model: InlineModel, *, telling: Telling) -> Body:
    """Register what an address has now; without a name, it is named by the address."""
    name = model.name or hashlib.sha256(model.path.encode()).hexdigest()[:NAME_LENGTH]
    version = model.version or _next(place, "models", name)
    telling.moving(f"the server fetches {model.path}")
    body = model_to_arm(model.model_copy(update={"version": version}), model.path)
    asset = place.asset("models", name, version)
    fetched: Body = asset.put(body, timeout=_FETCH_SECONDS).body
    return fetched


def create_data(place: Assets, data: InlineData, *, telling: Telling) -> Body:
    """Register data; a local file or folder is uploaded."""
    version = data.version or _next(place, "data", str(data.name))
    asset, uri = place.asset("data", str(data.name), version), data.path
    if not is_address(uri):
        parcel = pack_data(Path(uri))
        uri = (
            open_store(place).put(parcel, telling=telling)
            if isinstance(place, Workspace)
            else upload_parcel(asset, parcel, telling=telling)
        )
    return _put(asset, data_to_arm(data, uri))


def create_environment(place: Assets, environment: InlineEnvironment) -> Body:
    """Register an environment."""
    name = str(environment.name)
    version = environment.version or _next(place, "environments", name)
    return _put(place.asset("environments", name, version), environment_to_arm(environment))


def _next(place: Assets, kind: str, name: str) -> str:
    found = place.asset_container(kind, name).find()
    return str(found.body["properties"]["nextVersion"]) if found else "1"


def _put(asset: Resource, body: Body) -> Body:
    registered: Body = asset.put(body).body
    return registered


def _read(asset: Resource) -> Body:
    found: Body = asset.get().body
    return found
