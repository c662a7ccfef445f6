"""The activator's process: gates as gateway/activator.json says, told to look by a unix socket.

Runs in the home folder, started and adopted like Envoy; Envoy leads requests here only while their
endpoint is paused. Each line on run/activator.sock makes it read the file anew and is answered with
the file's version and what each gate holds. The file alone is enough to begin: this process may be
killed and started at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # isolated as it is, the interpreter does not know where verdazul lies
    sys.path.append(__file__.rpartition("/verdazul/")[0])

from verdazul.activator.gate import BUFFER_BYTES, Gate

CONFIG = Path("gateway/activator.json")
CONTROL = Path("run/activator.sock")
_BACKLOG = 4096
_SWEEP_SECONDS = 1.0


class Activator:
    """All gates by name."""

    def __init__(self) -> None:
        self.gates: dict[str, Gate] = {}
        self.version = ""

    async def look(self) -> None:
        """Become what the file says."""
        config = _config()
        wanted: dict[str, Any] = config["gates"]
        for name in [one for one in self.gates if one not in wanted]:
            self._close(self.gates.pop(name))
        for name, spec in wanted.items():
            if name in self.gates:
                self.gates[name].become(spec)
            else:
                self.gates[name] = await self._open(spec)
        self.version = config["version"]

    async def _open(self, spec: dict[str, Any]) -> Gate:
        gate = Gate(spec)
        gate.server = await asyncio.start_unix_server(
            gate.arrive, _free(Path(spec["socket"])), limit=BUFFER_BYTES, backlog=_BACKLOG
        )
        return gate

    def _close(self, gate: Gate) -> None:
        if gate.server:
            gate.server.close()
        Path(gate.spec["socket"]).unlink(missing_ok=True)
        gate.refuse_all()

    async def sweep(self) -> None:
        """Forget, again and again, whoever left while waiting."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            for gate in self.gates.values():
                gate.forget_who_left()

    async def told(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The control plane asks."""
        with contextlib.suppress(OSError):
            while await reader.readline():
                for gate in self.gates.values():
                    gate.forget_who_left()
                try:
                    await self.look()
                    problem = ""
                except (OSError, ValueError, KeyError) as error:
                    problem = f"{type(error).__name__}: {error}"
                counts = {name: gate.counts for name, gate in self.gates.items()}
                answer = {"version": self.version, "gates": counts, "problem": problem}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()


def _config() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CONFIG.read_text(encoding="utf-8"))
    return found


def _free(path: Path) -> Path:
    """Make room for a socket there; one that was left behind is nobody's."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.unlink(missing_ok=True)
    return path


async def main() -> None:
    """Serve until ended."""
    os.umask(0o077)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    activator = Activator()
    await activator.look()
    await asyncio.start_unix_server(activator.told, _free(CONTROL))
    await activator.sweep()


if __name__ == "__main__":
    asyncio.run(main())
