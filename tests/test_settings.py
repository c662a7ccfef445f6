"""Settings: read from variables, documented one by one, refused by name when they are wrong."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from verdazul.model.errors import UserError
from verdazul.settings import Settings

TABLE = re.compile(r"^\| `(VERDAZUL_\w+)` \| `(.*?)` \| (.*?) \|$", re.MULTILINE)


def test_every_setting_is_documented_with_its_default_and_meaning() -> None:
    text = (Path(__file__).parents[1] / "docs" / "settings.md").read_text()

    documented = {name: (default, meaning) for name, default, meaning in TABLE.findall(text)}

    assert documented == {
        f"VERDAZUL_{field.name.upper()}": (_default(field.name), field.metadata["doc"])
        for field in fields(Settings)
    }


def _default(name: str) -> str:
    value = str(getattr(Settings(), name))
    return value.replace(str(Path.home()), "~")


def test_flags_win_over_variables_and_variables_over_defaults(tmp_path: Path) -> None:
    environ = {"VERDAZUL_LOG_FILES": "7", "VERDAZUL_HOME": "/elsewhere"}

    settings = Settings.read(environ, home=tmp_path)

    assert (settings.home, settings.log_files, settings.workspace) == (tmp_path, 7, "verdazul")


@pytest.mark.parametrize("name", ["LOG_FILES", "DRAIN_SECONDS"])
def test_a_value_of_the_wrong_kind_is_refused_by_name(name: str) -> None:
    with pytest.raises(
        UserError, match=f"VERDAZUL_{name} is 'many'; it must be a number"
    ) as caught:
        Settings.read({f"VERDAZUL_{name}": "many"})

    assert caught.value.problem.code == "InvalidSetting"


def test_defaults_work_without_any_variable() -> None:
    assert Settings.read({}) == Settings()


def test_an_empty_variable_and_a_flag_that_was_not_given_count_as_absent() -> None:
    assert Settings.read({"VERDAZUL_LOG_FILES": ""}, log_files=None) == Settings()


def test_every_setting_can_be_set_by_its_variable() -> None:
    by_type = {"Path": "/elsewhere", "int": "17", "float": "1.5", "str": "text"}
    by_type["Path | None"] = by_type["Path"]
    given = {
        f.name: (f.metadata.get("choices") or [str(f.metadata.get("most", by_type[str(f.type)]))])[
            -1
        ]
        for f in fields(Settings)
    }

    settings = Settings.read({f"VERDAZUL_{name.upper()}": text for name, text in given.items()})

    for field in fields(Settings):
        value = getattr(settings, field.name)
        assert str(value) == given[field.name], field.name
        default = getattr(Settings(), field.name)
        assert isinstance(value, Path if default is None else type(default))


def test_home_is_absolute_and_a_tilde_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somebody")

    assert Settings.read({"VERDAZUL_HOME": "~/v"}).home == Path("/somebody/v")
    assert Settings.read({"VERDAZUL_HOME": "here"}).home == Path.cwd() / "here"


def test_the_process_environment_is_read_when_none_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VERDAZUL_WORKSPACE", "mine")

    assert Settings.read().workspace == "mine"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DRAIN_SECONDS", "-1"),
        ("DRAIN_SECONDS", "nan"),
        ("RESYNC_SECONDS", "0"),
        ("RESYNC_SECONDS", "inf"),
        ("GATEWAY_TIMEOUT_SECONDS", "0"),
        ("START_ATTEMPTS", "0"),
        ("LOG_FILES", "-1"),
        ("LOG_FILE_BYTES", "0"),
        ("EVENTS_KEPT", "-1"),
        ("GATEWAY_PROCESSES", "3"),
        ("TLS_MINIMUM", "1.1"),
        ("TLS_CLIENTS", "maybe"),
        ("PLAIN_HTTP", "please"),
        ("WORKSPACE", "a/b"),
        ("LOCATION", "my home"),
    ],
)
def test_a_value_that_cannot_work_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(UserError, match=f"VERDAZUL_{name}") as caught:
        Settings.read({f"VERDAZUL_{name}": value})

    assert caught.value.problem.code == "InvalidSetting"


@pytest.mark.parametrize("value", ["1.5", "1e3", "0x10", " "])
def test_whole_numbers_are_whole(value: str) -> None:
    with pytest.raises(UserError, match="LOG_FILES"):
        Settings.read({"VERDAZUL_LOG_FILES": value})


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().log_files = 1  # type: ignore[misc]  # that is the point
