from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verdazul.client.tree import tree_digest, upload_files
from verdazul.model.errors import UserError
from verdazul.tree import files_digest
from verdazul.tree import tree_digest as folder_digest


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def sent(folder: Path) -> list[str]:
    return [name for name, _ in upload_files(folder)]


def test_all_files_are_sent_but_caches_and_git(tmp_path: Path) -> None:
    fill(tmp_path, "score.py", "sub/a.txt", "__pycache__/x.pyc", "sub/__pycache__/y", ".git/HEAD")

    assert sent(tmp_path) == ["score.py", "sub/a.txt"]


def test_amlignore_wins_over_gitignore(tmp_path: Path) -> None:
    fill(tmp_path, "a.log", "b.tmp")
    (tmp_path / ".gitignore").write_text("*.log\n")
    assert sent(tmp_path) == [".gitignore", "b.tmp"]

    (tmp_path / ".amlignore").write_text("*.tmp\n")
    assert sent(tmp_path) == [".amlignore", ".gitignore", "a.log"]


def test_symlinks_are_followed(tmp_path: Path) -> None:
    outside = fill(tmp_path / "cache", "weights.bin")
    folder = fill(tmp_path / "model", "config.json")
    (folder / "weights.bin").symlink_to(outside / "weights.bin")
    (folder / "more").symlink_to(outside)

    assert sent(folder) == ["config.json", "more/weights.bin", "weights.bin"]


@pytest.mark.parametrize(
    ("target", "says"),
    [("absent", "leads nowhere"), ("link", "leads nowhere"), (".", "a folder that holds it")],
)
def test_symlink_that_cannot_be_followed_is_named(tmp_path: Path, target: str, says: str) -> None:
    (tmp_path / "link").symlink_to(target)

    with pytest.raises(UserError, match=f"'link' is a symlink .*{says}"):
        upload_files(tmp_path)


def test_special_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(UserError, match="'pipe' is neither"):
        upload_files(tmp_path)


def test_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="absent"):
        upload_files(tmp_path / "absent")


def test_digest_is_the_same_on_both_sides(tmp_path: Path) -> None:
    folder = fill(tmp_path / "a", "score.py", "sub/x", "__pycache__/c")
    (folder / "score.py").chmod(0o755)
    arrived = tmp_path / "b"
    for name, path in upload_files(folder):
        (arrived / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, arrived / name)

    assert folder_digest(arrived) == f"sha256:{tree_digest(upload_files(folder))}"


@pytest.mark.parametrize("change", ["content", "name", "mode", "new", "gone"])
def test_every_change_changes_the_digest(tmp_path: Path, change: str) -> None:
    folder = fill(tmp_path, "a", "b")
    before = folder_digest(folder)

    match change:
        case "content":
            (folder / "a").write_text("else")
        case "name":
            (folder / "a").rename(folder / "c")
        case "mode":
            (folder / "a").chmod(0o755)
        case "new":
            fill(folder, "c")
        case _:
            (folder / "a").unlink()

    assert folder_digest(folder) != before


_contents = st.dictionaries(st.from_regex(r"[a-c /]{1,3}", fullmatch=True), st.binary(max_size=3))


@given(_contents, _contents)
@settings(max_examples=50, deadline=None)
def test_digests_are_equal_exactly_when_the_files_are(
    one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    assert (_digest(one) == _digest(other)) == (one == other)
    assert _digest(dict(reversed(one.items()))) == _digest(one)


def _digest(files: dict[str, bytes]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        pairs = []
        for number, (name, content) in enumerate(files.items()):
            path = Path(folder, str(number))
            path.write_bytes(content)
            pairs.append((name, path))
        return files_digest(pairs)


PATTERNS = [
    "*.log", "a", "a/", "/a", "a/b", "**/b", "a/**", "a/**/b", "!a", "!*.log", "b*", "?", "[ab]",
    "[!a]", "[^a]x", "\\!a", "# no", "\\#c", "a/*", "!a/b", "*", "!*/", "x.log ", "[z-a]", "**",
    "[a", "/", "*/b", "a.log/", "**/a/**", "!/a/b/", "[a-b]*", "b/\\*",
]  # fmt: skip
NAMES = ["a", "b", "x", "a.log", "x.log", "ax", "!a", "#c"]
_paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)


@pytest.mark.skipif(shutil.which("git") is None, reason="compares with git itself")
@given(st.lists(st.sampled_from(PATTERNS), max_size=4), st.sets(_paths, min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_ignore_files_mean_what_git_makes_of_them(patterns: list[str], paths: set[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in sorted(paths, key=len, reverse=True):
            if not (folder / path).exists() and not _below_a_file(folder, path):
                fill(folder, path)
        (folder / ".gitignore").write_text("".join(f"{pattern}\n" for pattern in patterns))

        assert sent(folder) == _git_says(folder)


def _below_a_file(folder: Path, path: str) -> bool:
    return any((folder / parent).is_file() for parent in Path(path).parents)


def _git_says(folder: Path) -> list[str]:
    quiet = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    git = ["git", "-C", str(folder)]
    environment = {**os.environ, **quiet}
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True, env=environment)
    shown = subprocess.run(
        [*git, "ls-files", "-z", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    return sorted(filter(None, shown.stdout.split("\0")))
