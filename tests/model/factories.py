"""Specs and folders with defaults, and hypothesis strategies for whole specs."""

from __future__ import annotations

import itertools
import string
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from verdazul.model.deployment import DeploymentSpec
from verdazul.model.endpoint import EndpointSpec
from verdazul.model.errors import Problem, UserError

WORKSPACE = (
    "/subscriptions/s1/resourceGroups/rg1/providers/Microsoft.MachineLearningServices/workspaces/w1"
)
CODE = f"{WORKSPACE}/codes/c1/versions/1"
MODEL = f"{WORKSPACE}/models/m1/versions/1"
ENVIRONMENT = f"{WORKSPACE}/environments/e1/versions/1"

ENDPOINT_YAML = """\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineEndpoint.schema.json
name: credit
auth_mode: key
"""

DEPLOYMENT_YAML = """\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
name: blue
endpoint_name: credit
model:
  path: ../model/
code_configuration:
  code: ../src
  scoring_script: score.py
environment:
  conda_file: ../environment/conda.yaml
  image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest
environment_variables:
  LOG_LEVEL: debug
tags:
  team: risk
instance_type: Standard_DS3_v2
instance_count: 2
request_settings:
  request_timeout_ms: 3000
  max_concurrent_requests_per_instance: 4
liveness_probe:
  initial_delay: 5
  period: 7
readiness_probe:
  failure_threshold: 3
"""

CONDA_YAML = """\
name: model-env
channels:
  - conda-forge
dependencies:
  - python=3.12
  - pip
  - pip:
      - scikit-learn==1.5.2
      - joblib
"""


def deployment_folder(root: Path, text: str = DEPLOYMENT_YAML) -> Path:
    """The usual folders of a sample; returns the path of its deployment file."""
    for name in ("model", "src", "environment", "sample"):
        (root / name).mkdir()
    (root / "model" / "model.pkl").write_bytes(b"\x80")
    (root / "src" / "score.py").write_text("def init(): ...\ndef run(data): return data\n")
    (root / "environment" / "conda.yaml").write_text(CONDA_YAML)
    file = root / "sample" / "blue.yml"
    file.write_text(text)
    return file


def endpoint_file(folder: Path, text: str = ENDPOINT_YAML) -> Path:
    file = folder / "endpoint.yml"
    file.write_text(text)
    return file


def endpoint(**fields: Any) -> EndpointSpec:
    return EndpointSpec.model_validate({"name": "credit", **fields})


def deployment(**fields: Any) -> DeploymentSpec:
    return DeploymentSpec.model_validate(
        {
            "name": "blue",
            "endpoint_name": "credit",
            "instance_type": "Standard_DS3_v2",
            "model": MODEL,
            "environment": ENVIRONMENT,
            "code_configuration": {"code": CODE, "scoring_script": "score.py"},
            **fields,
        }
    )


def problems(error: UserError) -> tuple[Problem, ...]:
    """All problems of an error, whether it has one or several."""
    return error.problem.details or (error.problem,)


def said(error: UserError) -> list[tuple[str, str, str]]:
    """(code, where, message) of all problems."""
    return [(each.code, each.where, each.message) for each in problems(error)]


names = st.from_regex(r"[a-z][a-z0-9-]{1,15}[a-z0-9]", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
words = st.text(string.ascii_letters, min_size=1, max_size=8)
text_maps = st.dictionaries(words, texts, max_size=3)
seconds = st.integers(1, 10_000)
probes = st.fixed_dictionaries(
    {
        "initial_delay": seconds,
        "period": seconds,
        "timeout": seconds,
        "success_threshold": st.just(1),
        "failure_threshold": st.integers(1, 100),
    }
)


@st.composite
def splits(draw: st.DrawFn) -> dict[str, int]:
    """Traffic that sums to 100, or to 0."""
    deployments = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    if draw(st.booleans()):
        return dict.fromkeys(deployments, 0)
    cuts = sorted(draw(st.integers(0, 100)) for _ in deployments[1:])
    edges = [0, *cuts, 100]
    parts = [high - low for low, high in itertools.pairwise(edges)]
    return dict(zip(deployments, parts, strict=True))


_endpoint_fields: dict[str, st.SearchStrategy[Any]] = {
    "name": names,
    "description": st.none() | texts,
    "tags": text_maps,
    "properties": text_maps,
    "auth_mode": st.sampled_from(["key", "aml_token", "aad_token"]),
    "identity": st.none()
    | st.fixed_dictionaries(
        {
            "type": st.just("user_assigned"),
            "user_assigned_identities": st.lists(words, min_size=1, max_size=2, unique=True),
        }
    ),
    "traffic": splits(),
    "public_network_access": st.sampled_from(["enabled", "disabled"]),
    "location": st.none() | words,
}
endpoints = st.one_of(
    st.builds(
        endpoint,
        **_endpoint_fields,
        mirror_traffic=st.just({}) | st.fixed_dictionaries({"the_mirror": st.integers(0, 50)}),
    ),
    st.builds(
        endpoint,
        **{**_endpoint_fields, "auth_mode": st.sampled_from(["key", "aml_token"])},
        compute=st.just("azureml:cluster"),
    ),
)

collectors = st.fixed_dictionaries(
    {
        "collections": st.dictionaries(
            words,
            st.fixed_dictionaries({"enabled": st.booleans(), "data": st.none() | words}),
            min_size=1,
            max_size=2,
        ),
        "sampling_rate": st.floats(0, 1),
        "rolling_rate": st.sampled_from(["minute", "hour", "day", "month", "year"]),
        "request_logging": st.fixed_dictionaries({"capture_headers": st.lists(words, max_size=2)}),
    }
)

_deployment_fields: dict[str, st.SearchStrategy[Any]] = dict(  # noqa: C408 - as they are written
    name=names,
    endpoint_name=names,
    description=st.none() | texts,
    tags=text_maps,
    properties=text_maps,
    model=st.none() | st.sampled_from([MODEL, "azureml:m:1", "azureml://registries/r/models/m"]),
    model_mount_path=st.none() | st.just("/var/models"),
    environment_variables=text_maps,
    instance_type=st.sampled_from(["Standard_DS3_v2", "standard_f4s_V2"]),
    instance_count=st.integers(1, 50),
    app_insights_enabled=st.booleans(),
    scale_settings=st.just({"type": "default"})
    | st.fixed_dictionaries(
        {
            "type": st.just("target_utilization"),
            "min_instances": st.integers(1, 3),
            "max_instances": st.integers(3, 9),
            "polling_interval": seconds,
        }
    ),
    request_settings=st.fixed_dictionaries(
        {
            "request_timeout_ms": st.integers(1, 180_000),
            "max_concurrent_requests_per_instance": st.integers(1, 1000),
            "max_queue_wait_ms": st.integers(0, 1_000_000),
        }
    ),
    liveness_probe=probes,
    readiness_probe=probes,
    data_collector=st.none() | collectors,
    egress_public_network_access=st.sampled_from(["enabled", "disabled"]),
    private_network_connection=st.none() | st.booleans(),
)
deployments = st.one_of(
    st.builds(deployment, type=st.just("managed"), **_deployment_fields),
    st.builds(
        deployment,
        type=st.just("kubernetes"),
        **_deployment_fields
        | {
            "model": st.none() | st.sampled_from([MODEL, "azureml:m:1"]),
            "instance_type": st.none() | st.sampled_from(["defaultinstancetype", "cpu-small"]),
            "egress_public_network_access": st.just("enabled"),
        },
        resources=st.none()
        | st.just({"requests": {"cpu": "100m", "memory": "1Gi"}})
        | st.just(
            {
                "requests": {"cpu": "1", "memory": "1Gi"},
                "limits": {"cpu": "2", "nvidia.com/gpu": "1"},
            }
        ),
    ),
)
