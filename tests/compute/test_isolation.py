"""A process without this machine's network, as the kernel makes it; for root and for others."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compute.namespaces import in_child, isolated, needs_namespaces
from verdazul.compute.shim import isolation
from verdazul.compute.shim.system import prctl
from verdazul.compute.shim_launch import wrap

NOBODY = 65534
PR_SET_DUMPABLE = 4
SCRIPT = """
import json, os, socket, sys
own = socket.create_server(("127.0.0.1", 0))
def reaches(host, port):
    try:
        socket.create_connection((host, port), timeout=5).close()
        return True
    except OSError:
        return False
print(json.dumps({
    "own": reaches(*own.getsockname()),
    "host": reaches("127.0.0.1", int(sys.argv[1])),
    "elsewhere": reaches("192.0.2.1", 443),
    "names": [name for _, name in socket.if_nameindex()],
    "user": os.getuid(),
}))
"""


def isolated_as_nobody() -> object:
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    prctl(PR_SET_DUMPABLE, 1)  # as after an exec: /proc/self is its own again
    names = isolated()
    return [names, os.getuid(), os.getgid()]


@needs_namespaces
def test_an_isolated_command_reaches_itself_and_nothing_else(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        argv = [sys.executable, "-c", SCRIPT, str(server.getsockname()[1])]
        command = wrap(argv, home=tmp_path, name="it", log_dir=tmp_path / "logs")
        spec = json.loads(command[-1])
        for is_isolated in (False, True):
            told = json.dumps(spec | {"is_isolated": is_isolated})
            subprocess.run([*command[:-1], told], check=True, timeout=60)

    alone = json.loads((tmp_path / "logs" / "it.txt").read_text())
    (former,) = (path for path in (tmp_path / "logs").iterdir() if path.name != "it.txt")
    assert json.loads(former.read_text())["host"] is True
    assert alone == {
        "own": True,
        "host": False,
        "elsewhere": False,
        "names": ["lo"],
        "user": os.getuid(),
    }


@needs_namespaces
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_nobody_special_keeps_its_own_ids() -> None:
    found = in_child(isolated_as_nobody)
    if isinstance(found, dict):
        pytest.skip(f"user namespaces are for root alone here: {found['said']}")
    assert found == [["lo"], NOBODY, NOBODY]


def test_a_machine_that_allows_none_says_so_and_runs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(flags: int) -> None:
        raise PermissionError(errno.EPERM, f"not {flags}")

    monkeypatch.setattr(isolation, "_unshare", refused)

    with pytest.raises(OSError, match="egress_public_network_access is disabled") as said:
        isolation.isolate()

    assert said.value.errno == errno.EPERM
    assert "unprivileged user namespaces" in str(said.value)
