"""azureml-ai-monitoring in a script: what reaches the agent's port."""

from __future__ import annotations

import json
from typing import Any

from serve.tests.differential.client import request
from serve.tests.differential.sink import HOST
from serve.tests.differential.table import Case, Group, World

_ROWS = [{"a": 1, "s": "x", "f": 0.5}, {"a": 2, "s": None, "f": 1e300}]
_CONFIG = json.dumps(
    {
        "runMode": "cloud",
        "collections": {
            "model_inputs": {"enabled": True, "sampleRatePercentage": 100},
            "model_outputs": {"enabled": True, "sampleRatePercentage": 100},
        },
    }
)


def _sent(name: str, posts: int, order: dict[str, Any]) -> Case:
    headers = {"x-request-id": f"id of {name}"}
    body = json.dumps(order).encode()
    return Case(f"collects-{name}", request(body=body, headers=headers), posts=posts)


def _cases(kind: str, *, posts: int) -> tuple[Case, ...]:
    return (
        _sent(f"{kind}-rows", posts, {"rows": _ROWS}),
        _sent(f"{kind}-unicode", posts, {"rows": [{"žluť": "漢"}]}),
        _sent(f"{kind}-not-a-frame", 0, {"wrong": [1]}),
    )


def _world(files: dict[str, str] | None = None, **environ: str) -> World:
    known = {"AZUREML_MDC_PORT": "{sink}", "AZUREML_MDC_HOST": HOST}
    return World("collects.py", environ={**known, **environ}, files=files or {})


_FILE = {"AZUREML_MDC_CONFIG_PATH": "{code}/collector.json"}

GROUPS = (
    Group(
        "collects",
        _world(AZUREML_MDC_ENABLED="true"),
        _cases("legacy", posts=2),
    ),
    Group(
        "collects-configured", _world({"collector.json": _CONFIG}, **_FILE), _cases("file", posts=2)
    ),
    Group("collects-nothing", _world(), _cases("off", posts=0)),
    Group(
        "collects-compact",
        _world(AZUREML_MDC_ENABLED="true", AZUREML_MDC_FORMAT_COMPACT="true"),
        _cases("compact", posts=2),
    ),
)
