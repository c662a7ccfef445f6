"""`az config`: the same defaults as `az configure`, in the shapes that scripts query."""

from __future__ import annotations

import pytest
from tests.cli.conftest import Run
from tests.cli.test_az import az

__all__ = ["az"]
pytestmark = pytest.mark.azure(113, 115)


def test_scripts_find_the_defaults_by_query(az: Run) -> None:
    az("configure", "--defaults", "group=local", "workspace=verdazul")

    query = "defaults[?name == 'workspace'].value"
    assert az("config", "get", "--query", query, "-o", "tsv").out == "verdazul\n"
    assert [entry["name"] for entry in az("config", "get", "defaults").json] == [
        "group",
        "workspace",
    ]
    assert az("config", "get", "defaults.group", "--query", "value", "-o", "tsv").out == "local\n"


def test_defaults_are_set_and_removed_as_configure_does(az: Run) -> None:
    assert az("config", "set", "defaults.group=local", "defaults.location=local").code == 0
    assert az("group", "show", "--query", "name", "-o", "tsv").out == "local\n"

    assert az("config", "unset", "defaults.group", "defaults.location").code == 0

    assert az("config", "get").json == {"defaults": []}
    assert az("configure", "-l").json == []


def test_what_scripts_begin_with_is_true_here_anyway(az: Run) -> None:
    install = "extension.use_dynamic_install=yes_without_prompt"

    ran = az("config", "set", install, "core.collect_telemetry=no")

    assert (ran.code, ran.out) == (0, "")
    assert "nothing is installed" in ran.err
    assert "nothing is collected" in ran.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["set", "core.output=table"], "'core.output' is not a setting here"),
        (["set", "defaults.vm=x"], "defaults.group, defaults.workspace, defaults.location"),
        (["set", "defaults.group"], "it must be one of group=VALUE"),
        (["set", "defaults.group=other"], "other"),
        (["set", "core.collect_telemetry=yes"], "nothing is collected"),
        (["set", "defaults.group=local", "nonsense=1"], "'nonsense' is not a setting here"),
        (["unset", "core.output"], "'core.output' is not a setting here"),
        (["get", "defaults.group"], "Configuration 'defaults.group' is not set."),
        (["get", "core"], "Configuration 'core' is not set."),
    ],
)
def test_what_is_no_setting_is_named_and_nothing_is_kept(
    az: Run, words: list[str], told: str
) -> None:
    ran = az("config", *words)

    assert (ran.code, ran.out) == (1, "")
    assert told in ran.err
    assert az("config", "get").json == {"defaults": []}
