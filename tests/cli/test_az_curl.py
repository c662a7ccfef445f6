"""The `curl` of `install-shim --curl`: Azure's address is the home's; all else is let through."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.cli.conftest import Run

pytestmark = pytest.mark.azure(14, 113)
AZURE = "https://management.azure.com"


@pytest.fixture
def called(run: Run, home: Path, tmp_path: Path) -> Path:
    """A folder with the shim, and beside it a curl that prints its words, one a line."""
    assert run("az", "install-shim", str(tmp_path / "shim"), "--curl").code == 0
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "curl").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "real" / "curl").chmod(0o755)
    (home / "run").mkdir(exist_ok=True)
    (home / "run" / "address").write_text("https://localhost:8443\n")
    return tmp_path


def words(folder: Path, home: Path, *sent: str, path: str = "shim") -> list[str]:
    done = ran(folder, home, *sent, path=path)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def ran(
    folder: Path, home: Path, *sent: str, path: str = "shim"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", 'curl "$@"', "sh", *sent],
        cwd=folder,
        env={"PATH": f"{path}:{folder / 'shim'}:real:/usr/bin:/bin", "VERDAZUL_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_azures_address_becomes_the_homes(called: Path, home: Path) -> None:
    body = "a  b * $c 'd'"

    sent = words(called, home, "-X", "PUT", f"{AZURE}/subscriptions/1?x=2", "--data-raw", body, "")

    assert sent == [
        "--cacert",
        str(home / "certs" / "ca-bundle.pem"),
        "-X",
        "PUT",
        "https://localhost:8443/subscriptions/1?x=2",
        "--data-raw",
        body,
        "",
    ]


@pytest.mark.parametrize("url", [AZURE, f"{AZURE}?a=1"])
def test_the_bare_address_is_azures_too(called: Path, home: Path, url: str) -> None:
    assert words(called, home, url)[-1] == url.replace(AZURE, "https://localhost:8443")


@pytest.mark.parametrize(
    "word", [f"{AZURE}.evil.example/x", f"x{AZURE}/y", "https://example.com", "-sS"]
)
def test_all_else_goes_through_as_it_is(called: Path, home: Path, word: str) -> None:
    assert words(called, home, word) == [word]


def test_a_path_that_is_relative_does_not_lead_back_to_the_shim(called: Path, home: Path) -> None:
    assert words(called, home, "-V", path="./shim/../shim") == ["-V"]


def test_without_a_server_only_calls_to_azure_fail(called: Path, home: Path) -> None:
    (home / "run" / "address").unlink()

    failed = ran(called, home, f"{AZURE}/x")

    assert (failed.returncode, failed.stdout) == (7, "")
    assert f"no Verdazul runs in {home}" in failed.stderr
    assert words(called, home, "https://example.com") == ["https://example.com"]
