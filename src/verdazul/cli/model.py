"""`verdazul model`: models by name and version, as deployments name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from verdazul.cli import asset, grammar, render
from verdazul.cli.asset import Kind
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session

_KIND = Kind("model", "models", "credit-model")


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the noun and its commands."""
    commands = grammar.add_noun(nouns, "model", "Manage registered models.")
    making = _KIND.add(
        commands,
        "create",
        create,
        summary="Register a model from a file, a folder or a path in a datastore. Without "
        "--version it becomes the next one.",
        examples=["-n credit-model -p ./model --type custom_model", "-f model.yml -v 3"],
    )
    asset.create_flags(making, has_path=True)
    making.add_argument(
        "-t", "--type", metavar="TYPE", help="custom_model (default), mlflow_model, triton_model"
    )
    making.add_argument("-s", "--stage", metavar="STAGE", help="such as Production")
    asset.declare(commands, _KIND)
    asset.declare_share(commands, _KIND)
    getting = _KIND.add(
        commands,
        "download",
        download,
        summary="Save a version's files below a folder, in one that is called as the model.",
        examples=["-n credit-model -v 1 --download-path ./models"],
    )
    asset.name_flags(getting)
    asset.label_flag(getting)
    getting.add_argument("-p", "--download-path", default=".", metavar="DIR", help="(default: .)")
    packing = _KIND.add(
        commands,
        "package",
        package,
        summary="Refuse: Azure builds an image of model, code and environment. None are built "
        "here, and a deployment needs none: name the model in it.",
        examples=["-n credit-model -v 1 -f package.yml"],
    )
    packing.add_argument("-n", "--name", required=True, metavar="NAME", help="(required)")
    packing.add_argument("-v", "--version", required=True, metavar="VERSION", help="(required)")
    packing.add_argument("-f", "--file", metavar="YAML", help="as in az")
    grammar.add_set(packing)


def package(session: Session, arguments: Arguments) -> None:
    """Refuse, and say what to do instead."""
    from verdazul.model.packages import no_packages

    del session
    raise no_packages(arguments.name, arguments.version)


def create(session: Session, arguments: Arguments) -> None:
    """Upload what the server does not have, and register it."""
    from verdazul.client.assets import Telling
    from verdazul.client.registering import create_model
    from verdazul.model.load_assets import load_model

    file = Path(arguments.file) if arguments.file else None
    flags = asset.given(arguments, "path", "type", "stage")
    model = load_model(file, flags, sets=arguments.sets)
    with session.work() as work:
        telling = Telling(work.progress.happened, work.progress.moving)
        body = create_model(asset.place_of(work, arguments), model, telling=telling)
    asset.show_one(session, body)


def download(session: Session, arguments: Arguments) -> None:
    """Save files."""
    from verdazul.client.assets import Telling
    from verdazul.client.datastore import download_model

    folder = Path(arguments.download_path).expanduser() / arguments.name
    with session.work() as work:
        place = asset.place_of(work, arguments)
        body = asset.named_version(place, _KIND, arguments).get().body
        telling = Telling(work.progress.happened, work.progress.moving)
        count = download_model(place, body, folder, telling=telling)
    session.note(f"{count} file{'s' * (count != 1)} saved in {folder}")
    if session.how.output:
        render.show({"path": str(folder), "files": count}, session.how)
