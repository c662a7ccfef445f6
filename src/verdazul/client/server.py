"""Where the running server is and how to prove who we are: address, token, certificate authority.

`verdazul up` leaves all three in its home folder. Variables override each of them, so that the
command also works from another machine; the token travels in a file, never in a variable or argv.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from verdazul.client.login import Login, read_login
from verdazul.model.errors import Retryable, UserError

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class NotRunning(Retryable):
    """No server answers. The caller starts one, or names the right home."""

    default_code = "NotRunning"


@dataclass(frozen=True, slots=True)
class Server:
    """One running server. `ca` is None when the system's own authorities are to be trusted.

    `identity` is the certificate and key that the caller shows, where the server asks for one.
    Who is logged in there (`login`, kept in `home`) counts before the home's token.
    """

    address: str
    token: str = field(repr=False)
    ca: Path | None = None
    identity: tuple[Path, Path] | None = None
    login: Login | None = None
    home: Path | None = None

    @property
    def is_loopback(self) -> bool:
        """Tell whether it runs on this machine (then no proxy may come between)."""
        return is_loopback(self.address)


def locate(home: Path, environ: Mapping[str, str]) -> Server:
    """Find the server of `home`. Raises NotRunning, or UserError naming the file or variable."""
    server = reach(home, environ)
    login = read_login(home)
    if login and login.address == server.address:
        return replace(server, login=login)
    return owner_of(home, environ)


def owner_of(home: Path, environ: Mapping[str, str]) -> Server:
    """The same, by the home's token, whoever is logged in."""
    token_file = Path(environ.get("VERDAZUL_TOKEN_FILE") or home / "token").expanduser()
    return replace(reach(home, environ), token=_token(token_file))


def reach(home: Path, environ: Mapping[str, str]) -> Server:
    """The same, with nothing that proves who we are."""
    address = _address(home, environ.get("VERDAZUL_ADDRESS", ""))
    ca = _ca(home, environ.get("VERDAZUL_CA", ""))
    return Server(address, "", ca, _identity(environ), home=home)


def is_loopback(url: str) -> bool:
    """Tell whether a URL stays on this machine."""
    return urlsplit(url).hostname in _LOOPBACK


def _address(home: Path, named: str) -> str:
    if named:
        return _checked(named, "VERDAZUL_ADDRESS")
    file = home / "run" / "address"
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise NotRunning(
            f"no Verdazul runs in {home}; start it with `verdazul up`",
            fix="`verdazul up`, or name the right folder with --home or VERDAZUL_HOME",
        ) from None
    return _checked(text, str(file))


def _checked(text: str, source: str) -> str:
    address = text.strip().rstrip("/")
    if not _is_web_address(address):
        raise UserError(
            f"{source} holds {address!r}; it must be an address such as https://localhost:8443",
            code="InvalidAddress",
        )
    if address.startswith("http://") and not is_loopback(address):
        raise UserError(
            f"{source} is {address}: plain http would show the token to everybody on the way",
            code="InvalidAddress",
            fix="use https:// (http:// is for this machine only)",
        )
    return address


def _is_web_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        return False


def _token(file: Path) -> str:
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise UserError(
            f"cannot read the token file {file}: {why}",
            code="TokenMissing",
            fix="log in (verdazul login), take the home folder's owner, or set VERDAZUL_TOKEN_FILE "
            "to a copy of the token",
        ) from None
    if not token or not token.isascii() or not token.isprintable():
        raise UserError(
            f"the token file {file} holds no token; it must hold one line of plain text",
            code="TokenMissing",
        )
    return token


def _ca(home: Path, named: str) -> Path | None:
    if not named:
        usual = (home / "certs" / name for name in ("trust.pem", "ca.pem"))
        return next((file for file in usual if file.is_file()), None)
    file = Path(named).expanduser()
    if not file.is_file():
        raise UserError(
            f"VERDAZUL_CA names {file}, which is not a file; it must be a certificate (PEM)",
            code="CertificateMissing",
        )
    return file


def _identity(environ: Mapping[str, str]) -> tuple[Path, Path] | None:
    names = ("VERDAZUL_CLIENT_CERTIFICATE", "VERDAZUL_CLIENT_KEY")
    files = [Path(environ[name]).expanduser() for name in names if environ.get(name)]
    if not files:
        return None
    if len(files) == 1:
        missing = next(name for name in names if not environ.get(name))
        raise UserError(
            f"a certificate needs its key and a key its certificate: {missing} is not set",
            code="CertificateMissing",
        )
    return files[0], files[1]
