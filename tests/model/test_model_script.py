"""The scoring script is parsed, never run."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.model.factories import deployment

from verdazul.model.deployment import DeploymentSpec
from verdazul.model.errors import UserError
from verdazul.model.load import check_scoring_script

pytestmark = pytest.mark.azure(68)


def with_script(folder: Path, source: bytes) -> DeploymentSpec:
    (folder / "score.py").write_bytes(source)
    return deployment(code_configuration={"code": str(folder), "scoring_script": "score.py"})


@pytest.mark.parametrize(
    "source",
    [
        b"def init(): ...\ndef run(data): return data\n",
        b"",
        b"raise SystemExit('never run')\n",
        b"x = '\\d'\n",
        b"# -*- coding: latin-1 -*-\nx = '\xe9'\n",
    ],
)
def test_script_that_parses_is_accepted(tmp_path: Path, source: bytes) -> None:
    check_scoring_script(with_script(tmp_path, source))


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        (b"def init():\n    pass\ndef run(:\n", 3, "invalid syntax"),
        (b"x = 1\n\x00\n", 1, "source code string cannot contain null bytes"),
        (b"(" * 1000, 1, "too many nested parentheses"),
        (b"x = '\xff'\n", 1, "(unicode error)"),
        (b"-" * 100_000 + b"1", 1, ""),
    ],
)
def test_script_that_does_not_parse_is_told_with_its_line(
    tmp_path: Path, source: bytes, line: int, reason: str
) -> None:
    with pytest.raises(UserError) as caught:
        check_scoring_script(with_script(tmp_path, source))

    problem = caught.value.problem
    assert problem.code == "ScoringScriptSyntaxError"
    assert problem.where == f"{tmp_path / 'score.py'}:{line}"
    assert problem.message.startswith(
        "Failed to submit deployment blue due to syntax errors in scoring script score.py. "
        f"Error on line {line}: {reason}"
    )


def test_missing_script_is_told(tmp_path: Path) -> None:
    spec = with_script(tmp_path, b"")
    (tmp_path / "score.py").unlink()

    with pytest.raises(UserError) as caught:
        check_scoring_script(spec)

    assert caught.value.problem.code == "FileNotFound"


def test_uploaded_code_is_not_looked_at() -> None:
    check_scoring_script(deployment())
    check_scoring_script(deployment(code_configuration=None))
