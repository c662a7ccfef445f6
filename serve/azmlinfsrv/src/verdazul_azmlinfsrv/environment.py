"""Flags, environment and config.json as the environment variables that the server is told by.

A flag wins over the environment, that over the file, that over the default. The variables that the
original command sets for the script (AML_APP_ROOT, WORKER_COUNT and others) are set here as well.
"""

from __future__ import annotations

import os
import re
from argparse import Namespace
from collections.abc import MutableMapping
from typing import Any

from verdazul_azmlinfsrv import __version__
from verdazul_serve import config_file
from verdazul_serve.failure import BootFailure
from verdazul_serve.values import Values

_PORT = "5001"
_HEALTH_PORT = "5000"
_MODEL_DIR = "AZUREML_MODEL_DIR"
_ENABLED = "AML_APP_INSIGHTS_ENABLED"
_KEY = "AML_APP_INSIGHTS_KEY"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def prepare(environ: MutableMapping[str, str], options: Namespace, *, cwd: str) -> list[str]:
    """Complete `environ`; returns what a person at the terminal should know."""
    _apply(environ, options)
    _choose_ports(environ, options)
    path = config_file.find(environ, cwd=cwd)
    values = Values(dict(environ), _content(path), path)
    if path and values.text("AML_APP_ROOT") and not environ.get("AML_APP_ROOT"):
        environ["AZUREML_CONFIG_FILE"] = path  # the new root would hide it
    _set_defaults(environ, values, cwd=cwd)
    return [*_about_model_dir(environ), *_judge_app_insights(environ)]


def _apply(environ: MutableMapping[str, str], options: Namespace) -> None:
    key = options.appinsights_instrumentation_key
    told = {
        "AZUREML_ENTRY_SCRIPT": _real(options.entry_script),
        "AZUREML_CONFIG_FILE": _real(options.config_file),
        _MODEL_DIR: options.model_dir,
        "WORKER_COUNT": options.worker_count,
        "AML_CORS_ORIGINS": options.access_control_allow_origins,
        _KEY: key,
        _ENABLED: None if key is None else "true",
        "TRANSPORT_PROTOCOL": "rest" if options.rest else "grpc",
        "VERDAZUL_LISTEN_HOST": options.host,
        "VERDAZUL_RELOAD": "true" if options.reload else None,
    }
    environ.update({name: str(value) for name, value in told.items() if value is not None})


def _choose_ports(environ: MutableMapping[str, str], options: Namespace) -> None:
    """An outer SERVER_PORT counts for nothing, nor does HEALTH_PORT of a separate endpoint."""
    environ["SERVER_PORT"] = str(options.port or _PORT)
    if environ.get("SEPERATE_HEALTH_ENDPOINT") == "true":
        environ["HEALTH_PORT"] = str(options.health_port or _HEALTH_PORT)
    elif options.port:
        environ["HEALTH_PORT"] = str(options.port)
    else:
        environ.setdefault("HEALTH_PORT", _PORT)


def _set_defaults(environ: MutableMapping[str, str], values: Values, *, cwd: str) -> None:
    defaults: dict[str, str | None] = {
        "AML_APP_ROOT": cwd,
        "WORKER_COUNT": "1",
        "VERDAZUL_LISTEN_HOST": "0.0.0.0",  # noqa: S104  # as the original: it runs in containers
        _MODEL_DIR: None,
        _ENABLED: None,
        _KEY: None,
    }
    if values.is_true("SERVER_VERSION_LOG_RESPONSE_ENABLED") is not False:
        defaults["HTTP_X_MS_SERVER_VERSION"] = f"azmlinfsrv/{__version__}"
    for name, default in defaults.items():
        text = _text(values, name) or default
        if text is not None:
            environ[name] = text


def _about_model_dir(environ: MutableMapping[str, str]) -> list[str]:
    if _MODEL_DIR in environ:
        return []
    return [
        f"The environment variable '{_MODEL_DIR}' has not been set.",
        "Use the --model_dir command line argument to set it.",
    ]


def _judge_app_insights(environ: MutableMapping[str, str]) -> list[str]:
    """On only when asked for exactly, and with a key that can be one."""
    wanted = environ.get(_ENABLED) == "true" and _KEY in environ
    is_valid = wanted and _UUID.fullmatch(environ[_KEY])
    environ[_ENABLED] = "true" if is_valid else "false"
    if not wanted:
        return []
    if is_valid:
        return ["Valid Application Insights instrumentation key provided."]
    return [
        "Invalid Application Insights instrumentation key provided.",
        "Application Insights has been disabled.",
    ]


def _content(path: str | None) -> dict[str, Any]:
    """Nothing when the file is wrong: the server says so when it starts."""
    try:
        return config_file.load(path) if path else {}
    except BootFailure:
        return {}


def _text(values: Values, name: str) -> str | None:
    try:
        return values.text(name)
    except BootFailure:
        return None


def _real(path: str | None) -> str | None:
    return os.path.realpath(path) if path else None
