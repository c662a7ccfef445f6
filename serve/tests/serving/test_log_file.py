"""The user's logging.json: in force, or a reason why the server cannot start."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .told import ACCESS, LINES, STAMP, run

AZURES = {
    "version": 1,
    "formatters": {
        "own": {
            "class": "azureml_inference_server_http.log_config.AMLLogFormatter",
            "format": "%(levelname)s|%(name)s|%(message)s",
        },
        "default": {"()": "azureml_inference_server_http.log_config.AMLLogFormatter"},
    },
    "filters": {
        "probes": {"()": "azureml_inference_server_http.log_config.RootAccessFilter"},
    },
    "handlers": {
        "out": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": "own",
            "filters": ["probes"],
        },
        "err": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stderr",
            "formatter": "default",
        },
    },
    "loggers": {"azmlinfsrv": {"level": "INFO", "handlers": ["out"], "propagate": False}},
}
LOAD = "logs.load_config(settings)\n"


def write(path: Path, config: object) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(config if isinstance(config, str) else json.dumps(config), encoding="utf-8")
    return str(path)


def test_the_users_logging_file_is_in_force_with_the_classes_it_names(tmp_path: Path) -> None:
    path = write(tmp_path / "logging.json", AZURES)

    told = run(
        LOAD + ACCESS + "logs.hook_print(); print('GET / HTTP/1.1 is a probe'); print('x')",
        folder=tmp_path,
    )

    assert told.out == [
        f"INFO|azmlinfsrv|Loaded logging config from {path}",
        *[line.replace("I azmlinfsrv", "INFO|azmlinfsrv").replace(" - ", "|") for line in LINES],
        "INFO|azmlinfsrv.print|x",
    ]


def test_the_formatter_has_azures_format_in_utc_by_itself(tmp_path: Path) -> None:
    loggers = {"mine": {"handlers": ["err"]}}
    write(tmp_path / "logging.json", {**AZURES, "loggers": loggers})

    told = run(LOAD + "logging.getLogger('mine').error('x')", folder=tmp_path)

    assert re.match(STAMP + r"E \[\d+\] mine - x$", told.err[0])


def test_a_file_beside_the_script_is_used_when_the_app_root_has_none(tmp_path: Path) -> None:
    path = write(tmp_path / "sub" / "logging.json", AZURES)

    told = run(LOAD, folder=tmp_path, AZUREML_ENTRY_SCRIPT="sub/score.py")

    assert told.out == [f"INFO|azmlinfsrv|Loaded logging config from {path}"]


def test_a_file_that_names_only_the_root_silences_no_server(tmp_path: Path) -> None:
    handlers = {"err": {"class": "logging.StreamHandler"}}
    config = {"version": 1, "handlers": handlers, "root": {"level": "INFO", "handlers": ["err"]}}
    write(tmp_path / "logging.json", config)

    told = run(LOAD + "logs.hook_print(); print('x'); logging.info('mine')", folder=tmp_path)

    assert told.out[1:] == ["I azmlinfsrv.print - x"]
    assert told.err == ["mine"]


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        ('{"version": 1,\n "x"}', ":2", "Expecting ':' delimiter (column 5)"),
        ("[]", ":1", "it must be an object"),
        ('{"version": 2}', "", "Unsupported version: 2"),
        (
            '{"version": 1, "handlers": {"a": {"class": "no.such.Class"}}}',
            "",
            "Unable to configure handler 'a': ",
        ),
    ],
)
def test_a_broken_file_is_a_boot_failure_with_its_reason(
    tmp_path: Path, text: str, where: str, reason: str
) -> None:
    path = write(tmp_path / "logging.json", text)
    code = """
        try:
            logs.load_config(settings)
        except BootFailure as failure:
            sys.stderr.write(failure.problem.to_json().decode())
    """

    problem = json.loads(run(code, folder=tmp_path).err[0])

    assert (problem["code"], problem["where"]) == ("ConfigurationError", path + where)
    assert problem["message"].startswith("Invalid logging config file! ")
    assert reason in problem["message"]


def test_the_parent_keeps_its_own_format_when_only_workers_can_load_the_file(
    tmp_path: Path,
) -> None:
    formatters = {"own": {"class": "users_module.Formatter"}}
    write(tmp_path / "logging.json", {**AZURES, "formatters": formatters})

    told = run("logs.load_config_if_possible(settings)\nlogs.server.info('x')", folder=tmp_path)

    assert told.out == ["I azmlinfsrv - x"]
