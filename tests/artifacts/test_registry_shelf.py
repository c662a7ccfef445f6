"""Writing to registries: whole or not at all, once, and what was left behind goes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from verdazul.artifacts.registries import FolderRegistries
from verdazul.artifacts.registry_shelf import ABANDONED_SECONDS
from verdazul.compute.fake import ManualClock
from verdazul.core.registries import Registry
from verdazul.model.errors import Conflict, NotFound, UserError
from verdazul.model.ids import RegistryReference

pytestmark = pytest.mark.azure(56)
ONE = RegistryReference("shared", "models", "credit", "1")
MODEL = {"modelType": "custom_model", "modelUri": "x", "tags": {"a": "b"}}
KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from verdazul.artifacts.registries import FolderRegistries
from verdazul.model.ids import RegistryReference

root, content, event, number = sys.argv[1:]
left = int(number)

def hook(name, args):
    global left
    if name == event and any(root in str(arg) for arg in args):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

shelf = FolderRegistries(Path(root))
sys.addaudithook(hook)
asyncio.run(shelf.add(RegistryReference("shared", "models", "credit", "1"),
    {"modelType": "custom_model", "modelUri": "x", "tags": {"a": "b"}}, content))
"""


@pytest.fixture
def content(tmp_path: Path) -> Path:
    folder = tmp_path / "content" / "weights"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"a" * 1000)
    (folder / "deep" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "deep" / "run.sh").chmod(0o700)
    (folder / "link").symlink_to("a.bin")
    return folder.parent


def shelf(tmp_path: Path) -> FolderRegistries:
    found = FolderRegistries(tmp_path / "registries")
    asyncio.run(found.put(Registry("shared")))
    return found


def all_of(shelf: FolderRegistries) -> list[str]:
    return [one.key.version for one in asyncio.run(shelf.versions("shared", "models"))]


def test_a_version_is_read_as_it_was_written(tmp_path: Path, content: Path) -> None:
    registries = shelf(tmp_path)

    asyncio.run(registries.add(ONE, MODEL, str(content)))

    asset = asyncio.run(registries.version(ONE))
    assert json.loads(asset.body)["tags"] == {"a": "b"}
    assert json.loads(asset.body)["modelUri"] == "./weights"
    files = asyncio.run(registries.files(ONE))
    assert sorted(files) == ["weights/a.bin", "weights/deep/run.sh", "weights/link"]
    assert Path(files["weights/a.bin"]).read_bytes() == b"a" * 1000
    assert os.access(files["weights/deep/run.sh"], os.X_OK)
    assert asyncio.run(registries.digest(ONE)) == asyncio.run(registries.model(ONE)).digest


@pytest.mark.parametrize(
    ("event", "number"), [("open", n) for n in (0, 2, 3, 5)] + [("os.rename", 0), ("os.mkdir", 3)]
)
def test_a_writer_that_is_killed_leaves_nothing_or_all(
    tmp_path: Path, content: Path, event: str, number: int
) -> None:
    registries = shelf(tmp_path)
    root = tmp_path / "registries"
    words = [sys.executable, "-c", KILLED, str(root), str(content), event, str(number)]

    ended = subprocess.run(words, capture_output=True, check=False)

    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert all_of(registries) == []
    asyncio.run(registries.add(ONE, MODEL, str(content)))
    assert all_of(registries) == ["1"]


def test_a_version_that_is_there_is_never_replaced(tmp_path: Path, content: Path) -> None:
    registries = shelf(tmp_path)
    asyncio.run(registries.add(ONE, MODEL, str(content)))

    with pytest.raises(Conflict, match="never changes") as refusal:
        asyncio.run(registries.add(ONE, {**MODEL, "tags": {}}, str(content)))

    assert refusal.value.problem.code == "AssetVersionExists"
    assert json.loads(asyncio.run(registries.version(ONE)).body)["tags"] == {"a": "b"}


def test_of_many_writers_of_one_version_one_wins(tmp_path: Path, content: Path) -> None:
    registries = shelf(tmp_path)

    async def race() -> list[object]:
        adds = (
            registries.add(ONE, {**MODEL, "tags": {"by": str(n)}}, str(content)) for n in range(8)
        )
        return await asyncio.gather(*adds, return_exceptions=True)

    ended = asyncio.run(race())

    assert [one for one in ended if one is None] == [None]
    assert all(isinstance(one, Conflict) for one in ended if one is not None)
    assert not list((tmp_path / "registries" / "shared").glob(".*"))


def test_what_a_killed_writer_left_goes_after_a_day(tmp_path: Path, content: Path) -> None:
    clock = ManualClock()
    registries = FolderRegistries(tmp_path / "registries", clock=clock)
    asyncio.run(registries.put(Registry("shared")))
    left = tmp_path / "registries" / "shared" / ".staging-left"
    (left / "deep").mkdir(parents=True)
    os.utime(left, (clock.now(), clock.now()))
    gone = tmp_path / "registries" / ".deleted-left"
    gone.mkdir()

    asyncio.run(registries.add(ONE, MODEL, str(content)))
    asyncio.run(registries.put(Registry("other")))
    assert left.exists()
    assert not gone.exists()
    clock.advance(ABANDONED_SECONDS + 1)
    asyncio.run(registries.describe(ONE, {"tags": {}}))
    assert not left.exists()


def test_what_is_said_changes_and_the_yaml_does_not(tmp_path: Path, content: Path) -> None:
    registries = shelf(tmp_path)
    asyncio.run(registries.add(ONE, MODEL, str(content)))
    file = tmp_path / "registries/shared/models/credit/1/model.yml"
    before, digest = file.read_bytes(), asyncio.run(registries.digest(ONE))

    asyncio.run(registries.describe(ONE, {"tags": {"c": "d"}, "isArchived": True}))

    body = json.loads(asyncio.run(registries.version(ONE)).body)
    assert (body["tags"], body["isArchived"]) == ({"c": "d"}, True)
    assert (file.read_bytes(), asyncio.run(registries.digest(ONE))) == (before, digest)
    with pytest.raises(NotFound, match="not archived"):
        asyncio.run(
            registries.version(RegistryReference("shared", "models", "credit", None, "latest"))
        )


@pytest.mark.parametrize("text", ["{", "[]"])
def test_words_that_somebody_broke_are_told_by_file(
    tmp_path: Path, content: Path, text: str
) -> None:
    registries = shelf(tmp_path)
    asyncio.run(registries.add(ONE, MODEL, str(content)))
    (tmp_path / "registries/shared/models/credit/1/.verdazul.json").write_text(text)

    with pytest.raises(UserError, match=r"\.verdazul\.json") as refusal:
        asyncio.run(registries.version(ONE))

    assert refusal.value.problem.code == "InvalidRegistry"


def test_several_things_at_the_top_are_refused_and_leave_nothing(
    tmp_path: Path, content: Path
) -> None:
    registries = shelf(tmp_path)
    (content / "other").write_text("x")

    with pytest.raises(UserError, match="one file or one folder"):
        asyncio.run(registries.add(ONE, MODEL, str(content)))

    assert all_of(registries) == []
    assert not list((tmp_path / "registries" / "shared").glob(".*"))


def test_a_registry_is_made_changed_and_deleted_with_all_it_holds(
    tmp_path: Path, content: Path
) -> None:
    registries = shelf(tmp_path)
    asyncio.run(registries.add(ONE, MODEL, str(content)))
    (tmp_path / "registries" / "bare").mkdir()

    again = asyncio.run(registries.put(Registry("shared", "for all", {"a": "b"})))

    assert not again
    assert [one.name for one in asyncio.run(registries.list())] == ["bare", "shared"]
    found = asyncio.run(registries.get("shared"))
    assert (found.description, found.tags) == ("for all", {"a": "b"})
    assert all_of(registries) == ["1"]
    asyncio.run(registries.delete("shared"))
    with pytest.raises(NotFound) as refusal:
        asyncio.run(registries.get("shared"))
    assert refusal.value.problem.code == "RegistryNotFound"
    assert [path.name for path in (tmp_path / "registries").iterdir()] == ["bare"]


def test_a_link_to_a_registry_goes_and_what_it_led_to_stays(tmp_path: Path) -> None:
    registries = shelf(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "registries" / "linked").symlink_to(tmp_path / "elsewhere")

    asyncio.run(registries.delete("linked"))

    assert (tmp_path / "elsewhere").is_dir()
    assert [one.name for one in asyncio.run(registries.list())] == ["shared"]


def test_a_place_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "registries").write_text("a file")

    with pytest.raises(Exception, match="shared") as refusal:
        asyncio.run(FolderRegistries(tmp_path / "registries").put(Registry("shared")))

    assert getattr(refusal.value, "problem").code == "StorageFailed"  # noqa: B009 - any family


@pytest.mark.parametrize("kind", ["models", "data"])
@pytest.mark.parametrize("how", ["absolute", "relative", "link"])
def test_a_yaml_that_leads_out_of_the_registry_is_refused(
    tmp_path: Path, kind: str, how: str
) -> None:
    registries = shelf(tmp_path)
    (tmp_path / "secret").write_text("ours alone")
    folder = tmp_path / "registries" / "shared" / kind / "credit" / "1"
    folder.mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path / "secret")
    path = {
        "absolute": str(tmp_path / "secret"),
        "relative": "../../../../../secret",
        "link": "link",
    }[how]
    (folder / f"{kind.removesuffix('s')}.yml").write_text(f"path: {path}\n")
    reference = RegistryReference("shared", kind, "credit", "1")

    with pytest.raises(UserError, match="outside of the registry") as refusal:
        asyncio.run(registries.files(reference))

    assert refusal.value.problem.code == "InvalidRegistry"


def test_files_may_lie_elsewhere_in_the_registry_or_behind_a_linked_version(tmp_path: Path) -> None:
    registries = shelf(tmp_path)
    root = tmp_path / "registries" / "shared"
    (root / "common").write_text("c")
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "w").write_text("w")
    for version, path in (("1", "../../../common"), ("2", "w")):
        folder = root / "models" / "credit" / version
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir() if version == "1" else folder.symlink_to(tmp_path / "away")
        (folder / "model.yml").write_text(f"path: {path}\n")

    found = [
        list(
            asyncio.run(registries.files(RegistryReference("shared", "models", "credit", version)))
        )
        for version in ("1", "2")
    ]

    assert found == [["common"], ["w"]]


def test_words_beside_a_yaml_change_nothing_that_is_deployed(tmp_path: Path) -> None:
    registries = shelf(tmp_path)
    reference = RegistryReference("shared", "environments", "torch", "1")
    asyncio.run(registries.add(reference, {"image": "ours:1"}))
    beside = tmp_path / "registries/shared/environments/torch/1/.verdazul.json"
    beside.write_text('{"image": "theirs:1", "isAnonymous": true, "tags": {"a": "b"}}')

    body = json.loads(asyncio.run(registries.version(reference)).body)

    assert (body["image"], body["isAnonymous"], body["tags"]) == ("ours:1", False, {"a": "b"})


def test_a_folder_whose_yaml_has_not_come_yet_is_no_version(tmp_path: Path, content: Path) -> None:
    registries = shelf(tmp_path)
    asyncio.run(registries.add(ONE, MODEL, str(content)))
    (tmp_path / "registries" / "shared" / "models" / "credit" / "2").mkdir()
    (tmp_path / "registries" / "shared" / "models" / "other" / "1").mkdir(parents=True)

    latest = RegistryReference("shared", "models", "credit", None, "latest")

    assert all_of(registries) == ["1"]
    assert asyncio.run(registries.version(latest)).key.version == "1"
