"""Every knob in one frozen place, with unit, default and meaning.

`docs/settings.md` is tested against it.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from verdazul.home import Home
from verdazul.model.errors import UserError

NAMES = ("subscription", "resource_group", "workspace", "location")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Settings:
    """Read from `VERDAZUL_<NAME>` variables; command-line flags win over them."""

    home: Path = field(
        default_factory=lambda: Path.home() / ".verdazul",
        metadata={"doc": "folder for all state"},
    )
    subscription: str = field(
        default="00000000-0000-0000-0000-000000000000",
        metadata={"doc": "subscription id in ARM ids"},
    )
    resource_group: str = field(default="local", metadata={"doc": "resource group in ARM ids"})
    workspace: str = field(default="verdazul", metadata={"doc": "workspace in ARM ids"})
    location: str = field(default="local", metadata={"doc": "region in ARM resources"})
    domain: str = field(
        default="",
        metadata={"doc": "where endpoints have host names (NAME.LOCATION.inference.DOMAIN)"},
    )
    endpoints: int = field(
        default=100,
        metadata={"least": 0, "doc": "endpoints that may be declared; 100 is Azure's limit"},
    )
    deployments: int = field(
        default=500,
        metadata={"least": 0, "doc": "deployments of all endpoints; 500 is Azure's limit"},
    )
    deployments_per_endpoint: int = field(
        default=20,
        metadata={"least": 0, "doc": "deployments of one endpoint; 20 is Azure's limit"},
    )
    requests_per_second: int = field(
        default=500,
        metadata={"least": 0, "doc": "requests an endpoint takes in a second; 0: no limit"},
    )
    bandwidth_kib_per_second: int = field(
        default=5120,
        metadata={"least": 0, "doc": "KiB an endpoint moves in a second, both ways; 0: no limit"},
    )
    max_request_bytes: int = field(
        default=1_572_864,
        metadata={"least": 0, "doc": "longest body of a request to an endpoint; 0: no limit"},
    )
    max_response_bytes: int = field(
        default=1_572_864,
        metadata={"least": 0, "doc": "longest answer of a model; 0: no limit"},
    )
    connections: int = field(
        default=500,
        metadata={"least": 0, "doc": "open connections to the gateway in all; 0: no limit"},
    )
    connections_per_second: int = field(
        default=500,
        metadata={"least": 0, "doc": "new connections to the gateway in a second; 0: no limit"},
    )
    drain_seconds: float = field(
        default=1.0,
        metadata={"least": 0.0, "doc": "seconds between un-routing an instance and its SIGTERM"},
    )
    instance_drain_seconds: float = field(
        default=300.0,
        metadata={
            "least": 0.0,
            "most": 86400.0,
            "doc": "longest time that an instance may end what it holds once it was told to go; "
            "never less than the request timeout it was started with",
        },
    )
    start_attempts: int = field(
        default=3,
        metadata={"least": 1, "doc": "failed starts of one instance before its operation fails"},
    )
    backoff_seconds: float = field(
        default=1.0,
        metadata={
            "least": 0.001,
            "doc": "wait before the second start; doubles up to backoff_max_seconds",
        },
    )
    backoff_max_seconds: float = field(
        default=300.0,
        metadata={"least": 0.001, "doc": "longest wait between two starts of one instance"},
    )
    resync_seconds: float = field(
        default=10.0,
        metadata={"least": 0.01, "doc": "each endpoint is looked at again after so many seconds"},
    )
    log_file_bytes: int = field(
        default=10_000_000, metadata={"least": 1, "doc": "size at which a log file is rotated"}
    )
    log_files: int = field(
        default=3, metadata={"least": 1, "doc": "rotated files kept for each log"}
    )
    traffic_log: str = field(
        default="on",
        metadata={
            "choices": ("on", "off"),
            "doc": "a JSON row for each request to an endpoint, in logs/traffic.jsonl",
        },
    )
    events_kept: int = field(
        default=1000, metadata={"least": 1, "doc": "events kept for each endpoint"}
    )
    operations_kept: int = field(
        default=1000, metadata={"least": 1, "doc": "finished operations kept"}
    )
    registries: Path = field(
        default=Path("registries"),
        metadata={"doc": "folder of what azureml://registries/... names; relative to the home"},
    )
    audit_days: float = field(
        default=90.0,
        metadata={"least": 0.01, "doc": "days for which the activity log keeps its rows"},
    )
    audit_rows_kept: int = field(
        default=20_000,
        metadata={
            "least": 1,
            "doc": "rows of changes kept in the activity log, and as many of refusals and the rest",
        },
    )
    environments_kept: int = field(
        default=10, metadata={"least": 0, "doc": "unused environments kept in the cache"}
    )
    artifacts_kept: int = field(
        default=20, metadata={"least": 0, "doc": "unused code and model folders kept in the cache"}
    )
    token_seconds: float = field(
        default=28800.0,
        metadata={"least": 1.0, "doc": "life of a token that get-credentials makes (aml_token)"},
    )
    signing_key_days: float = field(
        default=30.0,
        metadata={"least": 1.0, "doc": "the key that signs such tokens is replaced after so long"},
    )
    issuers_file: Path = field(
        default=Path("issuers.yml"),
        metadata={
            "doc": "whose tokens open aad_token endpoints and the control API; relative to the home"
        },
    )
    instance_types_file: Path = field(
        default=Path("instance-types.yml"),
        metadata={"doc": "instance types for Kubernetes deployments; relative to the home"},
    )
    issuer_refresh_seconds: float = field(
        default=300.0,
        metadata={"least": 1.0, "doc": "an issuer's keys are read again after so many seconds"},
    )
    issuer_timeout_seconds: float = field(
        default=10.0, metadata={"least": 0.01, "doc": "longest wait for an issuer's keys"}
    )
    gateway_timeout_seconds: float = field(
        default=10.0, metadata={"least": 0.01, "doc": "longest wait for the gateway to acknowledge"}
    )
    gateway_processes: int = field(
        default=1,
        metadata={
            "least": 1,
            "most": 2,
            "doc": "gateway processes on the one port; with 2, one may die while the other serves",
        },
    )
    gateway_drain_seconds: int = field(
        default=600,
        metadata={
            "least": 2,
            "doc": "longest time that a replaced gateway process may end what it holds",
        },
    )
    local_engine_idle_seconds: int = field(
        default=43200,
        metadata={
            "least": 1,
            "doc": "the local engine ends once nothing ran in it and nobody asked it for so long",
        },
    )
    pause_seconds: int = field(
        default=300,
        metadata={
            "least": 1,
            "most": 3600,
            "doc": "longest time that a request waits while its endpoint is paused; then 503",
        },
    )
    pause_requests: int = field(
        default=1000,
        metadata={
            "least": 1,
            "doc": "most requests that wait for one deployment of a paused endpoint; more are 429",
        },
    )
    tls_minimum: str = field(
        default="1.2",
        metadata={"choices": ("1.2", "1.3"), "doc": "oldest TLS that is spoken: 1.2 or 1.3"},
    )
    tls_certificate: Path | None = field(
        default=None,
        metadata={"doc": "PEM file of an own certificate and its chain; needs tls_key"},
    )
    tls_key: Path | None = field(
        default=None, metadata={"doc": "PEM file of the own certificate's key"}
    )
    tls_client_ca: Path | None = field(
        default=None,
        metadata={"doc": "PEM file of authorities; callers show a certificate under one of them"},
    )
    tls_clients: str = field(
        default="required",
        metadata={
            "choices": ("required", "optional"),
            "doc": "whether callers must show a certificate once tls_client_ca is set",
        },
    )
    plain_http: str = field(
        default="no",
        metadata={"choices": ("no", "yes"), "doc": "HTTP without TLS; on loopback only"},
    )

    def names(self) -> dict[str, str]:
        """What stands in ids, by setting."""
        return {name: getattr(self, name) for name in NAMES}

    @classmethod
    def of_home(cls, environ: Mapping[str, str] | None = None, **flags: object) -> Settings:
        """As `read`, but what no variable names is as the home kept it from its last start."""
        source = os.environ if environ is None else environ
        kept = Home(cls.read(source, **flags).home).names()
        variables = {f"VERDAZUL_{name.upper()}": kept[name] for name in NAMES if name in kept}
        return cls.read({**variables, **{k: v for k, v in source.items() if v}}, **flags)

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None, **flags: object) -> Settings:
        """Settings from the environment, then flags (None: not given).

        Raises UserError (InvalidSetting) naming the variable and its value.
        """
        source = os.environ if environ is None else environ
        values: dict[str, object] = {}
        for item in fields(cls):
            text = source.get(f"VERDAZUL_{item.name.upper()}")
            if text:
                value = _convert(item.name, str(item.type), text)
                _check(item.name, value, item.metadata)
                values[item.name] = value
        values.update({name: value for name, value in flags.items() if value is not None})
        return cls(**values)  # type: ignore[arg-type]  # converted by field type above


def _convert(name: str, kind: str, text: str) -> object:
    convert: dict[str, Callable[[str], object]] = {
        "int": int,
        "float": float,
        "Path": lambda path: Path(path).expanduser().absolute(),
        "Path | None": lambda path: Path(path).expanduser().absolute(),
    }
    try:
        return convert.get(kind, str)(text)
    except ValueError:
        raise UserError(
            f"VERDAZUL_{name.upper()} is {text!r}; it must be a number ({kind})",
            code="InvalidSetting",
        ) from None


def _check(name: str, value: object, about: Mapping[str, Any]) -> None:
    """Numbers have a least value, words are one of a few; names hold what ids can hold."""
    least, most, choices = about.get("least"), about.get("most"), about.get("choices")
    if choices:
        if value not in choices:
            raise _refused(name, value, f"one of {', '.join(choices)}")
    elif isinstance(value, int | float) and least is not None:
        if not (math.isfinite(value) and least <= value <= (most or math.inf)):
            right = f"at least {least:g}" + (f" and at most {most:g}" if most else "")
            raise _refused(name, value, f"a number of {right}")
    elif isinstance(value, str) and not _NAME.fullmatch(value):
        raise _refused(name, value, "letters, digits, `-`, `_` and `.`")


def _refused(name: str, value: object, right: str) -> UserError:
    return UserError(
        f"VERDAZUL_{name.upper()} is {value!r}; it must be {right}", code="InvalidSetting"
    )
