"""The composition root: settings in, a running control plane out. Adapters are chosen here only.

`serve` is the life of one control plane: take the home, start or adopt the parts, open the API,
reconcile until told to end, take everything down. Should it be killed instead, gateway and
instances go on, and the next `serve` adopts them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

from verdazul import __version__, processes
from verdazul.api.app import Api
from verdazul.api.arm import Links
from verdazul.api.identity import TOKEN_SECONDS
from verdazul.api_socket import listening
from verdazul.artifacts.accounts import AzureAccounts
from verdazul.artifacts.blobs import FolderBlobs
from verdazul.artifacts.folder import FolderArtifacts
from verdazul.artifacts.registries import FolderRegistries
from verdazul.artifacts.uploads import FolderUploads
from verdazul.clock import SystemClock
from verdazul.compute.process import ProcessCompute
from verdazul.compute.shim_launch import wrap
from verdazul.compute.sweep import stop_all
from verdazul.control.housekeeping import tidy, users
from verdazul.control.loop import Loop
from verdazul.control.reconcile import reconcile
from verdazul.control.trust import renew_trust
from verdazul.control.world import World
from verdazul.core.audit import Bounds
from verdazul.core.environment import Recipe
from verdazul.environments.uv import UvEnvironments
from verdazul.gateway.dataplane import EnvoyDataPlane
from verdazul.gateway.listener import Connections
from verdazul.gateway.tls import tls_of
from verdazul.home import Address, Home
from verdazul.identity.ids import RandomIds
from verdazul.identity.issuers import FileIssuers
from verdazul.identity.passwords import ScryptPasswords
from verdazul.identity.tokens import JsonWebTokens
from verdazul.model.instance_types import known_types
from verdazul.model.names import endpoint_host
from verdazul.ports import Clock, Compute, Environments
from verdazul.report import report
from verdazul.secrets.sealed import SealedSecrets
from verdazul.secrets.signing import FileSigner
from verdazul.settings import Settings
from verdazul.store.sqlite import SqliteStore

_log = logging.getLogger(__name__)

Say = Callable[[str], None]
TIDY_SECONDS = 3600.0
HAND_OVER = signal.SIGUSR1
"""Tells a control plane to end alone: gateway and instances go on, for the next one to adopt."""
TRUST_SECONDS = 2.0
MOST_TRUST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Listen:
    """Where people want the public address; None: as before, or free-chosen."""

    host: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """What instances are made of: benchmarks measure the rest of us without their processes."""

    environments: Callable[[Settings], AbstractAsyncContextManager[Environments]]
    compute: Callable[[Settings, Clock], AbstractAsyncContextManager[Compute]]


def _environments(settings: Settings) -> UvEnvironments:
    return UvEnvironments(settings.home, kept=settings.environments_kept)


def _compute(settings: Settings, clock: Clock) -> ProcessCompute:
    return ProcessCompute(
        settings.home,
        clock=clock,
        workspace=settings.workspace,
        log_bytes=settings.log_file_bytes,
        log_files=settings.log_files,
    )


THIS_MACHINE = Machine(_environments, _compute)


async def serve(
    settings: Settings,
    listen: Listen,
    *,
    say: Say,
    on_ready: Callable[[Address], None],
    machine: Machine = THIS_MACHINE,
) -> None:
    """Run until SIGTERM or SIGINT, then stop everything.

    `say` tells people what is happening. Raises UserError or Fatal when it cannot start; then
    nothing that it started is left.
    """
    home = Home(settings.home)
    home.prepare()
    lock = home.lock()
    try:
        await _serve(settings, home, listen, machine, say=say, on_ready=on_ready)
    finally:
        os.close(lock)


async def _serve(
    settings: Settings,
    home: Home,
    listen: Listen,
    machine: Machine,
    *,
    say: Say,
    on_ready: Callable[[Address], None],
) -> None:
    ended = _on_signals()
    address = home.choose_address(listen.host, listen.port, is_plain=settings.plain_http == "yes")
    me = processes.record_of(os.getpid())
    async with contextlib.AsyncExitStack() as stack:
        world, loop, gateway = await _open(settings, home, address, machine, stack=stack, say=say)
        links = Links(settings, address.url)
        api = Api(
            world,
            links,
            token=home.token(),
            report=partial(report, world, links, home, gateway),
        )
        await stack.enter_async_context(listening(api, home.api_socket))
        await stack.enter_async_context(loop)
        stack.push_async_callback(api.templates.close)
        await api.templates.resume()
        await _wake_all(world)
        home.keep_address(address)
        home.keep_names(settings.names())
        if me:
            processes.write_record(home.control_record, me)
        _log.info("ready address=%s version=%s", address.url, __version__)
        on_ready(address)
        await ended.event.wait()
        if ended.hands_over:
            say("ending; the gateway and all instances go on for the next control plane")
            gateway.leave_running()
        else:
            say("stopping")
        await stack.aclose()
    if not ended.hands_over:
        await _take_down(home, say)


async def _open(
    settings: Settings,
    home: Home,
    address: Address,
    machine: Machine,
    *,
    stack: contextlib.AsyncExitStack,
    say: Say,
) -> tuple[World, Loop, EnvoyDataPlane]:
    """All adapters, opened in the order in which they need each other."""
    clock = SystemClock()
    store = await SqliteStore.open(
        home.database,
        events_kept=settings.events_kept,
        operations_kept=settings.operations_kept,
        audit_kept=Bounds(settings.audit_rows_kept, settings.audit_days * 86400.0),
    )
    stack.push_async_callback(store.close)
    uploads = FolderUploads(home.path, clock=clock)
    uploads.start()
    blobs = FolderBlobs(home.path, uploads, clock=clock)
    blobs.start()
    artifacts = FolderArtifacts(home.path, kept=settings.artifacts_kept)
    environments = await stack.enter_async_context(machine.environments(settings))
    compute = await stack.enter_async_context(machine.compute(settings, clock))
    say(f"starting the gateway on {address.url}")
    gateway = await stack.enter_async_context(_gateway(settings, home, address))
    loop = Loop(
        lambda name: reconcile(world, name), clock=clock, resync_seconds=settings.resync_seconds
    )
    world = World(
        store=store,
        compute=compute,
        gateway=gateway,
        environments=environments,
        secrets=SealedSecrets(home.path),
        artifacts=artifacts,
        registries=FolderRegistries(settings.home / settings.registries),
        uploads=uploads,
        blobs=blobs,
        accounts=AzureAccounts(home.path, clock=clock),
        clock=clock,
        ids=RandomIds(),
        issuers=_issuers(settings, clock),
        signer=FileSigner(
            home.path,
            clock=clock,
            rotate_days=settings.signing_key_days,
            token_seconds=max(settings.token_seconds, TOKEN_SECONDS),
        ),
        tokens=JsonWebTokens(),
        passwords=ScryptPasswords(),
        settings=settings,
        address=address.url,
        wake=loop.wake,
        trouble=loop.trouble,
        kubernetes_types=partial(
            asyncio.to_thread, known_types, settings.home / settings.instance_types_file
        ),
    )
    compute.on_change(loop.wake)
    built: asyncio.Queue[Recipe] = asyncio.Queue()
    environments.on_change(built.put_nowait)
    work = _wake_users(world, built), _tidy_hourly(world), _keep_trust(world)
    await stack.enter_async_context(_background(*work))
    return world, loop, gateway


def _issuers(settings: Settings, clock: SystemClock) -> FileIssuers:
    return FileIssuers(
        settings.home,
        settings.issuers_file,
        clock=clock,
        refresh_seconds=settings.issuer_refresh_seconds,
        timeout_seconds=settings.issuer_timeout_seconds,
    )


def _gateway(settings: Settings, home: Home, address: Address) -> EnvoyDataPlane:
    return EnvoyDataPlane(
        home.path,
        host=address.host,
        port=address.port,
        timeout_seconds=settings.gateway_timeout_seconds,
        connections=Connections(settings.connections, settings.connections_per_second),
        names=(endpoint_host("*", settings.location, settings.domain),) if settings.domain else (),
        wrap=lambda argv, log: wrap(
            argv,
            home=home.path,
            name=log,
            log_dir=home.logs,
            log_bytes=settings.log_file_bytes,
            log_files=settings.log_files,
            rows=f"{log.replace('envoy', 'traffic')}.jsonl",
        ),
        is_logged=settings.traffic_log == "on",
        tls=tls_of(settings),
        processes=settings.gateway_processes,
        drain_seconds=settings.gateway_drain_seconds,
    )


async def _wake_all(world: World) -> None:
    """Look at everything that is declared, runs or is routed to: leftovers are cleaned up."""
    declared = frozenset(await world.store.endpoint_names())
    for name in declared | await world.compute.endpoints() | world.gateway.endpoints():
        world.wake(name)


async def _wake_users(world: World, built: asyncio.Queue[Recipe]) -> None:
    """Whoever waits for an environment is woken when it is a step further."""
    while True:
        recipe = await built.get()
        with _logged("waking the users of an environment"):
            for name in await users(world, recipe):
                world.wake(name)


async def _tidy_hourly(world: World) -> None:
    while True:
        with _logged("tidying"):
            await tidy(world)
        await asyncio.sleep(TIDY_SECONDS)


async def _keep_trust(world: World) -> None:
    """Who signs tokens: looked at so often that a changed file is soon in force."""
    pause = TRUST_SECONDS
    while True:
        with _logged("renewing the trust in signers"):
            pause = min(2 * pause, MOST_TRUST_SECONDS)
            await renew_trust(world)
            pause = TRUST_SECONDS
        await asyncio.sleep(pause)


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    """Work beside the endpoints may fail; it comes again, and must not end the control plane."""
    try:
        yield
    except Exception:  # noqa: BLE001 - whatever it is, the rest goes on
        _log.exception("failed: %s", what)


@contextlib.asynccontextmanager
async def _background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these beside everything else; they end with us."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _take_down(home: Home, say: Say) -> None:
    stopped = await stop_all(home.path)
    if stopped:
        say(f"stopped {len(stopped)} instance{'s' if len(stopped) > 1 else ''}")
    home.control_record.unlink(missing_ok=True)
    home.address_file.unlink(missing_ok=True)


@dataclass(slots=True)
class _Ended:
    """How it is to end: with everything, or (`hands_over`) leaving all to the next one."""

    event: asyncio.Event
    hands_over: bool = False

    def hand_over(self) -> None:
        self.hands_over = True
        self.event.set()


def _on_signals() -> _Ended:
    """A closed terminal ends us as Ctrl-C does, unless we were started to survive it (nohup)."""
    ended = _Ended(asyncio.Event())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, ended.event.set)
    loop.add_signal_handler(HAND_OVER, ended.hand_over)
    return ended
