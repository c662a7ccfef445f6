"""Run by the SDK's interpreter: what its own loader makes of YAML files.

Reads a JSON list of paths from stdin; prints a JSON list of `{"refused": why}` or `{"body": ...}`.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import warnings
from typing import Any

warnings.filterwarnings("ignore")

from azure.ai.ml import load_online_deployment, load_online_endpoint  # noqa: E402


def told(path: str) -> dict[str, Any]:
    load = load_online_endpoint if "endpoint" in path.rpartition("/")[2] else load_online_deployment
    try:
        body = (
            load(path)._to_rest_online_endpoint("local")
            if load is load_online_endpoint
            else (load(path)._to_rest_object("local"))
        )
    except Exception as error:  # noqa: BLE001 - whatever the SDK raises is a refusal
        return {"refused": str(error)}
    return {"body": body.as_dict()}


with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    answers = [told(path) for path in json.load(sys.stdin)]
print(json.dumps(answers))
