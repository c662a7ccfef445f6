"""One deployment as a person declares it: a model, its code and environment, and how it is run.

Every key of Azure's YAML is here, also those that have no effect yet: supported.py refuses these by
name. Defaults are Azure's.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    model_validator,
)

from verdazul.model.assets import EnvironmentSource, ModelSource, is_of_registry
from verdazul.model.collect import DataCollector
from verdazul.model.declared import (
    KEY,
    Declared,
    Filled,
    Text,
    TextMap,
    Truth,
    choice,
    must_be,
    named,
    read_mapping,
    read_text,
    says,
    whole,
)
from verdazul.model.endpoint import Access
from verdazul.model.errors import UserError
from verdazul.model.properties import OF_DEPLOYMENTS, checked
from verdazul.model.resources import ResourceSettings
from verdazul.model.scale import ScaleSettings
from verdazul.model.show import shown
from verdazul.model.skus import instance_type

LONGEST_TIMEOUT_MS = 180_000
LONGEST_TIMEOUT_KUBERNETES_MS = 300_000
MOST_INSTANCES = 50
LONGEST_NAMES_KUBERNETES = 62
DEFAULT_INSTANCE_TYPE = "defaultinstancetype"


class DeploymentType(StrEnum):
    """Who runs the instances."""

    MANAGED = "managed"
    KUBERNETES = "kubernetes"


class RequestSettings(Declared):
    """How long a request may take and how many one instance takes at once."""

    request_timeout_ms: Annotated[int, whole(1, LONGEST_TIMEOUT_KUBERNETES_MS)] = 5000
    max_concurrent_requests_per_instance: Annotated[int, whole(1)] = 1
    max_queue_wait_ms: Annotated[int, whole(0)] = 500


class ProbeSettings(Declared):
    """When an instance counts as ready, or as dead. Times are whole seconds."""

    initial_delay: Annotated[int, whole(1)] = 10
    period: Annotated[int, whole(1)] = 10
    timeout: Annotated[int, whole(1)] = 2
    success_threshold: Annotated[int, whole(1)] = 1
    failure_threshold: Annotated[int, whole(1)] = 30


def _script(value: object) -> str:
    text = read_text(value)
    path = PurePosixPath(text)
    if not text.strip() or path.is_absolute() or ".." in path.parts or path.name == "":
        raise must_be("a file inside the code folder, such as score.py")
    return text


class CodeConfiguration(Declared):
    """`code` is a folder (absolute once loaded) or the id of an uploaded one."""

    code: Filled
    scoring_script: Annotated[str, BeforeValidator(_script)]


def _variables(value: object) -> object:
    for name in read_mapping(value):
        if not name or "=" in name:
            raise says(
                "InvalidValue",
                f"{KEY} has the name {shown(name)}; a name is not empty and has no '='",
            )
    return value


def _environment(value: object, info: ValidationInfo) -> object:
    if value is None and info.data.get("code_configuration"):
        raise says(
            "MissingKey",
            f"missing key `{KEY}`: a scoring script needs one",
            fix="add `environment:` with `image:` and `conda_file:`",
        )
    return value


def _instance_type(value: object, info: ValidationInfo) -> object:
    """Managed deployments need a known one, and get it in Azure's spelling."""
    if info.data.get("type") is not DeploymentType.MANAGED:
        return DEFAULT_INSTANCE_TYPE if value is None else value
    if value is None:
        raise says(
            "MissingKey",
            f"missing key `{KEY}`",
            fix="add a line such as `instance_type: Standard_DS3_v2`",
        )
    try:
        return instance_type(read_text(value)).name
    except UserError as error:
        problem = error.problem
        raise says(problem.code, problem.message, fix=problem.fix) from None


def _mount_path(value: object) -> str:
    text = read_text(value)
    if not text.startswith("/"):
        raise must_be("an absolute path, such as /var/models")
    return text


class DeploymentSpec(Declared):
    """One deployment. Fields are Azure's YAML keys."""

    name: Annotated[str, named("deployment")]
    endpoint_name: Annotated[str, named("endpoint")]
    type: Annotated[DeploymentType, choice(DeploymentType)] = DeploymentType.MANAGED
    description: Text | None = None
    tags: TextMap = Field(default_factory=dict)
    properties: Annotated[TextMap, AfterValidator(checked(OF_DEPLOYMENTS))] = Field(
        default_factory=dict
    )
    model: ModelSource | None = None
    model_mount_path: Annotated[str, BeforeValidator(_mount_path)] | None = None
    code_configuration: CodeConfiguration | None = None
    environment: Annotated[
        EnvironmentSource | None, BeforeValidator(_environment), Field(validate_default=True)
    ] = None
    environment_variables: Annotated[TextMap, BeforeValidator(_variables)] = Field(
        default_factory=dict
    )
    instance_type: Annotated[
        Filled | None, BeforeValidator(_instance_type), Field(validate_default=True)
    ] = None
    instance_count: Annotated[int, whole(1, MOST_INSTANCES)] = 1
    app_insights_enabled: Truth = False
    scale_settings: ScaleSettings = Field(default_factory=ScaleSettings)
    request_settings: RequestSettings = Field(default_factory=RequestSettings)
    liveness_probe: ProbeSettings = Field(default_factory=ProbeSettings)
    readiness_probe: ProbeSettings = Field(default_factory=ProbeSettings)
    data_collector: DataCollector | None = None
    egress_public_network_access: Annotated[Access, choice(Access)] = Access.ENABLED
    private_network_connection: Truth | None = None
    resources: ResourceSettings | None = None

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        self._liveness_takes_one_success()
        if self.type is DeploymentType.MANAGED:
            self._fits_managed()
        else:
            self._fits_kubernetes()
        return self

    def _liveness_takes_one_success(self) -> None:
        if self.liveness_probe.success_threshold != 1:
            raise says(
                "InvalidValue",
                f"{KEY} is {self.liveness_probe.success_threshold}; it must be 1",
                at=("liveness_probe", "success_threshold"),
            )

    def _fits_kubernetes(self) -> None:
        length = len(self.endpoint_name + self.name)
        if length > LONGEST_NAMES_KUBERNETES:
            raise says(
                "InvalidName",
                f"endpoint name {self.endpoint_name} and deployment name {self.name} have "
                f"{length} characters together; "
                f"Kubernetes takes at most {LONGEST_NAMES_KUBERNETES}",
                at=("name",),
            )
        if self.egress_public_network_access is Access.DISABLED:
            raise says(
                "InvalidValue",
                f"{KEY} is for managed deployments only; this one is of `type: kubernetes`",
                at=("egress_public_network_access",),
                fix="delete the key",
            )
        self._takes_nothing_of_registries()

    def _takes_nothing_of_registries(self) -> None:
        code = self.code_configuration.code if self.code_configuration else None
        for key, value in (
            ("model", self.model),
            ("environment", self.environment),
            ("code", code),
        ):
            if isinstance(value, str) and is_of_registry(value):
                raise says(
                    "InvalidValue",
                    f"{KEY} is of a registry; a Kubernetes deployment takes those of its workspace",
                    at=("code_configuration", key) if key == "code" else (key,),
                    fix="register it in the workspace, or describe it in place",
                )

    def _fits_managed(self) -> None:
        if self.resources:
            raise says(
                "InvalidValue",
                f"{KEY} belongs to `type: kubernetes`; "
                "a managed deployment is granted what its instance_type has",
                at=("resources",),
                fix="delete it, and choose an `instance_type`",
            )
        if self.request_settings.request_timeout_ms > LONGEST_TIMEOUT_MS:
            raise says(
                "InvalidValue",
                f"{KEY} is "
                f"{self.request_settings.request_timeout_ms}; "
                f"a managed deployment takes at most {LONGEST_TIMEOUT_MS}",
                at=("request_settings", "request_timeout_ms"),
            )
