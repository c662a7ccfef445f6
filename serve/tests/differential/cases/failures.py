"""Exceptions, timeouts and ends of a run()."""

from __future__ import annotations

from serve.tests.differential.client import request
from serve.tests.differential.table import Case, Group, World, words

_RAISED = words("""
value-error unicode-error own-error unprintable chained group assert stop-iteration recursion
memory import os-error connection-error broken-pipe not-implemented cancelled generator-exit
own-base abort abort-response bad-request bad-key
timeout-error own-timeout socket-timeout future-timeout asyncio-timeout
exit-in-thread prints main-thread
""")

_ENDED = words("""
sys-exit sys-exit-code sys-exit-text system-exit keyboard-interrupt
""")

_DIED = words("os-exit os-exit-code segfault killed")

_TIMED = words("in-time sleep loop swallow swallow-base reraise clean-up steps")


def _case(name: str, *, prefix: str = "fails") -> Case:
    return Case(f"{prefix}-{name}", request(body=name.encode()))


def _with_afterwards(name: str, *, prefix: str) -> tuple[Case, ...]:
    """The end, and that the next request is answered."""
    afterwards = Case(f"after-{name}", request(body=b"bad-key", headers={"x-request-id": name}))
    return Case(f"{prefix}-{name}", request(body=name.encode())), afterwards


def _ends(prefix: str, names: tuple[str, ...]) -> Group:
    pairs = (_with_afterwards(name, prefix=prefix) for name in names)
    return Group(prefix, World("failures.py"), tuple(case for pair in pairs for case in pair))


_ALSO = (
    Case("fails-with-ids", request(body=b"bad-key", headers={"x-ms-request-id": "mine"})),
    Case("fails-with-trace", request(body=b"bad-key", headers={"TraceId": "mine"})),
    Case("fails-timeout-with-ids", request(body=b"timeout-error", headers={"x-request-id": "a"})),
    Case("fails-http-1.0", request(body=b"bad-key", version="1.0")),
)

_SCHEMA_TIMEOUT = """
import time
from inference_schema.schema_decorators import input_schema
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType

def init():
    pass

@input_schema("seconds", StandardPythonParameterType(1.0))
def run(seconds):
    time.sleep(seconds)
"""

_RAW_TIMEOUT = """
import time
from azureml_inference_server_http.api.aml_request import rawhttp

def init():
    time.sleep(0.2)

@rawhttp
def run(request):
    time.sleep(float(request.args["seconds"]))
    return request.method
"""

_JSON = {"Content-Type": "application/json"}

GROUPS = (
    Group("fails", World("failures.py"), (*(_case(name) for name in _RAISED), *_ALSO)),
    _ends("ends", _ENDED),
    _ends("dies-by", _DIED),
    Group(
        "times",
        World("failures.py", environ={"SCORING_TIMEOUT_MS": "400"}),
        (*(_case(name, prefix="times") for name in _TIMED), _case("timeout-error", prefix="times")),
    ),
    Group(
        "times-schema",
        World(_SCHEMA_TIMEOUT, environ={"SCORING_TIMEOUT_MS": "300"}),
        (
            Case("times-schema-out", request(body=b'{"seconds": 30}', headers=_JSON)),
            Case("times-schema-in", request(body=b'{"seconds": 0}', headers=_JSON)),
        ),
    ),
    Group(
        "times-raw",
        World(_RAW_TIMEOUT, environ={"SCORING_TIMEOUT_MS": "100"}),
        (
            Case("times-raw-out", request(target="/score?seconds=30")),
            Case("times-raw-options", request("OPTIONS", "/score?seconds=30")),
            Case("times-raw-in", request("GET", "/score?seconds=0")),
        ),
    ),
)
