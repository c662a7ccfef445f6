"""Whatever is killed: containers go on or are found exited, and nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import httpx
import psutil
import pytest

from tests.e2e.system import eventually
from tests.engine.conftest import Local
from verdazul.engine.ending import stop_engine
from verdazul.engine.starting import start
from verdazul.processes import read_record

pytestmark = pytest.mark.e2e


def pid_of_engine(local: Local) -> int:
    record = read_record(local.places.record)
    assert record
    return record.pid


def scores(local: Local, name: str) -> bool:
    try:
        port = local.seen(name).published("5001")
        return httpx.post(f"http://127.0.0.1:{port}/score", json={"x": 1}).is_success
    except httpx.HTTPError:
        return False


def shim_pid(local: Local, name: str) -> int:
    file = local.places.containers / local.seen(name).id / "state.json"
    return int(json.loads(file.read_text())["shim"]["pid"])


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_killed_engine_leaves_its_containers_serving_and_the_next_one_knows_them(
    local: Local,
) -> None:
    before = local.started("credit.blue")
    eventually(lambda: scores(local, "credit.blue"))
    engine = pid_of_engine(local)

    os.kill(engine, signal.SIGKILL)
    eventually(lambda: gone(engine))
    port = before.published("5001")
    assert httpx.post(f"http://127.0.0.1:{port}/score", json={"x": 1}).is_success

    start(local.settings)
    after = local.seen("credit.blue")
    assert (after.id, after.status, after.published("5001")) == (before.id, "running", port)
    local.engine.stop("credit.blue")
    assert local.seen("credit.blue").has_ended


def test_a_killed_container_is_found_exited_and_starts_again(local: Local) -> None:
    local.started("credit.killed")
    shim = shim_pid(local, "credit.killed")

    os.kill(shim, signal.SIGKILL)
    eventually(lambda: local.seen("credit.killed").has_ended)

    local.engine.start("credit.killed")
    eventually(lambda: scores(local, "credit.killed"))
    local.engine.remove("credit.killed")


def test_a_second_engine_is_not_started(local: Local) -> None:
    engine = local.engine.version() and pid_of_engine(local)

    start(local.settings)

    assert local.engine.version()
    assert pid_of_engine(local) == engine


def test_what_a_cut_off_creation_or_removal_left_goes_at_the_next_start(local: Local) -> None:
    for name in (".making.a", ".leaving.b"):
        (local.places.containers / name / "logs").mkdir(parents=True)
    engine = pid_of_engine(local)

    os.kill(engine, signal.SIGTERM)
    eventually(lambda: gone(engine))
    start(local.settings)

    assert local.ask("GET", "/_ping").text == "OK"
    assert not list(local.places.containers.glob(".*"))


def test_ending_it_for_good_ends_its_containers_which_stay_known(local: Local) -> None:
    local.started("credit.down")
    shim = shim_pid(local, "credit.down")

    assert asyncio.run(stop_engine(local.settings.home))

    assert gone(shim)
    assert not local.places.socket.exists()
    assert not asyncio.run(stop_engine(local.settings.home))
    start(local.settings)
    assert local.seen("credit.down").has_ended


def test_it_ends_by_itself_when_nobody_needs_it(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(stop_engine(local.settings.home))
    monkeypatch.setenv("VERDAZUL_LOCAL_ENGINE_IDLE_SECONDS", "1")

    start(local.settings)
    assert local.places.socket.exists()

    eventually(lambda: not local.places.socket.exists())
    monkeypatch.undo()
    start(local.settings)
    assert local.ask("GET", "/_ping").text == "OK"
