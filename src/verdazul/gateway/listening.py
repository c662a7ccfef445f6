"""Whether the gateway can have its port, and what to say when it cannot."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable

from verdazul.gateway.listener import numeric
from verdazul.model.errors import UserError


def check_free(host: str, port: int) -> None:
    """Raise UserError when nobody can listen there now, saying why."""
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
