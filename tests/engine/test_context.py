"""Build contexts: what is asked for is read, what leads out of the archive is refused."""

from __future__ import annotations

import contextlib
import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.engine_worlds import packed
from verdazul.engine.context import LONGEST_FILE, read_files
from verdazul.model.errors import UserError


def refused(archive: bytes, *names: str) -> str:
    with pytest.raises(UserError) as caught:
        read_files(io.BytesIO(archive), names)
    assert caught.value.problem.code == "InvalidBuildContext"
    return caught.value.problem.message


def linked(name: str, target: str) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = tarfile.SYMTYPE, target
        tar.addfile(member)
    return archive.getvalue()


def test_the_files_asked_for_are_read_and_missing_ones_are_absent() -> None:
    archive = packed({"./Dockerfile": "FROM x", "big/model.bin": bytes(3_000_000), "b": "2"})

    assert read_files(io.BytesIO(archive), ["Dockerfile", "b", "c"]) == {
        "Dockerfile": "FROM x",
        "b": "2",
    }


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/passwd"])
def test_a_member_that_leads_out_is_refused_by_name(name: str) -> None:
    assert name in refused(packed({"Dockerfile": "FROM x", name: "!"}), "Dockerfile")


def test_a_link_is_no_file() -> None:
    assert "no plain file" in refused(linked("Dockerfile", "/etc/passwd"), "Dockerfile")


def test_a_file_that_is_too_long_or_no_text_is_refused() -> None:
    assert str(LONGEST_FILE) in refused(packed({"a": bytes(LONGEST_FILE + 1)}), "a")
    assert "UTF-8" in refused(packed({"a": b"\xff"}), "a")


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(UserError):
        assert read_files(io.BytesIO(content), ["a"]) == {}


def test_an_archive_that_is_cut_off_is_refused() -> None:
    whole = packed({"a": "x" * 5000})

    assert "tar archive" in refused(whole[:1500], "a")
