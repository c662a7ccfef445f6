"""How run() is called: plain, by schema or with the raw request; decided once, at boot.

A wrong signature is told here rather than by a TypeError at the first request.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NoReturn

from verdazul_serve import batching, compat, inputs
from verdazul_serve.failure import BootFailure
from verdazul_serve.inputs import HEADERS, Arguments
from verdazul_serve.logs import user_script as log

Run = Callable[..., Any]
Parameters = Sequence[inspect.Parameter]

_FIX = "define `def run(data): ...` or `def run(data, request_headers): ...`"
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Mode(str, Enum):
    """What run() is given."""

    PLAIN = "plain"  # the body as text
    SCHEMA = "schema"  # parameters by name, from a JSON object
    RAW = "rawhttp"  # the Flask request


@dataclass(frozen=True)
class Call:
    """`function(**arguments(request))` runs the script.

    `is_async`: that makes a coroutine or an asynchronous generator. `batch` is what @batch left on
    run(), None without.
    """

    mode: Mode
    function: Run
    arguments: Arguments
    is_async: bool
    batch: Any


def decide(run: Run, name: str) -> Call:
    """Raises BootFailure (InvalidRunSignature). `name` is the script's."""
    parameters, wants_headers = check_signature(run, name)
    mode = _mode(run, name)
    batch = _batch(run, mode, name)
    if mode is not Mode.SCHEMA:
        _check_defaults(run, parameters, name)
    arguments = _arguments(mode, parameters, wants_headers=wants_headers)
    log.info(_described(mode, parameters))
    function = run
    if "flask" in sys.modules and batch is None:
        function, arguments = _within_flask(run, mode, arguments)
    return Call(mode, function, arguments, is_async(run), batch)


def check_signature(run: Run, name: str) -> tuple[list[inspect.Parameter], bool]:
    """The parameters for the input, and whether request headers are wanted."""
    try:
        parameters = list(inspect.signature(run).parameters.values())
    except (TypeError, ValueError) as reason:
        _refuse(run, f"run() has no signature that can be read: {reason}", name)
    if any(each.kind not in _BY_NAME for each in parameters):
        _refuse(run, "run() cannot accept positional-only arguments, *args, or **kwargs.", name)
    others = [each for each in parameters if each.name != HEADERS]
    if not parameters:
        _refuse(run, "run() needs to accept an argument for input data.", name)
    if not others:
        _refuse(run, f'run() needs to accept an argument other than "{HEADERS}".', name)
    return others, len(others) < len(parameters)


def is_async(run: Run) -> bool:
    """Whether calling it makes a coroutine or an asynchronous generator.

    A plain function around an `async def` is taken at its word: it may finish the coroutine itself
    (asyncio.run), which it could not within a running loop.
    """
    tests = (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    return any(test(each) for each in (run, type(run).__call__) for test in tests)


def is_schema_decorated(run: Run) -> bool:
    """By @input_schema or @output_schema, which register what they decorate."""
    util = sys.modules.get("inference_schema.schema_util")
    try:
        return bool(util and util.is_schema_decorated(run))
    except (ValueError, RecursionError):  # it walks closures, which may be empty or go in circles
        return False


def _mode(run: Run, name: str) -> Mode:
    is_raw, has_schema = compat.wants_raw_http(), is_schema_decorated(run)
    if is_raw and has_schema:
        message = "run() cannot be decorated with both @rawhttp and @input_schema"
        _refuse(run, message, name, fix="take one of the two decorators away")
    if is_raw:
        return Mode.RAW
    return Mode.SCHEMA if has_schema else Mode.PLAIN


def _batch(run: Run, mode: Mode, name: str) -> Any:
    batch = getattr(run, batching.ATTRIBUTE, None)
    if batch is not None and mode is not Mode.PLAIN:
        other = "@rawhttp" if mode is Mode.RAW else "@input_schema"
        message = (
            f"run() cannot be decorated with both @batch and {other}; batching takes plain scripts"
        )
        _refuse(run, message, name, fix=f"take @batch or {other} away")
    return batch


def _arguments(mode: Mode, parameters: Parameters, *, wants_headers: bool) -> Arguments:
    if mode is Mode.SCHEMA:
        return inputs.schema(parameters, wants_headers=wants_headers)
    build = inputs.raw if mode is Mode.RAW else inputs.plain
    return build(parameters[0].name, wants_headers=wants_headers)


def _within_flask(run: Run, mode: Mode, arguments: Arguments) -> tuple[Run, Arguments]:
    """Azure's server is a Flask application: other scripts, too, may rely on flask.request."""
    from verdazul_serve.compat import contexts

    if mode is Mode.RAW:
        return contexts.entered(run), arguments
    if contexts.are_wanted_by(run):
        return contexts.entered(run), contexts.accompanied(arguments)
    return run, arguments


def _check_defaults(run: Run, parameters: Parameters, name: str) -> None:
    first, *others = parameters
    unfilled = [each.name for each in others if each.default is inspect.Parameter.empty]
    if unfilled:
        message = (
            f"run() is called with its first argument ({first.name}) only;"
            f" {', '.join(unfilled)} would have no value."
        )
        _refuse(run, message, name)


def _described(mode: Mode, parameters: Parameters) -> str:
    if mode is Mode.RAW:
        return (
            "run() is decorated with @rawhttp. Server will invoke it with the flask request object."
        )
    if mode is Mode.PLAIN:
        return "run() is not decorated. Server will invoke it with the input in JSON string."
    names = ", ".join(each.name for each in parameters)
    return (
        "run() is decorated with @input_schema."
        f" Server will invoke it with the following arguments: {names}."
    )


def _refuse(run: Run, message: str, name: str, *, fix: str = _FIX) -> NoReturn:
    code = getattr(inspect.unwrap(run), "__code__", None)
    where = f"{name}:{code.co_firstlineno}" if code else name
    raise BootFailure("InvalidRunSignature", message, fix=fix, where=where)
