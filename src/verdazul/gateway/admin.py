"""What Envoy says about itself, over its admin socket in home/run.

The socket is named through an open folder (`/proc/self/fd/N/…`): however deep home lies, the name
stays under the 108 characters that a unix socket may have.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import httpx

from verdazul.gateway.auth import SIGNERS
from verdazul.gateway.bootstrap import admin_socket
from verdazul.gateway.listener import STAT_PREFIX
from verdazul.gateway.resources import ROUTES

_SUBSCRIPTIONS = {
    "cds": "cluster_manager.cds",
    "rtds": "runtime",
    "rds": f"http.{STAT_PREFIX}.rds.{ROUTES}",
    "ecds": f"extension_config_discovery.http_filter.{SIGNERS}",
}
_OK = 200


class Unanswered(Exception):
    """Envoy did not answer: it is starting, stuck or gone. Ask again."""


class _Line:
    """What is asked over one connection. It is closed when nobody waits for an answer any more:
    httpx forgets a connection that comes to be while its client is closed.
    """

    def __init__(self, path: str, timeout_seconds: float) -> None:
        transport = httpx.AsyncHTTPTransport(uds=path)
        self._http = httpx.AsyncClient(
            transport=transport, base_url="http://envoy", timeout=timeout_seconds
        )
        self._waiting = 0
        self._is_given_up = False

    async def get(self, path: str, query: dict[str, str] | None) -> httpx.Response:
        """Raises httpx.HTTPError."""
        self._waiting += 1
        try:
            return await self._http.get(path, params=query)
        finally:
            self._waiting -= 1
            await self._close_if_idle()

    async def give_up(self) -> None:
        """Nobody asks over it again."""
        self._is_given_up = True
        await self._close_if_idle()

    async def _close_if_idle(self) -> None:
        if self._is_given_up and not self._waiting:
            await self._http.aclose()


class Admin:
    """A client of one Envoy's admin. Close it."""

    def __init__(self, home: Path, *, timeout_seconds: float, number: int = 1) -> None:
        path = home / admin_socket(number)
        self._folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._socket = f"/proc/self/fd/{self._folder}/{path.name}"
        self._timeout = min(1.0, timeout_seconds)
        self._line = _Line(self._socket, self._timeout)

    async def renew(self) -> None:
        """Ask whoever listens now, over a new connection."""
        old, self._line = self._line, _Line(self._socket, self._timeout)
        await old.give_up()

    async def aclose(self) -> None:
        """Close connection and folder."""
        await self._line.give_up()
        if self._folder >= 0:
            os.close(self._folder)
            self._folder, self._socket = -1, ""

    async def is_ready(self) -> bool:
        """Whether it takes requests: everything it must read is read."""
        try:
            return (await self._get("/ready")).status_code == _OK
        except Unanswered:
            return False

    async def version(self) -> str:
        """Envoy's version, like 1.40.0."""
        text = (await self._get("/server_info")).json()["version"]
        return str(text).split("/")[1]

    async def in_force(self, kind: str) -> str:
        """The version of the file ("cds", "rds", "ecds", "sds.server", ...) accepted last."""
        return str(
            await self._stat(f"{_SUBSCRIPTIONS.get(kind, kind)}.version_text", "TextReadouts")
        )

    async def rejections(self, kind: str) -> int:
        """How often a file of this kind was refused since Envoy started."""
        return int(
            await self._stat(f"{_SUBSCRIPTIONS.get(kind, kind)}.update_rejected", "Counters") or 0
        )

    def pid(self) -> int | None:
        """The process that listens on the socket, as the kernel knows it; None: nobody does."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as link:
            try:
                link.connect(self._socket)
            except OSError:
                return None
            size = struct.calcsize("3i")
            pid: int = struct.unpack(
                "3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
            )[0]
            return pid or None

    async def _stat(self, name: str, kind: str) -> str | int:
        pattern = "^" + name.replace(".", r"\.") + "$"
        # `usedonly` (here: not 0) spares Envoy most of the comparisons; 0 is then the default.
        query = {"filter": pattern, "type": kind, "format": "json", "usedonly": ""}
        body = (await self._get("/stats", query)).json()
        value: str | int
        value = next((stat["value"] for stat in body["stats"] if stat.get("name") == name), "")
        return value

    async def _get(self, path: str, query: dict[str, str] | None = None) -> httpx.Response:
        try:
            return await self._line.get(path, query)
        except httpx.HTTPError as error:
            raise Unanswered(f"{type(error).__name__} {error}".strip()) from None
