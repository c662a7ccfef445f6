"""Ids as folders, and logs that outlive them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.compute_worlds import instance_id, launch
from verdazul.compute import logs
from verdazul.compute.folder import Folder, clear_leavings, folders
from verdazul.compute.sweep import forget
from verdazul.core.instance import InstanceId
from verdazul.model.errors import Fatal


@pytest.mark.parametrize("endpoint", ["../x", "..", "a/b", "a.b", "", "a\0b"])
def test_id_that_names_another_place_is_refused(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(Fatal):
        Folder(tmp_path, InstanceId(endpoint, "blue", "3f", 0))


def test_launch_reads_back_as_it_was_written_for_our_eyes_only(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "home", instance_id())
    folder.prepare()
    given = launch(tmp_path, KEY="secret")

    folder.write_launch(given, attempt=2, at=5.0)

    assert folder.launch() == given
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "home").rglob("*")} == {0}


def test_foreign_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "instances" / "not an instance").mkdir(parents=True)
    (tmp_path / "instances" / "e.d.3f-0").mkdir()

    assert folders(tmp_path) == ()


def test_tail_goes_back_into_rotated_files(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("5\n6\n")
    (tmp_path / "log.txt.1").write_text("3\n4\n")
    (tmp_path / "log.txt.2").write_bytes(b"1\n\xff2\n")

    assert logs.tail(log, 3) == ["4", "5", "6"]
    assert logs.tail(log, 99) == ["1", "\ufffd2", "3", "4", "5", "6"]
    assert logs.tail(log, 0) == []
    assert logs.tail(tmp_path / "none.txt", 5) == []


def test_tail_of_a_huge_log_is_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("".join(f"{n} {'x' * 1000}\n" for n in range(3000)) + "last without end")

    assert logs.tail(log, 2)[1] == "last without end"
    assert logs.tail(log, 1500)[0].startswith("1501 ")


def test_only_a_few_logs_of_forgotten_instances_are_kept(tmp_path: Path) -> None:
    for n in range(logs.KEPT_FILES + 3):
        folder = Folder(tmp_path, instance_id(n=n))
        folder.prepare()
        folder.log.write_text(f"log of {n}\n")
        forget(folder)

    kept = list(logs.kept_folder(tmp_path, "credit", "blue").iterdir())
    newest = logs.newest_kept(tmp_path, "credit", "blue")
    assert len(kept) == logs.KEPT_FILES
    assert newest is not None
    assert newest.read_text() == f"log of {logs.KEPT_FILES + 2}\n"


def test_removal_that_was_cut_off_is_finished_and_never_seen_as_an_instance(tmp_path: Path) -> None:
    folder = Folder(tmp_path, instance_id())
    folder.prepare()
    folder.write_launch(launch(tmp_path), attempt=1, at=0.0)
    leaving = folder.path.rename(folder.path.with_name(f".leaving.{folder.id}"))

    assert folders(tmp_path) == ()
    clear_leavings(tmp_path)
    assert not leaving.exists()
