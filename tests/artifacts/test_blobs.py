"""Blobs on a real disk: whole or not at all, inside their container, shared with artifacts."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from verdazul.artifacts.blobs import FolderBlobs
from verdazul.artifacts.folder import FolderArtifacts
from verdazul.artifacts.uploads import ABANDONED_SECONDS, FolderUploads
from verdazul.clock import SystemClock
from verdazul.compute.fake import ManualClock
from verdazul.core.blobs import Blob, Place
from verdazul.model.errors import Conflict, NotFound, UserError

BOX = "azureml-blobstore"
TREE = "LocalUpload/abc/model"


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def broken(part: bytes) -> AsyncIterator[bytes]:
    yield part
    raise ConnectionResetError


class Disk:
    """Blobs, artifacts and uploads of one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock = ManualClock()
        self.clock.advance(SystemClock().now() - self.clock.now())
        self.uploads = FolderUploads(home, clock=self.clock)
        self.uploads.start()
        self.blobs = FolderBlobs(home, self.uploads, clock=self.clock)
        self.blobs.start()
        self.artifacts = FolderArtifacts(home, clock=self.clock)

    def put(self, path: str, text: str, box: str = BOX, **metadata: str) -> Blob:
        content = chunks(text.encode())
        return asyncio.run(self.blobs.write(Place(box, path), content, metadata=metadata))

    def get(self, path: str, *, start: int = 0, length: int = 1 << 30) -> str:
        async def read() -> bytes:
            parts = self.blobs.read(Place(BOX, path), start=start, length=length)
            return b"".join([part async for part in parts])

        return asyncio.run(read()).decode()

    def paths(self, prefix: str = "") -> list[str]:
        return [blob.path for blob in asyncio.run(self.blobs.list(BOX, prefix))]

    def block(self, path: str, block: str, text: str) -> None:
        content = chunks(text.encode())
        asyncio.run(self.blobs.write_block(Place(BOX, path), named(block), content))

    def commit(self, path: str, *blocks: str) -> Blob:
        ids = tuple(named(block) for block in blocks)
        return asyncio.run(self.blobs.commit_blocks(Place(BOX, path), ids, metadata={}))

    def register(self, path: str = TREE) -> str:
        """As registering a model does; returns the artifact's folder."""

        async def story() -> str:
            place = Place(BOX, path)
            staged = await self.blobs.gather(place, under_its_name=True)
            at = self.artifacts.path(await self.artifacts.adopt(staged))
            await self.blobs.share(place, f"{at}/{Path(path).name}")
            return at

        return asyncio.run(story())

    def stored_bytes(self) -> int:
        """What the files take, each inode once."""
        files = [path.stat() for path in self.home.rglob("*") if path.is_file()]
        return sum({seen.st_ino: seen.st_size for seen in files}.values())


def named(block: str) -> str:
    return base64.b64encode(block.encode()).decode()


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_a_blob_is_read_as_it_was_written(disk: Disk) -> None:
    put = disk.put("a/b.txt", "hello", name="x")

    found = asyncio.run(disk.blobs.find(Place(BOX, "a/b.txt")))

    assert found == put
    assert (found.path, found.size, found.metadata) == ("a/b.txt", 5, {"name": "x"})
    assert disk.get("a/b.txt") == "hello"
    assert disk.get("a/b.txt", start=1, length=3) == "ell"
    assert disk.put("a/b.txt", "other").etag != put.etag


def test_metadata_is_replaced_and_goes_with_a_new_blob(disk: Disk) -> None:
    disk.put("a", "x", one="1")

    again = asyncio.run(disk.blobs.describe(Place(BOX, "a"), {"two": "2"}))

    assert again.metadata == {"two": "2"}
    assert disk.put("a", "y").metadata == {}
    with pytest.raises(NotFound):
        asyncio.run(disk.blobs.describe(Place(BOX, "none"), {"two": "2"}))


def test_lists_are_sorted_and_begin_with_the_prefix(disk: Disk) -> None:
    for path in ("b", "a/c", "a/b/d", "ab"):
        disk.put(path, "x")

    assert disk.paths() == ["a/b/d", "a/c", "ab", "b"]
    assert disk.paths("a") == ["a/b/d", "a/c", "ab"]
    assert disk.paths("a/") == ["a/b/d", "a/c"]
    assert disk.paths("z/y") == []


@pytest.mark.parametrize("path", ["", "..", "a/../../b", "/etc/passwd", "a\0", "x" * 201, "\ud800"])
def test_a_path_that_leaves_its_container_is_refused(disk: Disk, path: str) -> None:
    with pytest.raises(UserError) as caught:
        disk.put(path, "x")

    assert caught.value.problem.code == "InvalidPath"
    assert not [p for p in disk.home.rglob("*") if p.is_file()]


@pytest.mark.parametrize("box", ["", "..", "A", "a/b", "ab", "a--b", "x" * 64, "0" * 32])
def test_a_container_that_is_none_is_not_found(disk: Disk, box: str) -> None:
    with pytest.raises(NotFound):
        disk.put("a", "x", box)


def test_a_caller_that_goes_away_leaves_nothing(disk: Disk) -> None:
    with pytest.raises(UserError):
        asyncio.run(disk.blobs.write(Place(BOX, "a"), broken(b"half"), metadata={}))

    assert disk.paths() == []
    assert not list((disk.home / "arriving").iterdir())


def test_what_a_killed_process_left_goes_at_the_next_start(disk: Disk) -> None:
    (disk.home / "arriving" / "half").write_text("half a blob")

    again = Disk(disk.home)

    assert not list((again.home / "arriving").iterdir())


def test_content_that_is_not_as_announced_is_refused(disk: Disk) -> None:
    right = base64.b64encode(hashlib.md5(b"x", usedforsecurity=False).digest()).decode()
    wrong = base64.b64encode(b"0" * 16).decode()

    asyncio.run(disk.blobs.write(Place(BOX, "a"), chunks(b"x"), metadata={}, md5=right))
    with pytest.raises(UserError) as caught:
        asyncio.run(disk.blobs.write(Place(BOX, "b"), chunks(b"x"), metadata={}, md5=wrong))

    assert caught.value.problem.code == "Md5Mismatch"
    assert disk.paths() == ["a"]


def test_blocks_are_put_together_in_the_order_of_the_list(disk: Disk) -> None:
    for block, text in (("2", "world"), ("1", "hello "), ("3", "not named")):
        disk.block("big", block, text)
    assert disk.paths() == []

    blob = disk.commit("big", "1", "2")

    assert (disk.get("big"), blob.size) == ("hello world", 11)
    assert not list((disk.home / "blobs" / "blocks").rglob("big*"))
    assert disk.stored_bytes() == 11


@pytest.mark.parametrize("blocks", [("1", "none"), ("1", "1")])
def test_a_list_of_blocks_that_is_wrong_changes_nothing(
    disk: Disk, blocks: tuple[str, ...]
) -> None:
    disk.put("big", "before")
    disk.block("big", "1", "x")

    with pytest.raises(UserError) as caught:
        disk.commit("big", *blocks)

    assert caught.value.problem.code == "InvalidBlockList"
    assert disk.get("big") == "before"
    assert disk.commit("big", "1").size == 1


@pytest.mark.parametrize("block", ["", "not base64!", "é", "A" * 92])
def test_an_id_of_a_block_that_is_none_is_refused(disk: Disk, block: str) -> None:
    with pytest.raises(UserError) as caught:
        asyncio.run(disk.blobs.write_block(Place(BOX, "a"), block, chunks(b"x")))

    assert caught.value.problem.code == "InvalidQueryParameterValue"


def test_blocks_that_nobody_puts_together_go_after_a_day(disk: Disk) -> None:
    disk.block("big", "1", "x")
    disk.clock.advance(ABANDONED_SECONDS - 60)
    disk.blobs.start()
    young = disk.stored_bytes()

    disk.clock.advance(120)
    disk.blobs.start()

    assert (young, disk.stored_bytes()) == (1, 0)


# -- what was registered


@pytest.mark.azure(60)
def test_registered_files_are_stored_once_and_still_there_to_download(disk: Disk) -> None:
    disk.put(f"{TREE}/deep/weights", "w" * 1000)
    disk.put(f"{TREE}/config", "c" * 10)

    at = Path(disk.register())

    assert (at / "model" / "deep" / "weights").read_text() == "w" * 1000
    assert disk.get(f"{TREE}/config") == "c" * 10
    assert disk.stored_bytes() == 1010


def test_the_same_files_elsewhere_take_no_more_room(disk: Disk) -> None:
    for tree in ("LocalUpload/one/model", "LocalUpload/two/model"):
        disk.put(f"{tree}/weights", "w" * 1000)
        disk.register(tree)

    assert disk.stored_bytes() == 1000


def test_a_single_file_keeps_its_name(disk: Disk) -> None:
    disk.put("LocalUpload/x/model.pkl", "w")

    at = Path(disk.register("LocalUpload/x/model.pkl"))

    assert [path.name for path in at.iterdir()] == ["model.pkl"]
    assert disk.put("LocalUpload/x/other", "beside it").size == 9


def test_nothing_changes_where_something_was_registered(disk: Disk) -> None:
    disk.put(f"{TREE}/weights", "w")
    disk.register()
    disk.block("elsewhere", "1", "x")

    for path in (f"{TREE}/weights", f"{TREE}/more", f"{TREE}/deep/er/more"):
        with pytest.raises(Conflict) as put:
            disk.put(path, "other")
        with pytest.raises(Conflict):
            disk.block(path, "1", "x")
        assert put.value.problem.code == "BlobImmutableDueToPolicy"

    assert disk.get(f"{TREE}/weights") == "w"
    assert disk.register()


def test_nothing_can_be_registered_where_nothing_is(disk: Disk) -> None:
    with pytest.raises(NotFound) as caught:
        disk.register()

    assert caught.value.problem.code == "BlobNotFound"
    assert not list((disk.home / "arriving").iterdir())


def test_a_folder_of_an_upload_is_gathered_without_its_name(disk: Disk) -> None:
    upload = disk.uploads.begin()
    disk.put("src/score.py", "def run(x): ...", upload)

    staged = asyncio.run(disk.blobs.gather(Place(upload, "src"), under_its_name=False))

    assert [path.name for path in Path(staged).iterdir()] == ["score.py"]


def test_uploads_that_no_asset_names_go_after_a_day(disk: Disk) -> None:
    for tree in ("LocalUpload/kept/m", "LocalUpload/gone/m", "mine/m"):
        disk.put(f"{tree}/weights", "w", name="x")
    disk.register("LocalUpload/kept/m")
    disk.register("LocalUpload/gone/m")
    keep = frozenset({"LocalUpload/kept"})

    asyncio.run(disk.blobs.prune(BOX, keep))
    young = disk.paths()
    disk.clock.advance(ABANDONED_SECONDS + 60)
    asyncio.run(disk.blobs.prune(BOX, keep))

    assert len(young) == 3
    assert disk.paths() == ["LocalUpload/kept/m/weights", "mine/m/weights"]
    assert len(list((disk.home / "blobs" / "meta").rglob("*"))) == 1 + 2
