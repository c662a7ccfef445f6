"""What an unmodified client asks first: which cloud this is, and where its parts are.

A client that is told ARM_CLOUD_METADATA_URL reads it again and again; it is cheap and needs no
credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from verdazul.api.arm import Links, Rule
from verdazul.core.tenant import control_audiences
from verdazul.model.oauth import TENANT

CLOUD = "Verdazul"
STORAGE_SUFFIX = "x/"
"""Clients build `https://{account}.blob.{suffix}` of it and of the account's name, which holds our
address: `https://localhost:8443/store.blob.x/`. So one address serves all, with no name resolved.
The slash at the end matters: some join paths to it as to a folder.
"""
ACCOUNT = "store"
BLOBS = f"{ACCOUNT}.blob.{STORAGE_SUFFIX}".rstrip("/")
"""The first segment of every blob's path."""


def account_name(links: Links) -> str:
    """The storage account as datastores name it."""
    return f"{links.address.partition('://')[2]}/{ACCOUNT}"


@dataclass(frozen=True, slots=True)
class DiscoveryRoutes:
    """One handler; it renders what is configured."""

    links: Links

    def public_rules(self) -> list[Rule]:
        """Paths from the root that need no credential."""
        return [Rule("GET", "metadata/endpoints", self.clouds)]

    async def clouds(self, request: Request, values: Mapping[str, str]) -> Response:
        """The list of clouds, which is one."""
        del request, values
        address = f"{self.links.address}/"
        cloud = {
            "name": CLOUD,
            "portal": address,
            "resourceManager": address,
            "authentication": {
                "loginEndpoint": address,
                "audiences": list(control_audiences(self.links.address)),
                "tenant": TENANT,
                "identityProvider": "AAD",
            },
            "graph": address,
            "microsoftGraphResourceId": address,
            "suffixes": {"storage": STORAGE_SUFFIX},
        }
        return JSONResponse([cloud])
