"""Labels <-> endpoints and deployments: a container's labels are all that is known of them.

Azure's clients write the same labels; what one of us created, the other shows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from verdazul.client.engine import Container
from verdazul.model.deployment import DeploymentSpec
from verdazul.model.errors import NotFound, UserError

LOCAL = "azureml-local-endpoint"
_MODEL_PORT = "5001"


def labels(spec: DeploymentSpec, endpoint: Mapping[str, Any], *, port: str) -> dict[str, str]:
    """What a container carries."""
    return {
        LOCAL: "",
        "endpoint": spec.endpoint_name,
        "deployment": spec.name,
        "endpoint-data": json.dumps(endpoint),
        "deployment-data": json.dumps(_written(spec)),
        "azureml-port": port,
    }


def wanted(endpoint: str = "", deployment: str = "") -> list[str]:
    """By which labels an engine finds them."""
    named = {"endpoint": endpoint, "deployment": deployment}
    return [LOCAL, *(f"{label}={name}" for label, name in named.items() if name)]


def deployment_data(container: Container) -> dict[str, Any]:
    """The deployment as it was declared."""
    return _read(container, "deployment-data")


def endpoint_data(container: Container) -> dict[str, Any]:
    """The endpoint as it was declared when the deployment was."""
    return _read(container, "endpoint-data")


def state(container: Container) -> str:
    """Azure's word for how a container is doing."""
    return "Failed" if container.has_ended else "Succeeded"


def deployment_entity(container: Container) -> dict[str, Any]:
    """A local deployment as people see it."""
    return dict(
        sorted(
            {
                "tags": {},
                "properties": {},
                "environment_variables": {},
                **deployment_data(container),
                "instance_type": "local",
                "provisioning_state": state(container),
            }.items()
        )
    )


def endpoint_entity(declared: Mapping[str, Any], container: Container | None) -> dict[str, Any]:
    """A local endpoint as people see it. `container` is the one that is called."""
    is_called = container is not None and container.published(_port(container)) is not None
    return {
        "auth_mode": declared.get("auth_mode") or "key",
        "location": "local",
        "name": declared["name"],
        "properties": declared.get("properties") or {},
        "provisioning_state": state(container) if container else "Succeeded",
        "scoring_uri": scoring_uri(container) if is_called and container else None,
        "tags": declared.get("tags") or {},
        "traffic": declared.get("traffic") or {},
    }


def scoring_uri(container: Container) -> str:
    """Where it is called; images of one's own say their path themselves."""
    return _url(
        container, _port(container), _route(container, "scoring_route").get("path") or "/score"
    )


def readiness_uri(container: Container) -> str:
    """What answers once it is ready."""
    route = _route(container, "readiness_route")
    port = str(route.get("port") or _port(container))
    return _url(container, port, route.get("path") or "/")


def _port(container: Container) -> str:
    return container.labels.get("azureml-port") or _MODEL_PORT


def _url(container: Container, port: str, path: str) -> str:
    """A path at the port of this machine that leads to one of the container's."""
    published = container.published(port)
    if not published:
        raise UserError(
            f"container {container.name} runs, but its port {port} leads nowhere on this machine",
            code="InvalidLocalEndpoint",
            fix="create the deployment again",
        )
    return f"http://localhost:{published}{path}"


def missing(endpoint: str, deployment: str = "") -> NotFound:
    """Say what does not exist."""
    if deployment:
        return NotFound(
            f"Local deployment ({endpoint} / {deployment}) does not exist.",
            code="LocalDeploymentNotFound",
            fix=f"create it with `verdazul online-deployment create --local -e {endpoint} -f FILE`",
        )
    return NotFound(
        f"Local endpoint ({endpoint}) does not exist.",
        code="LocalEndpointNotFound",
        fix=f"create it with `verdazul online-endpoint create --local -n {endpoint}`",
    )


def failed(container: Container, log_tail: tuple[str, ...] = ()) -> UserError:
    """Say that it has ended."""
    names = f"{container.labels.get('endpoint')} / {container.labels.get('deployment')}"
    logs = "verdazul online-deployment get-logs --local -e {} -n {}".format(*names.split(" / "))
    return UserError(
        f"Local deployment ({names}) is in failed state. Try getting logs to debug scoring script.",
        code="LocalEndpointInFailedState",
        fix=logs,
        log_tail=log_tail,
    )


def not_started(spec: DeploymentSpec, why: str) -> UserError:
    """Say that its engine could not even start it."""
    return UserError(
        f"Local deployment ({spec.endpoint_name} / {spec.name}) could not be started: {why}",
        code="LocalEndpointInFailedState",
        fix="correct the image (its CMD or ENTRYPOINT), or what is mounted into it",
    )


def _written(spec: DeploymentSpec) -> dict[str, Any]:
    """As YAML would hold it: the SDK's loader reads it too."""
    written = spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    environment = written.get("environment")
    if isinstance(environment, dict) and "conda_text" in environment:
        environment["conda_file"] = yaml.safe_load(environment.pop("conda_text"))
    return written


def _read(container: Container, label: str) -> dict[str, Any]:
    try:
        found = json.loads(container.labels.get(label) or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UserError(
            f"container {container.name} has the label {label!r}, but no JSON object in it",
            code="InvalidLocalEndpoint",
            fix=f"remove it: docker rm -f {container.name}",
        )
    return found


def _route(container: Container, name: str) -> Mapping[str, Any]:
    environment = deployment_data(container).get("environment")
    config = environment.get("inference_config") if isinstance(environment, dict) else None
    return (config or {}).get(name) or {}
