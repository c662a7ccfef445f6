"""Files by the hour, within their bytes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from verdazul_serve import collector
from verdazul_serve.cloud_events import Event
from verdazul_serve.settings import Settings
from verdazul_serve.spool import Dropped, Folder, Full, Spool

from .posts import INSTANCE, files
from .process import eventually

HOUR = "2026/11/25/03"
LINE = Event("model_inputs", b"x" * 99 + b"\n")


def make(folder: Path, *, limit: int = 1000) -> Spool:
    return Spool(Folder(folder), limit=limit, place=("credit", "blue", INSTANCE))


def file(folder: Path, hour: str) -> Path:
    top = folder / "modelDataCollector/credit/blue/model_inputs"
    return top / hour / f"{INSTANCE}.jsonl"


def test_the_oldest_hours_make_room(tmp_path: Path) -> None:
    for hour, number in (("2026/11/24/23", 3), ("2026/11/25/01", 4), ("2026/11/25/02", 3)):
        make(tmp_path).write([LINE] * number, hour=hour)
    spool = make(tmp_path)

    spool.write([LINE] * 4, hour=HOUR)

    assert spool.dropped == Dropped(events=7, size=700)
    assert not (tmp_path / "modelDataCollector/credit/blue/model_inputs/2026/11/24").exists()
    assert sum(map(len, files(tmp_path).values())) == 700
    spool.write([LINE] * 3, hour=HOUR)
    assert spool.dropped == Dropped(events=7, size=700)


def test_this_hour_is_never_dropped_for_something_newer(tmp_path: Path) -> None:
    spool = make(tmp_path)
    spool.write([LINE], hour="2026/11/25/02")
    spool.write([LINE] * 9, hour=HOUR)

    with pytest.raises(Full, match=r"the spool is full: 1000 of 1000 bytes"):
        spool.write([LINE] * 2, hour=HOUR)

    assert len(files(tmp_path)) == 2


def test_what_others_took_away_is_room_again(tmp_path: Path) -> None:
    spool = make(tmp_path)
    spool.write([LINE] * 9, hour="2026/11/25/02")
    file(tmp_path, "2026/11/25/02").unlink()

    spool.write([LINE] * 9, hour="2026/11/25/02")

    assert spool.dropped == Dropped()


def test_a_large_body_counts_and_goes_with_its_hour(tmp_path: Path) -> None:
    spool = make(tmp_path)
    spool.write([Event("model_inputs", b"line\n", ("n.json", b"x" * 900))], hour="2026/01/01/00")

    spool.write([LINE], hour="2026/01/01/01")

    assert spool.dropped == Dropped(events=1, size=905)
    assert list(files(tmp_path).values()) == [LINE.line]


@pytest.mark.parametrize("tail", [b"", b"one\n", b"one\ntw", b"tw", b"one\n" + b"x" * 200_000])
def test_a_broken_last_line_is_cut_off_before_the_next(tmp_path: Path, tail: bytes) -> None:
    path = file(tmp_path, HOUR)
    path.parent.mkdir(parents=True)
    path.write_bytes(tail)

    make(tmp_path, limit=10**6).write([LINE], hour=HOUR)

    whole = b"one\n" if tail.startswith(b"one") else b""
    assert path.read_bytes() == whole + LINE.line


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    spool = make(tmp_path)
    spool.write([LINE], hour=HOUR)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    big = Event("model_inputs", LINE.line, ("n.json", b"1"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (250, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            spool.write([big, LINE], hour=HOUR)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert list(files(tmp_path).values()) == [LINE.line]


def test_a_killed_writer_leaves_whole_lines_but_for_the_last(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom verdazul_serve.spool import *\n"
        "spool = Spool(Folder(Path(sys.argv[1])), limit=10**9, place=('e', 'd', 'i'))\n"
        "line = Event('c', b'x' * 9999 + b'\\n')\nprint('ready', flush=True)\n"
        "for _ in range(50): spool.write([line] * 100, hour='2026/11/25/03')\n"
        "sys.stdin.read()\n"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        path = tmp_path / "modelDataCollector/e/d/c" / HOUR / "i.jsonl"
        eventually(lambda: path.exists() and path.stat().st_size > 3_000_000)
        writer.kill()
    spool = Spool(Folder(tmp_path), limit=10**9, place=("e", "d", "i"))

    spool.write([Event("c", b"y\n")], hour=HOUR)

    (text,) = files(tmp_path).values()
    assert {len(line) for line in text.splitlines()} == {9999, 1}


def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "trap").mkdir()
    (tmp_path / "ours").symlink_to(tmp_path / "trap")
    private = tmp_path / "ours"
    spool = Spool(Folder(private / "spool", private), limit=1000, place=("e", "d", "i"))

    with pytest.raises(PermissionError, match="is not a folder of ours alone"):
        spool.write([LINE], hour=HOUR)

    assert files(tmp_path) == {}


def test_by_default_it_lies_in_a_folder_of_this_user_and_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    settings = Settings.read({"VERDAZUL_INSTANCE": "../x"}, cwd="/")

    folder = collector.spool_folder(settings)

    Spool(folder, limit=1000, place=("e", "d", "i")).write([LINE], hour=HOUR)
    private = tmp_path / f"verdazul-serve-{os.geteuid()}"
    assert folder == Folder(private / "__x" / "spool", private)
    assert private.stat().st_mode & 0o777 == 0o700
