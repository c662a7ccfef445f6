"""Cores in use, by family of instance types."""

from __future__ import annotations

from tests.core.records import deployment

from verdazul.core.usage import NO_LIMIT, cores_by_family


def test_cores_are_those_of_all_declared_instances() -> None:
    declared = [
        deployment("blue", instance_type="Standard_DS3_v2", instance_count=2),
        deployment("green", instance_type="standard_ds2_v2", instance_count=1),
        deployment("red", instance_type="Standard_F4s_v2", instance_count=1),
    ]

    used = {usage.name: (usage.used, usage.limit) for usage in cores_by_family(declared)}

    assert used == {
        "standardDSv2Family": (2 * 4 + 2, NO_LIMIT),
        "standardFSv2Family": (4, NO_LIMIT),
    }
    assert cores_by_family([]) == ()
