"""The three ways in which run() is called, from the script's text to the answer."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import pytest

from verdazul_serve.inputs import BadInput
from verdazul_serve.modes import Mode

from .loading import imports_put_back, loaded, logged, request
from .scripts import INIT, JSON, PLAIN, RAW, SCHEMA, answer, value

pytestmark = pytest.mark.azure(86, 87, 89)

RAW_LINE = "run() is decorated with @rawhttp. Server will invoke it with the flask request object."
SCHEMA_LINE = (
    "run() is decorated with @input_schema."
    " Server will invoke it with the following arguments: a, b."
)


@pytest.mark.parametrize(
    ("text", "mode", "line"),
    [
        (
            PLAIN,
            Mode.PLAIN,
            "run() is not decorated. Server will invoke it with the input in JSON string.",
        ),
        (
            SCHEMA + '@input_schema("a", Type(1))\ndef run(a, request_headers, b=2): return a',
            Mode.SCHEMA,
            SCHEMA_LINE,
        ),
        (
            RAW + "@rawhttp\ndef run(request): return 1",
            Mode.RAW,
            RAW_LINE,
        ),
    ],
)
def test_the_mode_is_decided_and_told_at_boot(
    tmp_path: Path, text: str, mode: Mode, line: str
) -> None:
    with logged("azmlinfsrv.user_script") as lines, loaded(tmp_path, text) as script:
        assert script.mode is mode

    assert lines == [
        f"Found user script at {tmp_path}/score.py",
        line,
        "Invoking user's init function",
        "Users's init has completed successfully",
    ]


def test_a_named_script_is_no_module_for_others_but_main_is(tmp_path: Path) -> None:
    named = INIT + "import sys\ndef run(data): return [__name__, __name__ in sys.modules]\n"

    with loaded(tmp_path, named) as script:
        assert value(script, request()) == ["entry_module", False]
    with loaded(tmp_path, "", files={"main.py": named}, AZUREML_ENTRY_SCRIPT="") as script:
        assert value(script, request()) == ["main", True]


def test_a_driver_scripts_init_goes_with_the_run_behind_it(tmp_path: Path) -> None:
    driver = "import behind as driver_module\n" + INIT + "def run(data): return 'outer'\n"
    files = {"behind.py": "def run(data): return 'inner'\n"}

    with (
        logged("azmlinfsrv.user_script") as lines,
        loaded(tmp_path, driver, files=files) as script,
    ):
        assert value(script, request()) == "inner"

    score = f"the score script at {tmp_path}/behind.py"
    assert lines[0] == f"Found driver script at {tmp_path}/score.py and {score}"
    del sys.modules["behind"]


@pytest.mark.parametrize("driver", ["driver_module = 1", "import json as driver_module"])
def test_what_is_no_module_with_a_run_is_no_driver(tmp_path: Path, driver: str) -> None:
    with loaded(tmp_path, f"{driver}\n{PLAIN}") as script:
        assert value(script, request(body=b"x")) == "x"


def test_a_schema_converts_what_the_body_says(tmp_path: Path) -> None:
    text = (
        SCHEMA
        + """
import numpy
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
@input_schema("rows", NumpyParameterType(numpy.array([[1]])))
@output_schema(Type("x"))
def run(rows, request_headers, add=1): return [int(rows.sum()) + add, request_headers["X-A"]]
"""
    )
    with loaded(tmp_path, text) as script:
        assert value(script, request(body=b'{"rows": [[1], [2]]}', x_a="u", **JSON)) == [4, "u"]
        assert value(script, request("GET", "/score?rows=[[7]]&add=5", x_a="v")) == [12, "v"]
        with pytest.raises(BadInput, match="A value is not provided for the 'rows' parameter"):
            answer(script, request(body=b'{"add": 1}', **JSON))


def test_only_an_output_schema_is_a_schema_too(tmp_path: Path) -> None:
    text = SCHEMA + "@output_schema(Type(1))\ndef run(anything): return anything\n"

    with loaded(tmp_path, text) as script:
        assert value(script, request(body=b'{"anything": [1]}', **JSON)) == [1]


def test_a_run_that_closes_over_itself_is_no_riddle(tmp_path: Path) -> None:
    text = (
        SCHEMA
        + """
def make():
    def run(data): return run.__name__
    return run
run = make()
"""
    )
    with loaded(tmp_path, text) as script:
        assert (script.mode, value(script, request())) == (Mode.PLAIN, "run")


def test_an_async_run_may_have_a_schema(tmp_path: Path) -> None:
    text = SCHEMA + '@input_schema("a", Type(1.5))\nasync def run(a): return a * 2\n'

    with loaded(tmp_path, text) as script:
        assert script.is_async
        assert value(script, request(body=b'{"a": 2}', **JSON)) == 4


def test_loading_leaves_the_tests_own_process_as_it_was(tmp_path: Path) -> None:
    before = sys.path[:], sys.meta_path[:], set(sys.modules)

    with imports_put_back(), loaded(tmp_path, RAW + "@rawhttp\ndef run(request): pass\n"):
        assert inspect.getmodulename("score.py")

    assert before[:2] == (sys.path, sys.meta_path)
    assert not any(name.startswith("azureml") for name in set(sys.modules) - before[2])
