"""GUNICORN_CMD_ARGS: what the original server's engine was told, as far as it means anything here.

Nothing is dropped silently: each option without effect is named, with what to use instead.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, MutableMapping

_VARIABLE = "GUNICORN_CMD_ARGS"
_SHORT = {
    "-b": "--bind",
    "-c": "--config",
    "-k": "--worker-class",
    "-t": "--timeout",
    "-w": "--workers",
}
_INSTEAD = {
    "--bind": "use --port and --host",
    "--keep-alive": "set VERDAZUL_IDLE_TIMEOUT",
    "--limit-request-field_size": "set VERDAZUL_MAX_HEADER_BYTES",
    "--limit-request-line": "set VERDAZUL_MAX_HEADER_BYTES",
    "--log-level": "set AZUREML_LOG_LEVEL",
    "--reload": "use azmlinfsrv --reload",
    "--threads": "use --worker_count, or `async def run`",
    "--timeout": "set WORKER_TIMEOUT",
    "--worker-class": "use --worker_count, or `async def run`",
    "--workers": "use --worker_count",
}


def heed(environ: MutableMapping[str, str]) -> list[str]:
    """Set the variables that stand for the options; returns a warning for each one ignored."""
    try:
        words = shlex.split(environ.get(_VARIABLE, ""))
    except ValueError as error:
        return [f"{_VARIABLE} is ignored: {error}"]
    return [
        warning
        for option, value in _options(words)
        for warning in _heed_one(environ, option, value)
    ]


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Each option by its long name, with the text that follows it ("" for a switch)."""
    for number, word in enumerate(words):
        if not word.startswith("-"):
            continue
        name, _, value = word.partition("=")
        if not name.startswith("--"):
            name, value = _SHORT.get(word[:2], word[:2]), word[2:]
        following = words[number + 1] if number + 1 < len(words) else ""
        yield name, value or ("" if following.startswith("-") else following)


def _heed_one(environ: MutableMapping[str, str], option: str, value: str) -> Iterator[str]:
    if option == "--preload":
        environ.setdefault("WORKER_PRELOAD", "true")
    elif option == "--graceful-timeout" and value.isdecimal():
        environ.setdefault("VERDAZUL_GRACE_SECONDS", value)
    else:
        instead = f"; {_INSTEAD[option]}" if option in _INSTEAD else ""
        yield f"{_VARIABLE}: {option} has no effect here{instead}"
