"""Uploads: a file arrives whole and inside, or not at all."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from verdazul.artifacts.uploads import ABANDONED_SECONDS, FolderUploads
from verdazul.compute.fake import ManualClock
from verdazul.model.errors import NotFound, UserError


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(0)
        yield part


async def broken(*parts: bytes) -> AsyncIterator[bytes]:
    async for part in chunks(*parts):
        yield part
    raise ConnectionResetError("the client went away")


def opened(home: Path, clock: ManualClock | None = None) -> FolderUploads:
    uploads = FolderUploads(home, clock=clock or ManualClock())
    uploads.start()
    return uploads


def write(uploads: FolderUploads, upload: str, path: str, *parts: bytes) -> None:
    asyncio.run(uploads.write(upload, path, chunks(*parts)))


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture
def uploads(tmp_path: Path) -> FolderUploads:
    return opened(tmp_path)


def test_an_upload_has_a_name_that_nobody_guesses(uploads: FolderUploads) -> None:
    names = {uploads.begin() for _ in range(50)}

    assert len(names) == 50
    assert all(re.fullmatch(r"[0-9a-f]{32}", name) for name in names)


def test_files_arrive_whole_in_their_folders(uploads: FolderUploads) -> None:
    upload = uploads.begin()

    write(uploads, upload, "score.py", b"def ", b"run", b"(x): ...")
    write(uploads, upload, "a/b/c.txt")
    write(uploads, upload, "a//d", b"d")

    folder = Path(uploads.folder(upload))
    assert files(folder) == {"score.py": b"def run(x): ...", "a/b/c.txt": b"", "a/d": b"d"}


def test_what_arrives_is_private(uploads: FolderUploads, tmp_path: Path) -> None:
    upload = uploads.begin()
    write(uploads, upload, "a/b.txt", b"x")
    asyncio.run(uploads.write(upload, "run.sh", chunks(b"x"), executable=True))

    folder = Path(uploads.folder(upload))
    modes = {str(p.relative_to(folder)): p.stat().st_mode & 0o777 for p in folder.rglob("*")}
    assert modes == {"a": 0o700, "a/b.txt": 0o600, "run.sh": 0o700}
    assert (tmp_path / "uploads").stat().st_mode & 0o777 == 0o700
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_second_write_replaces_the_first(uploads: FolderUploads) -> None:
    upload = uploads.begin()

    write(uploads, upload, "score.py", b"the first and longer one")
    write(uploads, upload, "score.py", b"second")

    assert files(Path(uploads.folder(upload))) == {"score.py": b"second"}


def test_a_client_that_goes_away_leaves_nothing_and_what_was_there_stays(
    uploads: FolderUploads,
) -> None:
    upload = uploads.begin()
    write(uploads, upload, "kept.py", b"kept")

    for path in ("kept.py", "new.py"):
        with pytest.raises((ConnectionResetError, UserError)):
            asyncio.run(uploads.write(upload, path, broken(b"half")))

    assert files(Path(uploads.folder(upload))) == {"kept.py": b"kept"}


def test_a_cancelled_write_leaves_nothing(uploads: FolderUploads) -> None:
    async def story() -> None:
        endless = asyncio.Event()
        begun = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"half"
            begun.set()
            await endless.wait()

        task = asyncio.create_task(uploads.write(upload, "a", slow()))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    upload = uploads.begin()
    asyncio.run(story())

    assert files(Path(uploads.folder(upload))) == {}


def test_of_two_writes_at_once_one_wins_whole(uploads: FolderUploads) -> None:
    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            for letter in (b"a", b"b"):
                group.create_task(uploads.write(upload, "f", chunks(*(50 * [letter]))))

    upload = uploads.begin()
    asyncio.run(story())

    assert files(Path(uploads.folder(upload)))["f"] in {b"a" * 50, b"b" * 50}


@pytest.mark.parametrize(
    "upload", ["", ".", "..", "/", "../uploads", "0" * 32, "A" * 32, "0" * 31, "x\0", "a/b", "é"]
)
def test_an_upload_that_never_began_is_not_found(uploads: FolderUploads, upload: str) -> None:
    uploads.begin()

    with pytest.raises(NotFound) as by_folder:
        uploads.folder(upload)
    with pytest.raises(NotFound) as by_write:
        write(uploads, upload, "a", b"x")

    assert by_folder.value.problem.code == by_write.value.problem.code == "UploadNotFound"


parts = st.sampled_from(["..", ".", "", "a", "b", "a\0", "\\", "~", "%2e%2e", "c" * 201, "-", " "])
paths = st.lists(parts, max_size=5).map("/".join) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=12
)


def refusal(uploads: FolderUploads, upload: str, path: str) -> str:
    """The code it is refused with; "" when the file was stored."""
    try:
        write(uploads, upload, path, b"x")
    except UserError as error:
        return error.problem.code
    return ""


@given(paths)
@example("/etc/passwd")
@example("a/../../b")
@example("é" * 101)
@example("/".join(["d" * 100] * 60))
@settings(max_examples=150, deadline=None)
def test_a_path_is_refused_or_stays_inside(path: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        uploads = opened(Path(folder))
        upload = uploads.begin()
        inside = Path(uploads.folder(upload)).resolve()

        code = refusal(uploads, upload, path)

        assert code in {"", "InvalidPath", "UploadFailed"}
        assert list(files(inside).values()) == ([] if code else [b"x"])
        outside = [p for p in Path(folder).rglob("*") if p.is_file() and inside not in p.parents]
        assert outside == []


@pytest.mark.parametrize(("first", "then"), [("a", "a/b"), ("a/b", "a"), ("a", "a/b/c")])
def test_one_path_is_a_file_or_a_folder(uploads: FolderUploads, first: str, then: str) -> None:
    upload = uploads.begin()
    write(uploads, upload, first, b"x")

    with pytest.raises(UserError) as caught:
        write(uploads, upload, then, b"y")

    assert caught.value.problem.code == "UploadFailed"
    assert files(Path(uploads.folder(upload))) == {first: b"x"}


def test_abandoned_uploads_go_at_the_next_start_and_young_ones_stay(tmp_path: Path) -> None:
    uploads = opened(tmp_path)
    old, young = uploads.begin(), uploads.begin()
    write(uploads, old, "deep/file", b"x")
    now = 1_700_000_000.0
    os.utime(uploads.folder(old), (now - ABANDONED_SECONDS - 1, now - ABANDONED_SECONDS - 1))
    os.utime(uploads.folder(young), (now - ABANDONED_SECONDS + 1, now - ABANDONED_SECONDS + 1))

    after = opened(tmp_path, ManualClock(now))

    assert after.folder(young)
    with pytest.raises(NotFound):
        after.folder(old)


def test_starting_again_keeps_what_is_under_way(tmp_path: Path) -> None:
    uploads = opened(tmp_path)
    upload = uploads.begin()
    write(uploads, upload, "a", b"x")

    assert files(Path(opened(tmp_path).folder(upload))) == {"a": b"x"}
