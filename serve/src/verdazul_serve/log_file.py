"""The user's `logging.json`: a `logging.config` dictionary that replaces our own format."""

from __future__ import annotations

import logging
import os
from typing import Any, NoReturn

from verdazul_serve.failure import BootFailure

_THEIRS = "azureml_inference_server_http.log_config."
_OURS = "verdazul_serve.log_config."


def find(app_root: str, entry_script: str | None) -> str | None:
    """In the app root, else beside the entry script."""
    folders = [app_root]
    if entry_script:
        script = os.path.realpath(os.path.join(app_root, entry_script))  # noqa: PTH118
        folders.append(os.path.dirname(script))  # noqa: PTH120  # pathlib costs 10 ms at start
    paths = (os.path.join(folder, "logging.json") for folder in folders)  # noqa: PTH118
    return next(filter(os.path.isfile, paths), None)


def apply(path: str) -> None:
    """Raises BootFailure (ConfigurationError) with the reason, and the line if there is one."""
    import json
    from logging.config import dictConfig

    try:
        with open(path, encoding="utf-8-sig") as file:  # noqa: PTH123
            config = json.load(file)
    except json.JSONDecodeError as error:
        _refuse(f"{path}:{error.lineno}", f"{error.msg} (column {error.colno})")
    except (OSError, UnicodeDecodeError) as error:
        _refuse(path, str(error))
    if not isinstance(config, dict):
        _refuse(f"{path}:1", "it must be an object, as logging.config.dictConfig takes")
    try:
        dictConfig(_with_our_classes(config))
    except Exception as error:  # noqa: BLE001  # handlers and formatters may be the user's code
        cause = error.__cause__
        _refuse(path, f"{error}: {cause}" if cause else str(error))
    _enable_ours()


def _with_our_classes(config: Any) -> Any:
    """The same, where classes of Azure's package are ours: it need not be installed."""
    if isinstance(config, dict):
        return {key: _with_our_classes(value) for key, value in config.items()}
    if isinstance(config, list):
        return [_with_our_classes(item) for item in config]
    if isinstance(config, str) and config.startswith(_THEIRS):
        return config.replace(_THEIRS, _OURS, 1)
    return config


def _enable_ours() -> None:
    """A file that leaves our loggers out must not silence boot failures and prints."""
    for name, logger in logging.root.manager.loggerDict.items():
        if name.partition(".")[0] == "azmlinfsrv" and isinstance(logger, logging.Logger):
            logger.disabled = False


def _refuse(where: str, reason: str) -> NoReturn:
    raise BootFailure(
        "ConfigurationError",
        f"Invalid logging config file! {reason}",
        fix="correct the file; it is described at logging.config.dictConfig of Python",
        where=where,
    ) from None
