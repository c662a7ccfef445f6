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

from azure.ai.ml import (  # noqa: E402
    load_datastore,
    load_online_deployment,
    load_online_endpoint,
)


def told(path: str) -> dict[str, Any]:
    kind = path.rpartition("/")[2].partition(".")[0]
    try:
        if kind == "datastore":
            body = load_datastore(path)._to_rest_object()
        elif kind == "endpoint":
            body = load_online_endpoint(path)._to_rest_online_endpoint("local")
        else:
            body = load_online_deployment(path)._to_rest_object("local")
        return {"body": body.as_dict()}
    except Exception as error:  # noqa: BLE001 - whatever the SDK raises is a refusal
        return {"refused": str(error)}


with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    answers = [told(path) for path in json.load(sys.stdin)]
print(json.dumps(answers))
