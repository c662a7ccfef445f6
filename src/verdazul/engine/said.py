"""How images and containers look in the Engine API: the fields that clients read. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from verdazul import __version__
from verdazul.engine.containers import Container, State
from verdazul.engine.images import StoredImage

NEWEST, OLDEST = "1.43", "1.24"
_NEVER = "0001-01-01T00:00:00Z"


def version() -> dict[str, Any]:
    """GET /version."""
    about = {"ApiVersion": NEWEST, "MinAPIVersion": OLDEST, "Os": "linux"}
    component = {"Name": "Engine", "Version": __version__, "Details": about}
    return {
        "Platform": {"Name": "Verdazul local engine: processes, no containers"},
        "Components": [component],
        "Version": __version__,
        **about,
    }


def container(found: Container, image: StoredImage | None) -> dict[str, Any]:
    """GET /containers/ID/json."""
    state, wanted = found.state(), found.wanted
    return {
        "Id": found.id,
        "Name": f"/{found.name}",
        "Created": _time(found.created),
        "Path": "verdazul_serve",
        "Args": [],
        "State": _state(state),
        "Image": f"sha256:{found.image_id}",
        "LogPath": str(found.log),
        "RestartCount": 0,
        "Driver": "process",
        "Platform": "linux",
        "HostConfig": {
            "Binds": [f"{bind.source}:{bind.target}" for bind in wanted.binds],
            "PublishAllPorts": True,
            "LogConfig": {"Type": "json-file", "Config": {}},
        },
        "Mounts": [
            {"Type": "bind", "Source": bind.source, "Destination": bind.target, "RW": True}
            for bind in wanted.binds
        ],
        "Config": {
            "Hostname": found.id[:12],
            "Image": wanted.image,
            "Env": [f"{name}={value}" for name, value in wanted.env],
            "Cmd": ["runsvdir", "/var/runit"],
            "Labels": dict(wanted.labels),
            "Tty": wanted.is_tty,
            "ExposedPorts": {f"{port}/tcp": {} for port in wanted.ports},
            "Notes": list(image.notes) if image else [],
        },
        "NetworkSettings": {"Ports": _ports(found, state), "Networks": {}},
    }


def container_line(found: Container) -> dict[str, Any]:
    """One of GET /containers/json."""
    state = found.state()
    ports = [
        {"IP": "127.0.0.1", "PrivatePort": port, "PublicPort": state.port, "Type": "tcp"}
        for port in found.wanted.ports
        if state.port
    ]
    return {
        "Id": found.id,
        "Names": [f"/{found.name}"],
        "Image": found.wanted.image,
        "ImageID": f"sha256:{found.image_id}",
        "Command": "verdazul_serve",
        "Created": int(found.created),
        "State": state.status,
        "Status": _status(state),
        "Ports": ports,
        "Labels": dict(found.wanted.labels),
        "Mounts": [],
    }


def image(found: StoredImage) -> dict[str, Any]:
    """GET /images/NAME/json."""
    return {
        "Id": f"sha256:{found.id}",
        "RepoTags": list(found.tags),
        "RepoDigests": [],
        "Created": _time(found.created),
        "Os": "linux",
        "Size": 0,
        "Config": {"ExposedPorts": {"5001/tcp": {}}, "Notes": list(found.notes)},
    }


def _state(state: State) -> dict[str, Any]:
    return {
        "Status": state.status,
        "Running": state.status == "running",
        "Paused": False,
        "Restarting": False,
        "OOMKilled": state.is_oom,
        "Dead": False,
        "Pid": state.pid,
        "ExitCode": state.exit_code,
        "Error": state.error,
        "StartedAt": _time(state.started),
        "FinishedAt": _time(state.finished),
    }


def _ports(found: Container, state: State) -> dict[str, Any]:
    if not state.port:
        return {}
    return {
        f"{port}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(state.port)}]
        for port in found.wanted.ports
    }


def _status(state: State) -> str:
    """As `docker ps` prints it."""
    words = {"created": "Created", "running": "Up"}
    return words.get(state.status, f"Exited ({state.exit_code})")


def _time(seconds: float | None) -> str:
    if seconds is None:
        return _NEVER
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
