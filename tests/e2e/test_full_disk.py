"""A disk that takes nothing: endpoints serve on, changes are refused, all goes on afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.system import System, eventually, kill

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not shutil.which("mount"), reason="needs mount"),
]
MOUNT, UMOUNT = shutil.which("mount") or "", shutil.which("umount") or ""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own. Skips where none can be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        [MOUNT, "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        yield disk
    finally:
        subprocess.run([UMOUNT, "--lazy", str(disk)], check=True)


@pytest.fixture
def system(small_disk: Path, tmp_path: Path) -> Iterator[System]:
    files = tmp_path / "files"
    files.mkdir()
    system = System(small_disk / "home", files)
    try:
        system.up()
        yield system
    finally:
        system.down()


@contextlib.contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Not a byte is left meanwhile."""
    file = os.open(disk / "filler", os.O_WRONLY | os.O_CREAT)
    try:
        with contextlib.suppress(OSError):
            while os.write(file, bytes(65536)):
                pass
        yield
    finally:
        os.close(file)
        (disk / "filler").unlink()


@contextlib.contextmanager
def read_only(home: Path) -> Iterator[None]:
    """Nothing can be opened for writing in it meanwhile; what is open stays so."""
    for words in (("--bind", home, home), ("-o", "remount,bind,ro", home)):
        subprocess.run([MOUNT, *map(str, words)], check=True)
    try:
        yield
    finally:
        subprocess.run([UMOUNT, "--lazy", str(home)], check=True)


def test_a_read_only_home_stops_no_endpoint_is_said_and_passes(system: System) -> None:
    system.serving("credit", "blue")

    with system.load("credit") as load:
        with read_only(system.home):
            load.more(50)
            shown = system.run("online-endpoint", "show", "-n", "credit").data
            said = system.status()["problems"]
            load.more(50)
        system.run("online-endpoint", "update", "-n", "credit", "--set", "tags.a=c")
        after = system.status()["problems"]

    assert set(load.statuses) == {"200"}
    assert shown["provisioning_state"] == "Succeeded"
    assert [problem["code"] for problem in said] == ["HomeNotWritable"]
    assert after == []


def test_a_full_disk_stops_no_endpoint_is_said_and_passes(system: System, small_disk: Path) -> None:
    system.serving("credit", "blue")

    with system.load("credit") as load:
        with filled(small_disk):
            load.more(50)
            refused = system.run(
                "online-endpoint", "update", "-n", "credit", "--set", "tags.a=b", code=None
            )
            shown = system.run("online-endpoint", "show", "-n", "credit").data
            said = system.status()["problems"]
            load.more(50)
        system.run("online-endpoint", "update", "-n", "credit", "--set", "tags.a=c")
        after = system.status()["problems"]

    assert set(load.statuses) == {"200"}
    assert refused.code
    assert "StoreUnusable" in refused.err
    assert "disk" in refused.err
    assert shown["provisioning_state"] == "Succeeded"
    assert [problem["code"] for problem in said] == ["HomeNotWritable"]
    assert after == []


def test_a_gateway_that_dies_comes_back_though_the_disk_is_full(
    system: System, small_disk: Path
) -> None:
    system.serving("credit", "blue")
    before = system.pid_of("gateway")

    with system.client("credit") as client, filled(small_disk):
        kill(before)
        eventually(lambda: _answers(client))
        after = system.pid_of("gateway")

    assert after != before
    system.split("credit", "blue=0")


def _answers(client: httpx.Client) -> bool:
    """On a connection of its own: the one before was to the dead one."""
    try:
        return client.post("score", json=1, headers={"connection": "close"}).status_code == 200
    except httpx.HTTPError:
        return False
