"""A whole control plane that anything may happen to, and what must hold when it is left alone.

Use cases and looks are the real ones; compute, gateway, environments and time are moved by hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from dataclasses import replace
from pathlib import Path

from tests.control.bench import CONDA, Bench
from verdazul.compute.fake import Behaviour, FakeCompute
from verdazul.control import assets, credentials, deployments, endpoints
from verdazul.control.loop import Gone, LookAgain
from verdazul.control.reconcile import reconcile
from verdazul.control.resolve import resolve
from verdazul.control.world import surroundings
from verdazul.core.environment import Building, Built, Recipe
from verdazul.core.instance import Instance, InstanceId, Phase
from verdazul.core.records import (
    AssetKey,
    DeploymentState,
    EndpointRecord,
    Operation,
    OperationKind,
    OperationState,
)
from verdazul.core.revision import Bundle
from verdazul.core.route import route, weight_of
from verdazul.environments.fake import FakeEnvironments
from verdazul.gateway.fake import FakeDataPlane
from verdazul.model.deployment import DeploymentSpec
from verdazul.model.endpoint import EndpointSpec
from verdazul.model.errors import Problem, Retryable, UserError
from verdazul.model.status import ProvisioningState
from verdazul.settings import Settings
from verdazul.store.memory import MemoryStore

NAMES = ("credit", "Fraud")
DEPLOYMENTS = ("blue", "Green")
VERSIONS = ("1", "2", "bad")
CONDAS = (CONDA, CONDA.replace("joblib", "numpy"))
RESYNC_SECONDS = 10.0
LONGEST_SECONDS = 3000.0
NEVER_READY = Behaviour(ready_after=None, exit_after=0.3, exit_code=3)


class Witness(FakeCompute):
    """Sees that no instance is stopped while a request may still be sent to it."""

    gateway: FakeDataPlane

    async def stop(self, instance: InstanceId) -> None:
        """Stop it, unless that loses requests."""
        assert str(instance) not in self.gateway.routed(instance.endpoint), "stopped while routed"
        await super().stop(instance)


class YieldingStore(MemoryStore):
    """Lets everybody else have a turn before each answer, as a disk does."""

    def __getattribute__(self, name: str) -> object:
        found = object.__getattribute__(self, name)
        if name.startswith("_") or not asyncio.iscoroutinefunction(found):
            return found

        async def later(*values: object, **named: object) -> object:
            await asyncio.sleep(0)
            return await found(*values, **named)

        return later


class Simulation:
    """Hands to move the world with, and eyes that see whether it is as declared."""

    def __init__(self, home: Path, *, store: MemoryStore | None = None) -> None:
        self.bench = Bench(
            store=store or MemoryStore(),
            environments=FakeEnvironments(is_instant=False),
            settings=Settings(home=home),
        )
        self.versions: dict[str, str] = {}
        self.stop_seconds = 0.5
        self.outcomes: dict[str, Operation] = {}
        self.last_good: dict[str, Bundle] = {}
        self._watch()

    def _watch(self) -> None:
        compute = Witness(self.bench.clock, world=self.bench.compute.world, behave=self.behave)
        compute.gateway = self.bench.gateway
        self.bench.compute = compute
        self.bench.world = replace(self.bench.world, compute=compute)

    def behave(self, instance: InstanceId, attempt: int) -> Behaviour:
        """Code of version `bad` never becomes ready."""
        del attempt
        bad = self.versions[instance.revision] == "bad"
        return replace(NEVER_READY if bad else Behaviour(), stop_seconds=self.stop_seconds)

    async def prepare(self) -> None:
        """Register all code and environments there will be."""
        for version in VERSIONS:
            upload = self.bench.world.uploads.begin()
            await self.bench.world.uploads.write(upload, "score.py", _once(version))
            key = AssetKey("codes", "code", version)
            await assets.register_upload(self.bench.world, key, {}, upload=upload, tree_hash="")
        for number, conda in enumerate(CONDAS):
            key = AssetKey("environments", "env", str(number))
            properties = {"image": "an/image", "condaFile": conda}
            await assets.register_described(self.bench.world, key, properties)

    # -- what people do; refusals are answers

    async def create(self, name: str) -> None:
        """Declare an endpoint, or take its traffic away."""
        await _asked(endpoints.put_endpoint(self.bench.world, EndpointSpec(name=name)))

    async def split(self, name: str, shares: Iterable[tuple[str, int]]) -> None:
        """Change its traffic."""
        spec = EndpointSpec(name=name, traffic=dict(shares))
        await _asked(endpoints.put_endpoint(self.bench.world, spec))

    async def delete(self, name: str) -> None:
        """Delete an endpoint."""
        await _asked(endpoints.delete_endpoint(self.bench.world, name))

    async def renew(self, name: str) -> None:
        """Make a new key."""
        await _asked(credentials.regenerate_key(self.bench.world, name, primary=True))

    async def deploy(
        self, endpoint: str, name: str, count: int = 1, version: str = "1", conda: int = 0
    ) -> None:
        """Declare a deployment, new or changed."""
        spec = DeploymentSpec.model_validate(
            {
                "name": name,
                "endpoint_name": endpoint,
                "code_configuration": {
                    "code": f"azureml:code:{version}",
                    "scoring_script": "score.py",
                },
                "environment": f"azureml:env:{conda}",
                "instance_type": "Standard_DS3_v2",
                "instance_count": count,
            }
        )
        bundle = await resolve(self.bench.world, spec)
        self.versions[bundle.revision] = version
        await _asked(deployments.put_deployment(self.bench.world, spec))

    async def undeploy(self, endpoint: str, name: str) -> None:
        """Delete a deployment."""
        await _asked(deployments.delete_deployment(self.bench.world, endpoint, name))

    # -- what the world does; `which` counts round and round

    async def crash(self, which: int) -> None:
        """A process dies."""
        if running := self._running():
            self.bench.compute.crash(running[which % len(running)])

    async def hang(self, which: int) -> None:
        """A process answers no probe any more."""
        if running := self._running():
            self.bench.compute.hang(running[which % len(running)])

    async def linger(self, seconds: float) -> None:
        """What starts from now on holds streams for so long after it was told to go."""
        self.stop_seconds = seconds

    async def refuse_starts(self, why: str | None) -> None:
        """The machine starts nothing any more (None: again)."""
        self.bench.compute.refuse(why)

    async def silence(self, is_silent: bool) -> None:  # noqa: FBT001 - steps have no keywords
        """The gateway answers nothing any more."""
        self.bench.gateway.silent = is_silent

    async def refuse_routes(self, why: str) -> None:
        """The gateway takes no configuration any more ("": again)."""
        self.bench.gateway.refusal = why

    async def finish_build(self, which: int) -> None:
        """An environment is there."""
        if building := self._environments(Building):
            self.bench.environments.finish(building[which % len(building)])

    async def fail_build(self, which: int) -> None:
        """The build of an environment ends badly."""
        if building := self._environments(Building):
            problem = Problem("x", "no version of numpi exists")
            self.bench.environments.fail(building[which % len(building)], problem)

    async def lose_environment(self, which: int) -> None:
        """Somebody deletes one from the disk."""
        if built := self._environments(Built):
            self.bench.environments.lose(built[which % len(built)])

    def _running(self) -> list[InstanceId]:
        self.bench.compute.tick()
        bodies = self.bench.compute.world.bodies.values()
        return sorted(body.id for body in bodies if body.exited is None)

    def _environments(self, kind: type[Building | Built]) -> list[Recipe]:
        known = self.bench.environments._states.items()
        return sorted((recipe for recipe, state in known if isinstance(state, kind)), key=str)

    # -- what we do

    async def pass_time(self, seconds: float) -> None:
        """Nobody looks for so long."""
        self.bench.clock.advance(seconds)

    async def look_often(self, name: str, times: int) -> None:
        """So many looks, each after a while."""
        for _ in range(times):
            record = await self.bench.store.endpoint(name)
            await self.look(record.name if record else name)
            self.bench.clock.advance(0.6)

    async def restart(self) -> None:
        """The control plane dies and another one starts; the world does not notice."""
        before = self.bench.gateway
        self.bench = self.bench.restart_control_plane()
        self.bench.gateway.silent, self.bench.gateway.refusal = before.silent, before.refusal
        self._watch()

    async def look(self, name: str) -> LookAgain | Gone:
        """One look of the loop; what cannot be done now is tried again soon."""
        try:
            result = await reconcile(self.bench.world, name)
        except Retryable:
            result = LookAgain(self.bench.clock.now() + 0.5)
        await self._remember(name)
        for operation in self._ended_just_now():
            await self._check_promise(operation)
        return result

    async def serving(self, name: str, *shares: tuple[str, int]) -> None:
        """An endpoint with deployments that take these shares, and everything at rest."""
        await self.create(name)
        await self.settle()
        for deployment, _ in shares:
            await self.deploy(name, deployment, 2)
        await self.settle()
        await self.split(name, shares)
        await self.settle()

    async def names(self) -> list[str]:
        """All endpoints that anything is known of, once in any spelling."""
        world = self.bench.world
        declared = {record.name for record in await world.store.endpoints()}
        known = declared | await world.compute.endpoints() | world.gateway.endpoints()
        return list({name.lower(): name for name in sorted(known)}.values())

    # -- left alone

    def be_kind(self) -> None:
        """From now on everything outside of us works."""
        self.bench.gateway.silent, self.bench.gateway.refusal = False, ""
        self.bench.compute.refuse(None)
        for instance in self._running():
            self.bench.compute.recover(instance)

    async def settle(self) -> None:
        """Let time pass kindly until nothing is planned any more, or very long."""
        self.be_kind()
        until = self.bench.clock.now() + LONGEST_SECONDS
        is_quiet = False
        while self.bench.clock.now() < until:
            looks = [await self.look(name) for name in await self.names()]
            for recipe in self._environments(Building):
                self.bench.environments.finish(recipe)
                looks.append(LookAgain(self.bench.clock.now()))
            due = [look.at for look in looks if isinstance(look, LookAgain)]
            times = [at for at in (*due, self.bench.compute.next_change()) if at is not None]
            if not times and is_quiet:
                return
            is_quiet = not times
            pause = min(times) - self.bench.clock.now() if times else RESYNC_SECONDS
            self.bench.clock.advance(max(0.01, pause))

    async def rest(self) -> None:
        """Left alone, the world becomes what was declared."""
        await self.settle()
        self.check_outcomes()
        await self.check_settled()

    # -- what must hold

    def check_outcomes(self) -> None:
        """An operation that ended stays as it ended."""
        for number, ended in self.outcomes.items():
            assert self.bench.store._tables.operations[number] == ended

    def _ended_just_now(self) -> list[Operation]:
        known = self.bench.store._tables.operations
        ended = [o for o in known.values() if o.state is not OperationState.IN_PROGRESS]
        fresh = [o for o in ended if o.id not in self.outcomes]
        self.outcomes.update({operation.id: operation for operation in fresh})
        return fresh

    async def _remember(self, endpoint: str) -> None:
        """What was told to serve is what has to serve on when a later change fails."""
        for state in await self.bench.store.deployments(endpoint):
            status, record = state.status, state.record
            is_told = status is not None and status.observed_generation == record.generation
            if is_told and status and status.state is ProvisioningState.SUCCEEDED:
                self.last_good[record.uid] = record.bundle

    async def _check_promise(self, operation: Operation) -> None:
        """What an operation that just succeeded says is true of the world at this moment."""
        if operation.state is not OperationState.SUCCEEDED:
            return
        record = await self.bench.store.endpoint(operation.endpoint)
        seen = await self.bench.compute.observe(operation.endpoint)
        mine = [i for i in seen if i.id.deployment == operation.deployment]
        published = self.bench.gateway.published(operation.endpoint)
        if operation.kind is OperationKind.DELETE:
            assert not mine if operation.deployment else record is None and not seen
        elif not operation.deployment:
            assert record is not None
            assert published is not None
            weights = {each.name: each.weight for each in published.deployments}
            assert published.key_digests == record.key_digests
            assert weights == {name: weight_of(record, name) for name in weights}
        else:
            state = await self.bench.store.deployment(operation.endpoint, operation.deployment)
            assert state is not None
            assert published is not None
            (each,) = [d for d in published.deployments if d.name == operation.deployment]
            revisions = [InstanceId.parse(b.instance).revision for b in each.backends]
            assert set(revisions) == {state.record.bundle.revision}
            assert len(revisions) >= state.record.spec.instance_count

    async def check_settled(self) -> None:
        """The world is what was declared, and nothing is left of what was not."""
        store, gateway = self.bench.store, self.bench.gateway
        operations = store._tables.operations.values()
        still = [o for o in operations if o.state is OperationState.IN_PROGRESS]
        assert not still, "operations that never ended"
        declared = {record.name for record in await store.endpoints()}
        assert gateway.endpoints() == declared
        assert await self.bench.compute.endpoints() <= declared
        for endpoint in await store.endpoints():
            await self._check_endpoint(endpoint.record)

    async def _check_endpoint(self, record: EndpointRecord) -> None:
        assert not record.deleting
        status = await self.bench.store.endpoint_status(record.name)
        assert status is not None
        assert status.observed_generation == record.generation
        states = await self.bench.store.deployments(record.name)
        seen = await self.bench.compute.observe(record.name)
        known = {state.record.name for state in states}
        assert {instance.id.deployment for instance in seen} <= known, "orphans"
        assert {name.lower() for name in record.spec.traffic} <= {n.lower() for n in known}
        around = surroundings(self.bench.world.settings)
        wanted = route(record, [state.record for state in states], seen, around=around)
        assert self.bench.gateway.published(record.name) == wanted
        for state in states:
            mine = [i for i in seen if i.id.deployment == state.record.name]
            self._check_deployment(state, mine)

    def _check_deployment(self, state: DeploymentState, seen: list[Instance]) -> None:
        record = state.record
        assert not record.deleting
        assert state.status is not None
        assert state.status.observed_generation == record.generation
        assert state.status.state in {ProvisioningState.SUCCEEDED, ProvisioningState.FAILED}
        bundle = self._expected(state)
        ready = [i for i in seen if i.phase is Phase.READY]
        if not isinstance(self.bench.environments.state(bundle.recipe), Built):
            assert len(ready) <= record.spec.instance_count
            return
        if self.versions[bundle.revision] == "bad":
            assert state.status.state is ProvisioningState.FAILED
            assert len(ready) <= record.spec.instance_count  # what served before may serve on
            return
        assert seen == ready, "leftovers"
        assert [i.id.revision for i in ready] == record.spec.instance_count * [bundle.revision]
        assert state.status.ready_instances == record.spec.instance_count

    def _expected(self, state: DeploymentState) -> Bundle:
        assert state.status is not None
        if state.status.state is ProvisioningState.SUCCEEDED:
            return state.record.bundle
        return self.last_good.get(state.record.uid, state.record.bundle)


async def _asked(call: Awaitable[object]) -> None:
    """A refusal is an answer; anything else that is raised is a bug."""
    try:
        await call
    except UserError:
        return


async def _once(text: str) -> AsyncIterator[bytes]:
    yield text.encode()
