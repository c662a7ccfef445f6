"""Anything happens, in any order: people change their minds, parts fail, the control plane dies.

While it happens no instance is stopped that may still be sent a request, what an operation promised
is true when it is told, and no outcome changes. Left alone, the world is exactly what is declared.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sim.simulation import CONDAS, DEPLOYMENTS, NAMES, VERSIONS, Simulation

Step = tuple[str, tuple[object, ...]]
Values = st.SearchStrategy[object]

which = st.integers(0, 5)
names = st.sampled_from([*(4 * NAMES[:1]), NAMES[1]])
spellings = names | st.just(NAMES[0].upper())
deployments = st.sampled_from([*DEPLOYMENTS, "BLUE"])
shares = st.sampled_from(
    [(("blue", 100),), (("green", 100),), (("BLUE", 90), ("green", 10)), (("blue", 0),), ()]
)
versions, condas = st.sampled_from(VERSIONS), st.integers(0, len(CONDAS) - 1)

# A method of Simulation, how likely it is, and what it is given.
STEPS: list[tuple[str, int, tuple[Values, ...]]] = [
    # people
    ("create", 1, (names,)),
    ("split", 3, (spellings, shares)),
    ("deploy", 5, (spellings, deployments, st.integers(1, 3), versions, condas)),
    ("undeploy", 1, (spellings, deployments)),
    ("delete", 1, (spellings,)),
    ("renew", 1, (spellings,)),
    # the world
    ("crash", 4, (which,)),
    ("hang", 1, (which,)),
    ("linger", 2, (st.sampled_from([0.5, 180.0]),)),
    ("refuse_starts", 1, (st.sampled_from([None, "no processes left"]),)),
    ("silence", 1, (st.booleans(),)),
    ("refuse_routes", 2, (st.sampled_from(["", "no such cluster"]),)),
    ("finish_build", 2, (which,)),
    ("fail_build", 1, (which,)),
    ("lose_environment", 1, (which,)),
    # us
    ("restart", 1, ()),
    ("pass_time", 2, (st.sampled_from([0.1, 2.0, 60.0, 400.0]),)),
    ("look_often", 9, (names, st.integers(1, 5))),
    ("rest", 1, ()),
]
VALUES = {what: st.tuples(*values) for what, _, values in STEPS}
OFTEN = [what for what, weight, _ in STEPS for _ in range(weight)]
steps = st.sampled_from(OFTEN).flatmap(lambda what: st.tuples(st.just(what), VALUES[what]))
beginnings = st.sampled_from([(("blue", 100),), (("blue", 90), ("Green", 10)), ()])


# Several short lists are longer on average than one long list, and shrink as well.
chapters = st.tuples(*(6 * [st.lists(steps, max_size=15)]))


@given(beginnings, chapters)
@settings(max_examples=70, deadline=None)
def test_whatever_happens_the_world_becomes_what_is_declared(
    beginning: tuple[tuple[str, int], ...], chapters: tuple[list[Step], ...]
) -> None:
    async def story(home: Path) -> None:
        simulation = Simulation(home)
        await simulation.prepare()
        await simulation.serving(NAMES[0], *beginning)
        for what, values in itertools.chain(*chapters):
            await getattr(simulation, what)(*values)
            simulation.check_outcomes()
        await simulation.rest()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder)))
