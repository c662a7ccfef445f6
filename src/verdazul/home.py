"""The folder that holds everything: where each part lives, who may run in it, what opens it.

All folders are 0700, all secrets 0600. One control plane runs in a home at a time (a file lock that
dies with its holder). The address is chosen once and kept: an endpoint's URL must not move. So are
the names of its workspace, which stand in every id.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from verdazul.model.errors import Conflict, Problem, UserError

DEFAULT_PORT = 8443
LAST_PORT = 65535
_ROOM_BYTES = 1 << 20  # a change needs this much, with its log and its rows
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared here, bound only when asked for


@dataclass(frozen=True, slots=True)
class Address:
    """Where the public listener is; `is_plain`: without TLS."""

    host: str
    port: int
    is_plain: bool = False

    @property
    def url(self) -> str:
        """What clients on this machine use; IPv4 loopback is called by its name."""
        host = "localhost" if self.host in {"127.0.0.1", *_EVERYWHERE[:1]} else self.host
        host = "::1" if host in _EVERYWHERE else host
        scheme = "http" if self.is_plain else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def reach(self) -> str:
        """Who can connect, when that is more than this machine; else ""."""
        if self.host in _EVERYWHERE:
            return f"it listens on every interface of this machine ({self.host})"
        if self.host in _LOOPBACK:
            return ""
        return f"it listens on {self.host}"


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below one folder."""

    path: Path

    @property
    def run(self) -> Path:
        """Sockets and process records: what only means something while things run."""
        return self.path / "run"

    @property
    def logs(self) -> Path:
        """Rotating log files."""
        return self.path / "logs"

    @property
    def database(self) -> Path:
        """The store."""
        return self.path / "verdazul.db"

    @property
    def api_socket(self) -> Path:
        """Where the control API listens; only the gateway connects."""
        return self.run / "api.sock"

    @property
    def control_record(self) -> Path:
        """Which process is the control plane."""
        return self.run / "control.json"

    @property
    def token_file(self) -> Path:
        """The control API's bearer token."""
        return self.path / "token"

    @property
    def address_file(self) -> Path:
        """The public URL, for clients."""
        return self.run / "address"

    @property
    def trust_file(self) -> Path:
        """What opens TLS here: the local authority's certificate, and an own one."""
        return self.path / "certs" / "trust.pem"

    @property
    def ca_bundle_file(self) -> Path:
        """The authorities that this machine trusts, and ours: for clients that take one file."""
        return self.path / "certs" / "ca-bundle.pem"

    def prepare(self) -> None:
        """Make the folders. Raises UserError (HomeNotWritable)."""
        try:
            for folder in (self.path, self.run, self.logs):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            probe = self.run / f".writable-{os.getpid()}"
            probe.touch(0o600)
            probe.unlink()
        except OSError as error:
            raise UserError(
                f"home {self.path} cannot be written: {error.strerror} ({error.filename})",
                code="HomeNotWritable",
                fix="choose another folder with --home or VERDAZUL_HOME",
            ) from None

    def problem(self) -> Problem | None:
        """Why nothing can be written here now, by trying to; None when it can."""
        probe = self.run / f".room-{os.getpid()}"
        try:
            with probe.open("wb") as file:
                file.write(bytes(_ROOM_BYTES))
        except OSError as error:
            return Problem(
                "HomeNotWritable",
                f"nothing can be written in {self.path}: {error.strerror}. Endpoints go on"
                " serving; changes are refused, and what dies may not come back",
                fix="make room (unused files in `collected/` and `logs/` first), or make the file"
                " system writable; nothing has to be restarted then",
                where=str(self.path),
            )
        finally:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)
        return None

    def lock(self) -> int:
        """Hold the home for this process; returns the descriptor to keep open.

        Raises Conflict (AlreadyRunning) when another control plane holds it.
        """
        descriptor = os.open(self.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise Conflict(
                f"a Verdazul runs in {self.path} already",
                code="AlreadyRunning",
                fix="see `verdazul status`; end it with `verdazul down`",
            ) from None
        return descriptor

    def token(self) -> str:
        """The control API's token, made at first start."""
        if not self.token_file.exists() or not self.token_file.read_text().strip():
            _write_private(self.token_file, secrets.token_urlsafe(32))
        return self.token_file.read_text().strip()

    def choose_address(
        self, host: str | None, port: int | None, *, is_plain: bool = False
    ) -> Address:
        """The address asked for: loopback unless told so each time, the port kept from before.

        Whether a port that was asked for can be had is seen when the gateway binds it;
        `keep_address` then keeps it. Raises UserError (InvalidHost, PlainHttpNotLoopback).
        """
        chosen = host or "127.0.0.1"
        _check_host(chosen)
        if is_plain and chosen not in _LOOPBACK:
            raise UserError(
                f"plain HTTP is for this machine only, but --host is {chosen}: keys and data would"
                " be readable on the network",
                code="PlainHttpNotLoopback",
                fix="leave --host out, or leave VERDAZUL_PLAIN_HTTP out to serve TLS",
            )
        kept = self._kept_address()
        port = port or (kept.port if kept else _free_port(chosen))
        return Address(chosen, port, is_plain)

    def keep_address(self, address: Address) -> None:
        """The same next time, and where clients look for it."""
        _write_private(self.path / "address.json", json.dumps(asdict(address)))
        _write_private(self.address_file, address.url)

    def keep_names(self, names: Mapping[str, str]) -> None:
        """Which workspace this home is, for clients that are not told by variables."""
        _write_private(self.path / "workspace.json", json.dumps(dict(names)))

    def names(self) -> dict[str, str]:
        """What `keep_names` kept; {} before the first start."""
        try:
            kept = json.loads((self.path / "workspace.json").read_text())
        except (OSError, ValueError):
            return {}
        is_sane = isinstance(kept, dict) and all(isinstance(name, str) for name in kept.values())
        return kept if is_sane else {}

    def kept_host(self) -> str | None:
        """Where it listened last; None before the first start."""
        kept = self._kept_address()
        return kept.host if kept else None

    def _kept_address(self) -> Address | None:
        try:
            kept = Address(**json.loads((self.path / "address.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None
        is_sane = isinstance(kept.port, int) and 0 < kept.port <= LAST_PORT
        return kept if is_sane else None


def _write_private(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _check_host(host: str) -> None:
    try:
        _bind(host, 0)
    except OSError as error:
        raise UserError(
            f"--host {host} is no address of this machine: {error.strerror}",
            code="InvalidHost",
            fix="use 127.0.0.1, an address that `ip address` lists, or 0.0.0.0 for all of them",
        ) from None


def _free_port(host: str) -> int:
    """Azure's TLS habit first (8443), else any free one."""
    try:
        return _bind(host, DEFAULT_PORT)
    except OSError:
        return _bind(host, 0)


def _bind(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])
