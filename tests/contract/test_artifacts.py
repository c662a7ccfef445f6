"""What every implementation of the Artifacts port does; then what only the one on disk can show."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from verdazul.artifacts.fake import FakeArtifacts
from verdazul.artifacts.folder import FolderArtifacts
from verdazul.model.errors import NotFound, Retryable, UserError
from verdazul.ports import Artifacts
from verdazul.tree import tree_digest

Make = Callable[[int], Artifacts]


@pytest.fixture(params=["fake", "folder"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    if request.param == "fake":
        return lambda kept: FakeArtifacts(kept=kept)
    return lambda kept: FolderArtifacts(tmp_path / "home", kept=kept)


def staged(at: Path, **files: str) -> str:
    at.mkdir()
    for name, text in files.items():
        path = at / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return str(at)


def test_adopted_files_are_found_by_their_digest(make: Make, tmp_path: Path) -> None:
    folder = staged(tmp_path / "s", score_py="code", sub__a_txt="a")
    expected = tree_digest(Path(folder))
    artifacts = make(5)

    digest = asyncio.run(artifacts.adopt(folder))

    assert digest == expected
    assert Path(artifacts.path(digest), "score.py").read_text() == "code"
    assert Path(artifacts.path(digest), "sub/a.txt").read_text() == "a"


def packed(at: Path, **files: str) -> str:
    """A folder that holds one archive."""
    folder = Path(staged(at.with_name(f"{at.name}-inner"), **files))
    at.mkdir()
    with tarfile.open(at / "model.tar.gz", "w:gz") as tar:
        for path in folder.iterdir():
            tar.add(path, path.name)
    return str(at)


def inode(folder: str) -> int:
    return Path(folder).stat().st_ino


def files_of(folder: str) -> dict[str, str]:
    return {path.name: path.read_text(errors="replace") for path in Path(folder).iterdir()}


@pytest.mark.azure(61)
def test_an_archive_is_unpacked_once_beside_itself(make: Make, tmp_path: Path) -> None:
    async def story() -> None:
        artifacts = make(5)
        digest = await artifacts.adopt(packed(tmp_path / "a", model_pkl="weights", more_txt="b"))

        inner = await artifacts.unpack(digest)
        before = inode(artifacts.path(inner))
        again = await asyncio.gather(*(artifacts.unpack(digest) for _ in range(3)))

        assert files_of(artifacts.path(inner)) == {"model.pkl": "weights", "more.txt": "b"}
        assert set(again) == {inner}
        assert inode(artifacts.path(inner)) == before
        assert list(files_of(artifacts.path(digest))) == ["model.tar.gz"]

    asyncio.run(story())


def test_what_was_unpacked_and_then_dropped_is_unpacked_again(make: Make, tmp_path: Path) -> None:
    async def story() -> None:
        artifacts = make(0)
        digest = await artifacts.adopt(packed(tmp_path / "a", model_pkl="weights"))
        inner = await artifacts.unpack(digest)
        await artifacts.prune(frozenset({digest}))
        with pytest.raises(NotFound):
            artifacts.path(inner)

        assert await artifacts.unpack(digest) == inner
        assert files_of(artifacts.path(inner)) == {"model.pkl": "weights"}

    asyncio.run(story())


def test_what_cannot_be_unpacked_leaves_nothing(make: Make, tmp_path: Path) -> None:
    async def story() -> None:
        artifacts = make(5)
        digest = await artifacts.adopt(staged(tmp_path / "a", model_pkl="weights"))
        with pytest.raises(UserError, match=r"one .tar.gz"):
            await artifacts.unpack(digest)
        with pytest.raises(NotFound):
            await artifacts.unpack("sha256:" + "0" * 64)

        assert files_of(artifacts.path(digest)) == {"model.pkl": "weights"}

    asyncio.run(story())


def test_same_content_is_kept_once(make: Make, tmp_path: Path) -> None:
    artifacts = make(5)

    first = asyncio.run(artifacts.adopt(staged(tmp_path / "a", x="1")))
    path = artifacts.path(first)
    second = asyncio.run(artifacts.adopt(staged(tmp_path / "b", x="1")))

    assert first == second
    assert artifacts.path(second) == path
    assert not (tmp_path / "b").exists()


def test_adopting_what_is_there_already_keeps_it(make: Make, tmp_path: Path) -> None:
    artifacts = make(5)
    digest = asyncio.run(artifacts.adopt(staged(tmp_path / "a", x="1")))

    assert asyncio.run(artifacts.adopt(artifacts.path(digest))) == digest
    assert Path(artifacts.path(digest), "x").read_text() == "1"


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "../../etc", "", "sha256:../x"])
def test_unknown_digest_is_not_found(make: Make, digest: str) -> None:
    with pytest.raises(NotFound, match="digest"):
        make(5).path(digest)


def test_folder_that_is_none_is_refused_by_name(make: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="absent"):
        asyncio.run(make(5).adopt(str(tmp_path / "absent")))


def test_pruning_keeps_what_is_named_and_the_last_used(make: Make, tmp_path: Path) -> None:
    artifacts = make(1)
    digests = [
        asyncio.run(artifacts.adopt(staged(tmp_path / name, x=name))) for name in ("a", "b", "c")
    ]
    artifacts.path(digests[1])

    asyncio.run(artifacts.prune(frozenset({digests[0]})))

    assert Path(artifacts.path(digests[0])).is_dir()
    assert Path(artifacts.path(digests[1])).is_dir()
    with pytest.raises(NotFound):
        artifacts.path(digests[2])


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside", "absent", "."])
def test_symlink_that_leads_astray_is_refused_by_name(
    make: Make, tmp_path: Path, target: str
) -> None:
    (tmp_path / "outside").write_text("secret")
    folder = staged(tmp_path / "s", x="1")
    Path(folder, "link").symlink_to(target)

    with pytest.raises(UserError, match="'link' is a symlink to"):
        asyncio.run(make(5).adopt(folder))


def test_symlink_inside_the_tree_is_kept(make: Make, tmp_path: Path) -> None:
    folder = staged(tmp_path / "s", x="1")
    Path(folder, "link").symlink_to("x")
    artifacts = make(5)

    digest = asyncio.run(artifacts.adopt(folder))

    assert Path(artifacts.path(digest), "link").read_text() == "1"


def test_special_files_are_refused_by_name(make: Make, tmp_path: Path) -> None:
    folder = staged(tmp_path / "s", x="1")
    os.mkfifo(Path(folder, "pipe"))

    with pytest.raises(UserError, match="'pipe' is neither a file nor a folder"):
        asyncio.run(make(5).adopt(folder))


def test_adopted_files_are_read_only_and_keep_their_executable_bit(tmp_path: Path) -> None:
    folder = staged(tmp_path / "s", x="1", run="2", sub__y="3")
    Path(folder, "run").chmod(0o744)
    artifacts = FolderArtifacts(tmp_path / "home")

    at = Path(artifacts.path(asyncio.run(artifacts.adopt(folder))))

    modes = {str(path.relative_to(at)): path.stat().st_mode & 0o777 for path in at.rglob("*")}
    assert modes == {"x": 0o444, "run": 0o555, "sub": 0o555, "sub/y": 0o444}
    assert at.stat().st_mode & 0o777 == 0o555


def test_damage_is_found_on_demand(tmp_path: Path) -> None:
    artifacts = FolderArtifacts(tmp_path / "home")
    digest = asyncio.run(artifacts.adopt(staged(tmp_path / "s", x="1")))
    assert asyncio.run(artifacts.verify(digest))

    damaged = Path(artifacts.path(digest), "x")
    damaged.chmod(0o600)
    damaged.write_text("2")

    assert not asyncio.run(artifacts.verify(digest))


def test_many_adopt_the_same_at_once(tmp_path: Path) -> None:
    artifacts = FolderArtifacts(tmp_path / "home")
    folders = [staged(tmp_path / str(n), x="1", y="2") for n in range(8)]

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(artifacts.adopt(folder) for folder in folders))

    assert len(set(asyncio.run(all_of_them()))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_disk_that_refuses_is_worth_another_try(tmp_path: Path) -> None:
    (tmp_path / "home").touch()

    with pytest.raises(Retryable, match="could not be stored"):
        asyncio.run(FolderArtifacts(tmp_path / "home").adopt(staged(tmp_path / "s", x="1")))


ADOPT = """
import asyncio, sys
from pathlib import Path
from verdazul.artifacts.folder import FolderArtifacts
asyncio.run(FolderArtifacts(Path(sys.argv[1])).adopt(sys.argv[2]))
"""


@pytest.mark.parametrize("milliseconds", range(0, 40, 8))
def test_killed_adoption_leaves_a_whole_entry_or_none(tmp_path: Path, milliseconds: int) -> None:
    home, source = tmp_path / "home", Path(staged(tmp_path / "s"))
    for number in range(40):
        (source / str(number)).write_bytes(os.urandom(20_000))
    digest = tree_digest(source)
    command = [sys.executable, "-c", ADOPT, str(home), str(source)]
    with subprocess.Popen(command) as child:
        _wait_until(lambda: child.poll() is not None or _is_frozen(source / "0"))
        time.sleep(milliseconds / 1000)  # a different moment in each run
        child.send_signal(signal.SIGKILL)

    artifacts = FolderArtifacts(home)
    asyncio.run(artifacts.prune(frozenset({digest})))
    entries = [path for path in home.rglob("*") if path.name == digest.removeprefix("sha256:")]
    assert not entries or asyncio.run(artifacts.verify(digest))
    assert not list(home.rglob(".staging-*"))


def _is_frozen(path: Path) -> bool:
    try:
        return path.stat().st_mode & 0o222 == 0
    except FileNotFoundError:
        return True  # moved into place already


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)
