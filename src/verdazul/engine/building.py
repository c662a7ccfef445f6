"""POST /build: a Dockerfile in a tar archive becomes an environment, told line by line."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import tempfile
from collections.abc import AsyncIterator, Callable
from typing import IO, Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from verdazul.core.environment import Built, Recipe
from verdazul.engine.containers import Containers
from verdazul.engine.context import read_files
from verdazul.engine.dockerfile import Image, parse, read, sources
from verdazul.engine.folders import Places
from verdazul.engine.images import Images, built_image
from verdazul.engine.parameters import Parameters
from verdazul.environments.build import build
from verdazul.model.errors import UserError, VerdazulError
from verdazul.ports import Clock

_log = logging.getLogger(__name__)
_TAG = re.compile(r"[a-z0-9][a-z0-9._/-]*(:[\w][\w.-]{0,127})?", re.ASCII | re.IGNORECASE)


class Builder:
    """Builds images of one home."""

    def __init__(
        self, places: Places, images: Images, containers: Containers, clock: Clock
    ) -> None:
        self._places = places
        self._images = images
        self._containers = containers
        self._clock = clock

    async def build(self, request: Request) -> Response:
        """A wrong context is an answer of its own; the rest is told in the stream."""
        parameters = Parameters(request)
        parameters.only("t", "dockerfile", "rm", "forcerm", "pull", "version")
        tag = _checked_tag(parameters.text("t"))
        name = parameters.text("dockerfile") or "Dockerfile"
        with tempfile.TemporaryFile(dir=self._places.root) as archive:
            async for part in request.stream():
                archive.write(part)
            image = await asyncio.to_thread(_image_of, archive, name)
        return StreamingResponse(self._told(image, tag), media_type="application/json")

    async def _told(self, image: Image, tag: str) -> AsyncIterator[bytes]:
        steps = enumerate(image.steps, start=1)
        for number, step in steps:
            yield _line(f"Step {number}/{len(image.steps)} : {step}\n")
        said: asyncio.Queue[str | None] = asyncio.Queue()
        work = asyncio.create_task(self._work(image.recipe, said))
        try:
            while (line := await said.get()) is not None:
                yield _line(f"{line}\n")
            for each in self._ended(await work, image, tag):
                yield each
        except VerdazulError as error:
            yield _failure(error)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _work(self, recipe: Recipe, said: asyncio.Queue[str | None]) -> Built:
        try:
            return await build(recipe, self._places.home, _once(said.put_nowait))
        finally:
            said.put_nowait(None)

    def _ended(self, built: Built, image: Image, tag: str) -> list[bytes]:
        kept = built_image(built, image.recipe, steps=image.steps, tag=tag, at=self._clock.now())
        self._images.keep(kept, used=self._containers.used_images())
        _log.info("build image=%s tag=%s", kept.id[:12], tag)
        return [
            *(_line(f"NOTE: no container engine: {note}\n") for note in kept.notes),
            json.dumps({"aux": {"ID": f"sha256:{kept.id}"}}).encode() + b"\r\n",
            _line(f"Successfully built {kept.id[:12]}\n"),
            _line(f"Successfully tagged {kept.tags[0]}\n"),
        ]


def _image_of(archive: IO[bytes], name: str) -> Image:
    found = read_files(archive, [name])
    if not found:
        raise UserError(
            f"Cannot locate specified Dockerfile: {name[:200]}", code="InvalidBuildContext"
        )
    lines = parse(next(iter(found.values())), name=name)
    return read(lines, read_files(archive, sources(lines, name=name)), name=name)


def _once(say: Callable[[str], None]) -> Callable[[str], None]:
    """The same line is not said twice in a row."""
    last = ""

    def tell(line: str) -> None:
        nonlocal last
        if line != last:
            say(line)
        last = line

    return tell


def _checked_tag(tag: str) -> str:
    if not _TAG.fullmatch(tag):
        raise UserError(
            f"invalid tag {tag[:200]!r}: an image here has a name, such as credit:blue",
            code="InvalidTag",
        )
    return tag


def _line(text: str) -> bytes:
    return json.dumps({"stream": text}).encode() + b"\r\n"


def _failure(error: VerdazulError) -> bytes:
    problem = error.problem
    text = "\n".join((str(problem), *problem.log_tail))
    told: dict[str, Any] = {"errorDetail": {"message": text}, "error": text}
    return json.dumps({**told, "problem": problem.to_arm()}).encode() + b"\r\n"
