"""What a deployment records of its requests and answers (`data_collector`)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from verdazul.model.declared import (
    Declared,
    Filled,
    Fraction,
    Truth,
    choice,
    must_be,
    read_mapping,
)


class RollingRate(StrEnum):
    """How much time one file of records covers."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


class CollectedData(Declared):
    """The data asset that records become."""

    name: Filled | None = None
    version: Filled | None = None
    path: Filled | None = None


class Collection(Declared):
    """One stream of records. `request` and `response` are payloads, recorded without code."""

    enabled: Truth = False
    data: Filled | CollectedData | None = None
    client_id: Filled | None = None


class RequestLogging(Declared):
    """What else is recorded of a request."""

    capture_headers: tuple[Filled, ...] = ()


def _not_empty(value: object) -> object:
    if not read_mapping(value):
        raise must_be("a mapping with at least one collection, such as model_inputs")
    return value


class DataCollector(Declared):
    """All collections of a deployment, sampled at one rate."""

    collections: Annotated[dict[str, Collection], BeforeValidator(_not_empty)]
    rolling_rate: Annotated[RollingRate, choice(RollingRate)] = RollingRate.HOUR
    sampling_rate: Fraction = 1.0
    request_logging: RequestLogging = Field(default_factory=RequestLogging)
