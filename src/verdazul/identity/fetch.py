"""Getting an issuer's keys: OpenID Connect discovery, then its key set. Bounded in time and size.

Nothing is followed anywhere: a redirect, another issuer's name or a foreign scheme is a failure.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

import httpx

from verdazul.identity.keys import sound_keys
from verdazul.model.errors import Problem, Retryable, UserError, VerdazulError
from verdazul.model.files import read_file
from verdazul.model.issuers import Issuer, is_safe_url

_MOST_BYTES = 1_048_576
_OK = 200


async def keys_of(issuer: Issuer, *, timeout_seconds: float) -> str:
    """Its usable keys as text. Raises UserError or Retryable saying why there are none."""
    if issuer.jwks_file:
        return _usable(issuer, read_file(Path(issuer.jwks_file)), issuer.jwks_file)
    try:
        async with asyncio.timeout(timeout_seconds), _client(issuer) as client:
            return await _discovered(issuer, client)
    except TimeoutError:
        raise _unreachable(issuer, f"no answer within {timeout_seconds:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _unreachable(issuer, str(error) or type(error).__name__) from None


def _client(issuer: Issuer) -> httpx.AsyncClient:
    try:
        trust = ssl.create_default_context(cafile=issuer.ca_file) if issuer.ca_file else True
    except (OSError, ssl.SSLError):
        raise UserError(
            f"ca_file {issuer.ca_file!r} of issuer {issuer.issuer!r} cannot be read as "
            "certificates (PEM)",
            code="IssuersFileInvalid",
        ) from None
    return httpx.AsyncClient(verify=trust)


async def _discovered(issuer: Issuer, client: httpx.AsyncClient) -> str:
    told = _json(issuer, await _get(issuer, client, issuer.discovery_url))
    if told.get("issuer") != issuer.issuer:
        raise UserError(
            f"{issuer.discovery_url} tells of issuer {str(told.get('issuer'))[:200]!r}, "
            f"not of {issuer.issuer!r}",
            code="IssuerMismatch",
            fix="write `issuer` exactly as it is told there",
        )
    address = told.get("jwks_uri")
    if not isinstance(address, str) or not is_safe_url(address):
        raise _unusable(
            issuer, f"{issuer.discovery_url} names no jwks_uri that is an https address"
        )
    return _usable(issuer, await _get(issuer, client, address), address)


async def _get(issuer: Issuer, client: httpx.AsyncClient, url: str) -> str:
    async with client.stream("GET", url) as response:
        if response.status_code != _OK:
            raise _unreachable(issuer, f"{url} answered {response.status_code}")
        body = b""
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _MOST_BYTES:
                raise _unusable(issuer, f"{url} answered more than {_MOST_BYTES} bytes")
    return body.decode(errors="replace")


def _json(issuer: Issuer, text: str) -> dict[str, object]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise _unusable(issuer, f"{issuer.discovery_url} answered no JSON object")
    return told


def _usable(issuer: Issuer, text: str, where: str) -> str:
    keys = sound_keys(text)
    if not keys:
        raise _unusable(issuer, f"{where} holds no public signing key (RSA, EC or OKP)")
    return keys


def _unreachable(issuer: Issuer, why: str) -> VerdazulError:
    return Retryable(
        f"the keys of issuer {issuer.issuer!r} cannot be had: {why}", code="IssuerUnreachable"
    )


def _unusable(issuer: Issuer, why: str) -> VerdazulError:
    return Retryable.of(
        Problem("IssuerKeysUnusable", f"the keys of issuer {issuer.issuer!r} cannot be used: {why}")
    )
