"""The whole contract with whoever starts the server: environment variables, parsed once.

Each may stand in the user's config.json as well; the environment wins. The table in serve/README.md
is tested against this file, which therefore spells out every name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from verdazul_serve import __version__, config_file
from verdazul_serve.failure import BootFailure
from verdazul_serve.values import NO_LIMIT, Values

_REMOVED = ("AML_DBG_MODEL_INFO", "AML_DBG_RESOURCE_INFO")
_DEFAULT_HEALTH_PORT = 5000


@dataclass(frozen=True)
class Settings:
    """Everything the server may be told. `None` means: not given."""

    app_root: str
    entry_script: str | None
    source_directory: str | None
    model_dir: str | None
    config_file: str | None
    worker_count: int
    worker_timeout_seconds: float
    worker_preload: bool | None  # None: decide by what is safe
    scoring_timeout_ms: int
    log_level: str
    port: int
    health_port: int | None  # None: no separate listener
    host: str
    debug_port: int | None
    server_version: str | None  # None: no such header
    cors_origins: tuple[str, ...]

    service_name: str
    service_version: str
    service_path_prefix: str
    workspace_name: str
    hostname: str

    app_insights_enabled: bool
    app_insights_key: str | None = field(repr=False)
    app_insights_log_response: bool
    model_dc_storage_enabled: bool
    mdc_config_path: str | None
    mdc_enabled: bool
    mdc_host: str
    mdc_port: int | None

    listen_fd: int | None
    failure_file: str | None
    instance: str
    max_body_bytes: int
    max_header_bytes: int
    max_keepalive_requests: int  # 0: no limit
    header_timeout_seconds: float
    idle_timeout_seconds: float
    grace_seconds: float
    async_concurrency: int
    warmup: str | None
    reload: bool
    metrics: bool
    spool_dir: str | None
    spool_bytes: int

    warnings: tuple[str, ...]  # for the log: nothing that keeps the server from starting

    @classmethod
    def read(cls, environ: Mapping[str, str], *, cwd: str) -> Settings:
        """Raise BootFailure (ConfigurationError) naming variable, value and what is right."""
        path = config_file.find(environ, cwd=cwd)
        values = Values(environ, config_file.load(path) if path else {}, path)
        listen_fd = _descriptor(environ)
        port = values.port("SERVER_PORT") or 5001
        return cls(
            app_root=values.text("AML_APP_ROOT") or cwd,
            entry_script=values.text("AZUREML_ENTRY_SCRIPT"),
            source_directory=values.text("AZUREML_SOURCE_DIRECTORY"),
            model_dir=values.text("AZUREML_MODEL_DIR"),
            config_file=path,
            worker_count=values.whole("WORKER_COUNT", 1),
            worker_timeout_seconds=values.seconds_or_zero("WORKER_TIMEOUT", 300, zero=NO_LIMIT),
            worker_preload=values.is_true("WORKER_PRELOAD"),
            scoring_timeout_ms=values.whole("SCORING_TIMEOUT_MS", 3_600_000, least=0),
            log_level=values.level("AZUREML_LOG_LEVEL"),
            port=port,
            health_port=_health_port(values, port=port, listen_fd=listen_fd),
            host=values.text("VERDAZUL_LISTEN_HOST") or "127.0.0.1",
            debug_port=values.port("AZUREML_DEBUG_PORT"),
            server_version=_server_version(values),
            cors_origins=values.listed("AML_CORS_ORIGINS"),
            service_name=values.text("SERVICE_NAME") or "ML service",
            service_version=values.text("SERVICE_VERSION") or "1.0",
            service_path_prefix=values.text("SERVICE_PATH_PREFIX") or "",
            workspace_name=values.text("WORKSPACE_NAME") or "",
            hostname=values.text("HOSTNAME") or "Unknown",
            app_insights_enabled=values.flag("AML_APP_INSIGHTS_ENABLED", default=False),
            app_insights_key=values.text("AML_APP_INSIGHTS_KEY"),
            app_insights_log_response=values.flag(
                "APP_INSIGHTS_LOG_RESPONSE_ENABLED", default=True
            ),
            model_dc_storage_enabled=_is_storing(values),
            mdc_config_path=values.text("AZUREML_MDC_CONFIG_PATH"),
            mdc_enabled=values.is_true("AZUREML_MDC_ENABLED") or False,
            mdc_host=values.text("AZUREML_MDC_HOST") or "127.0.0.1",
            mdc_port=values.port("AZUREML_MDC_PORT"),
            listen_fd=listen_fd,
            failure_file=failure_file(environ),
            instance=values.text("VERDAZUL_INSTANCE") or "local",
            max_body_bytes=values.whole("VERDAZUL_MAX_BODY_BYTES", 100_000_000),
            max_header_bytes=values.whole("VERDAZUL_MAX_HEADER_BYTES", 65536),
            max_keepalive_requests=values.whole("VERDAZUL_MAX_KEEPALIVE_REQUESTS", 0, least=0),
            header_timeout_seconds=values.seconds("VERDAZUL_HEADER_TIMEOUT", 30),
            idle_timeout_seconds=values.seconds("VERDAZUL_IDLE_TIMEOUT", 75),
            grace_seconds=values.seconds_or_zero("VERDAZUL_GRACE_SECONDS", 30, zero=0),
            async_concurrency=values.whole("VERDAZUL_ASYNC_CONCURRENCY", 100),
            warmup=values.text("VERDAZUL_WARMUP"),
            reload=values.flag("VERDAZUL_RELOAD", default=False),
            metrics=values.flag("VERDAZUL_METRICS", default=True),
            spool_dir=values.text("VERDAZUL_SPOOL_DIR"),
            spool_bytes=values.whole("VERDAZUL_SPOOL_BYTES", 100_000_000, most=2**50),
            warnings=tuple(_warnings(environ, values, path)),
        )


def failure_file(environ: Mapping[str, str]) -> str | None:
    """Known apart from the rest: a wrong setting is reported there too."""
    return environ.get("VERDAZUL_FAILURE_FILE") or None


def _health_port(values: Values, *, port: int, listen_fd: int | None) -> int | None:
    """A second listener, where the port is ours to choose and differs from the first."""
    number = values.port("HEALTH_PORT") or _DEFAULT_HEALTH_PORT
    is_separate = values.text("SEPERATE_HEALTH_ENDPOINT") == "true" and listen_fd is None
    return number if is_separate and number != port else None


def _server_version(values: Values) -> str | None:
    version = values.header_value("HTTP_X_MS_SERVER_VERSION", f"verdazul-serve/{__version__}")
    return None if values.is_true("SERVER_VERSION_LOG_RESPONSE_ENABLED") is False else version


def _is_storing(values: Values) -> bool:
    """The documented name, and the one that works in Azure's server 1.5."""
    documented = values.flag("AML_MODEL_DC_STORAGE_ENABLED", default=False)
    return values.flag("AML_MDC_STORAGE_ENABLED", default=False) or documented


def _descriptor(environ: Mapping[str, str]) -> int | None:
    name = "VERDAZUL_LISTEN_FD"
    text = environ.get(name)
    if not text:
        return None
    if not text.isdecimal():
        raise BootFailure(
            "ConfigurationError",
            f"{name} is {text!r}; it must be the number of an inherited, listening socket",
            fix=f"correct or remove the environment variable {name}",
        )
    return int(text)


def _warnings(environ: Mapping[str, str], values: Values, path: str | None) -> list[str]:
    texts = []
    named = environ.get("AZUREML_CONFIG_FILE")
    if named and path != named:
        texts.append(f"AZUREML_CONFIG_FILE is {named!r}: missing or empty, hence ignored")
    unknown = values.unknown()
    if unknown:
        keys = ", ".join(map(repr, unknown))
        texts.append(f"Found extra keys in the config file: {keys} ({path}); they have no effect")
    removed = [name for name in _REMOVED if name in environ]
    if removed:
        names = " and ".join(removed)
        texts.append(f"{names}: the debuggability features have been removed; it has no effect")
    return texts
