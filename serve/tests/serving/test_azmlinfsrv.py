"""The command azmlinfsrv: what flags and variables come to, and the banner."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from verdazul_azmlinfsrv import __version__, arguments, banner, environment, gunicorn

pytestmark = pytest.mark.azure(94)

KEY = "12345678-1234-1234-1234-123456789abc"
HINT = [
    "The environment variable 'AZUREML_MODEL_DIR' has not been set.",
    "Use the --model_dir command line argument to set it.",
]
BANNER = f"""
Azure ML Inferencing HTTP server v{__version__}


Server Settings
---------------
Entry Script Name: /app/score.py
Model Directory: None
Config File: None
Worker Count: 1
Worker Timeout (seconds): None
Server Port: 5001
Health Port: 5001
Application Insights Enabled: false
Application Insights Key: None
Inferencing HTTP server version: azmlinfsrv/{__version__}
CORS for the specified origins: None
Create dedicated endpoint for health: None


Server Routes
---------------
Liveness Probe: GET   127.0.0.1:5001/
Score:          POST  127.0.0.1:5001/score
"""


def prepared(*flags: str, cwd: str = "/here", **environ: str) -> tuple[dict[str, str], list[str]]:
    """The variables after the command has read flags and environment, and its hints."""
    hints = environment.prepare(environ, arguments.parse([*flags]), cwd=cwd)
    return environ, hints


def variables(*flags: str, cwd: str = "/here", **environ: str) -> dict[str, str]:
    return prepared(*flags, cwd=cwd, **environ)[0]


def test_the_banner_is_the_originals_line_by_line() -> None:
    told, hints = prepared("--entry_script", "/app/score.py")

    assert hints == HINT
    assert "\n".join(banner.lines(told)) == BANNER


def test_the_banner_keeps_the_key_to_itself_and_names_the_origins() -> None:
    flags = ("--appinsights_instrumentation_key", KEY, "--access_control_allow_origins", "a, b")
    told = variables(*flags)
    text = "\n".join(banner.lines(told))

    assert "Application Insights Key: AppInsights key provided\n" in text
    assert "CORS for the specified origins: Enabling CORS for a, b\n" in text
    assert KEY not in text


def test_without_flags_the_script_finds_what_the_original_sets() -> None:
    assert variables() == {
        "AML_APP_ROOT": "/here",
        "AML_APP_INSIGHTS_ENABLED": "false",
        "HEALTH_PORT": "5001",
        "HTTP_X_MS_SERVER_VERSION": f"azmlinfsrv/{__version__}",
        "SERVER_PORT": "5001",
        "TRANSPORT_PROTOCOL": "grpc",
        "VERDAZUL_LISTEN_HOST": "0.0.0.0",
        "WORKER_COUNT": "1",
    }


@pytest.mark.parametrize(
    ("flags", "name", "value"),
    [
        (("--model_dir", "rel/m"), "AZUREML_MODEL_DIR", "rel/m"),
        (("--worker_count", "3"), "WORKER_COUNT", "3"),
        (("--port", "7000"), "SERVER_PORT", "7000"),
        (("--port", "7000"), "HEALTH_PORT", "7000"),
        (("--access_control_allow_origins", "*"), "AML_CORS_ORIGINS", "*"),
        (("--appinsights_instrumentation_key", KEY), "AML_APP_INSIGHTS_KEY", KEY),
        (("--appinsights_instrumentation_key", KEY), "AML_APP_INSIGHTS_ENABLED", "true"),
        (("--rest",), "TRANSPORT_PROTOCOL", "rest"),
        (("--host", "127.0.0.1"), "VERDAZUL_LISTEN_HOST", "127.0.0.1"),
        (("--reload",), "VERDAZUL_RELOAD", "true"),
    ],
)
def test_a_flag_wins_over_the_environment(flags: tuple[str, ...], name: str, value: str) -> None:
    assert variables(*flags, **{name: "outer"})[name] == value


@pytest.mark.parametrize("name", ["--entry_script", "--config_file"])
def test_files_are_named_by_their_real_paths(tmp_path: Path, name: str) -> None:
    (tmp_path / "real").touch()
    (tmp_path / "link").symlink_to("real")
    variable = {"--entry_script": "AZUREML_ENTRY_SCRIPT", "--config_file": "AZUREML_CONFIG_FILE"}

    told = variables(name, f"{tmp_path}/x/../link")

    assert told[variable[name]] == str(tmp_path / "real")


def test_the_environment_wins_over_defaults_except_for_the_port() -> None:
    outer = {
        "AML_APP_ROOT": "/app",
        "WORKER_COUNT": "4",
        "HTTP_X_MS_SERVER_VERSION": "mine",
        "VERDAZUL_LISTEN_HOST": "127.0.0.1",
        "HEALTH_PORT": "77",
    }

    told = variables(**outer, SERVER_PORT="99")

    assert told.items() >= outer.items()
    assert told["SERVER_PORT"] == "5001"


@pytest.mark.parametrize(
    ("flags", "port"), [((), "5000"), (("--health_port", "7001", "--port", "7000"), "7001")]
)
def test_a_separate_health_endpoint_has_its_own_port(flags: tuple[str, ...], port: str) -> None:
    told = variables(*flags, SEPERATE_HEALTH_ENDPOINT="true", HEALTH_PORT="77")

    assert told["HEALTH_PORT"] == port


def test_no_version_is_set_when_the_header_is_switched_off() -> None:
    told = variables(SERVER_VERSION_LOG_RESPONSE_ENABLED="no")

    assert "HTTP_X_MS_SERVER_VERSION" not in told


VALID = ["Valid Application Insights instrumentation key provided."]
INVALID = [
    "Invalid Application Insights instrumentation key provided.",
    "Application Insights has been disabled.",
]


@pytest.mark.parametrize(
    ("enabled", "key", "told", "hints"),
    [
        ("true", KEY.upper(), "true", VALID),
        ("true", f"{KEY}\n", "false", INVALID),
        ("true", "nope", "false", INVALID),
        ("True", KEY, "false", []),
        ("true", "", "false", INVALID),
    ],
)
def test_app_insights_need_the_exact_word_and_a_key(
    enabled: str, key: str, told: str, hints: list[str]
) -> None:
    outer = {"AML_APP_INSIGHTS_ENABLED": enabled, "AML_APP_INSIGHTS_KEY": key}

    environ, said = prepared(AZUREML_MODEL_DIR="m", **outer)

    assert (environ["AML_APP_INSIGHTS_ENABLED"], said) == (told, hints)


def test_the_config_file_fills_in_what_nobody_else_says(tmp_path: Path) -> None:
    content = {
        "AML_APP_ROOT": "/app",
        "WORKER_COUNT": 5,
        "AZUREML_MODEL_DIR": "/m",
        "AML_APP_INSIGHTS_ENABLED": True,
        "AML_APP_INSIGHTS_KEY": KEY,
        "HTTP_X_MS_SERVER_VERSION": "mine",
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(content))

    told, hints = prepared(cwd=str(tmp_path))

    texts = {**content, "WORKER_COUNT": "5", "AML_APP_INSIGHTS_ENABLED": "true"}
    assert told.items() >= texts.items()
    assert told["AZUREML_CONFIG_FILE"] == str(path)  # not hidden by the app root it names
    assert hints == VALID
    assert variables("--worker_count", "2", cwd=str(tmp_path))["WORKER_COUNT"] == "2"


def test_gunicorns_options_are_heeded_or_named() -> None:
    told = {
        "GUNICORN_CMD_ARGS": "--preload --graceful-timeout=7 -w4 --bind 0.0.0.0:80 -k gthread"
        " --threads 8 --certfile x"
    }

    warnings = gunicorn.heed(told)

    assert (told["WORKER_PRELOAD"], told["VERDAZUL_GRACE_SECONDS"]) == ("true", "7")
    named = [re.sub(r"^GUNICORN_CMD_ARGS: (\S+) has no effect.*", r"\1", text) for text in warnings]
    assert named == ["--workers", "--bind", "--worker-class", "--threads", "--certfile"]
    assert warnings[0].endswith("use --worker_count")


def test_gunicorns_options_are_ignored_as_a_whole_when_they_make_no_sense() -> None:
    (warning,) = gunicorn.heed({"GUNICORN_CMD_ARGS": "--preload 'x"})

    assert warning == "GUNICORN_CMD_ARGS is ignored: No closing quotation"
    assert gunicorn.heed({}) == []


def test_the_distribution_and_the_package_agree_on_the_version() -> None:
    project = Path(__file__).parents[2] / "azmlinfsrv" / "pyproject.toml"

    assert f'version = "{__version__}"\n' in project.read_text(encoding="utf-8")
