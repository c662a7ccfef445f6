"""What a datastore's credentials are to Azure's library.

A secret goes to its account, or to the authority that it was declared with; a token of this
machine's own identity to Azure's clouds only, since whoever is shown one can use it elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from verdazul.artifacts.account_errors import unusable
from verdazul.model.datastore import CredentialsType, DatastoreSpec, Protocol

CONNECT_SECONDS = 10
READ_SECONDS = 60
_AZURES = ("core.windows.net", "core.chinacloudapi.cn", "core.usgovcloudapi.net")
_ACCOUNT = re.compile("[a-z0-9]{3,24}")  # Azure's own rule
_AUTHORITIES = {
    "core.chinacloudapi.cn": "https://login.chinacloudapi.cn",
    "core.usgovcloudapi.net": "https://login.microsoftonline.us",
}
_AUTHORITY = "https://login.microsoftonline.com"
_STORAGE_SCOPE = "https://storage.azure.com/.default"


def credential_of(store: DatastoreSpec, *, identity: Callable[[], Any], retries: int) -> Any:
    """As the library takes it; None asks without any. Raises UserError for what is none."""
    from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
    from azure.identity import CertificateCredential, ClientSecretCredential

    told = store.credentials
    patience: dict[str, Any] = {
        "retry_total": retries,
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
    }
    match told.type:
        case CredentialsType.ACCOUNT_KEY:
            check_key(store)
            return AzureNamedKeyCredential(store.account, told.secret)
        case CredentialsType.SAS:
            return AzureSasCredential(told.secret.removeprefix("?"))
        case CredentialsType.SERVICE_PRINCIPAL:
            return ClientSecretCredential(**_tenant(store), client_secret=told.secret, **patience)
        case CredentialsType.CERTIFICATE:
            return CertificateCredential(
                **_tenant(store), certificate_data=_certificate(store), **patience
            )
        case CredentialsType.NONE:
            return identity() if _is_azures(store) else None


def _is_azures(store: DatastoreSpec) -> bool:
    """Whether it is asked over TLS, and by nobody else: an account's name may hold an address."""
    is_plain_name = _ACCOUNT.fullmatch(store.account_name or "") is not None
    return is_plain_name and store.host in _AZURES and store.protocol != Protocol.HTTP


def check_key(store: DatastoreSpec) -> None:
    """Raise UserError for an account's key that cannot be one."""
    try:
        base64.b64decode(store.credentials.secret, validate=True)
    except (binascii.Error, ValueError):
        raise unusable(
            store, "is no account_key, which is base64 as the account shows it"
        ) from None


def this_machine() -> Any:
    """Who this machine is in Azure: variables, workload or managed identity, `az login`.

    None where it is nobody: then only what is open to everybody is read.
    """
    from azure.identity import CredentialUnavailableError, DefaultAzureCredential

    several = DefaultAzureCredential(
        exclude_interactive_browser_credential=True,
        exclude_shared_token_cache_credential=True,
        exclude_visual_studio_code_credential=True,
    )
    credentials: Any = several.credentials
    for one in credentials:
        try:
            one.get_token(_STORAGE_SCOPE)
        except CredentialUnavailableError:
            continue
        return one
    return None


def _tenant(store: DatastoreSpec) -> dict[str, Any]:
    told = store.credentials
    authority = told.authority_url or _AUTHORITIES.get(store.host, _AUTHORITY)
    is_azures = authority.rstrip("/") in {_AUTHORITY, *_AUTHORITIES.values()}
    return {
        "tenant_id": told.tenant_id,
        "client_id": told.client_id,
        "authority": authority,
        "disable_instance_discovery": not is_azures,
    }


def _certificate(store: DatastoreSpec) -> bytes:
    """PEM with its key as it is, PKCS#12 in base64."""
    text = store.credentials.secret
    if "-----BEGIN" in text:
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise unusable(
            store, "is no certificate: that is PEM text with its key, or PKCS#12 in base64"
        ) from None
