"""The home folder: private, held by one, at an address that does not move."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from verdazul import home as home_module
from verdazul.home import Address, Home
from verdazul.model.errors import Conflict, UserError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def test_folders_are_private(home: Home) -> None:
    for folder in (home.path, home.run, home.logs):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(UserError, match="cannot be written") as caught:
        Home(file / "home").prepare()

    assert caught.value.problem.code == "HomeNotWritable"
    assert str(file) in caught.value.problem.message


def test_one_at_a_time_holds_a_home(home: Home) -> None:
    held = home.lock()

    with pytest.raises(Conflict) as caught:
        home.lock()
    os.close(held)
    os.close(home.lock())

    assert caught.value.problem.code == "AlreadyRunning"


def test_token_is_made_once_and_private(home: Home) -> None:
    token = home.token()

    assert home.token() == token
    assert len(token) >= 40
    assert stat.S_IMODE(home.token_file.stat().st_mode) == 0o600


def test_port_is_kept_and_the_host_is_not(home: Home) -> None:
    first = home.choose_address("0.0.0.0", None)
    home.keep_address(first)

    again = home.choose_address(None, None)

    assert again == Address("127.0.0.1", first.port)
    assert home.address_file.read_text().strip() == first.url


def test_port_that_is_asked_for_wins(home: Home) -> None:
    home.keep_address(Address("127.0.0.1", 1234))

    assert home.choose_address(None, 4321).port == 4321


@pytest.mark.parametrize("host", ["999.1.1.1", "192.0.2.1", "no-such-host.invalid"])
def test_host_that_is_not_ours_is_refused(home: Home, host: str) -> None:
    with pytest.raises(UserError, match="is no address of this machine") as caught:
        home.choose_address(host, None)

    assert caught.value.problem.code == "InvalidHost"


@pytest.mark.parametrize(
    ("host", "url", "reach"),
    [
        ("127.0.0.1", "https://localhost:8443", ""),
        ("::1", "https://[::1]:8443", ""),
        ("0.0.0.0", "https://localhost:8443", "every interface"),
        ("::", "https://[::1]:8443", "every interface"),
        ("192.0.2.7", "https://192.0.2.7:8443", "listens on 192.0.2.7"),
    ],
)
def test_address_says_how_it_is_called_and_who_reaches_it(host: str, url: str, reach: str) -> None:
    address = Address(host, 8443)

    assert address.url == url
    assert reach in address.reach
    assert bool(reach) == bool(address.reach)


def test_preparing_again_changes_nothing_and_makes_it_private_again(home: Home) -> None:
    (home.path / "mine").write_text("kept")
    home.path.chmod(0o755)

    home.prepare()

    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    assert (home.path / "mine").read_text() == "kept"
    assert list(home.run.iterdir()) == []


def test_every_part_is_inside(home: Home) -> None:
    parts = (
        home.run,
        home.logs,
        home.database,
        home.api_socket,
        home.control_record,
        home.token_file,
        home.address_file,
        home.trust_file,
    )

    assert len(set(parts)) == len(parts)
    assert all(home.path in part.parents for part in parts)


HOLDER = """
import sys, time
from pathlib import Path
from verdazul.home import Home
lock = Home(Path(sys.argv[1])).lock()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_killed_holder_holds_nothing(home: Home) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Conflict, match="runs in"):
            home.lock()
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)

    os.close(home.lock())


def test_what_is_kept_is_private_and_leaves_no_drafts(home: Home) -> None:
    home.keep_address(Address("127.0.0.1", 1234))
    home.token()

    files = [path for path in home.path.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"address.json", "address", "token"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "[1, 2]",
        '{"host": "127.0.0.1"}',
        '{"host": "127.0.0.1", "port": 1, "more": 1}',
        "\0",
        '{"host": "127.0.0.1", "port": "many"}',
        '{"host": "127.0.0.1", "port": 99999}',
    ],
)
def test_an_address_that_was_kept_badly_is_chosen_anew(home: Home, text: str) -> None:
    (home.path / "address.json").write_text(text)

    address = home.choose_address(None, None)

    assert address.host == "127.0.0.1"
    assert isinstance(address.port, int)
    assert 1024 <= address.port <= 65535


def test_a_busy_first_choice_is_replaced_by_a_free_port(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        taken = busy.getsockname()[1]
        monkeypatch.setattr(home_module, "DEFAULT_PORT", taken)

        chosen = home.choose_address(None, None)

        assert chosen.port != taken
        socket.create_server(("127.0.0.1", chosen.port)).close()


def test_a_free_first_choice_is_taken(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setattr(home_module, "DEFAULT_PORT", port)

    assert home.choose_address(None, None).port == port


@pytest.mark.parametrize("text", ["", "\n", "  "])
def test_an_empty_token_file_is_no_token(home: Home, text: str) -> None:
    home.token_file.write_text(text)

    assert len(home.token()) >= 40


def test_plain_http_is_for_loopback_only_and_refused_by_name_elsewhere(home: Home) -> None:
    here = home.choose_address(None, 8443, is_plain=True)

    with pytest.raises(UserError, match="plain HTTP is for this machine only") as refused:
        home.choose_address("0.0.0.0", 8443, is_plain=True)

    assert here.url == "http://localhost:8443"
    assert refused.value.problem.code == "PlainHttpNotLoopback"
    assert "VERDAZUL_PLAIN_HTTP" in refused.value.problem.fix
