"""A network of one's own, with nothing in it but a loopback: for `egress_public_network_access`.

Sockets that are open already stay what they are, so requests still come in. Root makes a network
namespace; anyone else makes one inside a user namespace in which they keep their own ids.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket

from verdazul.compute.shim.system import write_text

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
_NAME_BYTES = 16  # of an interface, in struct ifreq; then its flags
_IFREQ_BYTES = 40


def isolate() -> None:
    """Leave this machine's network. Raises OSError where the machine allows nobody to do so."""
    try:
        try:
            _unshare(CLONE_NEWNET)
        except PermissionError:
            _as_ourselves()
        _loopback_up()
    except OSError as error:
        raise OSError(
            error.errno,
            "egress_public_network_access is disabled, but no network namespace can be made here"
            f" ({error.strerror}); allow unprivileged user namespaces (sysctl"
            " kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns,"
            " user.max_user_namespaces), or delete the key",
        ) from None


def _as_ourselves() -> None:
    user, group = os.geteuid(), os.getegid()
    _unshare(CLONE_NEWUSER | CLONE_NEWNET)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        write_text(f"/proc/self/{name}", text)


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _loopback_up() -> None:
    request = b"lo".ljust(_NAME_BYTES, b"\0") + _IFF_UP.to_bytes(2, "little")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request.ljust(_IFREQ_BYTES, b"\0"))
