"""Assets through the control plane: what a reference means is settled when it is declared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.control.bench import CONDA, Bench
from verdazul.compute.fake import Behaviour
from verdazul.control import assets, deployments
from verdazul.control.resolve import resolve
from verdazul.core.changes import ForgetAsset
from verdazul.core.environment import Recipe
from verdazul.core.records import Asset, AssetKey
from verdazul.model.deployment import DeploymentSpec, ProbeSettings
from verdazul.model.errors import Conflict, NotFound, UserError

REGISTRY = "azureml://registries/azureml/environments/sklearn-1.5/labels/latest"


async def registered(
    bench: Bench,
    key: AssetKey,
    text: str = "x",
    *,
    tree_hash: str = "",
    properties: Mapping[str, Any] | None = None,
) -> Asset:
    async def chunks() -> AsyncIterator[bytes]:
        yield text.encode()

    upload = bench.world.uploads.begin()
    await bench.world.uploads.write(upload, "file", chunks())
    bench.clock.advance(1.0)
    done = await assets.register_upload(
        bench.world, key, properties or {}, upload=upload, tree_hash=tree_hash
    )
    return done.asset


async def changed(bench: Bench, **fields: Any) -> DeploymentSpec:
    return (await bench.spec()).model_copy(update=fields)


def test_the_same_files_are_kept_once() -> None:
    async def story() -> None:
        bench = Bench()

        one = await registered(bench, AssetKey("codes", "code", "1"), "same")
        two = await registered(bench, AssetKey("models", "model", "1"), "same")

        assert one.digest == two.digest

    asyncio.run(story())


def test_a_known_hash_needs_no_upload() -> None:
    async def story() -> None:
        bench = Bench()
        key = AssetKey("codes", "code", "1")
        first = await registered(bench, key, tree_hash="feed")

        again = await assets.register_upload(
            bench.world, key, {}, upload="not needed", tree_hash="feed"
        )

        assert again == assets.Registered(first, is_new=False)

    asyncio.run(story())


def test_an_upload_that_is_unknown_is_not_found() -> None:
    async def story() -> None:
        bench = Bench()
        for upload in ("", "0" * 32, "..", "../.."):
            with pytest.raises(NotFound) as caught:
                await assets.register_upload(
                    bench.world, AssetKey("codes", "c", "1"), {}, upload=upload, tree_hash=""
                )
            assert caught.value.problem.code == "UploadNotFound"

    asyncio.run(story())


def test_files_that_are_not_what_was_announced_are_refused() -> None:
    async def story() -> None:
        bench = Bench()
        properties = {"properties": {"hash_version": "verdazul-tree-1", "hash_sha256": "feed"}}

        with pytest.raises(UserError) as caught:
            await registered(
                bench, AssetKey("codes", "c", "1"), tree_hash="feed", properties=properties
            )

        assert caught.value.problem.code == "UploadIncomplete"
        assert await bench.store.assets("codes") == ()

    asyncio.run(story())


def test_a_version_never_gets_other_content() -> None:
    async def story() -> None:
        bench = Bench()
        key = AssetKey("codes", "code", "1")
        first = await registered(bench, key, "one")

        with pytest.raises(Conflict) as caught:
            await registered(bench, key, "two")

        assert caught.value.problem.code == "AssetVersionExists"
        assert await assets.existing_asset(bench.world, key) == first

    asyncio.run(story())


# -- resolving


def test_a_bundle_holds_content_not_references() -> None:
    async def story() -> None:
        bench = Bench()
        model = await registered(bench, AssetKey("models", "credit", "3"), "weights")
        spec = await changed(
            bench,
            model="azureml:credit:3",
            environment_variables={"B": "2", "A": "1"},
            readiness_probe=ProbeSettings(period=7),
        )

        bundle = await resolve(bench.world, spec)

        assert bundle.model is not None
        assert (bundle.model.digest, bundle.model.name, bundle.model.version) == (
            model.digest,
            "credit",
            "3",
        )
        assert bundle.code.startswith("sha256:")
        assert bundle.recipe == Recipe("mcr.microsoft.com/azureml/base", CONDA)
        assert bundle.variables == (("A", "1"), ("B", "2"))
        assert bundle.readiness.period == 7
        assert bundle.liveness.period == 10

    asyncio.run(story())


@pytest.mark.azure(56)
def test_latest_is_the_newest_registered_when_it_was_declared() -> None:
    async def story() -> None:
        bench = Bench()
        for version in ("2", "10", "1"):
            await registered(bench, AssetKey("models", "credit", version), version)
        spec = await changed(bench, model="azureml:credit@latest")

        before = await resolve(bench.world, spec)
        await registered(bench, AssetKey("models", "credit", "11"), "11")
        after = await resolve(bench.world, spec)

        assert before.model is not None
        assert after.model is not None
        assert (before.model.version, after.model.version) == ("1", "11")
        assert before.revision != after.revision

    asyncio.run(story())


@pytest.mark.azure(76)
def test_a_running_deployment_does_not_feel_what_happens_to_its_assets() -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        before = (await bench.state()).record.bundle
        for kind, name in (("codes", "code"), ("environments", "env")):
            await bench.store.commit(ForgetAsset(AssetKey(kind, name, "1")))

        (only,) = bench.compute.world.bodies
        bench.compute.crash(only)
        await bench.settle()

        assert (await bench.state()).record.bundle == before
        assert await bench.phases() == {"blue-0": "ready"}

    asyncio.run(story())


def test_an_image_of_a_registry_is_taken_by_its_name() -> None:
    async def story() -> None:
        bench = Bench()

        bundle = await resolve(bench.world, await changed(bench, environment=REGISTRY))

        assert bundle.recipe == Recipe(REGISTRY)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": "azureml:nobody:1"}, "models/nobody version 1 does not exist"),
        ({"model": "azureml:nobody@latest"}, 'models has no "nobody"'),
        ({"environment": "azureml:nobody:1"}, "environments/nobody version 1 does not exist"),
    ],
)
def test_an_asset_that_is_not_there_is_not_found(fields: dict[str, str], said: str) -> None:
    async def story() -> None:
        bench = Bench()
        await bench.create_endpoint()

        with pytest.raises(NotFound) as caught:
            await deployments.put_deployment(bench.world, await changed(bench, **fields))

        assert caught.value.problem.message == said
        assert await bench.store.deployments("credit") == ()

    asyncio.run(story())


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "azureml:credit@production"},
        {"model": "azureml://registries/azureml/models/m/versions/1"},
        {"environment": None},
        {"code_configuration": None},
    ],
)
def test_what_cannot_be_used_is_refused(fields: dict[str, object]) -> None:
    async def story() -> None:
        bench = Bench()
        await registered(bench, AssetKey("models", "credit", "1"))

        with pytest.raises(UserError):
            await resolve(bench.world, await changed(bench, **fields))

    asyncio.run(story())


def test_an_environment_is_new_once() -> None:
    async def story() -> None:
        bench = Bench()
        key = AssetKey("environments", "env", "1")
        properties = {"image": "an/image", "condaFile": CONDA}

        first = await assets.register_described(bench.world, key, properties)
        bench.clock.advance(1.0)
        again = await assets.register_described(bench.world, key, properties)

        assert (first.is_new, again.is_new) == (True, False)
        assert again.asset == replace(first.asset, modified_at=bench.clock.now())

    asyncio.run(story())


@pytest.mark.azure(76)
@pytest.mark.parametrize("kind", ["codes", "environments"])
def test_an_asset_of_a_deployment_is_not_deleted_also_when_only_fallen_back_to(kind: str) -> None:
    async def story() -> None:
        bench = Bench()
        await bench.serving(blue=100)
        key = AssetKey(kind, {"codes": "code", "environments": "env"}[kind], "1")
        good = (await bench.state()).record.bundle.revision
        bench.compute.behave = lambda instance, _: (
            Behaviour() if instance.revision == good else Behaviour(ready_after=None, exit_after=1)
        )
        spec = await bench.spec(version="2", conda=CONDA.replace("joblib", "numpy"))
        await deployments.put_deployment(bench.world, spec)
        await bench.settle()

        with pytest.raises(Conflict, match="is used by deployment") as caught:
            await assets.delete_asset(bench.world, key)

        assert caught.value.problem.code == "AssetInUse"
        assert await bench.store.asset(key) is not None
        await bench.traffic()
        await deployments.delete_deployment(bench.world, "credit", "blue")
        await bench.settle()
        assert await assets.delete_asset(bench.world, key)

    asyncio.run(story())
