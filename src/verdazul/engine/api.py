"""The part of the Docker Engine API that Azure's clients use for local endpoints.

    GET /_ping /version · POST /build · GET /images/json /images/N/json · DELETE /images/N
    GET /containers/json · POST /containers/create · GET /containers/N/json /containers/N/logs
    POST /containers/N/start|stop|kill|wait · DELETE /containers/N

with and without `/vX.YY` before it. Anything else is refused by name (501), and so is a parameter
that would have no effect. Failures are `{"message": ...}`, as Docker's are.
"""

from __future__ import annotations

import logging
import re
import secrets
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from verdazul.compute import logs
from verdazul.engine import building, launch, said
from verdazul.engine.containers import Container, Containers, matching
from verdazul.engine.images import Images
from verdazul.engine.parameters import Parameters, json_body
from verdazul.engine.wanted import Wanted, container_name
from verdazul.environments.folders import is_built
from verdazul.model.errors import Conflict, NotFound, UserError, VerdazulError
from verdazul.ports import Clock

Handler = Callable[..., Awaitable[Response]]

_log = logging.getLogger(__name__)
_VERSION = re.compile(r"/v(\d+)\.(\d+)(?=/)")
_STOP_SECONDS = 10.0
_EVERY_LINE = 10**9


class NotServed(UserError):
    """Docker can do it, the local engine cannot."""

    default_code = "NotServed"
    http_status = 501


class EngineApi:
    """An ASGI application."""

    def __init__(
        self, images: Images, containers: Containers, builder: building.Builder, clock: Clock
    ) -> None:
        self._images = images
        self._containers = containers
        self._builder = builder
        self._clock = clock
        self._routes = self._declare()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except VerdazulError as error:
            response = _refusal(error)
        except OSError as error:
            response = JSONResponse({"message": f"the machine refused: {error}"}, 500)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not end the engine
            _log.exception("request broke method=%s path=%s", request.method, request.url.path)
            response = JSONResponse({"message": f"a bug of the local engine: {error!r}"}, 500)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = _without_version(request.url.path)
        for method, pattern, handle in self._routes:
            found = pattern.fullmatch(path)
            if found and request.method == method:
                return await handle(request, **found.groupdict())
        raise NotServed(
            f"{request.method} {path[:200]} is not served by Verdazul's local engine, which runs "
            "processes instead of containers",
            fix="start Docker or podman and set DOCKER_HOST to it",
        )

    def _declare(self) -> list[tuple[str, re.Pattern[str], Handler]]:
        routes: dict[str, Handler] = {
            "GET /_ping": self._ping,
            "HEAD /_ping": self._ping,
            "GET /version": self._version,
            "POST /build": self._builder.build,
            "GET /images/json": self._list_images,
            "GET /images/(?P<name>.+)/json": self._show_image,
            "POST /images/create": self._pull,
            "DELETE /images/(?P<name>.+)": self._remove_image,
            "GET /containers/json": self._list,
            "POST /containers/create": self._create,
            "GET /containers/(?P<name>[^/]+)/json": self._show,
            "GET /containers/(?P<name>[^/]+)/logs": self._logs,
            "POST /containers/(?P<name>[^/]+)/start": self._start,
            "POST /containers/(?P<name>[^/]+)/stop": self._stop,
            "POST /containers/(?P<name>[^/]+)/kill": self._kill,
            "POST /containers/(?P<name>[^/]+)/wait": self._wait,
            "DELETE /containers/(?P<name>[^/]+)": self._remove,
        }
        split = [(*route.partition(" ")[::2], handle) for route, handle in routes.items()]
        return [(method, re.compile(path), handle) for method, path, handle in split]

    async def _ping(self, request: Request) -> Response:
        del request
        return PlainTextResponse("OK", headers={"Api-Version": said.NEWEST})

    async def _version(self, request: Request) -> Response:
        del request
        return JSONResponse(said.version())

    async def _list_images(self, request: Request) -> Response:
        Parameters(request).only("all")
        return JSONResponse([said.image(image) for image in self._images.all()])

    async def _show_image(self, request: Request, name: str) -> Response:
        del request
        return JSONResponse(said.image(self._images.find(name)))

    async def _pull(self, request: Request) -> Response:
        name = Parameters(request).text("fromImage")
        raise UserError(
            f"image {name!r} cannot be pulled: this machine has no container engine, and "
            "Verdazul's local engine runs scoring scripts as processes, not images",
            code="NoContainerEngine",
            fix="start Docker or podman and set DOCKER_HOST to it, or deploy a scoring script",
        )

    async def _remove_image(self, request: Request, name: str) -> Response:
        Parameters(request).only("force")
        image = self._images.find(name)
        if image.id in self._containers.used_images():
            raise Conflict(f"image {name} is used by a container", code="ImageInUse")
        self._images.untag(name, used=self._containers.used_images())
        return JSONResponse([{"Untagged": name}])

    async def _list(self, request: Request) -> Response:
        parameters = Parameters(request)
        parameters.only("all", "limit", "filters")
        found = matching(
            self._containers.all(), parameters.filters("label", "name", "id", "status")
        )
        if not parameters.truth("all"):
            found = [c for c in found if c.state().status == "running"]
        limit = parameters.number("limit", -1)
        return JSONResponse(
            [said.container_line(c) for c in (found[:limit] if limit > 0 else found)]
        )

    async def _create(self, request: Request) -> Response:
        parameters = Parameters(request)
        parameters.only("name")
        wanted = Wanted.read(await json_body(request))
        image = self._images.find(wanted.image)
        if wanted.has_gpu:
            launch.check_gpu()
        container = await self._containers.create(
            container_name(parameters.text("name") or secrets.token_hex(6)),
            wanted,
            image_id=image.id,
            at=self._clock.now(),
        )
        _log.info("create container=%s image=%s", container.name, wanted.image)
        warnings = launch.warnings(image, container)
        return JSONResponse({"Id": container.id, "Warnings": warnings}, 201)

    async def _show(self, request: Request, name: str) -> Response:
        Parameters(request).only()
        container = self._containers.find(name)
        image = next((i for i in self._images.all() if i.id == container.image_id), None)
        return JSONResponse(said.container(container, image))

    async def _logs(self, request: Request, name: str) -> Response:
        parameters = Parameters(request)
        parameters.only("stdout", "stderr", "tail")
        container = self._containers.find(name)
        tail = parameters.text("tail") or "all"
        lines = _EVERY_LINE if tail == "all" else parameters.number("tail", 0)
        text = "".join(f"{line}\n" for line in logs.tail(container.log, lines)).encode()
        if container.wanted.is_tty or not text:
            return Response(text, media_type="application/vnd.docker.raw-stream")
        frame = b"\x01\0\0\0" + len(text).to_bytes(4, "big")
        return Response(frame + text, media_type="application/vnd.docker.multiplexed-stream")

    async def _start(self, request: Request, name: str) -> Response:
        Parameters(request).only()
        container = self._containers.find(name)
        image = self._images.find(container.image_id)
        if not is_built(Path(image.python).parents[2]):
            raise NotFound(
                f"the environment of image {container.wanted.image} is gone",
                code="NoSuchImage",
                fix="create the deployment again",
            )
        started = await self._containers.start(container, launch.spec(container, image))
        _log.info("start container=%s started=%s", container.name, started)
        return Response(status_code=204 if started else 304)

    async def _stop(self, request: Request, name: str) -> Response:
        parameters = Parameters(request)
        parameters.only("t")
        container = self._containers.find(name)
        seconds = float(parameters.number("t", int(_STOP_SECONDS)))
        stopped = await self._containers.stop(container, grace_seconds=max(0.0, seconds))
        _log.info("stop container=%s stopped=%s", container.name, stopped)
        return Response(status_code=204 if stopped else 304)

    async def _kill(self, request: Request, name: str) -> Response:
        parameters = Parameters(request)
        parameters.only("signal")
        container = self._containers.find(name)
        self._containers.kill(container, _signal(parameters.text("signal") or "SIGKILL"))
        return Response(status_code=204)

    async def _wait(self, request: Request, name: str) -> Response:
        Parameters(request).only("condition", values={"condition": "not-running"})
        code = await self._containers.wait(self._containers.find(name))
        return JSONResponse({"StatusCode": code})

    async def _remove(self, request: Request, name: str) -> Response:
        parameters = Parameters(request)
        parameters.only("force", "v")
        container = self._containers.find(name)
        if container.state().status == "running":
            if not parameters.truth("force"):
                raise _still_running(container)
            await self._containers.stop(container, grace_seconds=0)
        await self._containers.remove(container)
        self._images.prune(used=self._containers.used_images())
        _log.info("remove container=%s", container.name)
        return Response(status_code=204)


def _without_version(path: str) -> str:
    """Also refuses versions that we do not speak, as Docker words it."""
    found = _VERSION.match(path)
    if not found:
        return path
    asked = (int(found[1]), int(found[2]))
    newest, oldest = (tuple(map(int, text.split("."))) for text in (said.NEWEST, said.OLDEST))
    if not oldest <= asked <= newest:
        which, word, limit = (
            ("old", "Minimum", said.OLDEST) if asked < oldest else ("new", "Maximum", said.NEWEST)
        )
        raise UserError(
            f"client version {found[1]}.{found[2]} is too {which}. {word} supported API version is "
            f"{limit}",
            code="InvalidApiVersion",
        )
    return path[found.end() :]


def _refusal(error: VerdazulError) -> Response:
    problem = error.problem
    return JSONResponse({"message": str(problem), "code": problem.code}, error.http_status)


def _signal(text: str) -> signal.Signals:
    try:
        if text.isdecimal():
            return signal.Signals(int(text))
        return signal.Signals[text if text.startswith("SIG") else f"SIG{text}"]
    except (ValueError, KeyError):
        raise UserError(f"Invalid signal: {text[:100]}", code="InvalidValue") from None


def _still_running(container: Container) -> Conflict:
    return Conflict(
        f"You cannot remove a running container {container.id}. Stop the container before "
        "attempting removal or force remove",
        code="ContainerRunning",
    )
