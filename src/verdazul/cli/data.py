"""`verdazul data`: files and folders by name and version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from verdazul.cli import asset, grammar
from verdazul.cli.asset import Kind
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session

_KIND = Kind("data", "data", "requests")


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the noun and its commands."""
    commands = grammar.add_noun(nouns, "data", "Manage registered data.")
    making = _KIND.add(
        commands,
        "create",
        create,
        summary="Register a file, a folder or an address. Without --version it becomes the next "
        "one. A local file or folder is uploaded.",
        examples=["-n requests -p ./requests.jsonl --type uri_file", "-f data.yml"],
    )
    asset.create_flags(making, has_path=True)
    making.add_argument(
        "-t", "--type", metavar="TYPE", help="uri_folder (default), uri_file, mltable"
    )
    asset.declare(commands, _KIND)
    asset.declare_share(commands, _KIND)


def create(session: Session, arguments: Arguments) -> None:
    """Upload it where it is local, and register it."""
    from verdazul.client.assets import Telling
    from verdazul.client.registering import create_data
    from verdazul.model.load_assets import load_data

    file = Path(arguments.file) if arguments.file else None
    data = load_data(file, asset.given(arguments, "path", "type"), sets=arguments.sets)
    with session.work() as work:
        telling = Telling(work.progress.happened, work.progress.moving)
        body = create_data(asset.place_of(work, arguments), data, telling=telling)
    asset.show_one(session, body)
