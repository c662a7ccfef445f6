"""What a client asks of a new container, read once and kept. Pure.

Docker's body has some hundred fields. Those that Azure's clients fill are served; any other that
holds more than its default is refused by its name, never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Self

from verdazul.model.errors import UserError

_NAME = re.compile(r"/?([a-zA-Z0-9][a-zA-Z0-9_.-]+)")
_NO_EFFECT = frozenset(
    ("AttachStdin", "AttachStdout", "AttachStderr", "OpenStdin", "StdinOnce", "Hostname")
)
_DEFAULTS = {"NetworkMode": ("default", "bridge"), "RestartPolicy": ({"Name": "no"},)}
_BIND_WORDS = frozenset(("z", "Z", "rw", "rprivate", "cached", "consistent", "delegated"))


@dataclass(frozen=True, slots=True)
class Bind:
    """A folder or file of this machine, and where a container would see it."""

    source: str
    target: str

    def place(self, path: str) -> str | None:
        """Where a path of the container lies here; None when the bind does not lead there."""
        target, asked = PurePosixPath(self.target), PurePosixPath(path)
        if not asked.is_absolute() or not asked.is_relative_to(target):
            return None
        rest = asked.relative_to(target)
        return self.source if not rest.parts else f"{self.source.rstrip('/')}/{rest}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A container as it was asked for."""

    image: str
    env: tuple[tuple[str, str], ...]
    labels: Mapping[str, str]
    binds: tuple[Bind, ...]
    has_gpu: bool
    is_tty: bool
    ports: tuple[int, ...] = field(default=(5001,))

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """Raises UserError naming the field."""
        host = _mapping(body.get("HostConfig") or {}, "HostConfig")
        binds = tuple(_bind(text) for text in _texts(host.get("Binds") or [], "HostConfig.Binds"))
        _refuse_others(body, host, targets={bind.target for bind in binds})
        image = body.get("Image")
        if not isinstance(image, str) or not image:
            raise _wrong("Image", image, "the name or id of an image")
        return cls(
            image=image,
            env=tuple(map(_variable, _texts(body.get("Env") or [], "Env"))),
            labels=_labels(body.get("Labels") or {}),
            binds=binds,
            has_gpu=_wants_gpu(host.get("DeviceRequests") or []),
            is_tty=bool(body.get("Tty")),
        )

    def place(self, value: str) -> str:
        """A variable's value, with a path of the container turned into the one of this machine."""
        deepest = sorted(self.binds, key=lambda bind: len(bind.target), reverse=True)
        return next((there for bind in deepest if (there := bind.place(value))), value)


def container_name(text: str) -> str:
    """Check the name of a container. Raises UserError."""
    found = _NAME.fullmatch(text)
    if not found:
        raise UserError(
            f"Invalid container name ({text[:200]}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
            code="InvalidContainerName",
        )
    return found[1]


def _refuse_others(body: Mapping[str, Any], host: Mapping[str, Any], *, targets: set[str]) -> None:
    served = {"Image", "Env", "Labels", "Tty", "HostConfig", "Volumes", "ExposedPorts"}
    for name, value in body.items():
        if value and name not in served | _NO_EFFECT and not _is_empty(value):
            raise _not_served(name, value)
    for name in _mapping(body.get("Volumes") or {}, "Volumes"):
        if name.partition(":")[0] not in targets:  # docker-py leaves a bind's words at its target
            raise _not_served("Volumes", name)
    for name in {*_mapping(body.get("ExposedPorts") or {}, "ExposedPorts")} - {"5001/tcp"}:
        raise _not_served("ExposedPorts", name)
    for name, value in host.items():
        if name in {"Binds", "PublishAllPorts", "DeviceRequests"} or _is_empty(value):
            continue
        if value not in _DEFAULTS.get(name, ()):
            raise _not_served(f"HostConfig.{name}", value)


def _is_empty(value: object) -> bool:
    """Docker's own clients send nulls, zeros and nested empties for what was not asked."""
    if isinstance(value, Mapping):
        return all(map(_is_empty, value.values()))
    if isinstance(value, list):
        return all(map(_is_empty, value))
    return not value


def _bind(text: str) -> Bind:
    source, _, rest = text.partition(":")
    target, _, words = rest.partition(":")
    if not source.startswith("/") or not target.startswith("/"):
        raise _wrong("HostConfig.Binds", text, "SOURCE:TARGET with absolute paths")
    if others := set(filter(None, words.split(","))) - _BIND_WORDS:
        raise _not_served("HostConfig.Binds", f"{text} (the word {', '.join(sorted(others))})")
    return Bind(source, target)


def _variable(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not name or "\0" in text:
        raise _wrong("Env", text, "NAME=VALUE")
    return name, value


def _labels(value: object) -> dict[str, str]:
    labels = _mapping(value, "Labels")
    for name, text in labels.items():
        if not isinstance(text, str):
            raise _wrong(f"Labels.{name}", text, "a text")
    return labels


def _wants_gpu(requests: object) -> bool:
    for request in requests if isinstance(requests, list) else [requests]:
        asked = _mapping(request, "HostConfig.DeviceRequests")
        if asked.get("Capabilities") != [["gpu"]] or asked.get("Count") != -1:
            raise _not_served("HostConfig.DeviceRequests", request)
    return bool(requests)


def _mapping(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(name, value, "an object")
    return value


def _texts(value: object, name: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _wrong(name, value, "a list of texts")
    return value


def _wrong(name: str, value: object, right: str) -> UserError:
    return UserError(f"{name} is {str(value)[:200]!r}; it must be {right}", code="InvalidValue")


def _not_served(name: str, value: object) -> UserError:
    return UserError(
        f"{name} ({str(value)[:200]}) has no effect on processes: the local engine of Verdazul "
        "starts no containers",
        code="NotServed",
        fix="leave it out, or start Docker or podman and set DOCKER_HOST to it",
    )
