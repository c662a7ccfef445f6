"""What only a store on disk can show: it is there after a kill, and says what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.contract.store_subjects import (
    STATUS,
    declared,
    ended,
    everything,
    opened,
    outcome,
)
from tests.core.records import asset, bundle, endpoint, event, operation

from verdazul.core.changes import (
    AddEvent,
    BeginOperation,
    PutAsset,
    PutEndpoint,
    RememberDeployment,
)
from verdazul.core.records import Memory, OperationState
from verdazul.model.errors import Fatal, Problem
from verdazul.store.codec import dump
from verdazul.store.sqlite import SqliteStore


def test_a_file_that_is_opened_again_has_everything(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened("sqlite", tmp_path) as store:
            await declared(store, "blue")
            await store.commit(
                RememberDeployment("credit", "blue", STATUS, Memory(bundle())),
                BeginOperation(operation("op-1")),
                AddEvent(event(1)),
                PutAsset(asset()),
            )
            before = await everything(store)
        async with opened("sqlite", tmp_path) as store:
            assert await everything(store) == before

    asyncio.run(story())


WRITER = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from verdazul.core.changes import AddEvent, BeginOperation, EndOperation, PutEndpoint
from verdazul.core.records import EndpointRecord, Operation, OperationKind, OperationState
from verdazul.model.events import Event, Severity
from verdazul.store.codec import load
from verdazul.store.sqlite import SqliteStore

async def main() -> None:
    store = await SqliteStore.open(Path(sys.argv[1]), operations_kept=5)
    record = load(EndpointRecord, sys.argv[2])
    known = await store.endpoint("credit")
    number = known.generation if known else 0
    while True:
        next_one = number + 1
        begun = Operation(f"op-{next_one}", OperationKind.UPDATE, "credit", "", next_one, next_one)
        await store.commit(
            BeginOperation(begun),
            PutEndpoint(replace(record, generation=next_one), number or None),
            AddEvent(Event(next_one, "credit", "", Severity.NORMAL, "Said", "")),
            EndOperation(replace(begun, state=OperationState.SUCCEEDED)),
        )
        number = next_one
        print(number, flush=True)

asyncio.run(main())
"""


def _kill_while_writing(path: Path, *, after: int) -> int:
    """The last number that the writer was told is stored."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), dump(endpoint())],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout as lines:
        last = ""
        for _ in range(after):
            last = lines.readline()
        process.kill()
        rest = lines.read().splitlines(keepends=True)
    assert process.returncode == -signal.SIGKILL
    return int([last, *(line for line in rest if line.endswith("\n"))][-1])


def test_a_killed_process_loses_no_commit_that_it_was_told_of(tmp_path: Path) -> None:
    path = tmp_path / "verdazul.db"
    for kill in (7, 40, 60):
        told = _kill_while_writing(path, after=kill)

        async def look(told: int = told) -> None:
            async with opened("sqlite", tmp_path) as store:
                record = await store.endpoint("credit")
                assert record is not None
                assert record.generation in {told, told + 1}
                events = await store.events("credit", last=10_000)
                assert [e.time for e in events] == [n + 1.0 for n in range(record.generation)]
                last = await store.operation(f"op-{record.generation}")
                assert last is not None
                assert last.state is OperationState.SUCCEEDED

        asyncio.run(look())


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from verdazul.core.changes import PutAsset
from verdazul.core.records import Asset, AssetKey
from verdazul.model.errors import Fatal
from verdazul.store.sqlite import SqliteStore

def put(version: object, size: int) -> PutAsset:
    return PutAsset(Asset(AssetKey("codes", "code", str(version)), "x" * size, "", "", 0.0))

async def main() -> None:
    store = await SqliteStore.open(Path(sys.argv[1]))
    stored = 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    try:
        while True:
            await store.commit(put(stored, 10_000))
            stored += 1
    except Fatal as error:
        code, message = error.problem.code, error.problem.message
    for _ in range(3):
        try:
            await store.commit(put("refused", 100_000))
        except Fatal:
            pass
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await store.commit(put("after", 1))
    found = {a.key.version for a in await store.assets("codes")}
    assert found == {str(n) for n in range(stored)} | {"after"}, found
    assert stored > 0
    await store.close()
    print(code, message)

asyncio.run(main())
"""


def test_a_full_disk_is_told_and_forgotten_once_there_is_room(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "verdazul.db")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("StoreUnusable ")


def test_operations_begun_at_the_same_moment_come_in_their_order(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened("sqlite", tmp_path) as store:
            for number, name in enumerate(("zeta", "", "alpha")):
                await store.commit(BeginOperation(operation(f"op-{number}", deployment=name)))

            found = [o.id for o in await store.open_operations("credit")]
            assert found == ["op-0", "op-1", "op-2"]

    asyncio.run(story())


def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened("sqlite", tmp_path) as store:
            await declared(store)
            modes = await asyncio.to_thread(_modes, tmp_path)

        assert "verdazul.db-wal" in modes
        assert set(modes.values()) == {"0o600"}

    asyncio.run(story())


def _modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir()}


def _refusal(path: Path) -> Problem:
    with pytest.raises(Fatal) as caught:
        asyncio.run(SqliteStore.open(path))
    assert caught.value.problem.code == "StoreUnusable"
    assert str(path) in caught.value.problem.message
    assert caught.value.problem.fix
    return caught.value.problem


def test_a_schema_of_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "verdazul.db"
    asyncio.run(asyncio.wait_for(_create(path), 10))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE meta SET value = '999' WHERE name = 'schema'")
        connection.commit()

    problem = _refusal(path)

    assert "schema 999" in problem.message
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT value FROM meta").fetchone() == ("999",)


async def _create(path: Path) -> None:
    await (await SqliteStore.open(path)).close()


def test_a_path_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.db").write_text(json.dumps({"not": "a database"}) * 200)

    _refusal(tmp_path / "missing" / "verdazul.db")
    _refusal(tmp_path / "folder")
    _refusal(tmp_path / "text.db")


def test_events_are_bounded_for_each_endpoint(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened("sqlite", tmp_path, events_kept=5) as store:
            await store.commit(AddEvent(event(0, endpoint="other")))
            for number in range(12):
                await store.commit(AddEvent(event(number)))

            kept = await store.events("credit", last=1000)
            assert [e.time for e in kept] == [1007.0, 1008.0, 1009.0, 1010.0, 1011.0]
            assert len(await store.events("other")) == 1

    asyncio.run(story())


def test_ended_operations_are_bounded_and_open_ones_stay(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened("sqlite", tmp_path, operations_kept=3) as store:
            await store.commit(BeginOperation(operation("op-0", deployment="blue")))
            for number in range(1, 10):
                begun = operation(f"op-{number}", started_at=1000.0 + number)
                await store.commit(BeginOperation(begun))
                await store.commit(ended(begun))

            kept = [n for n in range(10) if await store.operation(f"op-{n}")]
            assert kept == [0, 7, 8, 9]

    asyncio.run(story())


def test_many_callers_at_once_are_served_one_after_the_other(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened("sqlite", tmp_path) as store:
            await declared(store)

            async def try_to_update(expected: int) -> bool:
                change = PutEndpoint(endpoint(generation=expected + 1), expected)
                return await outcome(store, (change,)) == "done"

            won = await asyncio.gather(*[try_to_update(1) for _ in range(20)])
            assert won.count(True) == 1

    asyncio.run(story())


def test_a_caller_that_gives_up_leaves_the_store_usable(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened("sqlite", tmp_path) as store:
            tasks = [asyncio.create_task(store.commit(AddEvent(event(n)))) for n in range(20)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

            await store.commit(AddEvent(event(99)))

            times = {e.time - 1000 for e in await store.events("credit")}
            assert times >= {1.0, 3.0, 5.0, 19.0, 99.0}

    asyncio.run(story())


def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "verdazul.db"
    asyncio.run(_fill(tmp_path))
    pages = bytearray(path.read_bytes())
    pages[len(pages) // 2 :] = b"U" * len(pages[len(pages) // 2 :])
    path.write_bytes(pages)

    async def story() -> None:
        async with opened("sqlite", tmp_path) as store:
            with pytest.raises(Fatal, match="malformed") as caught:
                await store.assets("codes")

        assert caught.value.problem.code == "StoreUnusable"

    asyncio.run(story())


async def _fill(folder: Path) -> None:
    async with opened("sqlite", folder) as store:
        for version in "123":
            await store.commit(PutAsset(asset(version, body="x" * 200_000)))
