"""`az storage blob upload-batch`: a folder into the datastore, what is there left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.cli.test_login import owner, real

from verdazul.cli.az import storage

__all__ = ["owner", "real"]
UPLOAD = ("storage", "blob", "upload-batch")
INTO = ("-d", "azureml-blobstore/score")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    (folder / "deep er").mkdir(parents=True)
    (folder / "score.py").write_text("def init(): ...")
    (folder / "deep er" / "a.txt").write_text("a")
    (folder / "link").symlink_to(folder / "nowhere")
    return folder


@pytest.mark.parametrize(
    ("pattern", "below", "found"),
    [
        ("*", "", ["deep er/a.txt", "score.py"]),
        ("*", "team/v1", ["team/v1/deep er/a.txt", "team/v1/score.py"]),
        ("*.py", "", ["score.py"]),
        ("deep er/*", "x", ["x/deep er/a.txt"]),
        ("none", "", []),
    ],
)
def test_files_that_fit_go_below_the_destination(
    source: Path, pattern: str, below: str, found: list[str]
) -> None:
    files = storage._files(source, below, pattern)

    assert [name for name, _ in files] == found
    assert all(file.is_file() for _, file in files)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("-d", "other/score"), 1, "there is no container other"),
        ((*INTO, "--account-name", "elsewhere"), 1, "storage account elsewhere is not here"),
        ((*INTO, "--account-key", "k"), 2, "no account keys"),
        ((*INTO, "--sas-token", "k"), 2, "no account keys"),
        (("-d", ""), 2, "it is empty"),
    ],
)
def test_what_is_not_here_is_refused_by_name(
    owner: Run, source: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    ran = owner(*UPLOAD, "-s", str(source), *words)

    assert (ran.code, said in ran.err) == (code, True), ran.err


def test_the_source_must_be_a_folder(owner: Run, source: Path) -> None:
    for bad in (source / "score.py", source / "nowhere"):
        ran = owner(*UPLOAD, "-s", str(bad), *INTO)
        assert (ran.code, "it must be a folder" in ran.err) == (1, True)


def test_the_variable_of_another_account_is_not_passed_over(
    owner: Run, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "elsewhere")

    ran = owner(*UPLOAD, "-s", str(source), *INTO)

    assert "storage account elsewhere is not here" in ran.err
