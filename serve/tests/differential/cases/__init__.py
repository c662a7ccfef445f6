"""The tables of cases, one module for each part of the contract."""

from __future__ import annotations

from serve.tests.differential.cases import (
    boots,
    collector,
    cors,
    failures,
    ids,
    plain,
    raw,
    responses,
    returns,
    schema,
    swagger,
    worlds,
)
from serve.tests.differential.table import Boot, Group

GROUPS: tuple[Group, ...] = (
    *plain.GROUPS,
    *ids.GROUPS,
    *failures.GROUPS,
    *returns.GROUPS,
    *schema.GROUPS,
    *swagger.GROUPS,
    *cors.GROUPS,
    *collector.GROUPS,
    *worlds.GROUPS,
    *responses.GROUPS,
    *raw.GROUPS,
)
BOOTS: tuple[Boot, ...] = boots.BOOTS
