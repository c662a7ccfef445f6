"""What the server is told: by the environment, by config.json, and how mistakes are explained."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from verdazul_serve import __version__, settings, values
from verdazul_serve.failure import BootFailure, Problem
from verdazul_serve.settings import Settings

pytestmark = pytest.mark.azure(95, 112)

# Every variable that may stand in the file: (as text, as JSON, the field, its value).
EVERYWHERE: list[tuple[str, Any, str, Any]] = [
    ("AML_APP_ROOT", "/app", "app_root", "/app"),
    ("AZUREML_ENTRY_SCRIPT", "a/score.py", "entry_script", "a/score.py"),
    ("AZUREML_SOURCE_DIRECTORY", "src", "source_directory", "src"),
    ("AZUREML_MODEL_DIR", "/m", "model_dir", "/m"),
    ("WORKER_COUNT", 3, "worker_count", 3),
    ("WORKER_TIMEOUT", 12.5, "worker_timeout_seconds", 12.5),
    ("WORKER_TIMEOUT", 0.0, "worker_timeout_seconds", values.NO_LIMIT),
    ("WORKER_PRELOAD", True, "worker_preload", True),
    ("WORKER_PRELOAD", "maybe", "worker_preload", False),
    ("SCORING_TIMEOUT_MS", 1500, "scoring_timeout_ms", 1500),
    ("AZUREML_LOG_LEVEL", "warn", "log_level", "WARNING"),
    ("AZUREML_DEBUG_PORT", 5678, "debug_port", 5678),
    ("SERVER_PORT", 8080, "port", 8080),
    ("HTTP_X_MS_SERVER_VERSION", "mine/1", "server_version", "mine/1"),
    (
        "SERVER_VERSION_LOG_RESPONSE_ENABLED",
        "TRUE",
        "server_version",
        f"verdazul-serve/{__version__}",
    ),
    ("SERVER_VERSION_LOG_RESPONSE_ENABLED", "yes", "server_version", None),
    ("AML_CORS_ORIGINS", "a.com, b.com ,", "cors_origins", ("a.com", "b.com")),
    ("SERVICE_NAME", "credit", "service_name", "credit"),
    ("SERVICE_VERSION", 2, "service_version", "2"),
    ("SERVICE_PATH_PREFIX", "/api", "service_path_prefix", "/api"),
    ("WORKSPACE_NAME", "w", "workspace_name", "w"),
    ("HOSTNAME", "box", "hostname", "box"),
    ("AML_APP_INSIGHTS_ENABLED", True, "app_insights_enabled", True),
    ("AML_APP_INSIGHTS_KEY", "k", "app_insights_key", "k"),
    ("APP_INSIGHTS_LOG_RESPONSE_ENABLED", False, "app_insights_log_response", False),
    ("AML_MODEL_DC_STORAGE_ENABLED", True, "model_dc_storage_enabled", True),
    ("AML_MDC_STORAGE_ENABLED", True, "model_dc_storage_enabled", True),
    ("AZUREML_MDC_CONFIG_PATH", "/c.json", "mdc_config_path", "/c.json"),
    ("AZUREML_MDC_ENABLED", "true", "mdc_enabled", True),
    ("AZUREML_MDC_HOST", "agent", "mdc_host", "agent"),
    ("AZUREML_MDC_PORT", 50011, "mdc_port", 50011),
    ("VERDAZUL_LISTEN_HOST", "::1", "host", "::1"),
    ("VERDAZUL_INSTANCE", "i", "instance", "i"),
    ("VERDAZUL_MAX_BODY_BYTES", 7, "max_body_bytes", 7),
    ("VERDAZUL_MAX_HEADER_BYTES", 8, "max_header_bytes", 8),
    ("VERDAZUL_MAX_KEEPALIVE_REQUESTS", 0, "max_keepalive_requests", 0),
    ("VERDAZUL_HEADER_TIMEOUT", 0.5, "header_timeout_seconds", 0.5),
    ("VERDAZUL_IDLE_TIMEOUT", 1.5, "idle_timeout_seconds", 1.5),
    ("VERDAZUL_GRACE_SECONDS", 0, "grace_seconds", 0),
    ("VERDAZUL_ASYNC_CONCURRENCY", 9, "async_concurrency", 9),
    ("VERDAZUL_WARMUP", "warm", "warmup", "warm"),
    ("VERDAZUL_RELOAD", "1", "reload", True),
    ("VERDAZUL_METRICS", "off", "metrics", False),
    ("VERDAZUL_SPOOL_DIR", "/spool", "spool_dir", "/spool"),
    ("VERDAZUL_SPOOL_BYTES", 10**10, "spool_bytes", 10**10),
]


def read(folder: Path, **environ: str) -> Settings:
    return Settings.read(environ, cwd=str(folder))


def write(path: Path, content: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def problem_of(folder: Path, **environ: str) -> Problem:
    with pytest.raises(BootFailure) as raised:
        read(folder, **environ)
    assert raised.value.problem.code == "ConfigurationError"
    return raised.value.problem


@pytest.mark.parametrize(("name", "content", "field", "value"), EVERYWHERE)
def test_a_variable_means_the_same_in_the_environment_and_in_the_file(
    tmp_path: Path, name: str, content: Any, field: str, value: Any
) -> None:
    text = str(content).lower() if isinstance(content, bool) else str(content)
    told = read(tmp_path, **{name: text})
    file = write(tmp_path / "elsewhere" / "mine.json", {name: content})
    filed = read(tmp_path, AZUREML_CONFIG_FILE=file)

    assert getattr(told, field) == value
    assert filed == replace(told, config_file=file)


def test_every_variable_of_the_source_is_tried_above() -> None:
    source = Path(settings.__file__).read_text(encoding="utf-8")
    names = set(re.findall(r'values\.\w+\(\s*"([A-Z_]+)"', source))

    assert names - {name for name, *_ in EVERYWHERE} == {"HEALTH_PORT", "SEPERATE_HEALTH_ENDPOINT"}


def test_without_any_word_the_defaults_hold(tmp_path: Path) -> None:
    told = read(tmp_path)
    off = [field.name for field in fields(told) if getattr(told, field.name) in {None, "", False}]

    assert told.app_root == str(tmp_path)
    assert told.app_insights_log_response
    assert told.metrics
    assert (told.service_name, told.service_version, told.hostname) == (
        "ML service",
        "1.0",
        "Unknown",
    )
    assert (told.grace_seconds, told.async_concurrency, told.warnings) == (30, 100, ())
    assert {"worker_preload", "health_port", "debug_port", "mdc_port", "config_file"} <= {*off}


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    write(tmp_path / "config.json", {"WORKER_COUNT": 4, "SCORING_TIMEOUT_MS": 5})

    told = read(tmp_path, WORKER_COUNT="2")

    assert (told.worker_count, told.scoring_timeout_ms) == (2, 5)


def test_the_named_file_wins_over_the_app_root_and_that_over_the_script(tmp_path: Path) -> None:
    named = write(tmp_path / "named.json", {"WORKER_COUNT": 2})
    root = write(tmp_path / "app" / "config.json", {"WORKER_COUNT": 3})
    beside = write(tmp_path / "app" / "sub" / "config.json", {"WORKER_COUNT": 4})
    environ = {"AML_APP_ROOT": str(tmp_path / "app"), "AZUREML_ENTRY_SCRIPT": "sub/score.py"}

    assert read(tmp_path, **environ, AZUREML_CONFIG_FILE=named).worker_count == 2
    assert read(tmp_path, **environ).config_file == root
    Path(root).write_text("")
    assert read(tmp_path, **environ).config_file == beside


def test_a_named_file_that_is_missing_or_empty_is_ignored_with_a_warning(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.json", "")

    for name in (empty, "/no/such/file.json"):
        assert repr(name) in read(tmp_path, AZUREML_CONFIG_FILE=name).warnings[0]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('{"WORKER_COUNT": 1,\n "x"}', ":2", "Expecting ':' delimiter (column 5)"),
        ("[]", ":1", "it must be an object"),
        ("7", ":1", "it must be an object"),
    ],
)
def test_a_file_that_is_no_json_object_is_told_with_its_line(
    tmp_path: Path, text: str, line: str, reason: str
) -> None:
    path = write(tmp_path / "config.json", text)

    problem = problem_of(tmp_path)

    assert problem.where == path + line
    assert problem.message.startswith("Invalid config file! ")
    assert reason in problem.message


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b'{"SERVICE_NAME": "\xff"}')

    assert "can't decode byte" in problem_of(tmp_path).message


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b'\xef\xbb\xbf{"SERVICE_NAME": "x"}')

    assert read(tmp_path).service_name == "x"


def test_unknown_keys_of_the_file_make_one_warning_and_other_variables_none(
    tmp_path: Path,
) -> None:
    content = {"WORKER_COUNT": 1, "architectures": ["Bert"], "VERDAZUL_LISTEN_FD": 3}
    path = write(tmp_path / "config.json", content)

    told = read(tmp_path, SOMETHING_ELSE="1", HOME="/home")

    (warning,) = told.warnings
    keys = "'architectures', 'VERDAZUL_LISTEN_FD'"
    assert warning.startswith(f"Found extra keys in the config file: {keys} ({path})")
    assert told.listen_fd is None


@pytest.mark.parametrize("name", ["AML_DBG_MODEL_INFO", "AML_DBG_RESOURCE_INFO"])
def test_variables_of_removed_features_are_warned_about(tmp_path: Path, name: str) -> None:
    (warning,) = read(tmp_path, **{name: ""}).warnings

    assert warning.startswith(name)
    assert "features have been removed" in warning


@pytest.mark.parametrize(
    ("name", "text", "right"),
    [
        ("WORKER_COUNT", "0", "a whole number from 1 to 2147483648"),
        ("WORKER_TIMEOUT", "-1", "a number of seconds above 0, or 0 (no limit)"),
        ("WORKER_TIMEOUT", "inf", "a number of seconds above 0, or 0 (no limit)"),
        ("VERDAZUL_GRACE_SECONDS", "nan", "a number of seconds above 0, or 0 (at once)"),
        ("VERDAZUL_IDLE_TIMEOUT", "0", "a number of seconds above 0"),
        ("AZUREML_DEBUG_PORT", "65536", "a whole number from 1 to 65535"),
        ("HEALTH_PORT", "x", "a whole number from 1 to 65535"),
        ("AML_APP_INSIGHTS_ENABLED", "maybe", "true or false"),
        ("AZUREML_LOG_LEVEL", "LOUD", "one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("HTTP_X_MS_SERVER_VERSION", "a\r\nb: c", "a text of ASCII characters on one line"),
        ("VERDAZUL_MAX_KEEPALIVE_REQUESTS", "-1", "a whole number from 0 to 2147483648"),
    ],
)
def test_a_bad_value_is_told_with_its_place(
    tmp_path: Path, name: str, text: str, right: str
) -> None:
    in_environment = problem_of(tmp_path, **{name: text})
    path = write(tmp_path / "config.json", {name: text})
    in_file = problem_of(tmp_path)

    assert in_environment.message.startswith(f"{name} is {text!r}; it must be {right}")
    assert in_environment.fix == f"correct or remove the environment variable {name}"
    assert in_file.message.startswith(f"{name} is {text!r} in {path}; it must be {right}")
    assert in_file.fix == f"correct or remove {name} in {path}"


def test_a_list_in_the_file_is_told_where_a_text_belongs(tmp_path: Path) -> None:
    path = write(tmp_path / "config.json", {"AML_CORS_ORIGINS": ["a.com"]})

    message = f"AML_CORS_ORIGINS is ['a.com'] in {path}; it must be a text, a number, true or false"
    assert problem_of(tmp_path).message == message


def test_the_health_port_is_separate_only_when_asked_for_exactly_and_ours_to_choose(
    tmp_path: Path,
) -> None:
    asked = {"SEPERATE_HEALTH_ENDPOINT": "true"}

    assert read(tmp_path, HEALTH_PORT="7000").health_port is None
    assert read(tmp_path, SEPERATE_HEALTH_ENDPOINT="True").health_port is None
    assert read(tmp_path, **asked).health_port == 5000
    assert read(tmp_path, **asked, HEALTH_PORT="7000").health_port == 7000
    assert read(tmp_path, **asked, HEALTH_PORT="7000", SERVER_PORT="7000").health_port is None
    assert read(tmp_path, **asked, VERDAZUL_LISTEN_FD="3").health_port is None


def test_the_instrumentation_key_is_never_shown(tmp_path: Path) -> None:
    assert "s3cret" not in repr(read(tmp_path, AML_APP_INSIGHTS_KEY="s3cret"))
