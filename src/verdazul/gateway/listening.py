"""Whether the gateway can have its port, and what to say when it cannot."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import operator
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from verdazul.gateway.listener import numeric
from verdazul.model.errors import UserError

_LISTENS = "0A"  # TCP_LISTEN in /proc/net/tcp


def check_free(host: str, port: int, *, ours: frozenset[int] = frozenset()) -> None:
    """Raise UserError when nobody can listen there now, saying why.

    `ours` are processes that may listen there already, to share the port.
    """
    if ours:
        check_alone(host, port, ours=ours)
        return
    address = numeric(host)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As Envoy does: connections of an older listener that linger do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            raise refusal(error.errno or 0, host, port) from None


def check_alone(host: str, port: int, *, ours: frozenset[int]) -> None:
    """Raise UserError (PortInUse) when a process that is not of `ours` listens there as well.

    A shared port could be had by any other program of this user, which would then get a part of
    the connections. What listens there now and belongs to none of `ours` is such a program.
    """
    if _listening_on(numeric(host), port) - _sockets_of(ours):
        raise refusal(errno.EADDRINUSE, host, port)


def _listening_on(address: str, port: int) -> frozenset[str]:
    """Inodes of sockets that take connections to this address and port."""
    inodes = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            local, state, inode = operator.itemgetter(1, 3, 9)(line.split())
            where, _, number = local.partition(":")
            if state == _LISTENS and int(number, 16) == port and _overlap(where, address):
                inodes.append(inode)
    return frozenset(inodes)


def _overlap(where: str, address: str) -> bool:
    """Whether a socket bound `where` (the kernel's hex) gets connections to `address`."""
    words = struct.unpack(f">{len(where) // 8}I", bytes.fromhex(where))
    bound = ipaddress.ip_address(struct.pack(f"={len(words)}I", *words))
    asked = ipaddress.ip_address(address)
    return bound.is_unspecified or asked.is_unspecified or bound == asked


def _sockets_of(pids: Iterable[int]) -> frozenset[str]:
    """Inodes of the sockets that these processes hold."""
    inodes = []
    for pid in pids:
        with contextlib.suppress(OSError):  # it has just ended
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    target = str(entry.readlink())
                    inodes.append(target.removeprefix("socket:[").removesuffix("]"))
    return frozenset(inodes)


def problem_of_log(lines: Iterable[str], host: str, port: int) -> UserError | None:
    """What Envoy's own words mean, where they mean a refused port."""
    meanings = {
        "Address already in use": errno.EADDRINUSE,
        "Permission denied": errno.EACCES,
        "Cannot assign requested address": errno.EADDRNOTAVAIL,
    }
    for line in lines:
        if "cannot bind" in line:
            known = (number for text, number in meanings.items() if text in line)
            return refusal(next(known, 0), host, port)
    return None


def refusal(number: int, host: str, port: int) -> UserError:
    """The error of bind in words."""
    match number:
        case errno.EADDRINUSE:
            return UserError(
                f"port {port} on {host} is in use by another program",
                code="PortInUse",
                fix=f"end that program (`ss -ltnp sport = :{port}` names it) or choose another"
                " port with --port",
            )
        case errno.EACCES:
            return UserError(
                f"this user may not listen on port {port}",
                code="PortForbidden",
                fix="choose a port above 1023 with --port",
            )
        case errno.EADDRNOTAVAIL:
            return UserError(
                f'this machine has no address "{host}"',
                code="InvalidSetting",
                fix="use 127.0.0.1 for this machine only, 0.0.0.0 for all its addresses",
            )
    return UserError(
        f"cannot listen on port {port} of {host}: error {errno.errorcode.get(number, number)}",
        code="PortUnusable",
        fix="choose another port with --port",
    )
