"""An online endpoint as a person declares it: the name and door that deployments stand behind.

Every key of Azure's YAML is here, also those that have no effect yet: supported.py refuses these by
name, which is better than not knowing them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from verdazul.model.declared import (
    KEY,
    Declared,
    Filled,
    Text,
    TextMap,
    choice,
    must_be,
    named,
    read_integer,
    read_mapping,
    read_text,
    says,
)
from verdazul.model.properties import OF_ENDPOINTS, checked
from verdazul.model.traffic import live_mirror_problem, mirror_problem, traffic_problem

_COMPUTE = re.compile(
    r"(?:azureml:)?(?:/subscriptions/[^\s/]+/resourcegroups/[^\s/]+/providers"
    r"/microsoft\.machinelearningservices/workspaces/[^\s/]+/computes/(?:azureml:)?)?"
    r"(?P<name>[a-z0-9](?:[-_a-z0-9]{0,62}[a-z0-9])?)",
    re.IGNORECASE | re.ASCII,
)


class AuthMode(StrEnum):
    """What opens the endpoint."""

    KEY = "key"
    AML_TOKEN = "aml_token"  # noqa: S105 - a kind of token, not one
    AAD_TOKEN = "aad_token"  # noqa: S105 - a kind of token, not one


class Access(StrEnum):
    """Whether something can be reached."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class IdentityType(StrEnum):
    """Who the endpoint's scripts are towards other services."""

    SYSTEM_ASSIGNED = "system_assigned"
    USER_ASSIGNED = "user_assigned"


def _resource_id(value: object) -> object:
    """`- resource_id: <ARM id>` is the longer spelling of `- <ARM id>`."""
    if isinstance(value, Mapping):
        if set(value) != {"resource_id"}:
            raise must_be("an ARM id, or a mapping with `resource_id` only")
        return value["resource_id"]
    return value


class Identity(Declared):
    """The endpoint's managed identity."""

    type: Annotated[IdentityType, choice(IdentityType)] = IdentityType.SYSTEM_ASSIGNED
    user_assigned_identities: tuple[Annotated[Filled, BeforeValidator(_resource_id)], ...] = ()

    @model_validator(mode="after")
    def _identities_fit_the_type(self) -> Self:
        asked = self.type is IdentityType.USER_ASSIGNED
        if asked != bool(self.user_assigned_identities):
            raise says(
                "InvalidValue",
                f"{KEY} is {self.type.value} with {len(self.user_assigned_identities)} "
                "user_assigned_identities; user_assigned needs at least one, "
                "system_assigned takes none",
                at=("type",),
            )
        return self


def _compute(value: object) -> str:
    """`azureml:NAME`, whichever way the attached cluster is named.

    SDKs put what they were given behind the path of an id, a prefix and all.
    """
    found = _COMPUTE.fullmatch(read_text(value).strip())
    if not found:
        raise must_be("an attached compute, such as azureml:inferencecompute")
    return f"azureml:{found['name']}"


def _percentages(value: object) -> dict[str, object]:
    """Texts of whole numbers become numbers; what is wrong stays, to be named with its key."""
    found = read_mapping(value)
    return {
        name: percent if (number := read_integer(percent)) is None else number
        for name, percent in found.items()
    }


def _split(value: object, info: ValidationInfo) -> dict[str, object]:
    found = _percentages(value)
    problem = traffic_problem(found, endpoint=str(info.data.get("name") or ""))
    if problem:
        raise says("InvalidTraffic", problem, at=_culprit(found, 100))
    return found


def _mirror(value: object) -> dict[str, object]:
    found = _percentages(value)
    problem = mirror_problem(found)
    if problem:
        raise says("InvalidTraffic", problem, at=_culprit(found, 50))
    return found


_Percent = Annotated[int, Field(ge=0, le=100)]
_HalfAtMost = Annotated[int, Field(ge=0, le=50)]


def _culprit(found: Mapping[str, object], most: int) -> tuple[str, ...]:
    for name, percent in found.items():
        if not isinstance(percent, int) or isinstance(percent, bool) or not 0 <= percent <= most:
            return (name,)
    return ()


class EndpointSpec(Declared):
    """One endpoint. Fields are Azure's YAML keys."""

    name: Annotated[str, named("endpoint")]
    description: Text | None = None
    tags: TextMap = Field(default_factory=dict)
    properties: Annotated[TextMap, AfterValidator(checked(OF_ENDPOINTS))] = Field(
        default_factory=dict
    )
    auth_mode: Annotated[AuthMode, choice(AuthMode)] = AuthMode.KEY
    compute: Annotated[str, BeforeValidator(_compute)] | None = None
    identity: Identity | None = None
    traffic: Annotated[
        dict[str, int], BeforeValidator(_split, json_schema_input_type=dict[str, _Percent])
    ] = Field(default_factory=dict)
    mirror_traffic: Annotated[
        dict[str, int], BeforeValidator(_mirror, json_schema_input_type=dict[str, _HalfAtMost])
    ] = Field(default_factory=dict)
    public_network_access: Annotated[Access, choice(Access)] = Access.ENABLED
    location: Filled | None = None

    @model_validator(mode="after")
    def _mode_fits(self) -> Self:
        if self.compute and self.auth_mode is AuthMode.AAD_TOKEN:
            raise says(
                "InvalidValue",
                f"{KEY} is aad_token, which is for managed endpoints only; "
                "this one names a `compute`",
                at=("auth_mode",),
                fix="use key or aml_token",
            )
        return self

    @model_validator(mode="after")
    def _mirror_fits(self) -> Self:
        mirrored = any(self.mirror_traffic.values())
        problem = live_mirror_problem(self.traffic, self.mirror_traffic)
        if mirrored and self.compute:
            problem = "mirror_traffic is for managed endpoints only; this one names a `compute`"
        if problem:
            fix = "set mirror_traffic to 0 before the deployment takes traffic"
            raise says("InvalidTraffic", problem, at=("mirror_traffic",), fix=fix)
        return self
