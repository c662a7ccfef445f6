"""A control plane without instances' processes, for `control_plane.py`. Not a benchmark itself.

Everything is as in production (`app.serve`: API, database, loop, Envoy) but the machine: an
instance is ready as soon as it is started, and all of them are one small server, so that requests
through the gateway are answered. Which ones "run" is kept in a file, to outlive the control plane.

    python benchmarks/instant_machine.py HOME
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from verdazul.app import Listen, Machine, serve
from verdazul.core.instance import Instance, InstanceId, Launch, Phase
from verdazul.environments.fake import FakeEnvironments
from verdazul.ports import Clock, Compute, Environments
from verdazul.settings import Settings

SOCKET = "run/instances.sock"
_BODY = b'{"round": "0"}'
_HEAD = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(_BODY)}\r\n\r\n"
ANSWER = _HEAD.encode() + _BODY


class InstantCompute:
    """The Compute port, where nothing takes time."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self._clock = clock
        self._file = home / "instant-instances.jsonl"
        self._running: defaultdict[str, dict[InstanceId, Instance]] = defaultdict(dict)
        self._listeners: list[Callable[[str], None]] = []
        with contextlib.suppress(FileNotFoundError):
            for line in self._file.read_text().splitlines():
                self._note(*json.loads(line))

    def on_change(self, listener: Callable[[str], None]) -> None:
        self._listeners.append(listener)

    async def observe(self, endpoint: str) -> tuple[Instance, ...]:
        mine = self._running.get(endpoint, {})
        return tuple(mine[one] for one in sorted(mine))

    async def endpoints(self) -> frozenset[str]:
        return frozenset(self._running)

    async def start(self, instance: InstanceId, launch: Launch, *, attempt: int) -> None:
        del launch
        self._write(str(instance), Phase.READY, attempt, self._clock.now())

    async def drain(self, instance: InstanceId) -> None:
        attempt = self._running[instance.endpoint][instance].attempt
        self._write(str(instance), Phase.DRAINING, attempt, self._clock.now())

    async def stop(self, instance: InstanceId) -> None:
        self._write(str(instance), Phase.EXITED, 0, self._clock.now())

    async def logs(self, endpoint: str, deployment: str, *, tail: int) -> str:
        del endpoint, deployment, tail
        return ""

    def _write(self, *entry: Any) -> None:
        with self._file.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        self._note(*entry)
        for listener in self._listeners:
            listener(InstanceId.parse(entry[0]).endpoint)

    def _note(self, name: str, phase: str, attempt: int, at: float) -> None:
        one = InstanceId.parse(name)
        if phase == Phase.EXITED:
            self._running[one.endpoint].pop(one, None)
            return
        self._running[one.endpoint][one] = Instance(
            id=one,
            phase=Phase(phase),
            address=f"unix:{SOCKET}",
            since=at,
            attempt=attempt,
            pid=None,
            ready_seconds=0.0,
            exit=None,
            began=at,
        )


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length or 0))
            writer.write(ANSWER)
    writer.close()


@contextlib.asynccontextmanager
async def _compute(settings: Settings, clock: Clock) -> AsyncIterator[Compute]:
    socket = settings.home / SOCKET
    socket.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(_answer, socket)
    async with server:
        yield InstantCompute(settings.home, clock)


@contextlib.asynccontextmanager
async def _environments(settings: Settings) -> AsyncIterator[Environments]:
    del settings
    yield FakeEnvironments()


async def main(home: Path) -> None:
    settings = Settings.read(home=home)
    machine = Machine(_environments, _compute)
    await serve(settings, Listen(), say=print, on_ready=print, machine=machine)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).absolute()))
