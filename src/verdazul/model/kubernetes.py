"""What an instance of a Kubernetes deployment is granted: its instance type's, or its own.

An instance type says what is set aside for an instance (requests) and what it may use at most
(limits). A deployment's `resources` say it for this one, within the limits of its type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from verdazul.model.deployment import DEFAULT_INSTANCE_TYPE, DeploymentSpec
from verdazul.model.errors import UserError
from verdazul.model.quantities import cores, size_in_bytes
from verdazul.model.skus import instance_type


@dataclass(frozen=True, slots=True)
class Amounts:
    """Of processor and memory, as Kubernetes writes them."""

    cpu: str
    memory: str

    @property
    def cores(self) -> float:
        """Of the processor; may be a fraction."""
        return cores(self.cpu)

    @property
    def memory_bytes(self) -> int:
        """Of memory."""
        return size_in_bytes(self.memory)


@dataclass(frozen=True, slots=True)
class Grant:
    """What is set aside for an instance, and what it may use at most."""

    requests: Amounts
    limits: Amounts


BUILT_IN: Mapping[str, Grant] = {
    DEFAULT_INSTANCE_TYPE: Grant(requests=Amounts("100m", "2Gi"), limits=Amounts("2", "2Gi"))
}
"""The type of deployments that name none, as Azure defines it."""


def granted(spec: DeploymentSpec, types: Mapping[str, Grant] = BUILT_IN) -> Grant:
    """What each instance of it is granted. Raises UserError for a type that is not known, and for
    more than the type allows.
    """
    name = str(spec.instance_type)
    kind = types.get(name) or _size(name, types)
    if spec.resources is None:
        return kind
    asked, most = spec.resources.requests, spec.resources.limits
    requests = Amounts(asked.cpu, asked.memory)
    limits = Amounts(most.cpu or kind.limits.cpu, most.memory or kind.limits.memory)
    for where, amounts in (("limits", limits), ("requests", requests)):
        _refuse_more(f"resources.{where}.cpu", amounts.cpu, kind.limits.cpu, name, cores)
        memory = (amounts.memory, kind.limits.memory)
        _refuse_more(f"resources.{where}.memory", *memory, name, size_in_bytes)
    return Grant(requests, limits)


def _size(name: str, types: Mapping[str, Grant]) -> Grant:
    """An Azure size: all of it is set aside."""
    try:
        size = instance_type(name)
    except UserError:
        raise UserError(
            f'instance_type "{name[:80]}" is not known for Kubernetes deployments',
            code="InvalidInstanceType",
            fix=f"use {', '.join(types)}, a size such as Standard_DS3_v2, or leave it out; "
            "docs/concepts.md says how to have types of your own",
        ) from None
    amounts = Amounts(str(size.cpus), f"{size.memory_gib:g}Gi")
    return Grant(amounts, amounts)


def _refuse_more(
    key: str, asked: str, most: str, name: str, measured: Callable[[str], float]
) -> None:
    if measured(asked) > measured(most):
        raise UserError(
            f'{key} is "{asked}"; instance type {name} allows at most "{most}"',
            code="BadArgument",
            fix="ask for less, or choose a larger `instance_type`; "
            "docs/concepts.md says how to have types of your own",
        )
