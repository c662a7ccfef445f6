"""Variables, config.json and folders: what a script and a client see of them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from serve.tests.differential.client import request
from serve.tests.differential.table import Case, Group, World

_VERSION = "HTTP_X_MS_SERVER_VERSION"
_ENABLED = "SERVER_VERSION_LOG_RESPONSE_ENABLED"

_ECHO = "echo.py"
_TIMED = """
def init():
    pass

def run(data):
    raise TimeoutError
"""
_WHERE = """
import os
import helper

def init():
    pass

def run(data):
    return [helper.NAME, os.path.basename(__file__), __name__]
"""
_HELPER = "NAME = 'helper'\n"
_UNPREPARED = """
import sys

def init():
    pass

def run(data):
    return [name in sys.modules for name in ("entry_module", "main", "score")]
"""
_VARIABLES = """
import os

KEPT = ("AZUREML_MODEL_DIR", "SERVICE_NAME", "WORKER_COUNT", "MY_OWN", "AML_APP_INSIGHTS_ENABLED")

def init():
    pass

def run(data):
    return {name: os.environ.get(name) for name in KEPT}
"""
_LIBRARIES = """
import json, logging, sys

def init():
    logging.basicConfig(level=logging.DEBUG)
    logging.getLogger("mine").setLevel(logging.DEBUG)

def run(data):
    logging.getLogger("mine").debug("debug %s", data)
    logging.error("error")
    print("printed", data, file=sys.stderr)
    sys.stdout.write("written\\n")
    return "logged"
"""
_ASYNC_INIT = """
count = 0

def init():
    global count
    count += 1

def run(data):
    global count
    count += 1
    return count
"""


def _post(name: str, body: bytes = b"x") -> Case:
    return Case(f"world-{name}", request(body=body))


def _version(name: str, environ: Mapping[str, str], *, told: bool = False) -> Group:
    """`told`: the variable with the header's value is there, though the switch says otherwise."""
    cases = (
        _post(f"version-{name}"),
        Case(f"world-version-{name}-health", request("GET", "/")),
        Case(f"world-version-{name}-long-id", request(headers={"x-request-id": "l" * 101})),
    )
    without = frozenset() if told else frozenset({_VERSION})
    return Group(f"version-{name}", World(_ECHO, environ=environ, without=without), cases)


def _configured(
    name: str, config: Mapping[str, object], *cases: Case, script: str = _TIMED
) -> Group:
    world = World(script, files={"config.json": json.dumps(config)})
    return Group(f"config-{name}", world, cases)


def _swagger(name: str) -> Case:
    return Case(f"world-{name}", request("GET", "/swagger.json"), body="json")


_SERVICE = {"SERVICE_NAME": "from file", "SERVICE_VERSION": "8", "SERVICE_PATH_PREFIX": "/file"}

GROUPS = (
    _version("own", {_VERSION: "my/7"}, told=True),
    _version("on", {_ENABLED: "True"}, told=True),
    _version("off", {_ENABLED: "false"}),
    _version("off-though-told", {_ENABLED: "false"}, told=True),
    _version("odd", {_ENABLED: "yes"}),
    _version("unset", {}),
    _configured("timeout", {"SCORING_TIMEOUT_MS": 1234}, _post("config-timeout")),
    _configured("timeout-text", {"SCORING_TIMEOUT_MS": "4321"}, _post("config-timeout-text")),
    _configured("service", _SERVICE, _swagger("config-service")),
    _configured("extra", {"NOT_KNOWN": 1, "SCORING_TIMEOUT_MS": 99}, _post("config-extra-keys")),
    _configured("cors", {"AML_CORS_ORIGINS": "*"}, _post("config-cors")),
    Group(
        "config-environment-first",
        World(
            _TIMED,
            environ={"SCORING_TIMEOUT_MS": "777"},
            files={"config.json": '{"SCORING_TIMEOUT_MS": 1234}'},
        ),
        (_post("config-environment-first"),),
    ),
    Group(
        "config-file-variable",
        World(
            _TIMED,
            environ={"AZUREML_CONFIG_FILE": "{code}/other.json"},
            files={
                "config.json": '{"SCORING_TIMEOUT_MS": 1}',
                "other.json": '{"SCORING_TIMEOUT_MS": 555}',
            },
        ),
        (_post("config-file-variable"),),
    ),
    Group(
        "config-file-missing",
        World(
            _TIMED,
            environ={"AZUREML_CONFIG_FILE": "{code}/not_there.json"},
            files={"config.json": '{"SCORING_TIMEOUT_MS": 66}'},
        ),
        (_post("config-file-missing"),),
    ),
    Group(
        "config-file-empty",
        World(
            _TIMED,
            environ={"AZUREML_CONFIG_FILE": "{code}/empty.json"},
            files={"empty.json": "", "config.json": '{"SCORING_TIMEOUT_MS": 67}'},
        ),
        (_post("config-file-empty"),),
    ),
    Group(
        "config-beside-script",
        World(
            _TIMED,
            entry="deep/er/score.py",
            files={"deep/er/config.json": '{"SCORING_TIMEOUT_MS": 88}'},
        ),
        (_post("config-beside-script"),),
    ),
    Group(
        "config-names-script",
        World(
            _WHERE,
            entry=None,
            files={
                "config.json": '{"AZUREML_ENTRY_SCRIPT": "main.py"}',
                "helper.py": _HELPER,
            },
        ),
        (_post("config-names-script"),),
    ),
    Group(
        "main-by-default",
        World(_WHERE, entry=None, files={"helper.py": _HELPER, "config.json": "{}"}),
        (_post("main-by-default"),),
    ),
    Group(
        "entry-below",
        World(_WHERE, entry="src/deep/my_score.py", files={"helper.py": _HELPER}),
        (_post("entry-below"),),
    ),
    Group(
        "source-directory",
        World(
            _WHERE,
            environ={"AZUREML_SOURCE_DIRECTORY": "lib"},
            files={"lib/helper.py": _HELPER},
        ),
        (_post("source-directory"),),
    ),
    Group("modules", World(_UNPREPARED), (_post("modules"),)),
    Group(
        "variables",
        World(_VARIABLES, environ={"MY_OWN": "žluť", "SERVICE_NAME": "s", "WORKER_COUNT": "1"}),
        (_post("variables"),),
    ),
    Group("logs", World(_LIBRARIES), (_post("logs", "žluť".encode()),)),
    Group("init-once", World(_ASYNC_INIT), (_post("init-once"), _post("state-is-kept"))),
    Group(
        "two-workers",
        World(_ECHO, environ={"WORKER_COUNT": "2"}),
        tuple(_post(f"two-workers-{number}") for number in range(4)),
    ),
)
