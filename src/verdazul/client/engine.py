"""A container engine by the Docker Engine API: Docker, podman, or Verdazul's own local engine.

Only what local endpoints need. The API's version is the engine's own, so that old and new ones are
spoken to alike. Failures come in the engine's words, under codes of ours.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from verdazul.model.errors import Conflict, Fatal, NotFound, UserError, VerdazulError

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 60.0
ENGINE_REFUSED = "ContainerEngineRefused"  # no code of its own: Docker and podman have none
_OURS = "Verdazul"
_PODMAN = "Podman"
_TAIL_LINES = 20


class DockerEngineNotAvailable(UserError):
    """Nothing answers where the engine should be."""

    default_code = "DockerEngineNotAvailable"


@dataclass(frozen=True, slots=True)
class Container:
    """One container, as inspecting it tells."""

    id: str
    name: str
    status: str
    labels: Mapping[str, str]
    ports: Mapping[str, Any]
    env: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def has_ended(self) -> bool:
        """Whether nothing runs in it (any more); one that could not be started counts too."""
        return self.status not in {"running", "paused", "restarting"}

    def published(self, port: str) -> int | None:
        """Where a port of the container is on this machine; None while it is nowhere."""
        if self.has_ended:  # podman goes on telling where it was
            return None
        for address in self.ports.get(f"{port}/tcp") or ():
            if address.get("HostPort"):
                return int(address["HostPort"])
        return None


class Engine:
    """`with Engine.at("unix:///var/run/docker.sock") as engine`."""

    def __init__(self, http: httpx.Client, host: str) -> None:
        self._http = http
        self.host = host
        self._version: Mapping[str, Any] = {}

    @classmethod
    def at(cls, host: str) -> Self:
        """Open the way to DOCKER_HOST's value. Raises DockerEngineNotAvailable."""
        kind, _, place = host.partition("://")
        timeout = httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        if kind == "unix" and place:
            if not Path(place).is_socket():
                raise _silent(host, "there is no socket")
            transport = httpx.HTTPTransport(uds=place)
            return cls(
                httpx.Client(transport=transport, base_url="http://d", timeout=timeout), host
            )
        if kind in {"tcp", "http"} and place:
            return cls(httpx.Client(base_url=f"http://{place}", timeout=timeout), host)
        raise UserError(
            f"DOCKER_HOST is {host!r}; --local speaks to unix:///PATH and tcp://HOST:PORT",
            code="DockerEngineNotAvailable",
            fix="set DOCKER_HOST to the engine's socket, or leave it unset",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    @property
    def podman_version(self) -> tuple[int, ...] | None:
        """Which podman it is; None for another engine."""
        for part in self.version().get("Components") or ():
            if str(part.get("Name")).startswith(_PODMAN):
                return tuple(map(int, re.findall(r"\d+", str(part.get("Version")))[:3]))
        return None

    @property
    def is_processes(self) -> bool:
        """Whether it is the local engine, which starts processes."""
        return str((self.version().get("Platform") or {}).get("Name")).startswith(_OURS)

    def version(self) -> Mapping[str, Any]:
        """Who it is. Raises DockerEngineNotAvailable when nothing answers."""
        if not self._version:
            self._version = dict(self._json(self._send("GET", "/version")))
        return self._version

    def containers(self, labels: Iterable[str]) -> list[Container]:
        """All that have these labels (`name` or `name=value`), ended ones too; newest first."""
        filters = json.dumps({"label": list(labels)})
        found = self._json(self._ask("GET", "/containers/json", all="1", filters=filters))
        seen = (self.inspect(line["Id"]) for line in found)
        return [container for container in seen if container]

    def inspect(self, name: str) -> Container | None:
        """One container; None when there is none (any more)."""
        try:
            found = self._json(self._ask("GET", f"/containers/{quote(name)}/json"))
        except NotFound:
            return None
        config = found.get("Config") or {}
        return Container(
            id=found["Id"],
            name=str(found.get("Name", "")).removeprefix("/"),
            status=found["State"]["Status"],
            labels=config.get("Labels") or {},
            ports=(found.get("NetworkSettings") or {}).get("Ports") or {},
            env=tuple(config.get("Env") or ()),
            notes=tuple(config.get("Notes") or ()),
        )

    def build(self, context: Iterable[bytes], *, tag: str, dockerfile: str) -> Iterator[str]:
        """Build an image, line by line. Raises UserError (LocalEndpointImageBuildError)."""
        path = self._path("/build", t=tag, dockerfile=dockerfile, rm="1", forcerm="1")
        request = self._http.build_request(
            "POST", path, content=context, headers={"Content-Type": "application/x-tar"}
        )
        request.extensions["timeout"] = httpx.Timeout(None).as_dict()  # builds take their time
        with _answering(self.host):
            response = self._http.send(request, stream=True)
            try:
                if response.is_error:
                    response.read()
                    raise build_failed(_message(response))
                yield from _built(response.iter_lines())
            finally:
                response.close()

    def has_image(self, name: str) -> bool:
        """Whether it is there without being pulled."""
        try:
            self._ask("GET", f"/images/{quote(name, safe='/:@')}/json")
        except NotFound:
            return False
        return True

    def pull(self, name: str) -> Iterator[str]:
        """Fetch an image, line by line. Raises UserError when it cannot be had."""
        path = self._path("/images/create", fromImage=name)
        with _answering(self.host), self._http.stream("POST", path, timeout=None) as response:
            if response.is_error:
                response.read()
                raise _not_had(name, _message(response))
            try:
                yield from _told(response.iter_lines())
            except _Refused as refused:
                raise _not_had(name, str(refused)) from None

    def create(self, name: str, body: Mapping[str, Any]) -> tuple[str, list[str]]:
        """Create a container; returns its id, and what the engine warns of."""
        response = self._ask("POST", "/containers/create", content=body, name=name)
        made = self._json(response)
        return made["Id"], list(made.get("Warnings") or ())

    def start(self, name: str) -> None:
        """Start it; nothing happens when it runs."""
        self._ask("POST", f"/containers/{quote(name)}/start")

    def stop(self, name: str) -> None:
        """End its process; nothing happens when it has ended."""
        self._ask("POST", f"/containers/{quote(name)}/stop")

    def remove(self, name: str) -> None:
        """Forget it, running or not; nothing happens when it is gone."""
        try:
            self._ask("DELETE", f"/containers/{quote(name)}", force="1")
        except NotFound:
            return

    def logs(self, container: Container, *, tail: int, is_tty: bool = True) -> str:
        """The end of what it printed."""
        path = f"/containers/{quote(container.id)}/logs"
        content = self._ask("GET", path, stdout="1", stderr="1", tail=str(tail)).content
        plain = content if is_tty else b"".join(_frames(content))
        return plain.decode("utf-8", errors="replace").replace("\r\n", "\n")

    def _ask(
        self, method: str, path: str, content: Mapping[str, Any] | None = None, **query: str
    ) -> httpx.Response:
        return self._send(method, self._path(path, **query), content)

    def _path(self, path: str, **query: str) -> str:
        version = self.version().get("ApiVersion")
        return f"/v{version}{path}{f'?{httpx.QueryParams(query)}' if query else ''}"

    def _send(
        self, method: str, path: str, content: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        with _answering(self.host):
            response = self._http.request(method, path, json=content)
        if response.is_error:
            raise _refusal(response)
        return response

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError:
            raise DockerEngineNotAvailable(
                f"{self.host} answers, but not as a container engine does",
                fix="set DOCKER_HOST to the engine's socket",
            ) from None


def build_failed(why: str, said: Iterable[str] = ()) -> UserError:
    """The image cannot be built; `why` is the builder's word, `said` what it told before."""
    first, *rest = why.strip().splitlines() or ["the engine said nothing"]
    return UserError(
        f"Building the local endpoint image failed with error: {first}",
        code="LocalEndpointImageBuildError",
        log_tail=(*said, *rest)[-_TAIL_LINES:],
    )


class _Refused(Exception):
    """The engine gave up amid its telling."""


@contextmanager
def _answering(host: str) -> Iterator[None]:
    """What goes wrong on the way is DockerEngineNotAvailable."""
    try:
        yield
    except httpx.HTTPError as error:
        raise _silent(host, str(error) or type(error).__name__) from error


def _silent(host: str, why: str) -> DockerEngineNotAvailable:
    return DockerEngineNotAvailable(
        f"no container engine answers at {host}: {why}",
        fix="start it, or unset DOCKER_HOST: without one, processes are used",
    )


def _not_had(image: str, why: str) -> UserError:
    return UserError(
        f"could not find image {image!r} locally or in its registry: {why}",
        code="InvalidLocalEndpoint",
        fix="check environment.image",
    )


def _built(lines: Iterable[str]) -> Iterator[str]:
    """What a build tells; its failure says only "exit status 1", the lines before it say why."""
    said: deque[str] = deque(maxlen=_TAIL_LINES)
    try:
        for line in _told(lines):
            said.append(line)
            yield line
    except _Refused as refused:
        raise build_failed(str(refused), said) from None


def _told(lines: Iterable[str]) -> Iterator[str]:
    for line in filter(str.strip, lines):
        told = json.loads(line)
        if "error" in told:
            raise _Refused(told["error"])
        text = told.get("stream") or told.get("status") or ""
        yield from filter(str.strip, str(text).splitlines())


def _refusal(response: httpx.Response) -> VerdazulError:
    families: dict[int, type[VerdazulError]] = {404: NotFound, 409: Conflict}
    is_theirs = response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
    message = _message(response)
    family = families.get(response.status_code, Fatal if is_theirs else UserError)
    if is_theirs and "is already in use" in message:  # podman's 409 for a name
        family = Conflict
    code = str(_body(response).get("code") or ENGINE_REFUSED)
    return family(f"the container engine refused: {message}", code=code)


def _message(response: httpx.Response) -> str:
    return str(_body(response).get("message") or response.text[:500] or response.status_code)


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _frames(content: bytes) -> Iterator[bytes]:
    """The payloads of Docker's multiplexed stream: 8 bytes of head (kind, length) before each."""
    at = 0
    while at + 8 <= len(content):
        length = int.from_bytes(content[at + 4 : at + 8], "big")
        yield content[at + 8 : at + 8 + length]
        at += 8 + length
