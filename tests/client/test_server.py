"""How the running server is found, and what is said when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from verdazul.client.server import NotRunning, locate
from verdazul.model.errors import UserError


def a_home(folder: Path, *, address: str = "https://localhost:8443\n") -> Path:
    (folder / "run").mkdir(parents=True)
    (folder / "run" / "address").write_text(address)
    (folder / "token").write_text("secret\n")
    return folder


def test_a_home_tells_address_token_and_authority(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    (home / "certs").mkdir()
    (home / "certs" / "ca.pem").write_text("pem")

    server = locate(home, {})

    assert (server.address, server.token) == ("https://localhost:8443", "secret")
    assert server.ca == home / "certs" / "ca.pem"


def test_variables_win_over_the_home(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home")
    (tmp_path / "token").write_text("other")
    (tmp_path / "ca.pem").write_text("pem")

    server = locate(
        home,
        {
            "VERDAZUL_ADDRESS": "https://machine:9443/",
            "VERDAZUL_TOKEN_FILE": str(tmp_path / "token"),
            "VERDAZUL_CA": str(tmp_path / "ca.pem"),
        },
    )

    assert (server.address, server.token) == ("https://machine:9443", "other")
    assert server.ca == tmp_path / "ca.pem"


def test_a_home_without_server_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(NotRunning) as caught:
        locate(tmp_path, {})

    assert (
        caught.value.problem.message
        == f"no Verdazul runs in {tmp_path}; start it with `verdazul up`"
    )


@pytest.mark.parametrize(
    "address", ["", "localhost:8443", "https://", "ftp://x", "https://x:99999", "https://[::1"]
)
def test_a_broken_address_is_named_with_its_source(tmp_path: Path, address: str) -> None:
    home = a_home(tmp_path, address=address)

    with pytest.raises(UserError, match="run/address holds"):
        locate(home, {})


def test_the_token_is_not_sent_in_clear_to_another_machine(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="plain http"):
        locate(a_home(tmp_path), {"VERDAZUL_ADDRESS": "http://machine:8080"})


def test_a_missing_token_is_named_by_its_file(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    (home / "token").unlink()

    with pytest.raises(UserError, match=f"cannot read the token file {home / 'token'}"):
        locate(home, {})


@pytest.mark.parametrize("text", ["", " \n", "two\nlines", "schlüssel"])
def test_a_token_file_that_holds_no_token_is_refused(tmp_path: Path, text: str) -> None:
    home = a_home(tmp_path)
    (home / "token").write_text(text)

    with pytest.raises(UserError, match="holds no token"):
        locate(home, {})


def test_a_missing_authority_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"VERDAZUL_CA names /nowhere/ca\.pem"):
        locate(a_home(tmp_path), {"VERDAZUL_CA": "/nowhere/ca.pem"})


def test_a_server_does_not_show_its_token(tmp_path: Path) -> None:
    assert "secret" not in repr(locate(a_home(tmp_path), {}))


def test_what_an_own_certificate_adds_is_trusted_too(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    (home / "certs").mkdir()
    for name in ("ca.pem", "trust.pem"):
        (home / "certs" / name).write_text("pem")

    assert locate(home, {}).ca == home / "certs" / "trust.pem"


def test_a_client_certificate_is_named_with_its_key(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    certificate = {"VERDAZUL_CLIENT_CERTIFICATE": "/c.pem"}

    found = locate(home, {**certificate, "VERDAZUL_CLIENT_KEY": "/c.key"}).identity
    with pytest.raises(UserError, match="VERDAZUL_CLIENT_KEY is not set"):
        locate(home, certificate)

    assert found == (Path("/c.pem"), Path("/c.key"))
