"""How callers reach the listener: which TLS, whose certificates, or none at all.

Certificates come by SDS, one file for each secret, so that they change without a restart. With an
own certificate there are two: Envoy picks by the name that a caller asks for, and what the own one
does not name (localhost, on most machines) is answered with the local authority's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from verdazul.gateway.resources import Json
from verdazul.model.errors import UserError
from verdazul.settings import Settings

SERVER, LOCAL, CLIENTS = "server", "local", "clients"
_TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
_CIPHERS = [  # of TLS 1.2; those of 1.3 are all strong. Forward secrecy and authenticated only.
    f"ECDHE-{kind}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for kind in ("ECDSA", "RSA")
]


@dataclass(frozen=True, slots=True)
class Tls:
    """What people set. `certificate` and `key` None: the local authority's certificate.

    `clients` says what a caller's own certificate (under `client_ca`) is: `required`, or
    `optional`: one that is shown must be good. `plain`: HTTP without TLS.
    """

    minimum: Literal["1.2", "1.3"] = "1.2"
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    clients: Literal["required", "optional"] = "required"
    plain: bool = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that Envoy must be able to read."""
        if self.plain:
            return ()
        own = (LOCAL,) if self.certificate else ()
        return (SERVER, *own, *((CLIENTS,) if self.client_ca else ()))


def tls_of(settings: Settings) -> Tls:
    """The settings of a home. Raises UserError (InvalidSetting) for ones that contradict."""
    has_certificate, has_key = settings.tls_certificate is not None, settings.tls_key is not None
    if has_certificate != has_key:
        given, missing = ("CERTIFICATE", "KEY") if has_certificate else ("KEY", "CERTIFICATE")
        raise _contradiction(
            f"VERDAZUL_TLS_{given} is set and VERDAZUL_TLS_{missing} is not",
            "an own certificate needs both files",
        )
    is_plain = settings.plain_http == "yes"
    if is_plain and (has_certificate or settings.tls_client_ca):
        raise _contradiction(
            "VERDAZUL_PLAIN_HTTP is yes, and certificates are set", "leave one of them out"
        )
    return Tls(
        "1.3" if settings.tls_minimum == "1.3" else "1.2",
        settings.tls_certificate,
        settings.tls_key,
        settings.tls_client_ca,
        "optional" if settings.tls_clients == "optional" else "required",
        is_plain,
    )


def _contradiction(what: str, fix: str) -> UserError:
    return UserError(what, code="InvalidSetting", fix=fix)


def secret_path(name: str) -> str:
    """The file of a secret, below the home."""
    return f"gateway/sds/{name}.json"


def transport(tls: Tls) -> Json:
    """The `transport_socket` of a filter chain; nothing for plain HTTP."""
    if tls.plain:
        return {}
    common: Json = {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_params": {
            "tls_minimum_protocol_version": f"TLSv1_{tls.minimum[-1]}",
            "tls_maximum_protocol_version": "TLSv1_3",
            "cipher_suites": _CIPHERS,
        },
        "tls_certificate_sds_secret_configs": [
            _by_file(name) for name in tls.secrets if name != CLIENTS
        ],
    }
    context: Json = {"@type": _TYPE + "DownstreamTlsContext", "common_tls_context": common}
    if tls.client_ca:
        common["validation_context_sds_secret_config"] = _by_file(CLIENTS)
        context["require_client_certificate"] = tls.clients == "required"
    socket = {"name": "envoy.transport_sockets.tls", "typed_config": context}
    return {"transport_socket_connect_timeout": "10s", "transport_socket": socket}


def _by_file(name: str) -> Json:
    source = {"path": secret_path(name), "watched_directory": {"path": "gateway/sds"}}
    config = {"resource_api_version": "V3", "path_config_source": source}
    return {"name": name, "sds_config": config}
