"""The home's own people and programs, as Microsoft Graph would show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from verdazul.client.connection import Connection
from verdazul.client.workspace import Resource
from verdazul.model.errors import NotFound

_USERS, _PRINCIPALS = "/v1.0/users", "/v1.0/servicePrincipals"


@dataclass(frozen=True, slots=True)
class Directory:
    """Both collections. All calls raise what Connection.request raises."""

    connection: Connection

    def users(self) -> list[dict[str, Any]]:
        return list(self.connection.pages(_USERS))

    def principals(self) -> list[dict[str, Any]]:
        return list(self.connection.pages(_PRINCIPALS))

    def user(self, id_: str) -> Resource:
        """By id or user name."""
        return Resource(self.connection, f"{_USERS}/{quote(id_, safe='')}")

    def principal(self, id_: str) -> Resource:
        """By id or application id."""
        return Resource(self.connection, f"{_PRINCIPALS}/{quote(id_, safe='')}")

    def create_user(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._post(_USERS, body)

    def create_principal(self, name: str) -> dict[str, Any]:
        return self._post(_PRINCIPALS, {"displayName": name})

    def add_secret(self, id_: str, credential: Mapping[str, Any]) -> dict[str, Any]:
        """A new secret, told this once."""
        told: dict[str, Any] = (
            self.principal(id_).act("addPassword", {"passwordCredential": credential}).body
        )
        return told

    def find(self, name: str) -> tuple[str, str] | None:
        """The id and az's type of whoever logs in by that name; None when nobody does."""
        for resource, kind in (
            (self.principal(name), "ServicePrincipal"),
            (self.user(name), "User"),
        ):
            try:
                return str(resource.get().body["id"]), kind
            except NotFound:
                continue
        return None

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = self.connection.request("POST", path, body=body).body
        return made
