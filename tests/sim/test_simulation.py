"""Anything happens, in any order: people change their minds, parts fail, the control plane dies.

While it happens no instance is stopped that may still be sent a request, and no outcome changes
after it was told. Left alone the world becomes exactly what is declared.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.sim.simulation import CONDAS, DEPLOYMENTS, NAMES, VERSIONS, Simulation

names = st.sampled_from([*(3 * [NAMES[0]]), NAMES[1]])
spellings = st.sampled_from([*(3 * [NAMES[0]]), "CREDIT", NAMES[1]])
deployments = st.sampled_from([*DEPLOYMENTS, "BLUE"])
splits = st.sampled_from(
    [
        [("blue", 100)],
        [("green", 100)],
        [("BLUE", 90), ("green", 10)],
        [("blue", 0), ("green", 0)],
        [],
    ]
)


class ControlPlane(RuleBasedStateMachine):
    """Rules are what people do, what the world does, and looks of the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.mkdtemp()
        self.runner = asyncio.Runner()
        self.sim = Simulation(Path(self.home))
        self.run(self.sim.prepare())

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.runner.run(work)

    def teardown(self) -> None:
        try:
            self.run(self._left_alone())
        finally:
            self.runner.close()
            shutil.rmtree(self.home)

    async def _left_alone(self) -> None:
        await self.sim.settle()
        self.sim.check_outcomes()
        await self.sim.check_settled()

    # -- people

    @initialize(shares=st.sampled_from([[], [("blue", 100)], [("blue", 90), ("Green", 10)]]))
    def begin(self, shares: list[tuple[str, int]]) -> None:
        self.run(self.sim.serving(NAMES[0], *shares))

    @rule(name=names)
    def create_endpoint(self, name: str) -> None:
        self.run(self.sim.create(name))

    @rule(name=spellings, shares=splits)
    def split_traffic(self, name: str, shares: list[tuple[str, int]]) -> None:
        self.run(self.sim.split(name, *shares))

    @rule(name=spellings)
    def renew_key(self, name: str) -> None:
        self.run(self.sim.renew(name))

    @rule(name=spellings)
    def delete_endpoint(self, name: str) -> None:
        self.run(self.sim.delete(name))

    @rule(
        endpoint=spellings,
        name=deployments,
        count=st.integers(1, 3),
        version=st.sampled_from([*VERSIONS, "1"]),
        conda=st.integers(0, len(CONDAS) - 1),
    )
    def deploy(self, endpoint: str, name: str, count: int, version: str, conda: int) -> None:
        self.run(self.sim.deploy(endpoint, name, count=count, version=version, conda=conda))

    @rule(endpoint=spellings, name=deployments)
    def delete_deployment(self, endpoint: str, name: str) -> None:
        self.run(self.sim.undeploy(endpoint, name))

    # -- the world

    @precondition(lambda self: self.sim.running())
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        self.sim.bench.compute.crash(data.draw(st.sampled_from(self.sim.running())))

    @precondition(lambda self: self.sim.running())
    @rule(data=st.data())
    def hang(self, data: st.DataObject) -> None:
        self.sim.bench.compute.hang(data.draw(st.sampled_from(self.sim.running())))

    @rule(why=st.sampled_from([None, "no processes left"]))
    def refuse_starts(self, why: str | None) -> None:
        self.sim.bench.compute.refuse(why)

    @precondition(lambda self: self.sim.building())
    @rule(data=st.data(), is_good=st.booleans())
    def end_build(self, data: st.DataObject, is_good: bool) -> None:  # noqa: FBT001 - hypothesis calls by keyword
        recipe = data.draw(st.sampled_from(self.sim.building()))
        if is_good:
            self.sim.bench.environments.finish(recipe)
        else:
            self.sim.fail_build(recipe)

    @precondition(lambda self: self.sim.built())
    @rule(data=st.data())
    def lose_environment(self, data: st.DataObject) -> None:
        self.sim.bench.environments.lose(data.draw(st.sampled_from(self.sim.built())))

    @rule(silent=st.booleans(), refusal=st.sampled_from(["", "", "no such cluster"]))
    def gateway_fails(self, silent: bool, refusal: str) -> None:  # noqa: FBT001 - as above
        self.sim.bench.gateway.silent = silent
        self.sim.bench.gateway.refusal = refusal

    # -- us

    @rule()
    def restart(self) -> None:
        self.sim.restart()

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 60.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        self.sim.bench.clock.advance(seconds)

    @rule(name=names, times=st.integers(1, 4))
    def look(self, name: str, times: int) -> None:
        for _ in range(times):
            self.run(self._look(name))

    async def _look(self, name: str) -> None:
        record = await self.sim.bench.store.endpoint(name)
        await self.sim.look(record.name if record else name)
        self.sim.bench.clock.advance(0.6)

    @rule(times=st.integers(1, 6))
    def look_and_let_time_pass(self, times: int) -> None:
        self.look(NAMES[0], times)

    @rule()
    def left_alone_for_a_while(self) -> None:
        self.run(self._left_alone())

    @invariant()
    def outcomes_stand(self) -> None:
        self.sim.check_outcomes()


TestControlPlane = ControlPlane.TestCase
TestControlPlane.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
