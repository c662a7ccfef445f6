"""Which certificates are served: the local authority's or the owner's, as files that Envoy reads.

`look` is called at start and every few seconds from then on: an own certificate whose files have
changed is served anew, and a local one is renewed before it ends, with no connection dropped and
no restart. What is wrong with new files is kept as `problem`; the old ones are served on.
"""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from verdazul.gateway import certificates, disk
from verdazul.gateway.own_certificate import OwnCertificate, names, read_authorities, read_pair
from verdazul.gateway.resources import Json
from verdazul.gateway.snapshot import Discovery
from verdazul.gateway.tls import CLIENTS, LOCAL, SERVER, Tls, secret_path
from verdazul.model.errors import Problem, UserError
from verdazul.ports import Clock

_TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
_LOCAL_AGAIN = timedelta(hours=1)
WARN_BEFORE = timedelta(days=14)


class Served:
    """The secrets of one gateway. `hosts` are names that the local certificate speaks for."""

    def __init__(self, home: Path, tls: Tls, *, hosts: tuple[str, ...], clock: Clock) -> None:
        self._home = home
        self._tls = tls
        self._hosts = hosts
        self._clock = clock
        self._seen: tuple[object, ...] = ()
        self._local_at = datetime.min.replace(tzinfo=UTC)
        self._own: OwnCertificate | None = None
        self._refused: Problem | None = None

    @property
    def problem(self) -> Problem | None:
        """Why new files are not served, or that what is served ends soon."""
        return self._refused or self._ending()

    @property
    def about(self) -> dict[str, object]:
        """What `status` tells of it."""
        if self._tls.plain:
            return {"tls": "none"}
        found: dict[str, object] = {"tls": f"{self._tls.minimum} or newer"}
        if self._own:
            ends = self._own.leaf.not_valid_after_utc
            own = {"names": list(names(self._own.leaf)), "ends": ends.isoformat()}
            found["own_certificate"] = {"file": str(self._tls.certificate), **own}
        if self._tls.client_ca:
            found["client_certificates"] = self._tls.clients
        return found

    def read(self) -> dict[str, Discovery]:
        """All secrets by name as they are now. Raises UserError for files that cannot be used."""
        now = self._now()
        seen = self._signature()
        found: dict[str, Discovery] = {}
        local = certificates.ensure(self._home, hosts=self._hosts, now=now)
        if not self._tls.plain:
            found[SERVER] = _pair(SERVER, local.certificate_pem(), local.key_pem())
            found |= self._read_own(found[SERVER], now)
        certificates.trust_too(self._home, self._own.chain_pem if self._own else "")
        self._seen, self._local_at = seen, now
        return found

    def look(self) -> dict[str, Discovery]:
        """As `read` where something may have changed, else nothing; keeps what is wrong."""
        is_due = self._now() - self._local_at >= _LOCAL_AGAIN
        if not is_due and self._signature() == self._seen and self._refused is None:
            return {}
        try:
            found = self.read()
        except UserError as error:
            self._refused = error.problem
            return {}
        self._refused = None
        return found

    def refuse(self, problem: Problem) -> None:
        """Envoy does not serve what was read; it will be tried again."""
        self._refused = problem

    def _read_own(self, local: Discovery, now: datetime) -> dict[str, Discovery]:
        tls, found = self._tls, dict[str, Discovery]()
        if tls.certificate and tls.key:
            own = read_pair(tls.certificate, tls.key, now=now)
            found[SERVER] = _pair(SERVER, own.chain_pem, own.key_pem)
            speaks_for_here = "localhost" in names(own.leaf)
            found[LOCAL] = _renamed(found[SERVER] if speaks_for_here else local, LOCAL)
            self._own = own
        if tls.client_ca:
            pem = read_authorities(tls.client_ca, now=now)
            context = {"trusted_ca": {"inline_string": pem}}
            found[CLIENTS] = _secret(CLIENTS, {"validation_context": context})
        return found

    def _signature(self) -> tuple[object, ...]:
        paths = (self._tls.certificate, self._tls.key, self._tls.client_ca)
        return tuple(_stamp(path) for path in paths if path)

    def _ending(self) -> Problem | None:
        if self._own is None:
            return None
        ends = self._own.leaf.not_valid_after_utc
        if self._now() + WARN_BEFORE < ends:
            return None
        return Problem(
            "TlsCertificateEnds",
            f"the certificate in {self._tls.certificate} ends on {ends:%Y-%m-%d %H:%M} UTC",
            fix="replace the files by a newer certificate; it is served without a restart",
            where=str(self._tls.certificate),
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)


def check(tls: Tls, *, now: datetime) -> None:
    """Raise UserError when the files that people brought could not be served."""
    if tls.certificate and tls.key:
        read_pair(tls.certificate, tls.key, now=now)
    if tls.client_ca:
        read_authorities(tls.client_ca, now=now)


def _stamp(path: Path) -> object:
    """Changes with the file, also where it is a link that is turned (as orchestrators do)."""
    try:
        status = path.stat()
    except OSError as error:
        return error.errno
    return (os.path.realpath(path), status.st_ino, status.st_mtime_ns, status.st_size)


def _pair(name: str, chain_pem: str, key_pem: str) -> Discovery:
    """Certificate and key in one file, so that they always belong together."""
    certificate = {
        "certificate_chain": {"inline_string": chain_pem},
        "private_key": {"inline_string": key_pem},
    }
    return _secret(name, {"tls_certificate": certificate})


def _renamed(secret: Discovery, name: str) -> Discovery:
    body = dict(json.loads(secret.text)["resources"][0])
    return _secret(name, {key: body[key] for key in body if key not in {"@type", "name"}})


def _secret(name: str, what: Json) -> Discovery:
    body = {"@type": _TYPE, "name": name, **what}
    version = hashlib.sha256(json.dumps(body).encode()).hexdigest()[:24]
    text = json.dumps({"version_info": version, "resources": [body]})
    return Discovery(f"sds.{name}", version, text)


def write(home: Path, secrets: dict[str, Discovery]) -> None:
    """Before Envoy's start: put what differs in place."""
    for name, secret in secrets.items():
        path = home / secret_path(name)
        if disk.read(path) != secret.text:
            disk.replace(path, secret.text, staging=home / "gateway" / "new")
