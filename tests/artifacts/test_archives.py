"""Unpacking a model: what is taken, what is refused, and by which member."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from verdazul.artifacts import archives
from verdazul.model.errors import UserError

Build = Callable[[tarfile.TarFile], None]


def member(name: str, data: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, io.BytesIO]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, io.BytesIO(data)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def made(folder: Path, build: Build) -> Path:
    path = folder / "model.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        build(tar)
    return path


def into(folder: Path) -> Path:
    target = folder / "into"
    target.mkdir()
    return target


def refused(folder: Path, archive: Path, *, free_bytes: int = 0) -> UserError:
    with pytest.raises(UserError) as caught:
        archives.unpack(archive, into(folder), free_bytes=free_bytes)
    return caught.value


def test_files_folders_and_links_inside_are_taken(tmp_path: Path) -> None:
    def build(tar: tarfile.TarFile) -> None:
        tar.addfile(*member("a/model.pkl", b"weights"))
        tar.addfile(*member("a/run.sh", mode=0o755))
        tar.addfile(link("current", "a/model.pkl"))

    target = into(tmp_path)
    archives.unpack(made(tmp_path, build), target)

    assert (target / "a" / "model.pkl").read_bytes() == b"weights"
    assert (target / "current").read_bytes() == b"weights"
    assert (target / "a" / "run.sh").stat().st_mode & 0o100


@pytest.mark.parametrize(
    "build",
    [
        lambda tar: tar.addfile(*member("../out")),
        lambda tar: tar.addfile(*member("a/../../out")),
        lambda tar: tar.addfile(link("out", "/etc/passwd")),
        lambda tar: tar.addfile(link("out", "../../x")),
        lambda tar: tar.addfile(link("out", "../x", tarfile.LNKTYPE)),
        lambda tar: tar.addfile(link("out", "", tarfile.CHRTYPE)),
        lambda tar: tar.addfile(link("out", "", tarfile.FIFOTYPE)),
    ],
)
def test_what_would_leave_the_folder_or_is_no_file_is_refused_by_name(
    tmp_path: Path, build: Build
) -> None:
    error = refused(tmp_path, made(tmp_path, build))

    assert error.problem.code == "UnusableArchive"
    assert "out" in error.problem.message
    assert {path.name for path in tmp_path.iterdir()} == {"model.tar.gz", "into"}


def test_an_absolute_path_lands_inside(tmp_path: Path) -> None:
    archives.unpack(made(tmp_path, lambda tar: tar.addfile(*member("/abs"))), into(tmp_path))

    assert (tmp_path / "into" / "abs").exists()


@pytest.mark.parametrize("cut", [0, 10, 60, -9])
def test_what_is_cut_or_no_archive_says_where_it_ends(tmp_path: Path, cut: int) -> None:
    path = made(tmp_path, lambda tar: tar.addfile(*member("big", bytes(range(256)) * 4000)))
    path.write_bytes(path.read_bytes()[:cut])

    error = refused(tmp_path, path)

    assert error.problem.code == "UnusableArchive"
    assert "model.tar.gz" in error.problem.message


def test_a_changed_bit_is_seen(tmp_path: Path) -> None:
    path = made(tmp_path, lambda tar: tar.addfile(*member("big", bytes(range(256)) * 4000)))
    raw = bytearray(path.read_bytes())
    raw[-6] ^= 1
    path.write_bytes(raw)

    assert "CRC" in refused(tmp_path, path).problem.message


def test_text_named_as_an_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_text("not an archive")

    assert "cannot be read" in refused(tmp_path, path).problem.message


def test_an_archive_without_a_file_is_refused(tmp_path: Path) -> None:
    folder = tarfile.TarInfo("empty")
    folder.type = tarfile.DIRTYPE

    assert (
        "holds no file"
        in refused(tmp_path, made(tmp_path, lambda t: t.addfile(folder))).problem.message
    )


def test_a_bomb_ends_before_the_disk_is_full(tmp_path: Path) -> None:
    path = made(tmp_path, lambda tar: tar.addfile(*member("bomb", bytes(10_000_000))))

    error = refused(tmp_path, path, free_bytes=2**62)

    assert error.problem.code == "NoRoomToUnpack"
    assert "bomb" in error.problem.message
    assert not (tmp_path / "into" / "bomb").exists()


@pytest.mark.parametrize("names", [[], ["a.tar.gz", "b.tar.gz"], ["a.tar.gz", "readme"], ["a.zip"]])
def test_a_model_to_be_unpacked_is_one_archive(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).touch()

    with pytest.raises(UserError, match=r"one \.tar\.gz file"):
        archives.archive_in(tmp_path)


def test_the_archive_may_lie_below(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "M.TGZ").touch()

    assert archives.archive_in(tmp_path).name == "M.TGZ"
