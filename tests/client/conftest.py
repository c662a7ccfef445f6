"""The same small server that the command's tests use, and a connection to it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # the tests share tests.cli.arm_server

from tests.cli.arm_server import PREFIX, TOKEN, Api, running

from verdazul.client.connection import Connection
from verdazul.client.server import Server
from verdazul.client.workspace import Workspace


@pytest.fixture
def api() -> Iterator[Api]:
    with running() as api:
        yield api


@pytest.fixture
def connection(api: Api) -> Iterator[Connection]:
    with Connection(Server(api.address, TOKEN)) as connection:
        yield connection


@pytest.fixture
def workspace(connection: Connection) -> Workspace:
    return Workspace(connection, PREFIX)
