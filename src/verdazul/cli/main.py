"""The `verdazul` command: read the line, run one command, turn failures into exit codes.

The codes up to 3 are az's; `grammar.EXIT_CODES` tells them all. Nothing here imports what `--help`
does not need.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from verdazul.cli import (
    account,
    ad,
    completion,
    compute,
    configure,
    connection,
    data,
    datastore,
    deployment,
    env,
    environment,
    grammar,
    local_engine,
    login,
    model,
    monitor,
    online_deployment,
    online_endpoint,
    registry,
    render,
    role,
    system,
    workspace,
)
from verdazul.cli.az import shim
from verdazul.model.errors import NotFound, Problem, UserError, VerdazulError

DONE, USER, MISREAD, NOT_FOUND, SYSTEM, NOT_READY = range(6)
_INTERRUPTED = 130  # what shells expect of SIGINT
_NO_READER = 141  # and of SIGPIPE

_DESCRIPTION = """Online endpoints for machine-learning models on your own machines.

The commands are those of `az ml`: what is written for Azure runs here."""
_EPILOG = f"""examples:
  verdazul up
  verdazul online-endpoint create -n credit
  verdazul online-deployment create -f blue.yml --all-traffic
  verdazul online-endpoint invoke -n credit --request-file request.json

{grammar.EXIT_CODES}"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    return run(list(sys.argv[1:] if argv is None else argv), parser)


def run(words: list[str], grammar_of: Callable[[], grammar.Parser]) -> int:
    """Run a line of any grammar whose commands have a `run`."""
    _open_closed_streams()
    try:
        return _run(words, grammar_of())
    except VerdazulError as error:
        render.say_problem(error.problem, more="; ".join(getattr(error, "__notes__", ())))
        return _exit_code(error)
    except KeyboardInterrupt:
        render.say("interrupted; what the server has accepted goes on there")
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NO_READER
    except Exception as error:  # noqa: BLE001 - the last line of defence: no stack trace unasked
        return _our_mistake(error, words)


def _open_closed_streams() -> None:
    """Started with stdout or stderr closed (`>&-`), what is said goes nowhere."""
    nowhere = Path(os.devnull)
    sys.stdout = sys.stdout or nowhere.open("w", encoding="utf-8")
    sys.stderr = sys.stderr or nowhere.open("w", encoding="utf-8")


def parser() -> grammar.Parser:
    """Build the whole grammar."""
    root = grammar.Parser(
        prog="verdazul",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[grammar.global_flags()],
        add_help=False,
    )
    root.add_argument(
        "--version", dest="tell_version", action="store_true", help="show the version and exit"
    )
    nouns: Any = root.add_subparsers(dest="noun", metavar="COMMAND", parser_class=grammar.Parser)
    register_ml(nouns)
    role.register(nouns)
    login.register(nouns)
    account.register(nouns)
    ad.register(nouns)
    monitor.register(nouns)
    deployment.register(nouns)
    system.register(nouns)
    env.register(nouns)
    local_engine.register(nouns)
    configure.register(nouns)
    completion.register(nouns, parser)
    shim.register(nouns)
    return root


def register_ml(nouns: grammar.Subparsers[Any]) -> None:
    """Declare what `az ml` has too."""
    for noun in (
        *(online_endpoint, online_deployment),
        *(model, environment, data, datastore, connection),
        *(compute, workspace, registry),
    ):
        noun.register(nouns)


def _run(words: Sequence[str], root: grammar.Parser) -> int:
    try:
        arguments = root.parse_args(words)
    except SystemExit as end:  # --help has been printed
        return int(end.code or 0)
    if arguments.tell_version:
        return _show_version()
    if not hasattr(arguments, "run"):
        root.print_help()
        return DONE
    from verdazul.cli.session import Session

    code = arguments.run(Session.of(arguments), arguments)
    return DONE if code is None else int(code)


def _show_version() -> int:
    from importlib.metadata import version

    render.show_text(version("verdazul"), render.Format("tsv"))
    return DONE


def _exit_code(error: VerdazulError) -> int:
    match error:
        case grammar.Misread():
            return MISREAD
        case NotFound():
            return NOT_FOUND
        case UserError():
            return USER
    from verdazul.client.operations import NotReady

    return NOT_READY if isinstance(error, NotReady) else SYSTEM


def _our_mistake(error: Exception, words: Sequence[str]) -> int:
    if "--debug" in words:
        import traceback

        render.say(traceback.format_exc())
    problem = Problem(
        "CommandFailed",
        f"a mistake in the verdazul command itself: {type(error).__name__}: {error}",
        "run it again with --debug and report what it shows",
    )
    render.say_problem(problem)
    return SYSTEM
