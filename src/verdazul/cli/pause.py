"""`verdazul online-endpoint pause | resume`: requests wait during maintenance; none is refused."""

from __future__ import annotations

from typing import Any

from verdazul.cli import grammar
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session


def pause(session: Session, arguments: Arguments) -> None:
    """Let requests wait."""
    _act(session, arguments, "pause", done="paused: requests wait", doing="being paused")


def resume(session: Session, arguments: Arguments) -> None:
    """Let requests pass."""
    _act(session, arguments, "resume", done="open: requests pass", doing="being resumed")


def declare(commands: grammar.Subparsers[Any]) -> None:
    """Declare both."""
    summaries = {
        pause: "Let requests wait, up to VERDAZUL_PAUSE_SECONDS each; none is refused before. For "
        "maintenance behind the endpoint; it lasts until `resume`, restarts included.",
        resume: "Let requests pass again, those that waited first and in order.",
    }
    for action, summary in summaries.items():
        parser = grammar.add_resource_command(
            commands,
            action.__name__,
            action,
            summary=summary,
            examples=[f"verdazul online-endpoint {action.__name__} -n credit"],
        )
        parser.add_argument(
            "-n", "--name", required=True, metavar="NAME", help="the endpoint's name (required)"
        )
        grammar.add_wait(parser)


def _act(session: Session, arguments: Arguments, action: str, *, done: str, doing: str) -> None:
    with session.work() as work:
        answer = work.workspace.endpoint(arguments.name).act(action)
        if answer.operation and not arguments.no_wait:
            work.finish(answer)
    word = doing if answer.operation and arguments.no_wait else done
    session.note(f'endpoint "{arguments.name}" is {word}')
