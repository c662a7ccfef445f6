"""Defaults of group and workspace: they confirm this home's names, and nothing passes for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Ran, Run

from verdazul.cli.main import main
from verdazul.home import Home

pytestmark = pytest.mark.azure(115)


@pytest.fixture
def plain(
    home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """Run the command in the home that VERDAZUL_HOME names: then variables count."""
    monkeypatch.setenv("VERDAZUL_HOME", str(home))

    def run(*words: str) -> Ran:
        code = main(list(words))
        captured = capfd.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


def test_a_default_is_kept_listed_and_removed(run: Run, home: Path) -> None:
    assert run("configure", "--defaults", "group=LOCAL", "workspace=verdazul").code == 0

    listed = run("configure", "--list-defaults").json
    run("configure", "-d", "group=")
    left = run("configure", "-l", "--query", "[].name", "-o", "tsv").out

    file = str(home / "cli.json")
    assert listed == [
        {"name": "group", "source": file, "value": "LOCAL"},
        {"name": "workspace", "source": file, "value": "verdazul"},
    ]
    assert left == "workspace\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--defaults", "workspace=prod"], "is 'prod', but this home's is 'verdazul'"),
        (["--defaults", "group=prod"], "VERDAZUL_RESOURCE_GROUP=prod verdazul up"),
        (["--defaults", "vm=x"], "group=VALUE, workspace=VALUE"),
        (["--defaults", "group"], "'group' is not understood"),
    ],
)
def test_a_default_that_cannot_be_is_refused(run: Run, words: list[str], told: str) -> None:
    ran = run("configure", *words)

    assert (ran.code, ran.out) == (1, "")
    assert told in ran.err
    assert run("configure", "-l").json == []


def test_the_home_keeps_its_names_from_start_to_start(run: Run, home: Path) -> None:
    Home(home).keep_names({"resource_group": "risk", "workspace": "credit-ws"})

    assert run("configure", "-d", "group=risk", "workspace=credit-ws").code == 0


@pytest.mark.parametrize("name", ["AZURE_DEFAULTS_GROUP", "AZURE_DEFAULTS_WORKSPACE"])
def test_a_variable_that_names_another_workspace_is_refused(
    plain: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "production")

    ran = plain("online-endpoint", "list")

    assert (ran.code, ran.out) == (1, "")
    assert f"{name} is 'production'" in ran.err


def test_a_flag_wins_over_a_variable_and_a_variable_over_a_default(
    plain: Run, run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "cli.json").write_text('{"defaults": {"group": "elsewhere"}}')
    stored = plain("online-endpoint", "list")
    monkeypatch.setenv("AZURE_DEFAULTS_GROUP", "local")
    variable = plain("online-endpoint", "list")
    flag = plain("online-endpoint", "list", "-g", "nowhere")

    assert "the default group (see `verdazul configure --list-defaults`) is" in stored.err
    assert (stored.code, variable.code, flag.code) == (1, 0, 1)
    assert "--resource-group is 'nowhere'" in flag.err
    assert run("online-endpoint", "list", "-g", "local").code == 0


@pytest.mark.parametrize("text", ["", "[]", "{", '{"defaults": 3}'])
def test_a_spoiled_file_counts_as_none(run: Run, home: Path, text: str) -> None:
    (home / "cli.json").write_text(text)

    assert run("online-endpoint", "list").code == 0
    assert run("configure", "-l").json == []
