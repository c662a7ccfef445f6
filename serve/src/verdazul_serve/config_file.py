"""The user's `config.json`: where it is, and what it says.

It is one JSON object whose keys are names of environment variables. The environment wins over it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NoReturn

from verdazul_serve.failure import BootFailure

NAMED_BY = "AZUREML_CONFIG_FILE"
_USUAL = "config.json"


def find(environ: Mapping[str, str], *, cwd: str) -> str | None:
    """The file that is named, else one in the app root, else one beside the entry script."""
    named = environ.get(NAMED_BY)
    if named and is_used(named):
        return named
    root = environ.get("AML_APP_ROOT") or cwd
    script = environ.get("AZUREML_ENTRY_SCRIPT")
    folders = [root, os.path.dirname(os.path.join(root, script))] if script else [root]  # noqa: PTH118, PTH120  # pathlib costs 10 ms at start
    candidates = (os.path.join(folder, _USUAL) for folder in folders)  # noqa: PTH118
    return next((path for path in candidates if is_used(path)), None)


def is_used(path: str) -> bool:
    """An empty file is as good as none."""
    try:
        return os.stat(path).st_size > 0  # noqa: PTH116
    except OSError:
        return False


def load(path: str) -> dict[str, Any]:
    """What the file says. Raises BootFailure (ConfigurationError) with the line to look at."""
    import json

    try:
        with open(path, encoding="utf-8-sig") as file:  # noqa: PTH123
            content = json.load(file)
    except json.JSONDecodeError as error:
        _refuse(f"{path}:{error.lineno}", f"{error.msg} (column {error.colno})")
    except (OSError, UnicodeDecodeError) as error:
        _refuse(path, str(error))
    if not isinstance(content, dict):
        _refuse(f"{path}:1", 'it must be an object, as {"SCORING_TIMEOUT_MS": 1000}')
    return content


def _refuse(where: str, reason: str) -> NoReturn:
    raise BootFailure(
        "ConfigurationError",
        f"Invalid config file! {reason}",
        fix=f"correct the file, or point {NAMED_BY} at another one",
        where=where,
    ) from None
