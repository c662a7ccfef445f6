"""How much of what is in use: cores by family of instance types, and endpoints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from verdazul.core.records import DeploymentRecord
from verdazul.model.deployment import DeploymentType
from verdazul.model.skus import instance_type

NO_LIMIT = -1
"""Azure's word for a quota that nobody has set."""


@dataclass(frozen=True, slots=True)
class Usage:
    """`limit` NO_LIMIT: the machine decides."""

    name: str
    shown: str
    used: int
    limit: int


def cores_by_family(declared: Iterable[DeploymentRecord]) -> tuple[Usage, ...]:
    """Cores of all managed instances; families of which nothing is declared are left out.

    Those of Kubernetes are a matter of the cluster.
    """
    used: dict[str, int] = {}
    managed = (each for each in declared if each.spec.type is DeploymentType.MANAGED)
    for record in managed:
        kind = instance_type(str(record.spec.instance_type))
        used[kind.family] = used.get(kind.family, 0) + kind.cpus * record.spec.instance_count
    return tuple(Usage(name, f"{name} cores", used[name], NO_LIMIT) for name in sorted(used))
