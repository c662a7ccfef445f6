"""What this machine's kernel lets a process do to itself, tried in a process that ends with it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable

import pytest

from verdazul.compute.shim import isolation


def in_child(work: Callable[[], object]) -> object:
    """What it returns in a forked process, as JSON: what is left behind there is gone here."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, json.dumps(work()).encode())
        except BaseException as error:  # noqa: BLE001 - nothing of it may go on as the test
            os.write(writer, json.dumps({"said": repr(error)}).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        found: object = json.load(told)
    os.waitpid(child, 0)
    return found


def isolated() -> object:
    isolation.isolate()
    return [name for _, name in socket.if_nameindex()]


needs_namespaces = pytest.mark.skipif(
    in_child(isolated) != ["lo"], reason="no network namespace can be made here"
)
