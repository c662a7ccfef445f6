"""Sending files: all of them, as they are, or nothing is registered."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.arm_server import Api, Reply

from verdazul.client import assets
from verdazul.client.assets import Telling
from verdazul.client.connection import Connection
from verdazul.client.uploads import Files, Place, looks, refuse_changed, upload
from verdazul.client.workspace import Workspace
from verdazul.model.errors import Fatal, UserError


def a_place(api: Api) -> Place:
    return Place(f"{api.address}/blobs/1", "sig=upload-secret-cc33")


def some_files(folder: Path, **sizes: int) -> Files:
    for name, size in sizes.items():
        (folder / name).write_bytes(name[:1].encode() * size)
    return [(name, folder / name) for name in sizes]


def no_telling() -> Telling:
    return Telling(lambda _: None, lambda _: None)


def test_all_files_arrive_as_they_are(api: Api, connection: Connection, tmp_path: Path) -> None:
    files = some_files(tmp_path, a=0, b=1, c=3_000_000, d=5, e=6, f=7)

    upload(connection, a_place(api), files, on_bytes=lambda *_: None)

    arrived = {path.removeprefix("/blobs/1/"): data for path, data in api.blobs.items()}
    assert arrived == {name: path.read_bytes() for name, path in files}


def test_progress_ends_at_the_total(api: Api, connection: Connection, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    upload(
        connection,
        a_place(api),
        some_files(tmp_path, a=2_500_000, b=10),
        on_bytes=lambda *at: told.append(at),
    )

    assert told[-1] == (2_500_010, 2_500_010)
    assert told == sorted(told)


def test_the_first_refusal_ends_the_upload(
    api: Api, connection: Connection, tmp_path: Path
) -> None:
    files = some_files(tmp_path, **{f"file{n:03}": 10 for n in range(200)})
    api.answer_next("PUT", "/file000", Reply(500, b"disk full"))

    with pytest.raises(Fatal, match="answered 500 to the upload of file000: disk full"):
        upload(connection, a_place(api), files, on_bytes=lambda *_: None)

    assert len(api.blobs) < 199


def test_a_wrong_signature_is_refused_without_showing_it(
    api: Api, connection: Connection, tmp_path: Path
) -> None:
    place = Place(f"{api.address}/blobs/1", "sig=wrong-signature")

    with pytest.raises(UserError, match="answered 403") as caught:
        upload(connection, place, some_files(tmp_path, a=1), on_bytes=lambda *_: None)

    assert "wrong-signature" not in str(caught.value)
    assert "wrong-signature" not in repr(place)


def test_a_file_that_changed_is_named(tmp_path: Path) -> None:
    files = some_files(tmp_path, a=1, b=1)
    before = looks(files)
    (tmp_path / "b").write_bytes(b"longer")

    with pytest.raises(UserError, match="b changed while it was being uploaded"):
        refuse_changed(before, files)


def test_a_file_that_vanished_is_named(tmp_path: Path) -> None:
    files = some_files(tmp_path, a=1)
    before = looks(files)
    (tmp_path / "a").unlink()

    with pytest.raises(UserError, match=r"cannot read .*a: No such file"):
        refuse_changed(before, files)


def test_code_that_changes_between_digest_and_upload_is_not_registered(
    api: Api, workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "score.py").write_text("old")
    parcel = assets.pack_code(tmp_path)
    (tmp_path / "score.py").write_text("something else")

    with pytest.raises(UserError, match=r"score\.py changed"):
        assets.register_code(workspace, parcel, telling=no_telling())

    assert api.resources == {}


def test_a_file_name_that_is_not_utf8_is_refused(
    api: Api, connection: Connection, tmp_path: Path
) -> None:
    (tmp_path / "a").touch()

    with pytest.raises(UserError, match="is not UTF-8"):
        upload(connection, a_place(api), [("\udcff", tmp_path / "a")], on_bytes=lambda *_: None)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (7e10, "70.0 GB")]
)
def test_sizes_are_written_for_people(count: float, text: str) -> None:
    assert assets.size_text(count) == text
