"""The whole contract with the control plane: environment variables, parsed once.

Each field of `Settings` names its variable, unit and default in `VARIABLES` or in `read`; the table
in serve/README.md is tested against this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from verdazul_serve.failure import BootFailure

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True)
class Settings:
    """Everything the server may be told. `None` means: not given."""

    app_root: str
    entry_script: str | None
    source_directory: str | None
    model_dir: str | None
    worker_count: int
    worker_timeout_seconds: float
    scoring_timeout_ms: int
    log_level: str
    port: int
    host: str
    listen_fd: int | None
    failure_file: str | None
    instance: str
    max_body_bytes: int
    max_header_bytes: int
    header_timeout_seconds: float
    idle_timeout_seconds: float

    @classmethod
    def read(cls, environ: Mapping[str, str], *, cwd: str) -> Settings:
        """Raise BootFailure (ConfigurationError) naming variable, value and what is right."""
        return cls(
            app_root=environ.get("AML_APP_ROOT") or cwd,
            entry_script=environ.get("AZUREML_ENTRY_SCRIPT") or None,
            source_directory=environ.get("AZUREML_SOURCE_DIRECTORY") or None,
            model_dir=environ.get("AZUREML_MODEL_DIR") or None,
            worker_count=_whole(environ, "WORKER_COUNT", 1),
            worker_timeout_seconds=_seconds(environ, "WORKER_TIMEOUT", 300),
            scoring_timeout_ms=_whole(environ, "SCORING_TIMEOUT_MS", 3_600_000),
            log_level=_level(environ, "AZUREML_LOG_LEVEL"),
            port=_whole(environ, "SERVER_PORT", 5001, most=65535),
            host=environ.get("VERDAZUL_LISTEN_HOST") or "127.0.0.1",
            listen_fd=_descriptor(environ, "VERDAZUL_LISTEN_FD"),
            failure_file=failure_file(environ),
            instance=environ.get("VERDAZUL_INSTANCE") or "local",
            max_body_bytes=_whole(environ, "VERDAZUL_MAX_BODY_BYTES", 100_000_000),
            max_header_bytes=_whole(environ, "VERDAZUL_MAX_HEADER_BYTES", 65536),
            header_timeout_seconds=_seconds(environ, "VERDAZUL_HEADER_TIMEOUT", 30),
            idle_timeout_seconds=_seconds(environ, "VERDAZUL_IDLE_TIMEOUT", 75),
        )


def failure_file(environ: Mapping[str, str]) -> str | None:
    """Known apart from the rest: a wrong setting is reported there too."""
    return environ.get("VERDAZUL_FAILURE_FILE") or None


def _whole(environ: Mapping[str, str], name: str, default: int, *, most: int = 2**31) -> int:
    text = environ.get(name) or str(default)
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 1 <= value <= most:
        raise _wrong(name, text, f"a whole number from 1 to {most}")
    return value


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 2**31:
        raise _wrong(name, text, "a number of seconds above 0")
    return value


def _level(environ: Mapping[str, str], name: str) -> str:
    text = environ.get(name) or "INFO"
    level = {"WARN": "WARNING", "FATAL": "CRITICAL"}.get(text.upper(), text.upper())
    if level not in _LEVELS:
        raise _wrong(name, text, f"one of {', '.join(_LEVELS)}")
    return level


def _descriptor(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name)
    if not text:
        return None
    if not text.isdecimal():
        raise _wrong(name, text, "the number of an inherited, listening socket")
    return int(text)


def _wrong(name: str, text: str, right: str) -> BootFailure:
    return BootFailure(
        "ConfigurationError",
        f"{name} is {text!r}; it must be {right}",
        fix=f"correct or remove the environment variable {name}",
    )
