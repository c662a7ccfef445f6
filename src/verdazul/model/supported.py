"""What Azure knows and Verdazul does not do yet, refused by name.

An option that is accepted and has no effect is worse than one that is refused. Each feature that
arrives takes its line out of here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from verdazul.model.assets import InlineEnvironment, InlineModel, ModelType, OsType
from verdazul.model.deployment import DeploymentSpec
from verdazul.model.endpoint import Access, EndpointSpec
from verdazul.model.errors import Problem
from verdazul.model.problems import refuse
from verdazul.model.scale import ScaleType
from verdazul.model.show import Key, dotted

_ENFORCE = "enforce_access_to_default_secret_stores"
_APP_INSIGHTS = (
    "delete the key; read logs with `get-logs`, or set AML_APP_INSIGHTS_ENABLED and "
    "AML_APP_INSIGHTS_KEY in environment_variables (docs/scoring.md)"
)
_COLLECTING = (
    'delete the key; with AZUREML_MDC_ENABLED: "true" in environment_variables, what the script '
    "gives to azureml-ai-monitoring is kept (docs/scoring.md)"
)
_GPU = ("resources", "limits", "gpu")
_GPUS = "delete the line; every instance sees the GPUs of this machine"
_SECRET = re.compile(r"\$\{\{\s*(azureml|keyvault):", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A key whose value has no effect here, and what works instead."""

    key: Key
    value: str
    instead: str

    def problem(self, where: str) -> Problem:
        """As people read it."""
        return Problem(
            "NotSupportedYet",
            f"{dotted(self.key)}: {self.value} is not supported yet",
            self.instead,
            where,
        )


def _nowhere(key: Key) -> str:
    del key
    return ""


def refuse_unsupported(
    spec: EndpointSpec | DeploymentSpec, *, where: Callable[[Key], str] = _nowhere
) -> None:
    """Raise UserError (NotSupportedYet) naming every key that would have no effect."""
    problems = [found.problem(where(found.key)) for found in unsupported(spec)]
    if problems:
        raise refuse(problems, f'"{spec.name}"')


def refuse_unsupported_locally(
    spec: EndpointSpec | DeploymentSpec, *, where: Callable[[Key], str] = _nowhere
) -> None:
    """The same for local endpoints, which serve other keys: these go to the container engine."""
    if isinstance(spec, EndpointSpec):
        return
    refused = [each for each in unsupported(spec) if each.key not in _LOCALLY]
    if refused:
        raise refuse([each.problem(where(each.key)) for each in refused], f'"{spec.name}"')


# Served locally, or without effect there as in Azure, where they are accepted (and said). What a
# deployment without code is refused for depends on its image.
_LOCALLY = frozenset(
    (
        ("code_configuration",),
        ("model", "type"),
        ("data_collector",),
        ("environment", "build"),
        ("environment", "inference_config"),
        ("app_insights_enabled",),
        ("scale_settings", "type"),
        ("private_network_connection",),
        _GPU,
    )
)


def unsupported(spec: EndpointSpec | DeploymentSpec) -> list[Unsupported]:
    """Every key that would have no effect."""
    if isinstance(spec, EndpointSpec):
        return list(_of_endpoint(spec))
    return [
        *_of_deployment(spec),
        *_of_model(spec),
        *_of_environment(spec),
        *_of_variables(spec),
    ]


def _of_endpoint(spec: EndpointSpec) -> Iterator[Unsupported]:
    if spec.identity:
        yield Unsupported(
            ("identity",),
            spec.identity.type.value,
            "delete `identity`; give scripts what they need in environment_variables",
        )
    if spec.public_network_access is Access.DISABLED:
        yield Unsupported(
            ("public_network_access",),
            Access.DISABLED.value,
            "delete the key; endpoints listen where the server is told to",
        )
    if spec.properties.get(_ENFORCE, "").lower() == "enabled":
        yield Unsupported(("properties", _ENFORCE), "enabled", "delete the property")


def _of_deployment(spec: DeploymentSpec) -> Iterator[Unsupported]:
    if spec.resources and int(spec.resources.limits.gpu or 0):
        yield Unsupported(_GPU, str(spec.resources.limits.gpu), _GPUS)
    if spec.private_network_connection:
        yield Unsupported(("private_network_connection",), "true", "delete the key")
    if spec.app_insights_enabled:
        yield Unsupported(("app_insights_enabled",), "true", _APP_INSIGHTS)
    if spec.data_collector:
        yield Unsupported(("data_collector",), "collections", _COLLECTING)
    if spec.model_mount_path:
        yield Unsupported(
            ("model_mount_path",), spec.model_mount_path, "read AZUREML_MODEL_DIR in the script"
        )
    if spec.scale_settings.type is ScaleType.TARGET_UTILIZATION:
        yield Unsupported(("scale_settings", "type"), "target_utilization", "set `instance_count`")


def _of_model(spec: DeploymentSpec) -> Iterator[Unsupported]:
    if isinstance(spec.model, InlineModel) and spec.model.type is not ModelType.CUSTOM:
        yield Unsupported(
            ("model", "type"),
            spec.model.type.value,
            "use `type: custom_model` and load it in a scoring script",
        )
    if spec.code_configuration is None:
        yield Unsupported(
            ("code_configuration",),
            "none",
            "add `code_configuration` with `code` and `scoring_script`",
        )


def _of_environment(spec: DeploymentSpec) -> Iterator[Unsupported]:
    environment = spec.environment
    if not isinstance(environment, InlineEnvironment):
        return
    if environment.build:
        yield Unsupported(
            ("environment", "build"), environment.build.path, "use `image` and `conda_file`"
        )
    if environment.inference_config:
        yield Unsupported(
            ("environment", "inference_config"), "routes", "use a scoring script for the routes"
        )
    if environment.os_type is OsType.WINDOWS:
        yield Unsupported(("environment", "os_type"), "windows", "use `os_type: linux`")


def _of_variables(spec: DeploymentSpec) -> Iterator[Unsupported]:
    for name, value in spec.environment_variables.items():
        if _SECRET.search(value):
            yield Unsupported(
                ("environment_variables", name),
                "a reference to a secret store",
                "give the value itself, or the path of a file that holds it",
            )
