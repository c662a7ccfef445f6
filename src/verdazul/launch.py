"""Starting and ending a control plane as a process: here, detached, and after it died.

A detached start is this same program in a session of its own. It tells its parent through a pipe
that it is ready, or why it is not; nothing is guessed from waiting.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from verdazul import __version__, processes
from verdazul.clock import SystemClock
from verdazul.home import Address, Home
from verdazul.log_file import log_to
from verdazul.model.errors import Fatal, Problem, UserError, VerdazulError
from verdazul.settings import Settings

Say = Callable[[str], None]
HAND_OVER_SECONDS = 30.0
DOWN_SECONDS = 60.0
"""How long the control plane may take to end: the gateway, then all instances at once."""


def run_control_plane(
    settings: Settings,
    host: str | None,
    port: int | None,
    *,
    say: Say,
    on_ready: Callable[[Address], None],
) -> None:
    """Run until told to end. Raises what `app.serve` raises."""
    from verdazul.app import Listen, serve

    os.umask(0o077)
    Home(settings.home).prepare()
    log_to(Home(settings.home).logs / "control.log", settings)
    asyncio.run(serve(settings, Listen(host, port), say=say, on_ready=on_ready))


def start_detached(
    settings: Settings,
    host: str | None,
    port: int | None,
    *,
    say: Say,
    timeout_seconds: float,
) -> dict[str, Any]:
    """Start one that goes on by itself; returns its address, home and pid once it is ready.

    Raises the problem it ended with, or Fatal when it is not ready in time.
    """
    home = Home(settings.home)
    os.umask(0o077)
    home.prepare()
    reader, writer = os.pipe()
    argv = [sys.executable, "-m", "verdazul.launch", str(writer), host or "", str(port or "")]
    with (home.logs / "control.out").open("wb") as output:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(writer,),
            start_new_session=True,
            env={**os.environ, "VERDAZUL_HOME": str(settings.home)},
        )
    os.close(writer)
    try:
        return _first_word(reader, child, home, say=say, timeout_seconds=timeout_seconds)
    finally:
        os.close(reader)


def _first_word(
    reader: int,
    child: subprocess.Popen[bytes],
    home: Home,
    *,
    say: Say,
    timeout_seconds: float,
) -> dict[str, Any]:
    """Pass on what the child says until it is ready, or raise what it ended with."""
    ended = f"did not become ready in {timeout_seconds:.0f} s and was ended"
    with os.fdopen(os.dup(reader), "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], timeout_seconds)[0]:
            line = pipe.readline()
            if not line:
                ended = f"ended with code {child.wait()} before it was ready"
                break
            message = json.loads(line)
            if "problem" in message:
                child.wait()
                raise _as_error(message["status"]).of(Problem.from_arm(message["problem"]))
            if "ready" in message:
                ready: dict[str, Any] = message["ready"]
                child.returncode = 0  # it outlives us on purpose
                return ready
            say(message["said"])
    child.terminate()
    child.wait()
    raise Fatal(
        f"the control plane {ended}",
        code="StartFailed",
        fix=f"see {home.logs}/control.log and control.out",
        log_tail=tuple((home.logs / "control.out").read_text().splitlines()[-15:]),
    )


def _as_error(status: int) -> type[VerdazulError]:
    kinds: list[type[VerdazulError]] = [UserError, Fatal]
    return kinds[0] if status < Fatal.http_status else kinds[1]


async def hand_over(settings: Settings, *, say: Say) -> bool:
    """End the control plane alone, for one with these settings to follow; False: none runs.

    Raises UserError first for settings with which none could follow.
    """
    from verdazul.app import HAND_OVER
    from verdazul.gateway.served import check
    from verdazul.gateway.tls import tls_of

    check(tls_of(settings), now=datetime.fromtimestamp(SystemClock().now(), UTC))
    control = processes.read_record(Home(settings.home).control_record)
    if control is None or not processes.send(control, HAND_OVER):
        return False
    say("ending the control plane; the gateway and all instances go on")
    if not await processes.gone(control, timeout_seconds=HAND_OVER_SECONDS):
        await processes.end(control, grace_seconds=0)  # nothing is lost: they are adopted as well
    return True


async def bring_down(settings: Settings, *, say: Say) -> bool:
    """End everything of a home, whether its control plane lives or not. False: nothing ran."""
    from verdazul.compute.sweep import stop_all
    from verdazul.engine.ending import stop_engine
    from verdazul.gateway.record import stop_recorded_gateway

    home = Home(settings.home)
    if not home.run.is_dir():
        return False
    control = processes.read_record(home.control_record)
    ended = False
    if control and processes.is_alive(control):
        say("stopping the control plane, the gateway and all instances")
        ended = await processes.end(control, grace_seconds=DOWN_SECONDS)
    if await stop_recorded_gateway(home.path):
        say("stopped the gateway, which had no control plane")
        ended = True
    if instances := await stop_all(home.path):
        say(f"stopped {len(instances)} instances, which had no control plane")
        ended = True
    if await stop_engine(home.path):
        say("stopped the local engine and its deployments")
        ended = True
    home.control_record.unlink(missing_ok=True)
    home.address_file.unlink(missing_ok=True)
    return ended


def leftovers(settings: Settings) -> dict[str, Any]:
    """What runs of a home whose control plane does not answer, read from its records."""
    from verdazul.compute.folder import folders
    from verdazul.gateway.record import recorded_gateway

    home = Home(settings.home)
    control = processes.read_record(home.control_record)
    seen = [
        ("control", __version__, control if control and processes.is_alive(control) else None),
        ("gateway", "", recorded_gateway(home.path)),
    ]
    if (home.path / "instances").is_dir():
        seen += [(str(f.id), "", _last_alive(f.processes())) for f in folders(home.path)]
    parts = [
        {"part": part, "pid": record.pid, "version": version, "state": "running"}
        for part, version, record in seen
        if record
    ]
    return {"home": str(home.path), "version": __version__, "parts": parts, "endpoints": []}


def _last_alive(records: tuple[processes.ProcessRecord, ...]) -> processes.ProcessRecord | None:
    """The instance's own process where it lives, else its shim."""
    alive = [record for record in records if processes.is_alive(record)]
    return alive[-1] if alive else None


def _detached(writer: int, host: str, port: str) -> int:
    """The child's side of `start_detached`."""
    settings = Settings.of_home()

    def tell(message: dict[str, Any]) -> None:
        os.write(writer, json.dumps(message).encode() + b"\n")

    def said(line: str) -> None:
        if not ready:
            tell({"said": line})

    def is_ready(address: Address) -> None:
        ready.append(True)
        tell(
            {
                "ready": {
                    "address": address.url,
                    "reach": address.reach,
                    "home": str(settings.home),
                    "pid": os.getpid(),
                }
            }
        )
        os.close(writer)

    ready: list[bool] = []
    os.set_inheritable(writer, False)  # noqa: FBT003 - the standard library's signature
    try:
        run_control_plane(
            settings, host or None, int(port) if port else None, say=said, on_ready=is_ready
        )
    except VerdazulError as error:
        if ready:
            raise
        tell({"problem": error.problem.to_arm(), "status": error.http_status})
        return 1
    except Exception as error:
        if not ready:
            problem = Problem("StartFailed", f"{type(error).__name__}: {error}", "see control.log")
            tell({"problem": problem.to_arm(), "status": Fatal.http_status})
        raise
    return 0


if __name__ == "__main__":
    sys.exit(_detached(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
