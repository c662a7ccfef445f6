"""What `verdazul completion` prints, asked by a real bash."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from tests.cli.conftest import Run

ASK = """
COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_verdazul
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def completed(run: Run) -> object:
    if not shutil.which("bash"):
        pytest.skip("bash is not installed")
    script = run("completion").out + ASK

    def completed(*words: str) -> list[str]:
        done = subprocess.run(
            ["/bin/bash", "-c", script, "bash", "verdazul", *words],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.split()

    return completed


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["online-e"], ["online-endpoint"]),
        (["-o", "json", "online-d"], ["online-deployment"]),
        (["online-endpoint", "get"], ["get-credentials"]),
        (["online-deployment", "create", "--all"], ["--all-traffic"]),
        (["online-deployment", "create", "--loc"], ["--local", "--local-enable-gpu"]),
        (["online-deployment", "create", "--pack"], []),
        (["role", "assignment", "cr"], ["create"]),
        (["online-endpoint", "show", "-o", "y"], ["yaml", "yamlc"]),
        (["online-endpoint", "regenerate-keys", "--key-type", ""], ["primary", "secondary"]),
        (["online-endpoint", "show", "-n", "sh"], []),
        (["online-endpoint", "show", "--only-show-errors", "--qu"], ["--query"]),
        (["nonsense", "online-endpoint", "sho"], ["show"]),
    ],
)
def test_bash_completes(completed: object, words: list[str], expected: list[str]) -> None:
    assert callable(completed)
    assert completed(*words) == expected


def test_zsh_gets_the_same_by_bashcompinit(run: Run) -> None:
    zsh = run("completion", "--shell", "zsh").out

    assert zsh.splitlines()[0] == "autoload -U +X bashcompinit && bashcompinit"
    assert zsh.endswith(run("completion").out)
