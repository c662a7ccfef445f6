"""docs/azure-features.md: every feature of Azure once, and what works is held by tests."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "azure-features.md"
ROW = re.compile(r"^\| (\d+) \|.*\| (yes|partly|no)(: [^|]+)? \|$", re.MULTILINE)
COUNT = 177


def rows() -> list[tuple[int, str, str]]:
    """Number, state and what is missing."""
    found = ROW.findall(PAGE.read_text())
    return [(int(number), state, missing.removeprefix(": ")) for number, state, missing in found]


def covered() -> dict[int, set[str]]:
    """The files whose tests name a row."""
    found: dict[int, set[str]] = defaultdict(set)
    for folder in (ROOT / "tests", ROOT / "serve" / "tests"):
        for path in folder.rglob("test_*.py"):
            for number in _marked(ast.parse(path.read_text())):
                found[number].add(path.name)
    return found


def _marked(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.azure":
            yield from (ast.literal_eval(argument) for argument in node.args)


def test_every_feature_has_one_row() -> None:
    assert [number for number, _, _ in rows()] == list(range(1, COUNT + 1))


def test_what_works_is_held_by_tests_that_name_it() -> None:
    names = covered()

    assert [number for number, state, _ in rows() if state != "no" and not names[number]] == []


def test_what_tests_hold_is_not_said_to_be_missing() -> None:
    names = covered()

    assert [
        (number, names[number]) for number, state, _ in rows() if state == "no" and number in names
    ] == []


def test_what_works_partly_says_what_is_missing() -> None:
    assert [
        number for number, state, missing in rows() if (state == "partly") != bool(missing)
    ] == []
