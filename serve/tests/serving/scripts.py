"""Beginnings of scoring scripts, as users write them, and what is asked of the loaded ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from verdazul_serve.answers import Answer
from verdazul_serve.failure import BootFailure
from verdazul_serve.reading import Request
from verdazul_serve.script import Script

from .loading import answered, loaded

INIT = "def init(): pass\n"
PLAIN = INIT + "def run(data): return data\n"
SCHEMA = (
    INIT
    + """
from inference_schema.schema_decorators import input_schema, output_schema
from inference_schema.parameter_types.standard_py_parameter_type import (
    StandardPythonParameterType as Type,
)
"""
)
RAW = (
    INIT
    + """
from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse
"""
)
JSON: dict[str, str] = {"content_type": "application/json"}


def answer(script: Script, asked: Request) -> Answer:
    found = answered(script, asked)
    assert isinstance(found, Answer)
    return found


def value(script: Script, asked: Request) -> Any:
    return json.loads(answer(script, asked).body)


def problem(folder: Path, text: str) -> Any:
    with pytest.raises(BootFailure) as caught, loaded(folder, text):
        pass
    return caught.value.problem
