"""A connection: an address elsewhere and what opens it, for deployments to name as a secret.

    name: llm
    type: azure_open_ai
    target: https://models.example
    credentials: {type: api_key, key: ...}

Credentials go to the server once; what is shown of a connection never holds them unasked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from verdazul.model.declared import Declared, Filled, Text, TextMap, Truth, choice, says
from verdazul.model.errors import UserError
from verdazul.model.source import Source, name_it, opened, override, spec_of


class ConnectionType(StrEnum):
    """What is at the other end; the API calls it category."""

    CUSTOM = "custom"
    API_KEY = "api_key"
    AZURE_OPEN_AI = "azure_open_ai"
    AZURE_AI_SERVICES = "azure_ai_services"
    AZURE_AI_SEARCH = "azure_ai_search"
    AZURE_BLOB = "azure_blob"
    AZURE_SQL_DB = "azure_sql_db"
    AZURE_POSTGRES_DB = "azure_postgres_db"
    CONTAINER_REGISTRY = "container_registry"
    GIT = "git"
    PYTHON_FEED = "python_feed"
    S3 = "s3"
    SNOWFLAKE = "snowflake"


class CredentialsType(StrEnum):
    """How one is let in; the API calls it authType."""

    API_KEY = "api_key"
    KEYS = "custom_keys"
    PAT = "pat"
    USERNAME_PASSWORD = "username_password"  # noqa: S105 - the name of a kind
    ACCESS_KEY = "access_key"
    SAS = "sas"
    SERVICE_PRINCIPAL = "service_principal"
    NONE = "none"


_CATEGORIES = {
    ConnectionType.CUSTOM: "CustomKeys",
    ConnectionType.API_KEY: "ApiKey",
    ConnectionType.AZURE_OPEN_AI: "AzureOpenAI",
    ConnectionType.AZURE_AI_SERVICES: "AIServices",
    ConnectionType.AZURE_AI_SEARCH: "CognitiveSearch",
    ConnectionType.AZURE_BLOB: "AzureBlob",
    ConnectionType.AZURE_SQL_DB: "AzureSqlDb",
    ConnectionType.AZURE_POSTGRES_DB: "AzurePostgresDb",
    ConnectionType.CONTAINER_REGISTRY: "ContainerRegistry",
    ConnectionType.GIT: "Git",
    ConnectionType.PYTHON_FEED: "PythonFeed",
    ConnectionType.S3: "S3",
    ConnectionType.SNOWFLAKE: "Snowflake",
}
# authType, and for each key in YAML its key on the wire
_CREDENTIALS: Mapping[CredentialsType, tuple[str, Mapping[str, str]]] = {
    CredentialsType.API_KEY: ("ApiKey", {"key": "key"}),
    CredentialsType.KEYS: ("CustomKeys", {"keys": "keys"}),
    CredentialsType.PAT: ("PAT", {"pat": "pat"}),
    CredentialsType.USERNAME_PASSWORD: (
        "UsernamePassword",
        {"username": "username", "password": "password"},
    ),
    CredentialsType.ACCESS_KEY: (
        "AccessKey",
        {"access_key_id": "accessKeyId", "secret_access_key": "secretAccessKey"},
    ),
    CredentialsType.SAS: ("SAS", {"sas_token": "sas"}),
    CredentialsType.SERVICE_PRINCIPAL: (
        "ServicePrincipal",
        {"client_id": "clientId", "client_secret": "clientSecret", "tenant_id": "tenantId"},
    ),
    CredentialsType.NONE: ("None", {}),
}


class Credentials(Declared):
    """What opens it. Which keys there must be depends on `type`."""

    type: Annotated[CredentialsType, choice(CredentialsType)]
    key: Filled | None = None
    keys: TextMap | None = None
    pat: Filled | None = None
    username: Filled | None = None
    password: Filled | None = None
    access_key_id: Filled | None = None
    secret_access_key: Filled | None = None
    sas_token: Filled | None = None
    client_id: Filled | None = None
    client_secret: Filled | None = None
    tenant_id: Filled | None = None

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> Self:
        needed = set(_CREDENTIALS[self.type][1])
        there = set(self.to_mapping()) - {"type"}
        if there != needed:
            keys = ", ".join(sorted(needed)) or "no other key"
            raise says("InvalidValue", f"credentials of type {self.type.value} hold {keys}")
        return self


class ConnectionSpec(Declared):
    """What a person declared."""

    name: Filled
    type: Annotated[ConnectionType, choice(ConnectionType)]
    target: Text = "_"
    credentials: Credentials = Credentials(type=CredentialsType.NONE)
    metadata: TextMap = Field(default_factory=dict)
    is_shared: Truth = True


def load_connection(
    file: Path, *, name: str | None = None, sets: Sequence[str] = ()
) -> ConnectionSpec:
    """The connection that a YAML file and flags describe. Raises UserError naming file:line."""
    source = opened(file)
    override(source, sets=sets, adds=(), removes=(), force_string=False)
    name_it(source, name=name)
    return spec_of(ConnectionSpec, source)


def changed_connection(
    resource: Mapping[str, Any],
    *,
    sets: Sequence[str],
    adds: Sequence[Sequence[str]],
    removes: Sequence[Sequence[str]],
    force_string: bool,
) -> ConnectionSpec:
    """A stored connection, with its credentials, after flags. Raises UserError naming the flag."""
    stored = connection_entity(resource)
    del stored["id"]
    source = Source("the connection", stored, Path())
    override(source, sets=sets, adds=adds, removes=removes, force_string=force_string)
    spec = spec_of(ConnectionSpec, source)
    if spec.name != resource["name"]:
        raise UserError(
            f"name cannot change from {resource['name']} to {spec.name}",
            code="InvalidValue",
            fix="create another connection, then delete this one",
        )
    return spec


def connection_to_arm(spec: ConnectionSpec) -> dict[str, Any]:
    """The body of a PUT; it holds the credentials."""
    auth, words = _CREDENTIALS[spec.credentials.type]
    said = spec.credentials.to_mapping()
    return {
        "properties": {
            "authType": auth,
            "category": _CATEGORIES[spec.type],
            "target": spec.target,
            "credentials": {wire: said[key] for key, wire in words.items()} or None,
            "metadata": dict(spec.metadata),
            "isSharedToAll": spec.is_shared,
        }
    }


def connection_entity(resource: Mapping[str, Any]) -> dict[str, Any]:
    """A connection as people see it; what we have no word for is shown as the server says it."""
    said = resource.get("properties") or {}
    kinds = {wire: kind.value for kind, wire in _CATEGORIES.items()}
    auths = {wire: (kind.value, words) for kind, (wire, words) in _CREDENTIALS.items()}
    auth, category = str(said.get("authType")), str(said.get("category"))
    kind, words = auths.get(auth, (auth, {}))
    secrets = said.get("credentials") or {}
    return {
        "credentials": {"type": kind} | _in_our_words(secrets, words),
        "id": resource.get("id"),
        "is_shared": said.get("isSharedToAll"),
        "metadata": said.get("metadata") or {},
        "name": resource.get("name"),
        "target": said.get("target"),
        "type": kinds.get(category, category),
    }


def _in_our_words(secrets: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, Any]:
    ours = {wire: key for key, wire in words.items()}
    return {ours.get(wire, wire): value for wire, value in secrets.items()}
