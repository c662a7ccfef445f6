"""What the original command prints before it serves, line by line: other programs match on it."""

from __future__ import annotations

from collections.abc import Mapping

from verdazul_azmlinfsrv import __version__

_SETTINGS = {
    "AZUREML_ENTRY_SCRIPT": "Entry Script Name",
    "AZUREML_MODEL_DIR": "Model Directory",
    "AZUREML_CONFIG_FILE": "Config File",
    "WORKER_COUNT": "Worker Count",
    "WORKER_TIMEOUT": "Worker Timeout (seconds)",
    "SERVER_PORT": "Server Port",
    "HEALTH_PORT": "Health Port",
    "AML_APP_INSIGHTS_ENABLED": "Application Insights Enabled",
    "AML_APP_INSIGHTS_KEY": "Application Insights Key",
    "HTTP_X_MS_SERVER_VERSION": "Inferencing HTTP server version",
    "AML_CORS_ORIGINS": "CORS for the specified origins",
    "SEPERATE_HEALTH_ENDPOINT": "Create dedicated endpoint for health",
}
_RULE = "---------------"


def lines(environ: Mapping[str, str]) -> list[str]:
    """Version, settings and routes."""
    settings = [f"{title}: {_shown(environ, name)}" for name, title in _SETTINGS.items()]
    routes = [
        f"Liveness Probe: GET   127.0.0.1:{environ['HEALTH_PORT']}/",
        f"Score:          POST  127.0.0.1:{environ['SERVER_PORT']}/score",
    ]
    return [
        *("", f"Azure ML Inferencing HTTP server v{__version__}", ""),
        *("", "Server Settings", _RULE, *settings, ""),
        *("", "Server Routes", _RULE, *routes, ""),
    ]


def _shown(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name)
    if value is None:
        return "None"
    if name == "AML_APP_INSIGHTS_KEY":
        return "AppInsights key provided"
    return f"Enabling CORS for {value}" if name == "AML_CORS_ORIGINS" else value
