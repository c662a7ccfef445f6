"""The whole control plane on a clock moved by hand: real use cases and loop body, honest fakes."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from verdazul.artifacts.accounts import AzureAccounts
from verdazul.artifacts.blobs import FolderBlobs
from verdazul.artifacts.fake import FakeArtifacts
from verdazul.artifacts.registries import FolderRegistries
from verdazul.artifacts.uploads import FolderUploads
from verdazul.compute.fake import FakeCompute, ManualClock
from verdazul.control import assets, deployments, endpoints
from verdazul.control.endpoints import Accepted
from verdazul.control.loop import Gone, LookAgain
from verdazul.control.reconcile import reconcile
from verdazul.control.world import World
from verdazul.core.records import AssetKey, DeploymentState, Operation, OperationState
from verdazul.environments.fake import FakeEnvironments
from verdazul.gateway.fake import FakeDataPlane
from verdazul.identity.fake import FakeIssuers, FakePasswords, FakeSigner, FakeTokens
from verdazul.model.deployment import CodeConfiguration, DeploymentSpec
from verdazul.model.endpoint import EndpointSpec
from verdazul.model.instance_types import known_types
from verdazul.settings import Settings
from verdazul.store.memory import MemoryStore

ADDRESS = "https://localhost:8443"
CONDA = "dependencies:\n- python=3.11\n- pip:\n  - joblib\n"


class CountedIds:
    """Names in order, so that a failing run reads the same each time."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def new(self) -> str:
        return f"id-{next(self._numbers)}"

    def new_key(self) -> str:
        return f"key-{next(self._numbers)}"


class OpenSecrets:
    """Seals by turning text around: enough to see that nobody forgets to open."""

    def seal(self, plain: str) -> str:
        return plain[::-1]

    def open(self, sealed: str) -> str:
        return sealed[::-1]


@dataclass
class Bench:
    """A world and hands to move it with."""

    store: MemoryStore = field(default_factory=MemoryStore)
    clock: ManualClock = field(default_factory=ManualClock)
    environments: FakeEnvironments = field(default_factory=FakeEnvironments)
    gateway: FakeDataPlane = field(default_factory=FakeDataPlane)
    issuers: FakeIssuers = field(default_factory=FakeIssuers)
    signer: FakeSigner = field(default_factory=FakeSigner)
    settings: Settings = field(default_factory=lambda: Settings(home=Path(tempfile.mkdtemp())))
    woken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.compute = FakeCompute(self.clock)
        self.environments.on_change(lambda _: self.woken.add("credit"))
        uploads = FolderUploads(self.settings.home, clock=self.clock)
        uploads.start()
        blobs = FolderBlobs(self.settings.home, uploads, clock=self.clock)
        blobs.start()
        self.world = World(
            store=self.store,
            compute=self.compute,
            gateway=self.gateway,
            environments=self.environments,
            secrets=OpenSecrets(),
            artifacts=FakeArtifacts(),
            registries=FolderRegistries(self.settings.home / self.settings.registries),
            kubernetes_types=partial(
                asyncio.to_thread,
                known_types,
                self.settings.home / self.settings.instance_types_file,
            ),
            uploads=uploads,
            blobs=blobs,
            accounts=AzureAccounts(self.settings.home, clock=self.clock, retries=0),
            clock=self.clock,
            ids=CountedIds(),
            issuers=self.issuers,
            signer=self.signer,
            tokens=FakeTokens(),
            passwords=FakePasswords(),
            settings=self.settings,
            address=ADDRESS,
            wake=self.woken.add,
        )

    async def look(self, endpoint: str = "credit") -> LookAgain | Gone:
        return await reconcile(self.world, endpoint)

    async def settle(self, endpoint: str = "credit", *, seconds: float = 120.0) -> None:
        """Let time pass until nothing is planned any more, or so many seconds are over."""
        until = self.clock.now() + seconds
        while self.clock.now() < until:
            result = await self.look(endpoint)
            if isinstance(result, Gone):
                return
            times = [result.at, self.compute.next_change()]
            due = min((at for at in times if at is not None), default=None)
            if due is None and not self.woken:
                return
            self.woken.clear()
            if due is None:
                continue
            self.clock.advance(max(0.01, due - self.clock.now()))

    async def code(self, version: str = "1", text: str = "def run(x): ...") -> str:
        """Register code; returns its ARM id."""
        upload = self.world.uploads.begin()
        await self.world.uploads.write(upload, "score.py", _once(text.encode()))
        key = AssetKey("codes", "code", version)
        await assets.register_upload(
            self.world, key, {"version": version}, upload=upload, tree_hash=""
        )
        return _id("codes/code", version)

    async def environment(self, version: str = "1", conda: str = CONDA) -> str:
        key = AssetKey("environments", "env", version)
        await assets.register_described(
            self.world, key, {"image": "mcr.microsoft.com/azureml/base", "condaFile": conda}
        )
        return _id("environments/env", version)

    async def spec(
        self,
        name: str = "blue",
        *,
        endpoint: str = "credit",
        count: int = 1,
        version: str = "1",
        conda: str = CONDA,
    ) -> DeploymentSpec:
        return DeploymentSpec(
            name=name,
            endpoint_name=endpoint,
            code_configuration=CodeConfiguration(
                code=await self.code(version, f"# {version}\ndef run(x): ..."),
                scoring_script="score.py",
            ),
            environment=await self.environment(version, conda),
            instance_type="Standard_DS3_v2",
            instance_count=count,
        )

    async def create_endpoint(self, name: str = "credit") -> Accepted:
        return await endpoints.put_endpoint(self.world, EndpointSpec(name=name))

    async def traffic(self, **shares: int) -> Accepted:
        spec = EndpointSpec(name="credit", traffic=shares)
        return await endpoints.put_endpoint(self.world, spec)

    async def deploy(self, name: str = "blue", *, count: int = 1, version: str = "1") -> Accepted:
        spec = await self.spec(name, count=count, version=version)
        return await deployments.put_deployment(self.world, spec)

    async def serving(self, **shares: int) -> None:
        """An endpoint with one-instance deployments that take these shares."""
        await self.create_endpoint()
        await self.settle()
        for name in shares:
            await self.deploy(name)
            await self.settle()
        await self.traffic(**shares)
        await self.settle()

    async def ended(self, accepted: Accepted) -> Operation:
        operation = await self.store.operation(accepted.operation.id)
        assert operation is not None
        assert operation.state is not OperationState.IN_PROGRESS, operation
        return operation

    async def state(self, name: str = "blue") -> DeploymentState:
        state = await self.store.deployment("credit", name)
        assert state is not None
        return state

    async def phases(self) -> dict[str, str]:
        seen = await self.compute.observe("credit")
        return {f"{i.id.deployment}-{i.id.ordinal}": i.phase.value for i in seen}

    def restart_control_plane(self) -> Bench:
        """A new control plane on what is stored, runs and is routed to."""
        after = replace(self, gateway=FakeDataPlane(self.gateway.state))
        after.compute = FakeCompute(
            self.clock, world=self.compute.world, behave=self.compute.behave
        )
        after.world = replace(
            self.world, compute=after.compute, gateway=after.gateway, wake=after.woken.add
        )
        return after


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _id(path: str, version: str) -> str:
    settings = Settings()
    return (
        f"/subscriptions/{settings.subscription}/resourceGroups/{settings.resource_group}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{settings.workspace}"
        f"/{path}/versions/{version}"
    )
