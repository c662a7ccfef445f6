"""Loading the user's scoring script: find it, import it, check init() and run(), call init().

Everything that can be wrong with it is told as a BootFailure with the line to look at. Runs in a
worker only; the parent never imports user code.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from verdazul_serve import compat, modes, swagger, trace
from verdazul_serve.coroutines import Coroutines
from verdazul_serve.failure import BootFailure
from verdazul_serve.imports import explain_missing
from verdazul_serve.inputs import Arguments
from verdazul_serve.logs import user_script as log
from verdazul_serve.modes import Mode
from verdazul_serve.settings import Settings
from verdazul_serve.tree import tree


@dataclass(frozen=True)
class Script:
    """A loaded script whose init() has succeeded: `function(**arguments(request))` runs it.

    What comes back may be a coroutine even if not `is_async` (a decorator hid it): `coroutines`
    finishes it. `swagger` is by version; `batch` what @batch left on run(), None without.
    """

    name: str
    mode: Mode
    function: Callable[..., Any]
    arguments: Arguments
    is_async: bool
    swagger: Mapping[str, bytes]
    coroutines: Coroutines
    batch: Any

    @property
    def methods(self) -> frozenset[str]:
        """Those that reach run()."""
        more = ("HEAD", "OPTIONS") if self.mode is Mode.RAW else ()
        return frozenset({"GET", "POST", *more})


def load(settings: Settings) -> Script:
    """Import the script and run its init(). Raises BootFailure."""
    prepare_path(sys.path, settings, cwd=os.getcwd())  # noqa: PTH109  # see __main__
    compat.install()
    path = locate(settings)
    name = os.path.relpath(path, settings.app_root) if _within(path, settings) else path
    roots = _roots(path, settings)
    module = _import(path, name, roots, is_named=bool(settings.entry_script))
    init, run = _function(module, "init", name), _run(module, name)
    call = modes.decide(run, name)
    coroutines = Coroutines()
    _init(init, name, roots=roots, coroutines=coroutines, model_dir=settings.model_dir)
    return Script(
        name,
        call.mode,
        call.function,
        call.arguments,
        call.is_async,
        swagger.documents(run, settings),
        coroutines,
        call.batch,
    )


def prepare_path(path: list[str], settings: Settings, *, cwd: str) -> None:
    """The working directory first; app root and source directory behind the installed packages.

    Our own folder, when it was appended for us, stays behind the user's.
    """
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    appended = path[-1:] == [ours]
    if appended:
        path.pop()
    path.insert(0, cwd)
    path.append(settings.app_root)
    if settings.source_directory:
        path.append(os.path.join(settings.app_root, settings.source_directory))  # noqa: PTH118
    if appended:
        path.append(ours)


def locate(settings: Settings) -> str:
    """The script's absolute path. Raises BootFailure (UserScriptNotFound)."""
    root = os.path.abspath(settings.app_root)  # noqa: PTH100
    if settings.entry_script:
        path = os.path.join(root, settings.entry_script)  # noqa: PTH118
        if os.path.isfile(path):  # noqa: PTH113
            return os.path.normpath(path)
        raise _not_found(settings.entry_script, root)
    spec = importlib.util.find_spec("main")
    if spec and spec.origin and spec.origin.endswith(".py"):
        return os.path.abspath(spec.origin)  # noqa: PTH100
    raise BootFailure(
        "UserScriptNotFound",
        f"no scoring script is named and there is no main.py in {root}",
        fix="set AZUREML_ENTRY_SCRIPT to the scoring script, relative to the code folder",
    )


def _import(path: str, name: str, roots: tuple[str, ...], *, is_named: bool) -> ModuleType:
    """A named script is no module that others could import; main.py is one."""
    try:
        return _execute(path, name) if is_named else importlib.import_module("main")
    except BootFailure:
        raise
    except BaseException as error:  # noqa: BLE001  # sys.exit() at import is a boot failure too
        raise _import_failure(error, path, name=name, roots=roots) from None


def _execute(path: str, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("entry_module", path)
    if spec is None or spec.loader is None:
        raise BootFailure(
            "UserScriptImportError",
            f'scoring script "{name}" is not a Python file',
            fix="name a file that ends in .py",
            where=name,
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _import_failure(
    error: BaseException, path: str, *, name: str, roots: tuple[str, ...]
) -> BootFailure:
    traceback = trace.lines(error)
    log.error("The user script could not be imported: %s", "\n".join(traceback))
    fix = "correct the script; the traceback shows the line"
    if isinstance(error, ModuleNotFoundError) and error.name:
        fix = explain_missing(error.name, script=path, root=roots[0])
    kind = "a syntax error" if isinstance(error, SyntaxError) else type(error).__name__
    return BootFailure(
        "UserScriptImportError",
        f'scoring script "{name}" cannot be imported: {kind}: {error}',
        fix=fix,
        where=trace.where(error, roots) or name,
        traceback=traceback,
    )


def _run(module: ModuleType, name: str) -> Callable[..., Any]:
    """run(), of the script that a generated driver script stands in front of, if one does."""
    driver = getattr(module, "driver_module", None)
    if not (isinstance(driver, ModuleType) and hasattr(driver, "run")):
        log.info("Found user script at %s", module.__file__)
        return _function(module, "run", name)
    _function(module, "run", name)
    log.info(
        "Found driver script at %s and the score script at %s",
        module.__file__,
        getattr(driver, "__file__", None),
    )
    return _function(driver, "run", name)


def _function(module: ModuleType, wanted: str, name: str) -> Callable[..., Any]:
    function = getattr(module, wanted, None)
    if callable(function):
        return function  # type: ignore[no-any-return]  # callable() says no more than that
    argument = "data" if wanted == "run" else ""
    what = f"has no {wanted}()"
    if function is not None:
        what = f"has a {wanted} that is {type(function).__name__}, not a function"
    raise BootFailure(
        "UserScriptFunctionNotFound",
        f'scoring script "{name}" {what}',
        fix=f"define `def {wanted}({argument}): ...`",
        where=name,
    )


def _init(
    init: Callable[..., Any],
    name: str,
    *,
    roots: tuple[str, ...],
    coroutines: Coroutines,
    model_dir: str | None,
) -> None:
    log.info("Invoking user's init function")
    try:
        result = init()
        if inspect.iscoroutine(result):
            coroutines.finish(result)
    except BaseException as error:  # noqa: BLE001  # sys.exit() in init() is a boot failure too
        traceback = trace.lines(error)
        log.error("User's init function failed: %s", "\n".join(traceback))
        if model_dir and os.path.isdir(model_dir):  # noqa: PTH112
            log.error("Model Directory Contents:\n%s", "\n".join(tree(model_dir)))
        raise BootFailure(
            "UserScriptInitFailed",
            f'init() of scoring script "{name}" raised {type(error).__name__}: {error}',
            fix="correct init(); the traceback shows the line",
            where=trace.where(error, roots) or name,
            traceback=traceback,
        ) from None
    log.info("Users's init has completed successfully")


def _not_found(entry_script: str, root: str) -> BootFailure:
    try:
        found = sorted(name for name in os.listdir(root) if name.endswith(".py"))  # noqa: PTH208
        held = f"it holds {', '.join(found[:10])}" if found else "it holds no .py file"
    except OSError as error:
        held = f"it cannot be read: {error.strerror}"
    return BootFailure(
        "UserScriptNotFound",
        f'scoring script "{entry_script}" was not found in the code folder {root} ({held})',
        fix="correct code_configuration.scoring_script; it is relative to code_configuration.code",
    )


def _within(path: str, settings: Settings) -> bool:
    return path.startswith(os.path.abspath(settings.app_root) + os.sep)  # noqa: PTH100


def _roots(path: str, settings: Settings) -> tuple[str, ...]:
    return os.path.abspath(settings.app_root), os.path.dirname(path)  # noqa: PTH100, PTH120
