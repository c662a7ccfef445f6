"""Putting a snapshot in force: files in make-before-break order, each acknowledged before the next.

Envoy reads a file when it is renamed into place and then tells its version (accepted) or counts a
refusal, whose reason it writes to its log. After a refusal the files are as they were before.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from verdazul.core.trust import Trust
from verdazul.gateway import disk
from verdazul.gateway.admin import Unanswered
from verdazul.gateway.admins import Admins
from verdazul.gateway.snapshot import (
    Discovery,
    Older,
    Snapshot,
    clusters_in,
    passage,
    signers,
)
from verdazul.gateway.split import values_in
from verdazul.gateway.tls import secret_path
from verdazul.model.errors import Retryable

_REASON = re.compile(r"update rejected: (.*?)(?=^\[\d{4}-|\Z)", re.DOTALL | re.MULTILINE)
_LONGEST_REASON = 1000
_SHORTEST_PAUSE = 0.002
_LONGEST_PAUSE = 0.1


class Rejected(Exception):
    """Envoy refused a file. `restored`: it has acknowledged the files from before."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.restored = False


Before = Mapping[str, Discovery | None]


@dataclass(slots=True)
class Publisher:
    """Writes below `home`/gateway, where nobody else does; not for concurrent use."""

    home: Path
    admin: Admins
    logs: tuple[Path, ...]
    timeout_seconds: float
    _files: dict[str, Discovery] = field(default_factory=dict)  # as they lie there, by kind
    _accepted: set[str] = field(default_factory=set)  # kinds whose file was acknowledged
    _older: Older | None = None  # what is in those of routes

    def prepare(self, snapshot: Snapshot) -> None:
        """Write what is missing, before Envoy's first start."""
        for file in (*passage(Older(), snapshot), signers(Trust())):
            if not self._path(file.kind).exists():
                self._write(file)

    async def put_in_force(self, snapshot: Snapshot) -> None:
        """Return once Envoy serves it.

        Raises Rejected, or Retryable when Envoy does not answer in time: then the files may be of
        either snapshot or between them, and Envoy may yet read them.
        """
        before = {kind: self._known(kind) for kind in ("rds", "cds", "rtds")}
        old = self._older or self._read()
        self._older = None  # until it is sure again what lies there
        await self._put_all(passage(old, snapshot), before)
        self._older = old.followed_by(snapshot)

    def _read(self) -> Older:
        clusters = clusters_in(disk.read(self._path("cds")))
        return Older(clusters, values_in(disk.read(self._path("rtds"))))

    async def put_alone(self, file: Discovery) -> None:
        """One file that no other refers to (a secret, trusted signers): as `put_in_force`."""
        await self._put_all((file,), {file.kind: self._known(file.kind)})

    async def _put_all(self, files: Iterable[Discovery], before: Before) -> None:
        try:
            async with asyncio.timeout(self.timeout_seconds):
                for file in files:
                    await self.put(file)
        except TimeoutError:
            raise self._silence() from None
        except Rejected as refusal:
            refusal.restored = await self._restore(before)
            raise

    def _silence(self) -> Retryable:
        return Retryable(
            f"the gateway has not acknowledged within {self.timeout_seconds:g} s",
            code="GatewayNotAnswering",
            log_tail=disk.tail(self.logs[0], most=2000),
        )

    async def put(self, file: Discovery) -> None:
        """Return once Envoy has acknowledged this file. Raises Rejected; waits for ever."""
        if self._known(file.kind) == file and await self._is_in_force(file):
            self._accepted.add(file.kind)
            return
        refused = await self._rejections(file.kind)
        marks = [disk.mark(log) for log in self.logs]
        self._write(file)  # also when it lies there already: Envoy may have refused it before
        async for _ in _pauses():
            try:
                if await self.admin.in_force(file.kind) == file.version:
                    self._accepted.add(file.kind)
                    return
                now_refused = await self.admin.rejections(file.kind)
            except Unanswered:
                continue
            if now_refused > refused:
                raise Rejected(await self._reason(marks))
            refused = now_refused  # counts start afresh when Envoy was restarted

    async def _is_in_force(self, file: Discovery) -> bool:
        """An Envoy that was restarted has read what lies there, and accepts what it did before."""
        if file.kind in self._accepted:
            return True
        try:
            return await self.admin.in_force(file.kind) == file.version
        except Unanswered:
            return False

    async def _rejections(self, kind: str) -> int:
        try:
            return await self.admin.rejections(kind)
        except Unanswered:
            return 0

    async def _reason(self, marks: list[disk.Mark]) -> str:
        """Envoy counts before it logs, and its log may pass through another process: wait a bit."""
        async for waited in _pauses():
            for log, mark in zip(self.logs, marks, strict=True):
                if reason := reason_in(disk.tail(log, since=mark)):
                    return reason
            if waited > 1:
                break
        return "Envoy gave no reason in its log"

    async def _restore(self, before: Before) -> bool:
        """Routes first: the clusters and shares they need are still there."""
        try:
            async with asyncio.timeout(self.timeout_seconds):
                for file in before.values():
                    if file:
                        await self.put(file)
        except (TimeoutError, Rejected):
            return False
        return True

    def _write(self, file: Discovery) -> None:
        staging = self.home / "gateway" / "new"
        self._files.pop(file.kind, None)
        self._accepted.discard(file.kind)
        disk.replace(self._path(file.kind), file.text, staging=staging)
        self._files[file.kind] = file

    def _known(self, kind: str) -> Discovery | None:
        """The file as it lies there; None when there is none that says its version."""
        if kind not in self._files:
            file = Discovery.read(kind, disk.read(self._path(kind)))
            if file is None:
                return None
            self._files[kind] = file
        return self._files[kind]

    def _path(self, kind: str) -> Path:
        if kind.startswith("sds."):
            return self.home / secret_path(kind.removeprefix("sds."))
        return self.home / "gateway" / kind / f"{kind}.json"


def reason_in(lines: Iterable[str]) -> str:
    """Why Envoy refused a file last, from its log; "" when it has not said so."""
    found: list[str] = _REASON.findall("\n".join(lines))
    if not found:
        return ""
    # Envoy may quote all of the file first, and then say what is wrong with it.
    return " ".join(found[-1].rpartition("\n: ")[2].split())[:_LONGEST_REASON]


async def _pauses() -> AsyncIterator[float]:
    """Moments to look again, ever longer apart; yields the seconds waited so far."""
    pause, waited = _SHORTEST_PAUSE, 0.0
    while True:
        yield waited
        await asyncio.sleep(pause)
        waited += pause
        pause = min(pause * 1.5, _LONGEST_PAUSE)
