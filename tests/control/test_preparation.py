"""The log of what goes before instances: files by digest and place, and the build."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.control.bench import Bench
from verdazul.artifacts.fake import FakeArtifacts
from verdazul.control import assets, deployments
from verdazul.control.preparation import preparation_log
from verdazul.core.records import AssetKey
from verdazul.environments.fake import FakeEnvironments
from verdazul.model.errors import NotFound, Problem

pytestmark = pytest.mark.azure(117)


async def bytes_of(text: str) -> AsyncIterator[bytes]:
    yield text.encode()


async def read(bench: Bench, *, tail: int = 100) -> list[str]:
    text = await preparation_log(bench.world, "credit", "BLUE", tail=tail)
    return [line.partition(" ")[2] for line in text.splitlines()]


def test_it_says_where_the_files_are_and_that_the_environment_is_built() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        code = (await bench.state()).record.bundle.code

        lines = await read(bench)

        assert lines[0] == f"code {code} is in {bench.world.artifacts.path(code)}"
        assert lines[-1] == "environment: environment ready"
        assert await read(bench, tail=1) == lines[-1:]

    asyncio.run(story())


def test_it_follows_a_build_and_shows_the_end_of_one_that_failed() -> None:
    async def story() -> None:
        bench = Bench()
        environments = FakeEnvironments(is_instant=False)
        bench.world = replace(bench.world, environments=environments)
        await bench.create_endpoint()
        await bench.deploy()
        await bench.look()
        building = await read(bench)

        recipe = (await bench.state()).record.bundle.recipe
        environments.fail(recipe, Problem("x", "no such version", log_tail=("one", "two")))
        await bench.look()
        failed = await read(bench)

        assert len(building) == 2
        assert building[1].startswith("environment: ")
        assert "environment: no such version" in failed
        assert failed[-2:] == ["environment: | one", "environment: | two"]

    asyncio.run(story())


def test_files_that_are_gone_are_told() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        bench.world = replace(bench.world, artifacts=FakeArtifacts())

        assert (await read(bench))[0].endswith("is not on disk")

    asyncio.run(story())


def test_a_model_is_told_by_name_and_version() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()
        key = AssetKey("models", "scorer", "7")
        upload = bench.world.uploads.begin()
        await bench.world.uploads.write(upload, "weights.txt", bytes_of("weights"))
        await assets.register_upload(bench.world, key, {}, upload=upload)
        spec = await bench.spec()
        named = str(spec.environment).replace(
            "environments/env/versions/1", "models/scorer/versions/7"
        )
        spec = spec.model_copy(update={"model": named})
        await deployments.put_deployment(bench.world, spec)

        assert (await read(bench))[1].startswith("model scorer:7 sha256:")

    asyncio.run(story())


def test_an_unknown_deployment_is_not_found() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()

        with pytest.raises(NotFound):
            await read(bench)

    asyncio.run(story())
