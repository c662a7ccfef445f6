"""Worlds in which nothing can be served: the exit codes are compared."""

from __future__ import annotations

from serve.tests.differential.table import Boot, World

_INIT = "def init(): pass\n"
_RUN = "def run(data): return data\n"
_RAW = "from azureml_inference_server_http.api.aml_request import rawhttp\n"
_SCHEMA = """
import numpy as np, pandas as pd
from inference_schema.schema_decorators import input_schema, output_schema
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
"""

_SCRIPTS = {
    "syntax-error": "def init(:\n" + _RUN,
    "import-error": "import not_there_at_all\n" + _INIT + _RUN,
    "error-at-import": "1 / 0\n" + _INIT + _RUN,
    "exit-at-import": "import sys\nsys.exit(0)\n" + _INIT + _RUN,
    "exit-code-at-import": "import sys\nsys.exit(7)\n" + _INIT + _RUN,
    "interrupt-at-import": "raise KeyboardInterrupt\n" + _INIT + _RUN,
    "empty": "",
    "not-utf-8": "# coding: utf-8\nname = '\\ud800'.encode()\n" + _INIT + _RUN,
    "no-init": _RUN,
    "no-run": _INIT,
    "init-is-none": "init = None\n" + _RUN,
    "run-is-text": _INIT + "run = 'text'\n",
    "run-without-parameters": _INIT + "def run(): pass\n",
    "run-with-args": _INIT + "def run(*args): pass\n",
    "run-with-kwargs": _INIT + "def run(**kwargs): pass\n",
    "run-with-data-and-kwargs": _INIT + "def run(data, **kwargs): pass\n",
    "run-positional-only": _INIT + "def run(data, /): pass\n",
    "run-with-headers-only": _INIT + "def run(request_headers): pass\n",
    "init-raises": "def init(): raise ValueError('no model')\n" + _RUN,
    "init-exits": "import sys\ndef init(): sys.exit(0)\n" + _RUN,
    "init-exits-code": "import sys\ndef init(): sys.exit(5)\n" + _RUN,
    "init-interrupted": "def init(): raise KeyboardInterrupt\n" + _RUN,
    "init-timeout": "def init(): raise TimeoutError\n" + _RUN,
    "init-with-parameter": "def init(model): pass\n" + _RUN,
    "both-decorators": _RAW
    + _SCHEMA
    + _INIT
    + "@rawhttp\n@input_schema('a', StandardPythonParameterType(1))\ndef run(a): return a\n",
    "bad-sample": _SCHEMA
    + _INIT
    + "@input_schema('a', PandasParameterType(pd.Series([1])))\ndef run(a): return a\n",
    "schema-of-no-parameter": _SCHEMA
    + _INIT
    + "@input_schema('b', StandardPythonParameterType(1))\ndef run(a): return a\n",
    "two-output-schemas": _SCHEMA
    + _INIT
    + "@output_schema(StandardPythonParameterType(1))\n" * 2
    + "def run(a): return a\n",
    "driver-without-outer-run": "import json as driver_module\ndriver_module.run = print\n" + _INIT,
}

_ENVIRONMENTS = {
    "timeout-text": {"SCORING_TIMEOUT_MS": "abc"},
    "timeout-float": {"SCORING_TIMEOUT_MS": "1.5"},
    "timeout-empty": {"SCORING_TIMEOUT_MS": ""},
    "timeout-zero": {"SCORING_TIMEOUT_MS": "0"},
    "timeout-negative": {"SCORING_TIMEOUT_MS": "-1"},
    "insights-text": {"AML_APP_INSIGHTS_ENABLED": "maybe"},
    "log-response-text": {"APP_INSIGHTS_LOG_RESPONSE_ENABLED": "maybe"},
    "debug-port-text": {"AZUREML_DEBUG_PORT": "abc"},
    "service-name-quoted": {"SERVICE_NAME": 'a "quoted" name'},
}

_FILES = {
    "config-malformed": {"config.json": "{ not json"},
    "config-list": {"config.json": "[]"},
    "config-bad-value": {"config.json": '{"SCORING_TIMEOUT_MS": "abc"}'},
    "config-null": {"config.json": '{"SCORING_TIMEOUT_MS": null}'},
    "logging-malformed": {"logging.json": "{ not json"},
    "swagger-malformed": {"swagger.json": "{ not json"},
    "swagger-empty": {"swagger3.json": ""},
}

BOOTS = (
    *(Boot(f"boot-{name}", World(script)) for name, script in _SCRIPTS.items()),
    *(
        Boot(f"boot-{name}", World(_INIT + _RUN, environ=environ))
        for name, environ in _ENVIRONMENTS.items()
    ),
    *(Boot(f"boot-{name}", World(_INIT + _RUN, files=files)) for name, files in _FILES.items()),
    Boot("boot-missing-script", World(None)),
    Boot("boot-script-is-a-folder", World(None, files={"score.py/inside.txt": ""})),
    Boot("boot-no-main", World(None, entry=None, files={"config.json": "{}"})),
)
