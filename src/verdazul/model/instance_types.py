"""Instance types of one's own for Kubernetes deployments, as they are declared to a cluster.

    apiVersion: amlarc.azureml.com/v1alpha1
    kind: InstanceTypeList
    items:
      - metadata: {name: cpu-small}
        spec:
          resources:
            requests: {cpu: "700m", memory: "1500Mi"}
            limits: {cpu: "1", memory: "2Gi"}

The file that is applied to a cluster is read as it is. This machine is the only node: it has every
label that a `nodeSelector` asks for, and its GPUs are seen by all, as those of Azure's sizes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from verdazul.model.declared import KEY, Declared, TextMap, must_be, read_text, says
from verdazul.model.declared_file import read_declared
from verdazul.model.kubernetes import BUILT_IN, Amounts, Grant
from verdazul.model.resources import ResourceSettings

API_VERSION = "amlarc.azureml.com/v1alpha1"
_ONE, _LIST = "InstanceType", "InstanceTypeList"
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")


def _name(value: object) -> str:
    text = read_text(value)
    if not _NAME.fullmatch(text):
        raise must_be("lower-case letters, digits, '-' and '.'")
    return text


def _api_version(value: object) -> str:
    if value != API_VERSION:
        raise must_be(API_VERSION)
    return API_VERSION


def _kind(value: object) -> str:
    if value not in {_ONE, _LIST}:
        raise must_be(f"{_ONE} or {_LIST}")
    return read_text(value)


class Metadata(Declared):
    """What a type is called; labels and annotations are for people."""

    name: Annotated[str, BeforeValidator(_name)]
    labels: TextMap = Field(default_factory=dict)
    annotations: TextMap = Field(default_factory=dict)


class Specification(Declared):
    """What a type grants; both amounts of both are required."""

    nodeSelector: TextMap = Field(default_factory=dict)  # noqa: N815 - the file's own word
    resources: ResourceSettings

    @model_validator(mode="after")
    def _limits_are_complete(self) -> Self:
        for word in ("cpu", "memory"):
            if getattr(self.resources.limits, word) is None:
                raise says("MissingKey", f"missing key `{KEY}.{word}`", at=("resources", "limits"))
        return self

    def grant(self) -> Grant:
        """The same in other words."""
        asked, most = self.resources.requests, self.resources.limits
        limits = Amounts(str(most.cpu), str(most.memory))
        return Grant(Amounts(asked.cpu, asked.memory), limits)


class Item(Declared):
    """One type of a list, whose head has said what it is."""

    apiVersion: Annotated[str, BeforeValidator(_api_version)] = API_VERSION  # noqa: N815 - as above
    kind: Annotated[str, BeforeValidator(_kind)] = _ONE
    metadata: Metadata
    spec: Specification


class Manifest(Declared):
    """The file: one type, or a list."""

    apiVersion: Annotated[str, BeforeValidator(_api_version)]  # noqa: N815 - the file's own word
    kind: Annotated[str, BeforeValidator(_kind)]
    metadata: Metadata | None = None
    spec: Specification | None = None
    items: tuple[Item, ...] = ()

    @model_validator(mode="after")
    def _has_what_its_kind_has(self) -> Self:
        wanted = ("metadata", "spec") if self.kind == _ONE else ("items",)
        missing = [word for word in wanted if not getattr(self, word)]
        if missing:
            raise says("MissingKey", f"missing key `{missing[0]}` of an {self.kind}")
        if self.kind == _ONE and self.items:
            raise says("InvalidValue", f"{KEY} belong to `kind: {_LIST}`", at=("items",))
        names = [item.metadata.name for item in self.items]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise says("InvalidValue", f"instance type {twice[0]} is there twice; list it once")
        return self

    def grants(self) -> Mapping[str, Grant]:
        """What each type grants, by name."""
        alone = {"metadata": self.metadata, "spec": self.spec}
        items = self.items or (Item.model_validate(alone),)
        return {item.metadata.name: item.spec.grant() for item in items}


def known_types(path: Path) -> Mapping[str, Grant]:
    """Those that the file declares, if it is there, and the one that is always there.

    Raise UserError naming file:line for what is wrong in it.
    """
    if not path.exists():
        return BUILT_IN
    return {**BUILT_IN, **read_declared(path, Manifest).grants()}
