"""What local endpoints rely on, held by our local engine and by a real container engine alike."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import httpx
import pytest
from tests.contract.engine_worlds import World, our_world, packed, real_world
from tests.e2e.system import eventually

from verdazul.client.engine import Container, Engine
from verdazul.model.errors import Conflict, NotFound, UserError

pytestmark = pytest.mark.e2e
LABELS = {"contract": "", "endpoint": "credit", "endpoint-data": '{"name": "credit = 1"}'}
_WORLDS = {"processes": our_world, "containers": real_world}


@pytest.fixture(scope="module", params=list(_WORLDS))
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with _WORLDS[request.param]() as world:
        for kind in ("serves", "fails"):
            context = world.context(kind)
            list(world.engine.build([context], tag=f"contract:{kind}", dockerfile="Dockerfile"))
        yield world


@pytest.fixture
def engine(world: World) -> Iterator[Engine]:
    yield world.engine
    for container in world.engine.containers(["contract"]):
        world.engine.remove(container.id)


def create(world: World, name: str, kind: str = "serves", **labels: str) -> str:
    return world.engine.create(name, world.body(kind, {**LABELS, **labels}))[0]


def seen(engine: Engine, name: str) -> Container:
    found = engine.inspect(name)
    assert found
    return found


def answers(port: int | None) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/", timeout=5).is_success
    return False


def test_it_says_which_api_it_speaks(engine: Engine) -> None:
    assert engine.version()["ApiVersion"] >= "1.4"


def test_a_build_is_told_and_leaves_an_image(world: World, engine: Engine) -> None:
    context = world.context("serves")

    told = list(engine.build([context], tag="contract:serves", dockerfile="Dockerfile"))

    assert any("FROM" in line for line in told)
    assert engine.has_image("contract:serves")
    assert not engine.has_image("contract:never")


def test_a_container_is_created_started_stopped_and_started_again(
    world: World, engine: Engine
) -> None:
    id_ = create(world, "contract.life")
    created = seen(engine, id_)
    assert (created.id, created.name, created.status) == (id_, "contract.life", "created")

    engine.start("contract.life")
    running = seen(engine, "contract.life")
    assert running.status == "running"
    eventually(lambda: answers(running.published("5001")))

    engine.stop("contract.life")
    stopped = seen(engine, "contract.life")
    assert stopped.has_ended
    assert not stopped.published("5001")

    engine.start("contract.life")
    eventually(lambda: answers(seen(engine, "contract.life").published("5001")))


def test_what_ends_by_itself_is_exited(world: World, engine: Engine) -> None:
    create(world, "contract.fails", "fails")

    engine.start("contract.fails")

    eventually(lambda: seen(engine, "contract.fails").has_ended)


def test_starting_twice_and_stopping_twice_are_fine(world: World, engine: Engine) -> None:
    create(world, "contract.twice")

    for act in (engine.start, engine.start, engine.stop, engine.stop):
        act("contract.twice")

    assert seen(engine, "contract.twice").has_ended


@pytest.mark.usefixtures("engine")
def test_a_name_is_taken_once(world: World) -> None:
    create(world, "contract.same")

    with pytest.raises(Conflict, match="already in use"):
        create(world, "contract.same")


def test_a_running_container_is_removed(world: World, engine: Engine) -> None:
    create(world, "contract.gone")
    engine.start("contract.gone")

    engine.remove("contract.gone")

    assert engine.inspect("contract.gone") is None
    engine.remove("contract.gone")


def test_containers_are_found_by_labels_the_newest_first(world: World, engine: Engine) -> None:
    create(world, "contract.blue", deployment="blue")
    create(world, "contract.green", deployment="green")
    create(world, "contract.other", endpoint="other")

    credit = engine.containers(["contract", "endpoint=credit"])
    green = engine.containers(["endpoint=credit", "deployment=green"])

    assert {container.name for container in credit} == {"contract.blue", "contract.green"}
    assert [container.labels["endpoint-data"] for container in green] == [LABELS["endpoint-data"]]
    assert not engine.containers(["contract=something"])


def test_what_is_not_there_is_named(world: World, engine: Engine) -> None:
    with pytest.raises(NotFound, match=r"contract\.never"):
        engine.start("contract.never")
    with pytest.raises(NotFound, match=r"[Nn]o such image"):
        engine.create("contract.x", {**world.body("serves", {}), "Image": "contract:never"})


def test_a_broken_dockerfile_is_refused(engine: Engine) -> None:
    context = packed({"Dockerfile": "FROM scratch\nNONSENSE here\n"})

    with pytest.raises(UserError, match="NONSENSE") as caught:
        list(engine.build([context], tag="contract:broken", dockerfile="Dockerfile"))

    assert caught.value.problem.code == "LocalEndpointImageBuildError"


def test_a_context_without_the_dockerfile_is_refused(engine: Engine) -> None:
    with pytest.raises(UserError, match="Dockerfile"):
        list(engine.build([packed({"a": "b"})], tag="contract:no", dockerfile="Dockerfile"))


def test_the_end_of_its_log_can_be_read(world: World, engine: Engine) -> None:
    create(world, "contract.logs")
    engine.start("contract.logs")
    eventually(lambda: answers(seen(engine, "contract.logs").published("5001")))

    lines = engine.logs(seen(engine, "contract.logs"), tail=1).splitlines()

    assert len(lines) <= 1
