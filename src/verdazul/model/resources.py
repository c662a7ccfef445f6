"""`resources` of a Kubernetes deployment: what is set aside for an instance, and its limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import AliasChoices, BeforeValidator, Field, model_validator

from verdazul.model.declared import KEY, Declared, says
from verdazul.model.quantities import cores, read_cpu, read_gpus, read_memory, size_in_bytes

_Cpu = Annotated[str, BeforeValidator(read_cpu)]
_Memory = Annotated[str, BeforeValidator(read_memory)]
_Gpus = Annotated[str, BeforeValidator(read_gpus)]


class ResourceRequests(Declared):
    """What is set aside, in Kubernetes' own quantities ("100m", "1Gi")."""

    cpu: _Cpu
    memory: _Memory


class ResourceLimits(Declared):
    """What may be used at most; what is not said is the instance type's."""

    cpu: _Cpu | None = None
    memory: _Memory | None = None
    gpu: Annotated[_Gpus | None, Field(validation_alias=AliasChoices("gpu", "nvidia.com/gpu"))] = (
        None
    )


class ResourceSettings(Declared):
    """No request is over its limit."""

    requests: ResourceRequests
    limits: ResourceLimits = Field(default_factory=ResourceLimits)

    @model_validator(mode="after")
    def _requests_are_within_limits(self) -> Self:
        for word, request, limit in self._excesses():
            raise says(
                "BadArgument",
                f'{KEY} is "{request}", more than its limit, which is "{limit}"',
                at=("requests", word),
                fix=f"raise resources.limits.{word}, or request less",
            )
        return self

    def _excesses(self) -> Iterator[tuple[str, str, str]]:
        asked, most = self.requests, self.limits
        if most.cpu is not None and cores(asked.cpu) > cores(most.cpu):
            yield "cpu", asked.cpu, most.cpu
        if most.memory is not None and size_in_bytes(asked.memory) > size_in_bytes(most.memory):
            yield "memory", asked.memory, most.memory
