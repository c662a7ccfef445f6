"""Markers on disk -> Instance. Level, not edge: whoever reads the folder sees the same phase."""

from __future__ import annotations

from typing import Any

from verdazul.compute import obituary
from verdazul.compute.folder import Folder
from verdazul.core.instance import Instance, Phase

Marker = dict[str, Any] | None


def observe(folder: Folder) -> Instance | None:
    """The instance as its folder tells; None when the folder has just been removed."""
    launched = folder.marker("launch")
    if launched is None:
        return None
    ended = folder.marker("exit")
    ready = folder.marker("ready")
    phase, since = _phase(folder, launched["at"], ready=ready, ended=ended)
    state = folder.marker("state") or {}
    return Instance(
        id=folder.id,
        phase=phase,
        address=folder.address,
        since=since,
        attempt=launched["attempt"],
        pid=None if ended else (state.get("child") or {}).get("pid"),
        ready_seconds=_ready_seconds(ready, ended),
        exit=obituary.exit_of(folder, ended) if ended and phase is Phase.EXITED else None,
        began=float(launched["at"]),
    )


def _phase(
    folder: Folder, launched_at: float, *, ready: Marker, ended: Marker
) -> tuple[Phase, float]:
    # one that is being forgotten is shown as leaving until it is gone
    if stopping := folder.marker("stopping"):
        return Phase.STOPPING, _since(stopping)
    if ended:
        return Phase.EXITED, float(ended["at"])
    if draining := folder.marker("draining"):
        return Phase.DRAINING, _since(draining)
    if unready := folder.marker("unready"):
        return Phase.UNREADY, _since(unready)
    if ready:
        return Phase.READY, _since(ready)
    return Phase.STARTING, launched_at


def _since(marker: dict[str, Any]) -> float:
    return float(marker["since"])


def _ready_seconds(ready: Marker, ended: Marker) -> float:
    if not (ready and ended):
        return 0.0
    return max(0.0, float(ended["at"]) - float(ready["first"]))
