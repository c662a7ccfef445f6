"""The `Issuers` port: what the issuers file declares, with keys that are kept fresh.

Whatever fails, the last good stays: a file with a mistake, an issuer that is down, a restart
meanwhile. What fails is tried again after growing pauses, and told by `problems`.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from verdazul.core.trust import Signer
from verdazul.identity.fetch import keys_of
from verdazul.model.errors import Problem, VerdazulError
from verdazul.model.issuers import Issuer, load_issuers
from verdazul.ports import Clock
from verdazul.private_files import replace_private

_FIRST_RETRY_SECONDS = 5.0
_ASKED_AGAIN_SECONDS = 60.0
"""Tokens with an unknown key make us ask its issuer at most so often, whoever sends them."""
_CACHE = "issuer-keys.json"


@dataclass(frozen=True, slots=True)
class _Look:
    """When to ask an issuer next, how often it failed in a row, and why."""

    due_at: float
    failures: int = 0
    problem: Problem | None = None


class FileIssuers:
    """`file` is relative to `home`; no file means no issuers."""

    def __init__(
        self,
        home: Path,
        file: Path,
        *,
        clock: Clock,
        refresh_seconds: float,
        timeout_seconds: float,
    ) -> None:
        self._file = home / file
        self._cache = home / _CACHE
        self._clock = clock
        self._refresh = refresh_seconds
        self._timeout = timeout_seconds
        self._mistake: Problem | None = None
        self._looks: dict[Issuer, _Look] = {}
        self._declared: Sequence[Issuer] = ()
        self._keys: dict[str, str] = {}
        self._asked: dict[str, float] = {}
        self._turn = asyncio.Lock()
        self._remember()

    async def refresh(self) -> None:
        """See ports.Issuers."""
        before = self.signers()
        self._read_file()
        now = self._clock.now()
        due = [one for one in self._declared if self._is_due(one, now)]
        async with asyncio.TaskGroup() as group:
            for issuer in due:
                group.create_task(self._look(issuer))
        known = {issuer.issuer for issuer in self._declared}
        self._keys = {name: keys for name, keys in self._keys.items() if name in known}
        self._asked = {name: at for name, at in self._asked.items() if name in known}
        self._looks = {one: look for one, look in self._looks.items() if one in self._declared}
        if self.signers() != before:
            self._save()

    def signers(self) -> tuple[Signer, ...]:
        """See ports.Issuers."""
        return tuple(
            Signer(
                issuer=one.issuer,
                keys=self._keys[one.issuer],
                audiences=one.audiences,
                clock_skew_seconds=one.clock_skew_seconds,
                directory=one.directory,
            )
            for one in self._declared
            if one.issuer in self._keys
        )

    def for_control(self) -> tuple[Signer, ...]:
        """See ports.Issuers."""
        wanted = {one.issuer: one.control_audiences for one in self._declared}
        return tuple(
            replace(signer, audiences=wanted[signer.issuer] or ())
            for signer in self.signers()
            if wanted[signer.issuer] != ()
        )

    async def ask_again(self, issuer: str) -> bool:
        """See ports.Issuers. All who wait for the same answer get it."""
        before = self._keys.get(issuer)
        async with self._turn:
            if self._keys.get(issuer) != before:
                return True
            declared = next((one for one in self._declared if one.issuer == issuer), None)
            now = self._clock.now()
            last = self._asked.get(issuer, -math.inf)
            if declared is None or now - last < _ASKED_AGAIN_SECONDS:
                return False
            self._asked[issuer] = now
            await self._look(declared)
            if self._keys.get(issuer) == before:
                return False
            self._save()
            return True

    def problems(self) -> tuple[Problem, ...]:
        """See ports.Issuers."""
        mistake = (self._mistake,) if self._mistake else ()
        return (*mistake, *(look.problem for look in self._looks.values() if look.problem))

    def _read_file(self) -> None:
        try:
            self._declared = load_issuers(self._file) if self._file.exists() else ()
            self._mistake = None
        except VerdazulError as error:
            self._mistake = error.problem

    def _is_due(self, issuer: Issuer, now: float) -> bool:
        look = self._looks.get(issuer)
        return look is None or now >= look.due_at

    async def _look(self, issuer: Issuer) -> None:
        try:
            self._keys[issuer.issuer] = await keys_of(issuer, timeout_seconds=self._timeout)
        except VerdazulError as error:
            failures = self._looks[issuer].failures + 1 if issuer in self._looks else 1
            pause = min(_FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 20), self._refresh)
            look = _Look(self._clock.now() + pause, failures, error.problem)
        else:
            # a file costs nothing to read again
            pause = 0.0 if issuer.jwks_file else self._refresh
            look = _Look(self._clock.now() + pause)
        self._looks[issuer] = look

    def _remember(self) -> None:
        """What was good before we were restarted; an unreadable memory counts as none."""
        try:
            known = json.loads(self._cache.read_text(encoding="utf-8"))
            self._declared = tuple(Issuer.model_validate(one) for one in known["declared"])
            self._keys = {str(name): str(keys) for name, keys in known["keys"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError):
            self._declared, self._keys = (), {}

    def _save(self) -> None:
        declared = [issuer.to_mapping() for issuer in self._declared]
        replace_private(self._cache, json.dumps({"declared": declared, "keys": self._keys}))
