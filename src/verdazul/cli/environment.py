"""`verdazul environment`: environments by name and version, built when a deployment needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from verdazul.cli import asset, grammar
from verdazul.cli.asset import Kind
from verdazul.cli.grammar import Arguments
from verdazul.cli.session import Session

_KIND = Kind("environment", "environments", "sklearn-env")
_NO_IMAGES = "images are not built from a Dockerfile; use --image and --conda-file"


def register(nouns: grammar.Subparsers[Any]) -> None:
    """Declare the noun and its commands."""
    commands = grammar.add_noun(nouns, "environment", "Manage registered environments.")
    making = _KIND.add(
        commands,
        "create",
        create,
        summary="Register an environment from a file or from flags. Without --version it becomes "
        "the next one. It is built when a deployment first needs it.",
        examples=[
            "-n sklearn-env -i mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04 -c conda.yml",
            "-f environment.yml",
        ],
    )
    asset.create_flags(making, has_path=False)
    making.add_argument("-i", "--image", metavar="IMAGE", help="the image that it is like")
    making.add_argument("-c", "--conda-file", metavar="FILE", help="what is installed")
    making.add_argument("--os-type", metavar="OS", help="linux")
    grammar.not_yet(making, "-b", "--build-context", why=_NO_IMAGES, takes=1)
    grammar.not_yet(making, "-d", "--dockerfile-path", why=_NO_IMAGES, takes=1)
    asset.declare(commands, _KIND)
    asset.declare_share(commands, _KIND)


def create(session: Session, arguments: Arguments) -> None:
    """Register it."""
    from verdazul.client.registering import create_environment
    from verdazul.model.load_assets import load_environment

    file = Path(arguments.file) if arguments.file else None
    flags = asset.given(arguments, "image", "os_type")
    if arguments.conda_file:
        flags["conda_file"] = str(Path(arguments.conda_file).absolute())
    environment = load_environment(file, flags, sets=arguments.sets)
    with session.work() as work:
        body = create_environment(asset.place_of(work, arguments), environment)
    asset.show_one(session, body)
