"""What a deployment's instances are made from now: the order of steps in an update.

An update may change the number of instances and what they are made from at once. Then what serves
is scaled first, as in Azure, and changed afterwards; and it serves on in full while the environment
of what replaces it is built. `plan` does the rest: it rolls instances over, some at a time.

    # 2 old ready, 4 new asked -> 2 more old; 4 old ready -> new ones, within the surge
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from verdazul.core.environment import Recipe
from verdazul.core.instance import LIVE, Instance, Phase
from verdazul.core.records import DeploymentRecord, Memory
from verdazul.core.revision import Bundle
from verdazul.core.status import serving_bundle


def next_bundle(
    record: DeploymentRecord,
    memory: Memory,
    instances: Iterable[Instance],
    *,
    built: Collection[Recipe],
) -> Bundle:
    """What to make instances from. `built` are the environments that are there."""
    wanted, before = serving_bundle(record, memory), memory.last_good
    if before is None or before.revision == wanted.revision or before.recipe not in built:
        return wanted
    if wanted.recipe not in built:
        return before
    return before if _scales_first(record, before, wanted, tuple(instances)) else wanted


def _scales_first(
    record: DeploymentRecord, before: Bundle, wanted: Bundle, instances: tuple[Instance, ...]
) -> bool:
    """Whether the old version has still to grow or shrink.

    Not once the change has begun, and not when the old version ails: the change may be its cure.
    """
    if any(instance.id.revision == wanted.revision for instance in instances):
        return False
    old = [instance for instance in instances if instance.id.revision == before.revision]
    if any(instance.phase in {Phase.EXITED, Phase.UNREADY} for instance in old):
        return False
    ready = sum(instance.phase is Phase.READY for instance in old)
    live = sum(instance.phase in LIVE for instance in old)
    return ready > 0 and (ready, live) != 2 * (record.spec.instance_count,)
