"""The activator as the gateway uses it: started when a gate is needed, adopted, kept alive, ended.

It outlives the control plane like Envoy: what it holds stays held. Its file says everything, so a
new control plane reads there which gates are still open.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from verdazul import activator, processes
from verdazul.core.route import Route
from verdazul.gateway import disk, holding
from verdazul.gateway.record import ACTIVATOR
from verdazul.gateway.resources import Json
from verdazul.model.errors import Retryable

_log = logging.getLogger(__name__)

_CONFIG = "gateway/activator.json"
_CONTROL = "run/activator.sock"
_PROGRAM = Path(activator.__file__).with_name("__main__.py")
_GRACE_SECONDS = 2.0
_PAUSE_SECONDS = 0.01


class Holder:
    """Gates for the routes it is given. Not for concurrent use."""

    def __init__(self, home: Path, *, timeout_seconds: float) -> None:
        self._home = home
        self._timeout = timeout_seconds
        self._gates: dict[str, Json] = _read(home / _CONFIG)
        self._child: subprocess.Popen[bytes] | None = None
        self.counts: dict[str, dict[str, int]] = {}

    @property
    def held(self) -> dict[str, int]:
        """How many requests each deployment's gate held when it was last looked at."""
        return {name: one["held"] for name, one in self.counts.items()}

    async def want(self, routes: Iterable[Route]) -> None:
        """Return once every gate that these routes need is there, and as they say.

        Raises Retryable when the activator does not answer.
        """
        gates = holding.gates(routes, self._gates)
        if gates == self._gates and not gates:
            return
        self._save(gates)
        await self._tell()

    async def look(self) -> None:
        """Forget gates that have done their work; see that the rest is alive."""
        if not self._gates:
            await self.stop()
            return
        await self._tell()
        idle = {
            name
            for name, gate in self._gates.items()
            if gate["is_open"] and not any(self.counts.get(name, {}).values())
        }
        if idle:
            self._save({name: gate for name, gate in self._gates.items() if name not in idle})
            await self._tell()

    async def rest(self, seconds: float) -> None:
        """Return after that time; earlier when it dies while it is needed."""
        record = processes.read_record(self._home / ACTIVATOR) if self._gates else None
        if record and processes.is_alive(record):
            await processes.gone(record, timeout_seconds=seconds)
        else:
            await asyncio.sleep(seconds)

    async def stop(self) -> None:
        """End it. What it holds is broken off."""
        await processes.stop_recorded(self._home / ACTIVATOR, grace_seconds=_GRACE_SECONDS)
        self._reap()
        self.counts = {}

    def detach(self) -> None:
        """Let it run on without us."""
        if self._child and self._child.poll() is None:
            self._child.returncode = 0  # Popen warns of a child that is left; here it is wanted
        self._child = None

    def _save(self, gates: dict[str, Json]) -> None:
        text = json.dumps({"version": holding.version(gates), "gates": gates})
        disk.replace(self._home / _CONFIG, text, staging=self._home / "gateway" / "new")
        self._gates = gates

    async def _tell(self) -> None:
        """Make it read its file; start it where it does not run."""
        wanted = holding.version(self._gates)
        try:
            async with asyncio.timeout(self._timeout):
                while not await self._is_told(wanted):
                    self._start_if_gone()
                    await asyncio.sleep(_PAUSE_SECONDS)
        except TimeoutError:
            raise Retryable(
                "the process that holds requests of paused endpoints does not answer",
                code="ActivatorNotAnswering",
                log_tail=disk.tail(self._home / "logs" / "activator.txt", most=2000),
            ) from None

    async def _is_told(self, wanted: str) -> bool:
        try:
            answer = await self._ask()
        except (OSError, ValueError):
            return False
        self.counts = answer["gates"]
        return bool(answer["version"] == wanted)

    async def _ask(self) -> Json:
        folder = os.open(self._home / "run", os.O_RDONLY | os.O_DIRECTORY)
        try:  # however deep the home lies, the name stays short
            name = f"/proc/self/fd/{folder}/{Path(_CONTROL).name}"
            reader, writer = await asyncio.open_unix_connection(name)
        finally:
            os.close(folder)
        try:
            writer.write(b"look\n")
            answer: Json = json.loads(await reader.readline())
            return answer
        finally:
            writer.close()

    def _start_if_gone(self) -> None:
        record = processes.read_record(self._home / ACTIVATOR)
        if record and processes.is_alive(record):
            return
        self._reap()
        log = self._home / "logs" / "activator.txt"
        with log.open("wb") as output:
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_PROGRAM)],
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        born = processes.record_of(self._child.pid)
        if born:
            processes.write_record(self._home / ACTIVATOR, born)
            _log.info("start activator pid=%d", born.pid)

    def _reap(self) -> None:
        child, self._child = self._child, None
        if child:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_GRACE_SECONDS)


def _read(path: Path) -> dict[str, Json]:
    try:
        gates: dict[str, Json] = json.loads(path.read_text(encoding="utf-8"))["gates"]
    except (OSError, ValueError, KeyError):
        return {}
    return gates
