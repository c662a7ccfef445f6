"""Data collection's door: where azureml-ai-monitoring's posts are to go, and who answers them.

The package posts every `Collector.collect()` of a script to AZUREML_MDC_HOST:AZUREML_MDC_PORT and
ignores the answer. `open_listener` takes a port before the workers are forked, so that several
instances on one machine never meet; `start` runs the agent that keeps what comes (agent.py).
Importing this costs nothing: asyncio and the rest come with `start`.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verdazul_serve.logs import server as log
from verdazul_serve.settings import Settings

if TYPE_CHECKING:
    from verdazul_serve.agent import Agent
    from verdazul_serve.spool import Folder

_LOOPBACK = "127.0.0.1"
_OUR_HOSTS = (_LOOPBACK, "localhost")


@dataclass(frozen=True)
class Origin:
    """Whose data it is: names for the folders, and what each event gives as its source."""

    endpoint: str
    deployment: str
    source: str

    @classmethod
    def of(cls, instance: str) -> Origin:
        """Of an id like `credit.blue.3f2a-0`; any other is an endpoint by itself."""
        names = instance.split(".")
        endpoint, deployment = names[:2] if len(names) > 2 else (instance, instance)  # noqa: PLR2004
        return cls(endpoint, deployment, f"/onlineEndpoints/{endpoint}/deployments/{deployment}")


def open_listener(environ: MutableMapping[str, str], settings: Settings) -> socket.socket | None:
    """A bound socket for `start`, its address told to the workers' `environ`; None: not wanted."""
    if not (settings.mdc_config_path or settings.mdc_enabled) or _prints(environ, settings):
        return None
    if settings.mdc_host not in _OUR_HOSTS:
        log.info("data collection: AZUREML_MDC_HOST is %s, not us", settings.mdc_host)
        return None
    listener = _bind(settings.mdc_port)
    environ["AZUREML_MDC_HOST"], port = listener.getsockname()
    environ["AZUREML_MDC_PORT"] = str(port)
    return listener


async def start(settings: Settings, listener: socket.socket, origin: Origin | None = None) -> Agent:
    """Answer posts on the running loop until the agent is closed."""
    from verdazul_serve.agent import Agent
    from verdazul_serve.spool import Spool

    origin = origin or Origin.of(settings.instance)
    folder = spool_folder(settings)
    place = (origin.endpoint, origin.deployment, settings.instance)
    spool = Spool(folder, limit=settings.spool_bytes, place=place)
    agent = Agent(spool, settings, source=origin.source)
    await agent.open(listener)
    port = listener.getsockname()[1]
    log.info("data collection: posts to port %d are kept in %s", port, folder.path)
    return agent


def spool_folder(settings: Settings) -> Folder:
    """VERDAZUL_SPOOL_DIR, else a folder of this user and instance among the temporary files."""
    from pathlib import Path

    from verdazul_serve.cloud_events import safe_name
    from verdazul_serve.spool import Folder

    if settings.spool_dir:
        return Folder(Path(settings.spool_dir))
    private = Path(tempfile.gettempdir()) / f"verdazul-serve-{os.geteuid()}"
    return Folder(private / safe_name(settings.instance) / "spool", private=private)


def _prints(environ: Mapping[str, str], settings: Settings) -> bool:
    """Whether the package prints what it collects instead of sending it."""
    if not settings.mdc_config_path:
        return environ.get("AZUREML_MDC_LOCAL_CAPTURE", "").lower() == "true"
    try:
        with open(settings.mdc_config_path, "rb") as file:  # noqa: PTH123  # see failure.py
            return bool(json.load(file).get("runMode") == "local")
    except (OSError, ValueError, AttributeError):
        return False  # the script's Collector will say what is wrong with it


def _bind(port: int | None) -> socket.socket:
    """At `port` if it is free, else anywhere: the workers are told."""
    if port:
        try:
            return socket.create_server((_LOOPBACK, port))
        except OSError as error:
            reason = error.strerror
            log.warning("data collection: AZUREML_MDC_PORT %d: %s; taking a free one", port, reason)
    return socket.create_server((_LOOPBACK, 0))
