"""How many instances a deployment has: a fixed count, or (Kubernetes) one that follows load."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import model_validator

from verdazul.model.declared import KEY, Declared, choice, is_word, says, whole

_DEFAULTS = {
    "min_instances": 1,
    "max_instances": 1,
    "target_utilization_percentage": 70,
    "polling_interval": 1,
}


class ScaleType(StrEnum):
    """Who decides on the number of instances: `instance_count`, or the load."""

    DEFAULT = "default"
    TARGET_UTILIZATION = "target_utilization"


class ScaleSettings(Declared):
    """The bounds belong to target_utilization and are None for the default type."""

    type: Annotated[ScaleType, choice(ScaleType)] = ScaleType.DEFAULT
    min_instances: Annotated[int, whole(1)] | None = None
    max_instances: Annotated[int, whole(1)] | None = None
    target_utilization_percentage: Annotated[int, whole(1, 100)] | None = None
    polling_interval: Annotated[int, whole(1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in_the_bounds(cls, data: object) -> object:
        if isinstance(data, Mapping) and is_word(data.get("type"), ScaleType.TARGET_UTILIZATION):
            return {**_DEFAULTS, **data}
        return data

    @model_validator(mode="after")
    def _bounds_fit_the_type(self) -> Self:
        if self.type is ScaleType.DEFAULT:
            return self._without_bounds()
        low, high = self.min_instances, self.max_instances
        if low is not None and high is not None and low > high:
            raise says(
                "InvalidValue",
                f"{KEY} is {low}, more than max_instances, which is {high}",
                at=("min_instances",),
            )
        return self

    def _without_bounds(self) -> Self:
        for name in _DEFAULTS:
            if getattr(self, name) is not None:
                raise says(
                    "InvalidValue",
                    f"{KEY} belongs to `type: target_utilization`; "
                    "the default type takes its count from instance_count",
                    at=(name,),
                )
        return self
