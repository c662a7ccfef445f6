"""What may be said of a registry, in YAML and on the wire; what could have no effect is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from verdazul.model.entity import registry_entity
from verdazul.model.errors import UserError
from verdazul.model.ids import AssetId, LocatedId, WorkspaceId, parse_source
from verdazul.model.registry import (
    RegistrySpec,
    load_registry,
    read_registry,
    registry_from_arm,
    registry_to_arm,
)

AZURES = """
name: Shared1
tags: {team: risk}
description: for all
location: local
id: ignored
replication_locations:
- location: Local
public_network_access: Enabled
"""


def loaded(folder: Path, text: str, **flags: object) -> RegistrySpec:
    file = folder / "registry.yml"
    file.write_text(text)
    return load_registry(file, flags, location="local")


def test_azures_yaml_is_taken_for_this_homes_location(tmp_path: Path) -> None:
    spec = loaded(tmp_path, AZURES)

    assert spec == RegistrySpec(name="Shared1", description="for all", tags={"team": "risk"})
    assert registry_from_arm("Shared1", registry_to_arm(spec, "local"), location="LOCAL") == spec
    assert load_registry(None, {"name": "ab"}, location="local") == RegistrySpec(name="ab")
    assert registry_to_arm(RegistrySpec(name="ab"), "local")["properties"] == {}


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("name: ab\nlocation: eastus\n", "WrongLocation", "registry.yml:2"),
        ("name: ab\nreplication_locations: [{location: mars}]\n", "WrongLocation", "mars"),
        ("name: ab\nreplication_locations: x\n", "InvalidValue", "must be a list"),
        ("name: ab\nreplication_locations: [{}]\n", "MissingKey", "location"),
        (
            "name: ab\nreplication_locations: [{location: local, storage_config: []}]\n",
            "NotSupportedYet",
            "storage_config",
        ),
        ("name: ab\npublic_network_access: Disabled\n", "NotSupportedYet", "registry.yml:2"),
        ("name: ab\ncontainer_registry: x\n", "NotSupportedYet", "container_registry"),
        ("name: ab\nintellectual_property: {publisher: x}\n", "NotSupportedYet", "publish|reads"),
        ("name: ab\nreplicas: 2\n", "UnknownKey", "registry.yml:2"),
        ("location: local\n", "MissingKey", "--name"),
        ("name: a\n", "InvalidRegistryName", "2 to 32"),
        ("name: -ab\n", "InvalidRegistryName", "2 to 32"),
    ],
)
def test_what_could_have_no_effect_is_refused_by_name(
    tmp_path: Path, text: str, code: str, told: str
) -> None:
    with pytest.raises(UserError, match=told) as refusal:
        loaded(tmp_path, text)

    assert refusal.value.problem.code == code


def test_a_registrys_own_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "registry.yml").write_text("description: d\nlocation: eastus\nid: x\n")

    assert read_registry(tmp_path / "registry.yml") == RegistrySpec(description="d")


@pytest.mark.parametrize(
    "region",
    [
        {"location": "local", "acrDetails": [{"systemCreatedAcrAccount": {"sku": "Premium"}}]},
        {"location": "local", "storageAccountDetails": [{"userCreatedStorageAccount": None}]},
        {"location": "local", "acrDetails": None},
    ],
)
def test_what_azure_would_make_by_itself_is_taken(region: dict[str, Any]) -> None:
    body = {"properties": {"regionDetails": [region]}, "identity": {"type": "SystemAssigned"}}

    assert registry_from_arm("ab", body, location="local").name == "ab"


@pytest.mark.parametrize(
    "region",
    [
        {"location": "local", "acrDetails": [{"userCreatedAcrAccount": {"armResourceId": "x"}}]},
        {"location": "local", "acrDetails": ["x"]},
        {"location": "local", "acrDetails": "x"},
        {"location": "local", "more": 1},
        {"location": 1},
        "local",
    ],
)
def test_accounts_of_ones_own_are_refused(region: object) -> None:
    with pytest.raises(UserError, match="regionDetails"):
        registry_from_arm("ab", {"properties": {"regionDetails": [region]}}, location="local")


def test_another_region_on_the_wire_is_refused() -> None:
    body = {"properties": {"regionDetails": [{"location": "mars"}]}}

    with pytest.raises(UserError, match="this home is in local"):
        registry_from_arm("ab", body, location="local")


def test_a_registry_is_shown_in_azures_words() -> None:
    body: dict[str, object] = {
        "id": "/subscriptions/s/resourceGroups/g/providers/x/registries/ab",
        "name": "ab",
        "location": "local",
        "properties": {"regionDetails": [{"location": "local"}], "discoveryUrl": "u"},
    }

    found = registry_entity(body)

    assert found["replication_locations"] == [{"location": "local"}]
    assert (found["location"], found["discovery_url"], found["tags"]) == ("local", "u", {})
    assert registry_entity({"name": "ab"})["replication_locations"] == []


def test_what_is_shared_is_named_in_full() -> None:
    arm = WorkspaceId("s", "g", "w").asset("models", "m", "1")

    assert parse_source(str(arm)) == arm == AssetId(arm.workspace, "models", "m", "1")
    text = "azureml://locations/l/workspaces/guid/Models/m/versions/1"
    assert parse_source(text) == LocatedId("l", "guid", "models", "m", "1")
    for other in ("azureml:m:1", str(arm.workspace), "azureml://registries/r/models/m/versions/1"):
        with pytest.raises(UserError, match="names no version"):
            parse_source(other)
