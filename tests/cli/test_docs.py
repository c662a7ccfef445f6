"""docs/cli.md against the grammar: every command and every flag is there, and nothing else."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from verdazul.cli.main import parser

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
HOME = "A home and its shell"


def below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    groups = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return {name: command for group in groups for name, command in group.choices.items()}


def commands() -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """The page's section, the command's name there, and the command."""
    for noun, parser_of_noun in below(parser()).items():
        yield from _commands(noun, parser_of_noun)


def _commands(
    noun: str, parser_of_noun: argparse.ArgumentParser
) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    verbs = below(parser_of_noun)
    for name, command in verbs.items():
        if below(command):  # a noun of two words
            yield from _commands(f"{noun} {name}", command)
        else:
            yield f"`{noun}`", name, command
    if not verbs:
        yield HOME, noun, parser_of_noun


def own_flags(command: argparse.ArgumentParser) -> set[str]:
    shared = ("flags of every command", "workspace")
    groups = (g for g in command._action_groups if not str(g.title).startswith(shared))
    actions = (action for group in groups for action in group._group_actions)
    served = (action for action in actions if action.help != "(not supported yet)")
    return {flag for action in served for flag in action.option_strings if flag[:2] == "--"}


@pytest.mark.parametrize(("title", "name", "command"), list(commands()))
def test_the_page_names_each_commands_flags(
    title: str, name: str, command: argparse.ArgumentParser
) -> None:
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    row = next(line for line in section.splitlines() if line.startswith(f"| `{name}` |"))

    told = set(re.findall(r"--[a-z-]+", row.split("|")[2]))

    assert told == own_flags(command)


def test_the_page_names_each_flag_of_every_command_and_each_that_is_refused() -> None:
    known = {
        flag
        for _, _, command in commands()
        for action in command._actions
        for flag in action.option_strings
        if flag.startswith("--")
    }

    assert [flag for flag in sorted(known) if flag not in PAGE] == []


def test_the_page_names_no_flag_that_does_not_exist() -> None:
    known = {
        flag
        for _, _, command in commands()
        for action in command._actions
        for flag in action.option_strings
    }
    unique_beginnings = {"--endpoint", "--deployment"}

    assert set(re.findall(r"--[a-z][a-z-]+", PAGE)) - known == unique_beginnings
