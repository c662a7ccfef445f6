"""What the README says can be done: its commands parse, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from verdazul.cli.main import parser

ROOT = Path(__file__).parents[2]
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(
    r"^\$?\s*(?:KEY=\$\()?(verdazul (?:up|down|status|env|az|configure|model|online-)[^)#|\n]*)",
    re.MULTILINE,
)
LINK = re.compile(r"\]\(([^)#:]+)\)")


def commands() -> list[str]:
    """Every verdazul command line in a code block of the texts."""
    found: list[str] = []
    for text in TEXTS:
        for block in re.findall(r"```\w*\n(.*?)```", text.read_text(), re.DOTALL):
            joined = block.replace("\\\n", " ")
            found += [match.strip() for match in COMMAND.findall(joined)]
    return found


def test_there_are_commands_to_check() -> None:
    assert len(commands()) > 10


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_command_in_the_texts_is_one_that_the_program_takes(command: str) -> None:
    arguments = parser().parse_args(shlex.split(command)[1:])

    assert callable(arguments.run)


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.name)
def test_links_lead_to_files(text: Path) -> None:
    dead = [link for link in LINK.findall(text.read_text()) if not (text.parent / link).exists()]

    assert dead == []


def test_make_targets_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = re.findall(r"(?:`|^)make ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert named
    assert [t for t in named if f"\n{t}:" not in makefile] == []
