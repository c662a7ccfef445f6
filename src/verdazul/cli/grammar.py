"""How a command line is read: az's grammar on argparse.

Each command is declared once, with a sentence and examples, by `add_command`. Flags that az knows
and Verdazul does not serve yet are declared too, and refused by name: an option is never ignored.
"""

from __future__ import annotations

import argparse
import difflib
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from verdazul.model.errors import UserError

_WIDTH = 88
REFUSED = "(not supported yet)"
WEB = "there is no web page to open"
OUTPUTS = ("json", "jsonc", "yaml", "yamlc", "table", "tsv", "none")
_MAY_BE_EMPTY = {"description", "tags", "query", "password"}  # none, or asked for
Arguments = argparse.Namespace
Subparsers = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it

EXIT_CODES = """exit codes:
  0  done
  1  the request or a file must be changed (stderr says what)
  2  the command line was not understood
  3  what it names does not exist
  4  the server failed or cannot be reached
  5  accepted, but it failed to become ready, or not in time"""

AZ_EXIT_CODES = """exit codes:
  0  done
  1  it failed; stderr says why
  2  the command line was not understood, or is not served here
  3  what it names does not exist"""


class Misread(UserError):
    """The words or flags are none that the command takes; `--help` tells which it does."""


class Parser(argparse.ArgumentParser):
    """Says what was wrong and where help is, and leaves the exit to main."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise Misread(
            _with_suggestion(message),
            code="InvalidArguments",
            fix=f"see `{self.prog} --help`",
        )

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Refuse "": a variable of a script that is not set must not pass for a flag not given."""
        is_empty = any(not text.strip() for text in arg_strings)
        if is_empty and action.option_strings and action.dest not in _MAY_BE_EMPTY:
            raise argparse.ArgumentError(action, "it is empty; give a value, or leave the flag out")
        return super()._get_values(action, arg_strings)


def global_flags() -> argparse.ArgumentParser:
    """Build the flags that every command takes. Absent flags leave no trace: outer ones stay."""
    parser = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = parser.add_argument_group("flags of every command")
    group.add_argument("-h", "--help", action="help", help="show this and exit")
    group.add_argument(
        "-o", "--output", choices=OUTPUTS, type=str.lower, help="format of stdout (default: json)"
    )
    group.add_argument("--query", metavar="JMESPATH", help="choose what to print (jmespath.org)")
    group.add_argument("--home", metavar="DIR", help="Verdazul's folder (VERDAZUL_HOME)")
    group.add_argument("--verbose", action="store_true", help="say which server is asked")
    group.add_argument("--debug", action="store_true", help="show requests, without secrets")
    group.add_argument("--only-show-errors", action="store_true", help="no progress, no warnings")
    return parser


def workspace_flags() -> argparse.ArgumentParser:
    """Build the flags that name a workspace; ours has one, so they may only confirm it."""
    parser = Parser(add_help=False)
    group = parser.add_argument_group("workspace (this home has one; others are refused)")
    group.add_argument("-g", "--resource-group", metavar="NAME")
    group.add_argument("-w", "--workspace-name", metavar="NAME")
    group.add_argument("--subscription", metavar="ID")
    return parser


def add_noun(nouns: Subparsers[Any], name: str, summary: str) -> Subparsers[Any]:
    """Add a noun such as `online-endpoint`; returns where its commands go."""
    parser = nouns.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[global_flags()],
        add_help=False,
    )
    commands: Subparsers[Any] = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=Parser
    )
    return commands


def add_command(
    commands: Subparsers[Any],
    name: str,
    run: Callable[..., Any],
    *,
    summary: str,
    examples: Sequence[str],
    parents: Sequence[argparse.ArgumentParser] = (),
) -> argparse.ArgumentParser:
    """Add a command; `run(session, arguments)` is what main calls once they are read.

    Examples call it `verdazul`; under `az ml` they are told in az's words.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        usage="%(prog)s [flags]",
        help=summary.split(". ", maxsplit=1)[0].rstrip("."),
        description=textwrap.fill(summary, _WIDTH),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[global_flags(), *parents],
        add_help=False,
    )
    if parser.prog.startswith("az "):
        ours = "az ml " if parser.prog.startswith("az ml ") else "az "
        told = [example.replace("verdazul ", ours) for example in examples]
        parser.epilog = f"{_examples(told)}\n\n{AZ_EXIT_CODES}"
    else:
        parser.epilog = f"{_examples(examples)}\n\n{EXIT_CODES}"
    parser.set_defaults(run=run)
    return parser


def add_resource_command(
    commands: Subparsers[Any],
    name: str,
    run: Callable[..., Any],
    *,
    summary: str,
    examples: Sequence[str],
) -> argparse.ArgumentParser:
    """Add a command on resources of the workspace, which az lets people name."""
    return add_command(
        commands, name, run, summary=summary, examples=examples, parents=[workspace_flags()]
    )


def not_yet(parser: argparse.ArgumentParser, *flags: str, why: str, takes: int = 0) -> None:
    """Declare a flag of az that is refused. `takes` is how many values az gives it (-1: many)."""
    nargs: int | str = "*" if takes < 0 else takes
    parser.add_argument(*flags, action=_Refuse, nargs=nargs, const=why, help=REFUSED, metavar="X")


def add_local(parser: argparse.ArgumentParser, module: str, verb: str) -> None:
    """Add --local, with which another command of the same words runs: cli.local.MODULE.VERB."""

    def run(session: object, arguments: Arguments) -> object:
        from importlib import import_module

        return getattr(import_module(f"verdazul.cli.local.{module}"), verb)(session, arguments)

    parser.add_argument(
        "--local",
        dest="run",
        action="store_const",
        const=run,
        default=argparse.SUPPRESS,
        help="on this machine alone: with Docker or podman, or as a process without them; "
        "no server is needed",
    )


def add_wait(parser: argparse.ArgumentParser) -> None:
    """Add --no-wait and --timeout."""
    parser.add_argument("--no-wait", action="store_true", help="return once it is accepted")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=1800.0,
        metavar="SECONDS",
        help="longest wait for the operation (default: 1800)",
    )


def add_set(parser: argparse.ArgumentParser) -> None:
    """Add --set."""
    parser.add_argument(
        "--set",
        dest="sets",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="set a value by its path, as in --set tags.team=risk instance_count=2",
    )


def add_add_and_remove(parser: argparse.ArgumentParser) -> None:
    """Add --add, --remove and --force-string."""
    parser.add_argument(
        "--add",
        dest="adds",
        nargs="+",
        action="append",
        default=[],
        metavar=("LIST", "VALUE"),
        help="append to a list: --add LIST key=value, or a string or JSON",
    )
    parser.add_argument(
        "--remove",
        dest="removes",
        nargs="+",
        action="append",
        default=[],
        metavar=("PATH", "INDEX"),
        help="remove a key, or an item of a list by its index",
    )
    parser.add_argument(
        "--force-string", action="store_true", help="keep values of --set and --add as strings"
    )


def seconds(text: str) -> float:
    """Read a positive number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def lines(text: str) -> int:
    """Read how many lines are wanted."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines (1 or more)")
    return value


class _Refuse(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        del namespace, values
        raise Misread(
            f"{option_string} is not supported yet: {self.const}",
            code="NotSupportedYet",
            fix=f"leave it out; see `{parser.prog} --help` for what there is",
        )


def _examples(examples: Iterable[str]) -> str:
    return "examples:\n" + "\n".join(f"  {example}" for example in examples)


def _with_suggestion(message: str) -> str:
    # argparse: argument COMMAND: invalid choice: 'shwo' (choose from 'create', 'show')
    found = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
    if not found:
        return message
    known = re.findall(r"[\w-]+", found[2])
    near = difflib.get_close_matches(found[1], known, n=1)
    asked = f"; did you mean {near[0]}?" if near else ""
    return f"there is no {found[1]!r}: it must be one of {', '.join(known)}{asked}"
