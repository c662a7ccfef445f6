"""`verdazul local-engine`: the local engine in the foreground, for those who keep it running."""

from __future__ import annotations

from typing import Any

from verdazul.cli import grammar, render
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the command."""
    grammar.add_command(
        nouns,
        "local-engine",
        run,
        summary="Answer Docker's clients at a socket of the home, and run local deployments as "
        "processes. Commands with --local and `verdazul env --local` start it themselves, in the "
        "background; here it stays until Ctrl-C. Its deployments go on without it.",
        examples=("verdazul local-engine", 'eval "$(verdazul env --local)"'),
    )


def run(session: Session, arguments: Arguments) -> None:
    """Serve until told to end."""
    del arguments
    from verdazul.engine.folders import Places
    from verdazul.engine.starting import run_here

    host = Places(session.settings.home).docker_host
    run_here(session.settings, on_ready=lambda: render.say(f"DOCKER_HOST={host}"))
