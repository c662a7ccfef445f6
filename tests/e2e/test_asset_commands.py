"""`verdazul model`, `environment`, `data`, `datastore`, `workspace` against a real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.system import System
from verdazul.cli.main import main

pytestmark = [pytest.mark.e2e, pytest.mark.azure(56, 113)]


class Command:
    """Runs the command in this process, so that what it covers is seen."""

    def __init__(self, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self._home = home
        self._capfd = capfd
        self.err = ""

    def __call__(self, *words: str, code: int = 0) -> Any:
        ended = main([*words, "--home", str(self._home)])
        captured = self._capfd.readouterr()
        self.err = captured.err
        assert ended == code, (words, ended, captured)
        return json.loads(captured.out) if captured.out else None


@pytest.fixture
def run(system: System, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(system.home, capfd)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file in it and one below."""
    (tmp_path / "weights" / "deep").mkdir(parents=True)
    (tmp_path / "weights" / "a.txt").write_text("one")
    (tmp_path / "weights" / "deep" / "b c.bin").write_bytes(bytes(range(256)))
    return tmp_path / "weights"


def test_a_model_is_registered_shown_and_downloaded_as_it_was(
    run: Command, folder: Path, tmp_path: Path
) -> None:
    made = run("model", "create", "-n", "scorer", "-p", str(folder), "--tags", "team=risk a=b")
    again = run("model", "create", "-n", "scorer", "-p", str(folder), "--stage", "Production")
    latest = run("model", "show", "-n", "scorer", "-l", "latest")
    run("model", "download", "-n", "scorer", "-v", "1", "-p", str(tmp_path / "got"), "-o", "none")

    assert (made["version"], made["tags"]) == ("1", {"team": "risk", "a": "b"})
    assert (again["version"], again["stage"], latest["version"]) == ("2", "Production", "2")
    got = tmp_path / "got" / "scorer" / "weights"
    assert {
        str(file.relative_to(got)): file.read_bytes() for file in got.rglob("*") if file.is_file()
    } == {"a.txt": b"one", "deep/b c.bin": bytes(range(256))}


def test_a_model_file_and_flags_win_over_the_yaml(run: Command, folder: Path) -> None:
    yaml = folder.parent / "model.yml"
    yaml.write_text("name: filed\nversion: 7\npath: weights/a.txt\ndescription: from the file\n")

    made = run("model", "create", "-f", str(yaml), "-v", "8", "--set", "tags.x=1")

    assert (made["name"], made["version"], made["tags"]) == ("filed", "8", {"x": "1"})
    assert made["description"] == "from the file"
    assert made["path"].endswith("/a.txt")


def test_archived_versions_are_out_of_lists_and_of_latest_until_restored(
    run: Command, folder: Path
) -> None:
    for _ in range(2):
        run("model", "create", "-n", "old", "-p", str(folder))

    run("model", "archive", "-n", "old", "-v", "2")

    def versions(*words: str) -> list[str]:
        found: list[str] = run("model", "list", "-n", "old", *words, "--query", "[].version")
        return found

    assert versions() == ["1"]
    assert versions("--archived-only") == ["2"]
    assert versions("--include-archived") == ["2", "1"]
    assert versions("--include-archived", "-r", "1") == ["2"]
    assert run("model", "show", "-n", "old", "-l", "latest")["version"] == "1"

    run("model", "archive", "-n", "old")
    assert "old" not in run("model", "list", "--query", "[].name")
    assert "is not archived" in failed(run, "model", "show", "-n", "old", "-l", "latest", code=3)
    run("model", "restore", "-n", "old")
    assert versions() == ["2", "1"]


def test_what_is_said_about_a_version_changes_its_content_does_not(
    run: Command, folder: Path
) -> None:
    run("model", "create", "-n", "said", "-p", str(folder), "--tags", "a=b")
    one = ("-n", "said", "-v", "1")

    changed = run("model", "update", *one, "--set", "tags.c=d", "description=good")
    less = run("model", "update", *one, "--remove", "tags.a")

    assert (changed["tags"], changed["description"]) == ({"a": "b", "c": "d"}, "good")
    assert less["tags"] == {"c": "d"}
    assert "path of a version cannot be changed" in failed(
        run, "model", "update", *one, "--set", "path=x"
    )
    other = ("model", "create", *one, "-p", str(folder / "a.txt"))
    assert "exists with other content" in failed(run, *other)


def test_an_environment_from_flags_and_from_a_file(run: Command, tmp_path: Path) -> None:
    (tmp_path / "conda.yml").write_text("dependencies:\n- python=3.11\n")
    (tmp_path / "env.yml").write_text("name: filed\nimage: some:1\nconda_file: conda.yml\n")

    flags = run(
        *("environment", "create", "-n", "plain", "-i", "some:1"),
        *("-c", str(tmp_path / "conda.yml"), "--os-type", "linux"),
    )
    filed = run("environment", "create", "-f", str(tmp_path / "env.yml"))

    assert flags["conda_file"] == filed["conda_file"] == "dependencies:\n- python=3.11\n"
    assert (flags["image"], filed["name"], filed["version"]) == ("some:1", "filed", "1")
    assert run("environment", "create", "-f", str(tmp_path / "env.yml"))["version"] == "2"


def test_data_is_uploaded_or_left_where_it_is(run: Command, folder: Path) -> None:
    file = run("data", "create", "-n", "rows", "-p", str(folder / "a.txt"), "-t", "uri_file")
    away = run("data", "create", "-n", "rows", "-p", "https://somewhere.else/x", "-t", "uri_file")
    tree = run("data", "create", "-n", "tree", "-p", str(folder))

    assert file["path"].startswith("azureml://datastores/workspaceblobstore/paths/")
    assert (away["version"], away["path"]) == ("2", "https://somewhere.else/x")
    assert (tree["type"], tree["path"].rpartition("/")[2]) == ("uri_folder", "weights")


def test_the_datastore_and_the_workspace_are_shown_without_secrets(run: Command) -> None:
    [store] = run("datastore", "list")

    assert store == run("datastore", "show", "-n", store["name"])
    assert store["type"] == "azure_blob"
    assert "sasToken" not in json.dumps(store)

    workspace = run("workspace", "show")
    assert workspace == run("workspace", "list")[0]
    assert workspace["name"] == "verdazul"
    for key in ("storage_account", "key_vault", "container_registry"):
        assert workspace[key].startswith("/subscriptions/")


def test_a_connection_keeps_its_credentials_to_itself_unless_asked(
    run: Command, tmp_path: Path
) -> None:
    (tmp_path / "llm.yml").write_text(
        "name: llm\ntype: azure_open_ai\ntarget: https://models.example\n"
        "credentials: {type: api_key, key: none-yet}\nmetadata: {region: north}\n"
    )
    file = str(tmp_path / "llm.yml")

    made = run("connection", "create", "-f", file, "--set", "credentials.key=very-secret-17")
    run("connection", "create", "-f", file, "-n", "other", "--set", "type=custom")

    assert (made["type"], made["target"]) == ("azure_open_ai", "https://models.example")
    assert (made["metadata"], made["credentials"]) == ({"region": "north"}, {"type": "api_key"})
    assert run("connection", "show", "-n", "llm") == made
    asked = run("connection", "show", "-n", "llm", "--populate-secrets")["credentials"]
    assert asked == {"type": "api_key", "key": "very-secret-17"}
    assert "very-secret-17" not in json.dumps(run("connection", "list"))
    assert run("connection", "list", "--type", "custom", "--query", "[].name") == ["other"]
    keys = "[].credentials.key"
    found = run("connection", "list", "--type", "custom", "--populate-secrets", "--query", keys)
    assert found == ["none-yet"]


def test_a_connection_changes_where_it_is_told_and_keeps_the_rest(
    run: Command, tmp_path: Path
) -> None:
    (tmp_path / "c.yml").write_text(
        "name: turns\ntype: custom\ntarget: https://a.example\n"
        "credentials: {type: api_key, key: very-secret-18}\nmetadata: {region: north}\n"
    )
    run("connection", "create", "-f", str(tmp_path / "c.yml"))

    told = (
        "--set",
        "target=https://b.example",
        "metadata.tier=gold",
        "--remove",
        "metadata.region",
    )
    changed = run("connection", "update", "-n", "turns", *told)
    assert (changed["target"], changed["metadata"]) == ("https://b.example", {"tier": "gold"})
    assert changed["credentials"] == {"type": "api_key"}
    asked = run("connection", "show", "-n", "turns", "--populate-secrets")["credentials"]
    assert asked == {"type": "api_key", "key": "very-secret-18"}

    run("connection", "update", "-n", "turns", "--set", "credentials.key=newer-19")
    asked = run("connection", "show", "-n", "turns", "--populate-secrets")["credentials"]
    assert asked["key"] == "newer-19"
    assert "cannot change" in failed(run, "connection", "update", "-n", "turns", "--set", "name=x")
    assert "unknown key" in failed(run, "connection", "update", "-n", "turns", "--set", "url=x")


def test_a_connection_is_deleted_once_and_only_when_it_is_meant(
    run: Command, tmp_path: Path
) -> None:
    (tmp_path / "c.yml").write_text("name: gone\ntype: git\n")
    run("connection", "create", "-f", str(tmp_path / "c.yml"))

    assert "--yes" in failed(run, "connection", "delete", "-n", "gone")
    run("connection", "delete", "-n", "gone", "--yes")
    assert "is deleted" in run.err
    run("connection", "delete", "-n", "gone", "--yes")
    assert "does not exist" in run.err
    assert "gone" in failed(run, "connection", "show", "-n", "gone", code=3)


def test_usages_and_sizes_are_listed_in_azs_words(run: Command) -> None:
    usages = {each["name"]["value"]: each for each in run("compute", "list-usage")}
    sizes = {each["name"]: each for each in run("compute", "list-sizes", "-l", "local")}

    assert usages["onlineEndpoints"]["current_value"] == 0
    assert usages["onlineEndpoints"]["limit"] == 100
    size = sizes["Standard_DS3_v2"]
    assert (size["v_cp_us"], size["memory_gb"]) == (4, 14)
    told = failed(run, "compute", "list-sizes", "-l", "mars")
    assert "--location is 'mars'" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "-n", "m"], "neither of --version and --label is given"),
        (["show", "-n", "m", "-v", "1", "-l", "latest"], "both of --version and --label"),
        (["show", "-n", "m", "-l", "newest"], "there is one label: latest"),
        (["create", "-p", "."], "no name was given"),
        (["create", "-n", "m", "-p", "nowhere-at-all"], "there is no"),
        (["create", "-n", "m", "-p", ".", "--tags", "x"], "it must be KEY=VALUE"),
        (["create", "-n", "m", "-p", ".", "--type", "onnx"], "custom_model"),
    ],
)
def test_what_cannot_be_is_told(run: Command, words: list[str], told: str) -> None:
    assert told in failed(run, "model", *words)


def test_an_environment_with_a_dockerfile_is_refused(run: Command, tmp_path: Path) -> None:
    (tmp_path / "env.yml").write_text("name: built\nbuild:\n  path: .\n")

    told = failed(run, "environment", "create", "-f", str(tmp_path / "env.yml"))

    assert "NotSupportedYet: build is not supported yet" in told
    assert "env.yml:2" in told


def failed(run: Command, *words: str, code: int = 1) -> str:
    """Run it, see it fail, return what it said."""
    run(*words, code=code)
    return run.err
