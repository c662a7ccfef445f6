"""What is dropped is what nobody refers to: never what is declared, serves on, or was named."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from pathlib import Path

import pytest

from tests.control.bench import CONDA, Bench
from verdazul import app
from verdazul.artifacts.fake import FakeArtifacts
from verdazul.compute.fake import Behaviour
from verdazul.control import assets, deployments
from verdazul.control.housekeeping import tidy, users
from verdazul.core.blobs import DEFAULT_CONTAINER, Place
from verdazul.core.changes import PutAsset
from verdazul.core.environment import Built, Missing, Recipe
from verdazul.core.records import AssetKey, EndpointState
from verdazul.environments.fake import FakeEnvironments
from verdazul.model.errors import Fatal
from verdazul.settings import Settings
from verdazul.store.memory import MemoryStore

NEVER_READY = Behaviour(ready_after=None, exit_after=0.5)
OTHER_CONDA = CONDA.replace("joblib", "numpy")


def bench(home: Path, *, kept: int = 0) -> Bench:
    """A bench that keeps so few unused things."""
    settings = replace(
        Settings(home=home), artifacts_kept=kept, environments_kept=kept, drain_seconds=0.0
    )
    made = Bench(settings=settings, environments=FakeEnvironments(kept=kept))
    made.world = replace(made.world, artifacts=FakeArtifacts(kept=kept))
    return made


async def registered(made: Bench, version: str, *, anonymous: bool) -> str:
    """Register code of its own; returns its digest."""

    async def chunks() -> AsyncIterator[bytes]:
        yield version.encode()

    upload = made.world.uploads.begin()
    await made.world.uploads.write(upload, "score.py", chunks())
    key = AssetKey("codes", "extra", version)
    properties = {"isAnonymous": anonymous}
    done = await assets.register_upload(made.world, key, properties, upload=upload, tree_hash="")
    made.clock.advance(1.0)
    return done.asset.digest


async def versions(made: Bench) -> list[str]:
    return [a.key.version for a in await made.store.assets("codes", name="extra")]


def is_kept(made: Bench, digest: str) -> bool:
    artifacts = made.world.artifacts
    assert isinstance(artifacts, FakeArtifacts)
    return digest in artifacts._paths


def test_an_anonymous_asset_that_nobody_uses_goes_with_its_files(tmp_path: Path) -> None:
    async def story() -> None:
        made = bench(tmp_path)
        digest = await registered(made, "1", anonymous=True)

        await tidy(made.world)

        assert await versions(made) == []
        assert not is_kept(made, digest)

    asyncio.run(story())


def test_a_named_asset_stays_although_nobody_uses_it(tmp_path: Path) -> None:
    async def story() -> None:
        made = bench(tmp_path)
        digest = await registered(made, "1", anonymous=False)

        await tidy(made.world)

        assert await versions(made) == ["1"]
        assert is_kept(made, digest)

    asyncio.run(story())


def test_the_newest_unused_ones_stay(tmp_path: Path) -> None:
    async def story() -> None:
        made = bench(tmp_path, kept=2)
        for version in ("1", "2", "3", "4"):
            await registered(made, version, anonymous=True)

        await tidy(made.world)

        assert await versions(made) == ["4", "3"]

    asyncio.run(story())


def test_two_versions_of_the_same_content_keep_it_while_one_is_named(tmp_path: Path) -> None:
    async def story() -> None:
        made = bench(tmp_path)
        digest = await registered(made, "same", anonymous=False)
        key = AssetKey("codes", "extra", "copy")
        asset = await made.store.asset(AssetKey("codes", "extra", "same"))
        assert asset is not None
        await made.store.commit(PutAsset(replace(asset, key=key, is_anonymous=True)))

        await tidy(made.world)

        assert await versions(made) == ["same"]
        assert is_kept(made, digest)

    asyncio.run(story())


@pytest.mark.azure(76)
def test_what_a_deployment_is_made_of_stays_until_it_is_gone(tmp_path: Path) -> None:
    async def story() -> None:
        made = bench(tmp_path)
        await made.serving(blue=0)
        bundle = (await made.state()).record.bundle

        await tidy(made.world)
        kept = is_kept(made, bundle.code), made.environments.state(bundle.recipe)
        await deployments.delete_deployment(made.world, "credit", "blue")
        await made.settle()
        await tidy(made.world)

        assert kept[0]
        assert isinstance(kept[1], Built)
        assert isinstance(made.environments.state(bundle.recipe), Missing)

    asyncio.run(story())


@pytest.mark.azure(67, 76)
def test_what_serves_on_after_a_failed_update_stays(tmp_path: Path) -> None:
    async def story() -> None:
        made = bench(tmp_path)
        await made.serving(blue=100)
        good = (await made.state()).record.bundle
        made.compute.behave = lambda i, _: (
            Behaviour() if i.revision == good.revision else NEVER_READY
        )
        spec = await made.spec("blue", version="2", conda=OTHER_CONDA)
        await deployments.put_deployment(made.world, spec)
        await made.settle()

        await tidy(made.world)

        assert is_kept(made, good.code)
        assert isinstance(made.environments.state(good.recipe), Built)
        (only,) = made.compute.world.bodies
        made.compute.crash(only)
        await made.settle()
        assert await made.phases() == {"blue-0": "ready"}

    asyncio.run(story())


def test_tidying_twice_changes_nothing_more(tmp_path: Path) -> None:
    async def story() -> None:
        made = bench(tmp_path, kept=1)
        await made.serving(blue=100)
        for version in ("7", "8", "9"):
            await registered(made, version, anonymous=True)

        await tidy(made.world)
        once = await versions(made)
        await tidy(made.world)

        assert await versions(made) == once == ["9"]

    asyncio.run(story())


def test_users_of_an_environment_are_the_endpoints_that_deploy_it(tmp_path: Path) -> None:
    async def story() -> None:
        made = bench(tmp_path)
        await made.serving(blue=100, green=0)
        await made.create_endpoint("other")
        recipe = (await made.state()).record.bundle.recipe

        assert await users(made.world, recipe) == ("credit",)
        assert await users(made.world, Recipe("unknown")) == ()

    asyncio.run(story())


def test_an_anonymous_environment_that_nobody_uses_goes_too(tmp_path: Path) -> None:
    async def story() -> None:
        made = bench(tmp_path)
        key = AssetKey("environments", "CliV2AnonymousEnvironment", "1")
        properties = {"image": "an/image", "isAnonymous": True}
        await assets.register_described(made.world, key, properties)

        await tidy(made.world)

        assert await made.store.assets("environments") == ()

    asyncio.run(story())


def test_users_of_an_environment_include_those_that_fell_back_to_it(tmp_path: Path) -> None:
    async def story() -> None:
        made = bench(tmp_path)
        await made.serving(blue=100)
        good = (await made.state()).record.bundle
        made.compute.behave = lambda i, _: (
            Behaviour() if i.revision == good.revision else NEVER_READY
        )
        spec = await made.spec("blue", version="2", conda=OTHER_CONDA)
        await deployments.put_deployment(made.world, spec)
        await made.settle()

        assert await users(made.world, good.recipe) == ("credit",)

    asyncio.run(story())


class OutOfOrder(MemoryStore):
    """A store whose disk is full the first time somebody asks."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.asked_again = asyncio.Event()

    async def endpoints(
        self, *, skip: int = 0, most: int | None = None
    ) -> tuple[EndpointState, ...]:
        self.asked += 1
        if self.asked == 1:
            raise Fatal("the database cannot be read or written: disk I/O error")
        self.asked_again.set()
        return await super().endpoints(skip=skip, most=most)


async def goes_on(work: Coroutine[None, None, None], again: asyncio.Event) -> bool:
    """Whether `work` comes again after its failure."""
    task = asyncio.create_task(work)
    waiting = asyncio.create_task(again.wait())
    await asyncio.wait({task, waiting}, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    is_alive = waiting.done() and not task.done()
    for each in (task, waiting):
        each.cancel()
    await asyncio.gather(task, waiting, return_exceptions=True)
    return is_alive


def test_a_failed_tidying_is_tried_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        made = bench(tmp_path)
        store = OutOfOrder()
        made.world = replace(made.world, store=store)

        assert await goes_on(app._tidy_hourly(made.world), store.asked_again)

    monkeypatch.setattr(app, "TIDY_SECONDS", 0.0)
    asyncio.run(story())


def test_a_failed_look_for_users_does_not_end_the_looking(tmp_path: Path) -> None:
    async def story() -> None:
        made = bench(tmp_path)
        store = OutOfOrder()
        made.world = replace(made.world, store=store)
        built: asyncio.Queue[Recipe] = asyncio.Queue()
        for _ in range(2):
            built.put_nowait(Recipe("an/image"))

        assert await goes_on(app._wake_users(made.world, built), store.asked_again)

    asyncio.run(story())


def test_uploads_to_the_datastore_stay_while_an_asset_names_them(tmp_path: Path) -> None:
    async def story() -> None:
        made = bench(tmp_path)
        blobs, box = made.world.blobs, DEFAULT_CONTAINER
        for name in ("named", "nobodys"):
            place = Place(box, f"LocalUpload/{name}/model.pkl")
            await blobs.write(place, once(b"w"), metadata={})
        uri = "azureml://datastores/workspaceblobstore/paths/LocalUpload/named/model.pkl"
        place = Place(box, "LocalUpload/named/model.pkl")
        key = AssetKey("models", "m", "1")
        await assets.register_stored(made.world, key, {"modelUri": uri}, place)
        made.clock.advance(time.time() + 2 * 24 * 3600.0 - made.clock.now())

        await tidy(made.world)

        assert [blob.path for blob in await blobs.list(box, "")] == [place.path]

    asyncio.run(story())


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data
