"""What an instance is granted, made true by cgroups (v1, v2, or both at once).

Each controller (memory, cpu, pids) is looked for on its own: the first writable place below our own
cgroup, then above it, gets `verdazul/<name>`. Where there is none, nothing is enforced and
`enforced` says so. Only folders directly below a `verdazul` that we made are ever removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from verdazul.compute.shim import groups
from verdazul.core.instance import Limits

CONTROLLERS = ("memory", "cpu", "pids")
MAX_PIDS = 4096
_PERIOD_US = 100_000


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted cgroup tree: `controllers` is empty for v2, where folders tell."""

    mount: Path
    own: Path
    controllers: frozenset[str] = frozenset()

    @property
    def is_v2(self) -> bool:
        return not self.controllers

    def places(self) -> Iterator[Path]:
        """Folders to try, nearest first."""
        yield self.own
        above = self.own
        while above != self.mount:
            above = above.parent
            yield above


@dataclass(frozen=True, slots=True)
class Group:
    """The cgroups of one instance. `enforced` names the controllers that are in force."""

    folders: tuple[str, ...] = ()
    enforced: frozenset[str] = frozenset()
    oom_file: str | None = None


@dataclass(slots=True)
class _Draft:
    folders: list[str] = field(default_factory=list)
    enforced: set[str] = field(default_factory=set)
    oom_file: str | None = None


def create(name: str, limits: Limits, *, hierarchies: tuple[Hierarchy, ...] | None = None) -> Group:
    """Make the instance's cgroups, as far as this machine lets us."""
    draft = _Draft()
    found = mounted() if hierarchies is None else hierarchies
    for controller in CONTROLLERS:
        for hierarchy in found:
            if controller in draft.enforced:
                break
            if hierarchy.is_v2 or controller in hierarchy.controllers:
                _enforce(draft, controller, hierarchy=hierarchy, name=name, limits=limits)
    return Group(tuple(dict.fromkeys(draft.folders)), frozenset(draft.enforced), draft.oom_file)


def group_name(home: Path, instance: str) -> str:
    """Unique on the machine: two homes may hold instances of the same id."""
    return f"{instance}.{hashlib.sha256(str(home).encode()).hexdigest()[:8]}"


def release(folders: tuple[str, ...]) -> None:
    """Kill what is left in them and remove them, and the empty folder above."""
    ours = [folder for folder in folders if Path(folder).parent.name == "verdazul"]
    groups.kill_all(ours, children_too=False)
    groups.remove_groups(ours)
    for folder in ours:
        with contextlib.suppress(OSError):  # other instances are still in it
            Path(folder).parent.rmdir()


def enforced(*, hierarchies: tuple[Hierarchy, ...] | None = None) -> str:
    """One sentence for people: which limits hold on this machine. Tries, then cleans up."""
    group = create(f"trial.{os.getpid()}", Limits(1.0, 64 * 1024**2), hierarchies=hierarchies)
    release(group.folders)
    missing = [name for name in CONTROLLERS if name not in group.enforced]
    if not missing:
        return "memory, cpu and process limits of instance types are enforced (cgroups)"
    if len(missing) == len(CONTROLLERS):
        return (
            "limits of instance types are not enforced: no writable cgroup was found "
            "(run as root, or delegate a cgroup to this user)"
        )
    return (
        f"of the limits of instance types only {', '.join(sorted(group.enforced))} enforced; "
        f"{', '.join(missing)} not: no writable cgroup was found"
    )


def mounted(proc: Path = Path("/proc/self")) -> tuple[Hierarchy, ...]:
    """Every cgroup tree that is mounted here, with our own place in it."""
    try:
        mounts = (proc / "mountinfo").read_text().splitlines()
        own = dict(_own_places((proc / "cgroup").read_text()))
    except OSError:
        return ()
    return tuple(h for line in mounts if (h := _hierarchy(line, own)))


def _own_places(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):  # "" is v2
            yield controller, path


def _hierarchy(mount_line: str, own: dict[str, str]) -> Hierarchy | None:
    before, _, after = mount_line.partition(" - ")
    root, mount = before.split()[3:5]
    kind, _, options = after.split()[:3]
    if kind == "cgroup2":
        return Hierarchy(Path(mount), _place(Path(mount), root, own.get("", "/")))
    held = frozenset(CONTROLLERS) & frozenset(options.split(","))
    if kind != "cgroup" or not held:
        return None
    return Hierarchy(Path(mount), _place(Path(mount), root, own.get(min(held), "/")), held)


def _place(mount: Path, root: str, path: str) -> Path:
    """`path` counts from the hierarchy's top, the mount shows only what is below `root`."""
    inside = os.path.relpath(path, root)
    place = mount if inside.startswith("..") else mount / inside
    return place if place.is_dir() else mount


def _enforce(
    draft: _Draft, controller: str, *, hierarchy: Hierarchy, name: str, limits: Limits
) -> None:
    for place in hierarchy.places():
        folder = place / "verdazul" / name
        try:
            if hierarchy.is_v2:
                _delegate(place, controller)
            _make(folder, controller, is_v2=hierarchy.is_v2)
            _set(folder, controller, limits=limits, is_v2=hierarchy.is_v2)
        except OSError:
            _undo(folder, draft.folders)
            continue
        draft.folders.append(str(folder))
        draft.enforced.add(controller)
        if controller == "memory":
            events = "memory.events" if hierarchy.is_v2 else "memory.oom_control"
            draft.oom_file = str(folder / events)
        return


def _delegate(place: Path, controller: str) -> None:
    """v2: a folder has a controller's files only where its parent hands the controller on."""
    if controller not in (place / "cgroup.controllers").read_text().split():
        raise OSError(f"{place} has no {controller} controller")
    (place / "verdazul").mkdir(exist_ok=True)
    for parent in (place, place / "verdazul"):
        control = parent / "cgroup.subtree_control"
        if controller not in control.read_text().split():
            _write(control, f"+{controller}")


def _make(folder: Path, controller: str, *, is_v2: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / f"{controller}.{_FILES[controller][is_v2]}", None)


def _set(folder: Path, controller: str, *, limits: Limits, is_v2: bool) -> None:
    quota = max(1000, int(limits.cpus * _PERIOD_US))
    values = {
        "memory": str(limits.memory_bytes),
        "cpu": f"{quota} {_PERIOD_US}" if is_v2 else str(quota),
        "pids": str(MAX_PIDS),
    }
    if controller == "cpu" and not is_v2:
        _write(folder / "cpu.cfs_period_us", str(_PERIOD_US))
    _write(folder / f"{controller}.{_FILES[controller][is_v2]}", values[controller])
    _set_requests(folder, controller, limits=limits, is_v2=is_v2)
    if controller == "memory":
        # without this the instance would go on into swap, slowly; some machines have none
        swap = (
            ("memory.swap.max", "0") if is_v2 else ("memory.memsw.limit_in_bytes", values["memory"])
        )
        with contextlib.suppress(OSError):
            _write(folder / swap[0], swap[1])


def _set_requests(folder: Path, controller: str, *, limits: Limits, is_v2: bool) -> None:
    """Shares while instances want more than there is, as Kubernetes makes them of requests."""
    told: tuple[str, int] | None = None
    if controller == "cpu" and limits.requested_cpus is not None:
        shares = min(max(2, int(limits.requested_cpus * 1024)), 262_144)
        weight = 1 + (shares - 2) * 9999 // 262_142
        told = ("cpu.weight", weight) if is_v2 else ("cpu.shares", shares)
    if controller == "memory" and limits.requested_memory_bytes is not None:
        name = "memory.low" if is_v2 else "memory.soft_limit_in_bytes"
        told = (name, limits.requested_memory_bytes)
    if told:
        with contextlib.suppress(OSError):  # shares, not limits: some machines have none
            _write(folder / told[0], str(told[1]))


_FILES = {
    "memory": ("limit_in_bytes", "max"),
    "cpu": ("cfs_quota_us", "max"),
    "pids": ("max", "max"),
}


def _write(path: Path, text: str | None) -> None:
    """Write, or only make sure that it could be (None); never creates a file."""
    fd = os.open(path, os.O_WRONLY)
    try:
        if text is not None:
            os.write(fd, text.encode())
    finally:
        os.close(fd)


def _undo(folder: Path, in_use: list[str]) -> None:
    if str(folder) in in_use:
        return
    for made in (folder, folder.parent):
        with contextlib.suppress(OSError):  # never made, or in use by others
            made.rmdir()
